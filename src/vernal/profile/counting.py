"""Counting record batches on a baseline's cells: in bulk, or hour by hour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline, empty_profile
from vernal.profile.columns import Codes, Mask, Numbers, categories, column_of, numbers, positions
from vernal.profile.counts import NO_MOMENTS, Counts, Moments, Profile, merge_moments
from vernal.profile.grid import CategoryGrid, NumericalGrid

_BLOCK = 65_536
"""Values sorted together: a block fits the cache, and looking up the edges in it beats looking up every value."""

_BULK_ROWS = 4_096
"""Rows per hour from which sorting an hour's values beats looking up each one's cell."""

_HOURS_TOGETHER = 168
"""Hours counted in one dense table, which bounds its memory."""


def profile_batch(baseline: Baseline, batch: pa.RecordBatch | pa.Table) -> Profile:
    """Count rows on a baseline's cells.

    Parameters
    ----------
    baseline
        Says which columns are counted, and how.
    batch
        At least the baseline's features, in any order; other columns are ignored. No rows are fine.

    Raises
    ------
    ProfileError
        If a feature is missing or has a type that cannot be counted as its kind.
    """
    if isinstance(batch, pa.Table):
        profile = empty_profile(baseline)
        for part in batch.to_batches():
            profile = profile.merge(profile_batch(baseline, part))
        return profile
    counts = np.zeros(baseline.width, dtype=np.int64)
    moments: list[Moments] = []
    for grid, offset in zip(baseline.grids, baseline.offsets, strict=True):
        column = column_of(batch, grid.name)
        cells = counts[offset : offset + grid.width]
        if isinstance(grid, NumericalGrid):
            moments.append(_count_numbers(grid, column, cells))
        else:
            cells += _count_categories(grid, column)
    stacked = np.stack(moments) if moments else np.empty((0, len(NO_MOMENTS)))
    return Profile(grid_id=baseline.grid_id, rows=batch.num_rows, counts=counts, moments=stacked)


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
    when = np.asarray(hours, dtype=np.int64)
    if when.shape != (batch.num_rows,):
        raise ProfileError(f"hours: found shape {when.shape}, expected ({batch.num_rows},), one per row")
    profiles: dict[int, Profile] = {}
    start = 0
    for part in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
        for hour, profile in _batch_by_hour(baseline, part, when[start : start + part.num_rows]):
            profiles[hour] = profiles[hour].merge(profile) if hour in profiles else profile
        start += part.num_rows
    return dict(sorted(profiles.items()))


def _batch_by_hour(baseline: Baseline, batch: pa.RecordBatch, when: Codes) -> Iterator[tuple[int, Profile]]:
    if (when[1:] < when[:-1]).any():
        order = np.argsort(when, kind="stable")
        indices = pa.Array.from_buffers(pa.int64(), order.size, [None, pa.py_buffer(order.astype(np.int64))])
        batch, when = batch.take(indices), when[order]
    starts = np.flatnonzero(np.r_[True, when[1:] != when[:-1]]) if when.size else np.empty(0, dtype=np.int64)
    ends = np.r_[starts[1:], when.size]
    for first in range(0, starts.size, _HOURS_TOGETHER):
        begin, end = starts[first : first + _HOURS_TOGETHER], ends[first : first + _HOURS_TOGETHER]
        rows = int(end[-1] - begin[0])
        if rows >= _BULK_ROWS * begin.size:
            for a, b in zip(begin.tolist(), end.tolist(), strict=True):
                yield int(when[a]), profile_batch(baseline, batch.slice(a, b - a))
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
            cells, values, finite = _cells_of_numbers(grid, column)
            moments[:, number] = _moments_by_hour(values, finite, hour, starts)
            number += 1
        else:
            cells = _cells_of_categories(grid, column)
        table = np.bincount(hour * grid.width + cells, minlength=starts.size * grid.width)
        counts[:, offset : offset + grid.width] = table.reshape(starts.size, grid.width)
    for i, length in enumerate(lengths.tolist()):
        yield Profile(grid_id=baseline.grid_id, rows=length, counts=counts[i].copy(), moments=moments[i].copy())


def _count_numbers(grid: NumericalGrid, column: pa.Array, cells: Counts) -> Moments:
    """Add a column to the feature's cells and return its moments."""
    values, valid = numbers(grid.name, column)
    present = _compared(grid, values if valid is None else values[valid])
    edges = _edges(grid, present)
    cells[-1] += values.size - present.size
    moments = [np.array(NO_MOMENTS)]
    for start in range(0, present.size, _BLOCK):
        block = np.sort(present[start : start + _BLOCK])
        finite = block
        if block.dtype.kind == "f":
            finite = block[block.searchsorted(-np.inf, "right") : block.searchsorted(np.inf, "left")]
        below = finite.searchsorted(edges, "right")
        cells[: grid.intervals] += np.diff(below, prepend=0, append=finite.size)
        cells[-2] += block.size - finite.size
        if finite.size:
            moments.append(_moments(finite))
    merged: Moments = merge_moments(np.stack(moments)[:, None])[0]
    return merged


