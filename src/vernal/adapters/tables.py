"""Rows of files and frames, read one column at a time: Parquet, Delta, Arrow, pandas."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.errors import DataError
from vernal.profile import TableSource
from vernal.profile.columns import column_of, no_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from vernal.profile import ColumnSource

_CHUNK_ROWS = 262_144
"""Rows decoded together: large enough for speed, small enough that memory does not hang on the number of rows."""

_TEXT_ROWS = 4 * _CHUNK_ROWS
"""The same for text, of which only codes are held: fewer chunks mean fewer dictionaries."""


def open_rows(data: object, *, subject: str) -> ColumnSource:
    """Return any rows that Vernal can read as a source of columns.

    Parameters
    ----------
    data
        A path (a Parquet file, a folder of them, or a Delta table), an Arrow table, record batch or stream of batches,
        record batches in any iterable, a pandas frame, or anything else that exports itself to Arrow
        (``__arrow_c_stream__``), such as a Polars frame.
    subject
        What the rows are, for messages.

    Raises
    ------
    DataError
        If it is none of these, or cannot be opened.
    """
    if isinstance(data, str | Path):
        return _open_path(Path(data), subject)
    if isinstance(data, pa.Table | pa.RecordBatch):
        return TableSource(data)
    try:
        if _is_frame(data):
            return TableSource(_from_pandas(data))
        if hasattr(data, "__arrow_c_stream__"):
            return TableSource(pa.table(data))
        if isinstance(data, Iterable):
            return TableSource(_batches(data))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{subject}: cannot be read as a table: {error}") from error
    raise DataError(f"{subject}: found {type(data).__name__}, expected {_READABLE}")


_READABLE = "a path, an Arrow table, a pandas frame or record batches"


def _batches(data: Iterable[object]) -> Iterator[pa.RecordBatch]:
    for one in data:
        if not isinstance(one, pa.RecordBatch):
            raise TypeError(f"found {type(one).__name__} in a {type(data).__name__}, expected {_READABLE}")
        yield one


class ParquetSource:
    """The rows of one Parquet file; every reader of a column opens the file for itself."""

    def __init__(self, path: Path, *, subject: str) -> None:
        self._path, self._subject = path, subject
        with _readable(subject, path), pq.ParquetFile(path) as file:
            self._metadata, self._schema = file.metadata, file.schema_arrow

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self._schema

    @property
    def rows(self) -> int:
        """Number of rows, as the file states it."""
        return int(self._metadata.num_rows)

    def chunks(self, column: str) -> Iterator[pa.Array]:
        """Yield a column; strings come dictionary-encoded, as they mostly are in the file."""
        yield no_rows(self._schema, column)
        text = _is_text(self._schema, column)
        # Without pre_buffer a column is read as it is decoded, instead of being held in memory as a whole.
        options = {"metadata": self._metadata, "read_dictionary": [column] if text else [], "pre_buffer": False}
        with _readable(self._subject, self._path), pq.ParquetFile(self._path, **options) as file:
            rows = _TEXT_ROWS if text else _CHUNK_ROWS
            for batch in file.iter_batches(batch_size=rows, columns=[column], use_threads=False):
                yield column_of(batch, column)


class DatasetSource:
    """The rows of many files: a folder of Parquet files, or a Delta table."""

    def __init__(self, dataset: Any, *, subject: str, path: Path) -> None:  # noqa: ANN401 - pyarrow has no types
        self._dataset, self._subject, self._path = dataset, subject, path
        self._schema: pa.Schema = dataset.schema
        with _readable(subject, path):
            self._rows = int(dataset.count_rows())

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self._schema

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self._rows

    def chunks(self, column: str) -> Iterator[pa.Array]:
        """Yield a column, file by file."""
        yield no_rows(self._schema, column)
        with _readable(self._subject, self._path):
            scanner = self._dataset.scanner(
                columns=[column], batch_size=_CHUNK_ROWS, batch_readahead=1, fragment_readahead=1, use_threads=False
            )
            for batch in scanner.to_batches():
                yield column_of(batch, column)


def _open_path(path: Path, subject: str) -> ColumnSource:
    with _readable(subject, path):
        found = path.exists()
    if not found:
        raise DataError(
            f"{subject}: found nothing at {path}, expected a Parquet file, a folder of them or a Delta table"
        )
    if path.is_file():
        return ParquetSource(path, subject=subject)
    if (path / "_delta_log").is_dir():
        return DatasetSource(_delta_dataset(path, subject), subject=subject, path=path)
    import pyarrow.dataset as ds

    with _readable(subject, path):
        dataset = ds.dataset(path, format="parquet", partitioning="hive")
    if not dataset.files:
        raise DataError(f"{subject}: found no file in {path}, expected Parquet files or a Delta table")
    return DatasetSource(dataset, subject=subject, path=path)


def _delta_dataset(path: Path, subject: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(path).to_pyarrow_dataset()
    except (DeltaError, OSError) as error:
        raise DataError(f"{subject}: cannot read the Delta table {path}: {error}") from error


def _is_frame(data: object) -> TypeGuard[pd.DataFrame]:
    """Tell a pandas frame without importing pandas, which a frame's owner has done."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Return a frame without its index; what Arrow cannot hold, such as mixed objects, is compared as text."""
    columns = []
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        try:
            columns.append(pa.Array.from_pandas(_dense(column)))
        except (pa.ArrowException, OverflowError, UnicodeError):
            columns.append(pa.Array.from_pandas(column.map(_text, na_action="ignore"), type=pa.large_string()))
    return pa.table(columns, names=[str(name) for name in frame.columns])


def _dense(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column with every value written out, which sparse ones are for Arrow only then."""
    accessor = getattr(column, "sparse", None)
    return column if accessor is None else accessor.to_dense()


def _text(value: object) -> str:
    """Return an object as text that UTF-8 can hold."""
    return str(value).encode(errors="backslashreplace").decode()


def _is_text(schema: pa.Schema, column: str) -> bool:
    types = [schema.field(place).type for place in schema.get_all_field_indices(column)]
    return any(pa.types.is_string(found) or pa.types.is_large_string(found) for found in types)


@contextmanager
def _readable(subject: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading into an error that names the place."""
    try:
        yield
    except (OSError, UnicodeError, pa.ArrowException) as error:
        raise DataError(
            f"{subject}: cannot read {path}: {error}",
            hint="Expected a Parquet file, a folder of them or a Delta table.",
        ) from error
