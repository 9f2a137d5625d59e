"""Model versions with their artefacts, metrics and lineage."""

from vernal.adapters.registry.mlflow_registry import MlflowRegistry

__all__ = ["MlflowRegistry"]
