"""Canonical rows cut to a stretch of time and put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.observe.columns import keep, micros, to_micros
from vernal.records import Predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.adapters.sources.layout import Layout


def between(rows: pa.Table, layout: Layout, start: datetime | None, end: datetime | None) -> pa.Table:
    """Return the rows of ``[start, end)``."""
    if start is None and end is None:
        return rows
    moments = micros(rows[layout.event_time])
    inside = np.ones(len(moments), dtype=np.bool_)
    if start is not None:
        inside &= moments >= to_micros(start)
    if end is not None:
        inside &= moments < to_micros(end)
    return keep(rows, inside)


def in_order(rows: pa.Table, layout: Layout, columns: Sequence[str] | None) -> pa.Table:
    """Return columns of rows that also have their event time and id, by these."""
    keys = [(layout.event_time, "ascending"), (Predictions.ID, "ascending")]
    rows = rows.take(pc.sort_indices(rows, sort_keys=keys))
    return rows.select(list(layout.all_columns if columns is None else columns))


def with_order(layout: Layout, columns: Sequence[str] | None) -> list[str]:
    """Return columns with those that rows are put in order by."""
    wanted = list(layout.all_columns if columns is None else columns)
    return [*wanted, *(name for name in (Predictions.ID, layout.event_time) if name not in wanted)]


def nothing(layout: Layout) -> pa.Table:
    """Return canonical rows of which there are none."""
    names = layout.all_columns
    raw = pa.Table.from_arrays([pa.nulls(0) for _ in names], names=list(names))
    return layout.canonical(raw)
