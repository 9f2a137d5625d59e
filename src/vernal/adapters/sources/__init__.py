"""The user's own tables in place of the embedded lake's: Parquet folders, Delta tables, SQL databases."""

from vernal.adapters.sources.lake import SourcedLake
from vernal.adapters.sources.opening import open_sources

__all__ = ["SourcedLake", "open_sources"]
