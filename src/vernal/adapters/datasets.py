"""Materialised training sets as Parquet files on local disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.errors import LakeError
from vernal.ports import SavedDataset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class LocalDatasets:
    """Training sets in a folder, one sub-folder each; written aside and renamed, so never seen half-written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, name: str, *, training: pa.Table, holdout: pa.Table) -> SavedDataset:
        """Write both parts atomically under a name; saving a name again replaces it."""
        final, aside = self._root / name, self._root / f".{name}.{os.getpid()}"
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            digest = hashlib.sha256()
            for part, table in (("training", training), ("holdout", holdout)):
                path = aside / f"{part}.parquet"
                pq.write_table(table, path, compression="zstd")
                digest.update(path.read_bytes())
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
        except (OSError, pa.ArrowException) as error:
            shutil.rmtree(aside, ignore_errors=True)
            message = f"training set {name}: cannot write {final}: {error}"
            raise LakeError(
                message, hint="Free some space or check the folder's permissions; the run tries again."
            ) from error
        return SavedDataset(final / "training.parquet", final / "holdout.parquet", digest.hexdigest())

    def read(self, path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one table; :class:`~vernal.errors.LakeError` if it is gone or damaged."""
        try:
            with pq.ParquetFile(path) as file:
                return file.read(columns=None if columns is None else list(columns))
        except (OSError, pa.ArrowException) as error:
            raise LakeError(f"training set: cannot read {path}: {error}") from error
