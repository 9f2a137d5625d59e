"""Where rows come from: anything that can be read one column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.columns import column_of, no_rows


@runtime_checkable
class ColumnSource(Protocol):
    """Rows that are read column by column, each as often as wanted, also by several threads at once.

    What is larger than memory is a source as long as its chunks are small: nothing here keeps a column whole.
    """

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    def chunks(self, column: str) -> Iterator[pa.Array]:
        """Yield a column in the order of its rows, in chunks of any sizes; strings may come dictionary-encoded.

        Raises
        ------
        ProfileError
            If there is no such column, or more than one.
        """
        ...


class TableSource:
    """Rows in memory."""

    def __init__(self, data: pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch]) -> None:
        if isinstance(data, pa.Table):
            self._batches: list[pa.RecordBatch] = data.to_batches()
            self._schema: pa.Schema | None = data.schema
        else:
            self._batches = [data] if isinstance(data, pa.RecordBatch) else list(data)
            self._schema = self._batches[0].schema if self._batches else None

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        if self._schema is None:
            raise ProfileError("rows: found no record batch, expected at least one to tell the columns from")
        return self._schema

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(batch.num_rows for batch in self._batches)

    def chunks(self, column: str) -> Iterator[pa.Array]:
        """Yield a column batch by batch."""
        if not self.rows and self._schema is not None:
            yield no_rows(self._schema, column)
        for batch in self._batches:
            yield column_of(batch, column)
