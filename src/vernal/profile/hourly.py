"""Counting rows hour by hour, for windows that roll."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline
from vernal.profile.columns import (
    Codes,
    Mask,
    Numbers,
    column_of,
    encoded,
    indices,
    labels_of,
    numbers,
    place_of,
    positions,
    taken,
)
from vernal.profile.counting import compared, edges_for, profile_rows
from vernal.profile.counts import NO_MOMENTS, Moments, Profile
from vernal.profile.grid import CategoryGrid, NumericalGrid

_BULK_ROWS = 4_096
"""Rows per hour from which sorting an hour's values beats looking up each one's cell."""

_HOURS_TOGETHER = 168
"""Hours counted in one dense table, which bounds its memory."""


def profile_by_hour(baseline: Baseline, batch: pa.RecordBatch | pa.Table, hours: npt.ArrayLike) -> dict[int, Profile]:
    """Count rows on a baseline's cells, hour by hour.

    Parameters
    ----------
    baseline
        Says which columns are counted, and how.
    batch
        At least the baseline's features, in any order.
    hours
        The hour of each row (hours since an epoch), in any order, shape ``(n,)``.

    Returns
    -------
    dict[int, Profile]
        One profile per hour that has rows, in order of time. Merged they are the profile of the batch.

    Raises
    ------
    ProfileError
        If ``hours`` does not fit, or a feature is missing or has a type that cannot be counted as its kind.
    """
    when = np.asarray(hours)
    if when.dtype.kind not in "iu" and when.size:
        raise ProfileError(f"hours: found an array of {when.dtype}, expected whole numbers")
    when = when.astype(np.int64)
    if when.shape != (batch.num_rows,):
        raise ProfileError(f"hours: found shape {when.shape}, expected ({batch.num_rows},), one per row")
    profiles: dict[int, Profile] = {}
    start = 0
    for grid in baseline.grids:
        place_of(batch.schema, grid.name)
    for part in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
        for hour, profile in _batch_by_hour(baseline, part, when[start : start + part.num_rows]):
            profiles[hour] = profiles[hour].merge(profile) if hour in profiles else profile
        start += part.num_rows
    return dict(sorted(profiles.items()))


def _batch_by_hour(baseline: Baseline, batch: pa.RecordBatch, when: Codes) -> Iterator[tuple[int, Profile]]:
    if (when[1:] < when[:-1]).any():
        order = np.argsort(when, kind="stable")
        names, places = baseline.features, indices(order)
        columns = [taken(column_of(batch, name), places) for name in names]
        batch, when = pa.RecordBatch.from_arrays(columns, names=list(names)), when[order]
    starts = np.flatnonzero(np.r_[True, when[1:] != when[:-1]]) if when.size else np.empty(0, dtype=np.int64)
    ends = np.r_[starts[1:], when.size]
    for first in range(0, starts.size, _HOURS_TOGETHER):
        begin, end = starts[first : first + _HOURS_TOGETHER], ends[first : first + _HOURS_TOGETHER]
        rows = int(end[-1] - begin[0])
        if rows >= _BULK_ROWS * begin.size:
            for a, b in zip(begin.tolist(), end.tolist(), strict=True):
                yield int(when[a]), profile_rows(baseline, batch.slice(a, b - a))
        else:
            part = batch.slice(int(begin[0]), rows)
            yield from zip(when[begin].tolist(), _count_hours(baseline, part, begin - begin[0], rows), strict=True)


def _count_hours(baseline: Baseline, batch: pa.RecordBatch, starts: Codes, rows: int) -> Iterator[Profile]:
    """Yield the profile of each hour of rows that are in order of time, from one table of hours by cells."""
    lengths = np.diff(np.r_[starts, rows])
    hour = np.repeat(np.arange(starts.size), lengths)
    counts = np.zeros((starts.size, baseline.width), dtype=np.int64)
    moments = np.tile(NO_MOMENTS, (starts.size, baseline.numerical, 1))
    number = 0
    for grid, offset in zip(baseline.grids, baseline.offsets, strict=True):
        column = column_of(batch, grid.name)
        if isinstance(grid, NumericalGrid):
            cells, values, finite = cells_of_numbers(grid, column)
            moments[:, number] = _moments_by_hour(values, finite, hour, starts)
            number += 1
        else:
            cells = cells_of_categories(grid, column)
        table = np.bincount(hour * grid.width + cells, minlength=starts.size * grid.width)
        counts[:, offset : offset + grid.width] = table.reshape(starts.size, grid.width)
    for i, length in enumerate(lengths.tolist()):
        yield Profile(grid_id=baseline.grid_id, rows=length, counts=counts[i].copy(), moments=moments[i].copy())


def cells_of_numbers(grid: NumericalGrid, column: pa.Array) -> tuple[Codes, Numbers, Mask]:
    """Return each row's cell, its value, and whether that is a finite one."""
    values, valid = numbers(grid.name, column)
    values = compared(grid, values)
    finite = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.size, dtype=np.bool_)
    cells = edges_for(grid, values).searchsorted(values, "left")
    cells[~finite] = grid.width - 2
    if valid is not None:
        cells[~valid] = grid.width - 1
        finite &= valid
    return cells, values, finite


def cells_of_categories(grid: CategoryGrid, column: pa.Array) -> Codes:
    """Return each row's cell."""
    codes, dictionary = encoded(grid.name, column)
    null = np.array([grid.width - 1])
    of_codes = np.concatenate((null, grid.cells(positions(labels_of(grid.name, dictionary), grid.vocabulary))))
    of_rows: Codes = of_codes[codes + 1]
    return of_rows


def _moments_by_hour(values: Numbers, finite: Mask, hour: Codes, starts: Codes) -> Moments:
    """Return the moments of every hour, shape ``(hours, 5)``."""
    x = values.astype(np.float64)
    inside = np.where(finite, x, 0.0)
    count = np.add.reduceat(finite, starts, dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float have no finite moments
        mean = np.add.reduceat(inside, starts) / np.maximum(count, 1)
        off = np.where(finite, inside - mean[hour], 0.0)
        m2 = np.add.reduceat(off * off, starts)
    least = np.minimum.reduceat(np.where(finite, x, np.inf), starts)
    most = np.maximum.reduceat(np.where(finite, x, -np.inf), starts)
    return np.stack((count, mean, m2, least, most), axis=-1)