def _count_categories(grid: CategoryGrid, column: pa.Array) -> Counts:
    codes, labels = categories(grid.name, column)
    rows = np.bincount(codes + 1, minlength=len(labels) + 1)
    cells = np.r_[grid.width - 1, grid.cells(positions(labels, grid.vocabulary))]
    return np.bincount(cells, weights=rows, minlength=grid.width).astype(np.int64)


def _cells_of_numbers(grid: NumericalGrid, column: pa.Array) -> tuple[Codes, Numbers, Mask]:
    """Return each row's cell, its value, and whether that is a finite one."""
    values, valid = numbers(grid.name, column)
    values = _compared(grid, values)
    finite = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.size, dtype=np.bool_)
    cells = _edges(grid, values).searchsorted(values, "left")
    cells[~finite] = grid.width - 2
    if valid is not None:
        cells[~valid] = grid.width - 1
        finite &= valid
    return cells, values, finite


def _cells_of_categories(grid: CategoryGrid, column: pa.Array) -> Codes:
    codes, labels = categories(grid.name, column)
    cells = np.r_[grid.width - 1, grid.cells(positions(labels, grid.vocabulary))]
    of_rows: Codes = cells[codes + 1]
    return of_rows


def _edges(grid: NumericalGrid, values: Numbers) -> Numbers:
    return grid.edges.astype(values.dtype) if grid.narrow else grid.edges


def _compared(grid: NumericalGrid, values: Numbers) -> Numbers:
    """Return values in the precision of the reference, so that 0.1 served is the 0.1 trained on."""
    if not grid.narrow or values.dtype == np.float32:
        return values
    limit = np.finfo(np.float32).max
    with np.errstate(over="ignore"):
        narrowed = values.astype(np.float32)
    too_large = np.isinf(narrowed) & np.isfinite(values)
    narrowed[too_large] = np.copysign(limit, values[too_large].astype(np.float64))
    return narrowed


def _moments(finite: Numbers) -> Moments:
    """Return the moments of sorted finite values, at least one."""
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float have no finite moments
        mean = float(finite.mean(dtype=np.float64))
        off = finite - mean
        return np.array([finite.size, mean, float(off @ off), finite[0], finite[-1]], dtype=np.float64)


def _moments_by_hour(values: Numbers, finite: Mask, hour: Codes, starts: Codes) -> Moments:
    """Return the moments of every hour, shape ``(hours, 5)``."""
    x = values.astype(np.float64)
    inside = np.where(finite, x, 0.0)
    count = np.add.reduceat(finite, starts, dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # as in _moments
        mean = np.add.reduceat(inside, starts) / np.maximum(count, 1)
        off = np.where(finite, inside - mean[hour], 0.0)
        m2 = np.add.reduceat(off * off, starts)
    least = np.minimum.reduceat(np.where(finite, x, np.inf), starts)
    most = np.maximum.reduceat(np.where(finite, x, -np.inf), starts)
    return np.stack((count, mean, m2, least, most), axis=-1)
