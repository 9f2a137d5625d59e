"""Counting columns on the cells of a baseline's grids, in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from vernal.profile.baseline import Baseline
from vernal.profile.columns import Counts, Numbers, numbers, positions
from vernal.profile.counts import NO_MOMENTS, Moments, Profile, merge_moments
from vernal.profile.grid import CategoryGrid, Grid, NumericalGrid
from vernal.profile.source import ColumnSource, TableSource
from vernal.profile.tally import Tally

BLOCK = 65_536
"""Values sorted together: a block fits the cache, and looking up the edges in it beats looking up every value."""

_WAITING = 200_000
"""Categories that may wait to be looked up together."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Counted(NamedTuple):
    """One feature's rows on the cells of its grid, shape ``(width,)``; moments only of numbers, shape ``(5,)``."""

    cells: Counts
    moments: Moments | None


def profile_rows(
    baseline: Baseline,
    data: ColumnSource | pa.Table | pa.RecordBatch,
    *,
    threads: int = 1,
    on_column: Callable[[], None] | None = None,
) -> Profile:
    """Count rows on a baseline's cells.

    Parameters
    ----------
    baseline
        Says which columns are counted, and how.
    data
        At least the baseline's features, in any order; other columns are ignored. No rows are fine.
    threads
        Columns counted at the same time; the result does not depend on it.
    on_column
        Called, from any of the threads, whenever a column is done.

    Raises
    ------
    ProfileError
        If a feature is missing or has a type that cannot be counted as its kind.
    """
    source = TableSource(data) if isinstance(data, pa.Table | pa.RecordBatch) else data
    costly_first = sorted(baseline.grids, key=lambda grid: isinstance(grid, NumericalGrid))
    found = in_threads(lambda grid: count(grid, source.chunks(grid.name)), costly_first, threads, on_column)
    by_name = {grid.name: counted for grid, counted in zip(costly_first, found, strict=True)}
    counted = [by_name[grid.name] for grid in baseline.grids]
    return gathered(baseline.grid_id, source.rows, counted)


def gathered(grid_id: str, rows: int, counted: list[Counted]) -> Profile:
    """Return the profile of features that were counted one by one, at least one."""
    moments = [one.moments for one in counted if one.moments is not None]
    return Profile(
        grid_id=grid_id,
        rows=rows,
        counts=np.concatenate([one.cells for one in counted]),
        moments=np.stack(moments) if moments else np.empty((0, len(NO_MOMENTS))),
    )


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, on_item: Callable[[], None] | None = None
) -> list[Result]:
    """Return what ``work`` makes of each item, in order; numpy and Arrow let go of the interpreter while they work."""

    def told(item: Item) -> Result:
        result = work(item)
        if on_item is not None:
            on_item()
        return result

    if threads <= 1:
        return [told(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(told, items))


def count(grid: Grid, chunks: Iterable[pa.Array]) -> Counted:
    """Count a column on the cells of its grid.

    Raises
    ------
    ProfileError
        If the column has a type that cannot be counted as its kind.
    """
    if isinstance(grid, NumericalGrid):
        return _count_numbers(grid, chunks)
    return Counted(count_categories(grid, chunks), None)


def _count_numbers(grid: NumericalGrid, chunks: Iterable[pa.Array]) -> Counted:
    cells = np.zeros(grid.width, dtype=np.int64)
    moments = [np.array(NO_MOMENTS)]
    for chunk in chunks:
        values, valid = numbers(grid.name, chunk)
        present = values if valid is None else values[valid]
        cells[-1] += values.size - present.size
        for start in range(0, present.size, BLOCK):
            block = compared(grid, present[start : start + BLOCK])
            finite = finite_part(np.sort(block))
            cells[: grid.intervals] += np.diff(
                finite.searchsorted(edges_for(grid, finite), "right"), prepend=0, append=finite.size
            )
            cells[-2] += block.size - finite.size
            if finite.size:
                moments.append(moments_of(finite))
    merged: Moments = merge_moments(np.stack(moments)[:, None])[0]
    return Counted(cells, merged)


def count_categories(grid: CategoryGrid, chunks: Iterable[pa.Array], *, half: bool = False) -> Counts:
    """Count a categorical column on the cells of its grid, if asked only the half of its rows that did not cut it."""
    cells = np.zeros(grid.width, dtype=np.int64)
    tally = Tally(grid.name, split=half)
    for chunk in chunks:
        tally.add(chunk)
        if tally.waiting > _WAITING:
            cells += _on_cells(grid, *tally.take())
    cells += _on_cells(grid, *tally.take())
    cells[-1] += tally.nulls[-1]
    return cells


def _on_cells(grid: CategoryGrid, labels: pa.Array, rows: Counts) -> Counts:
    places = grid.cells(positions(labels, grid.vocabulary))
    return np.bincount(places, weights=rows[:, -1], minlength=grid.width).astype(np.int64)


def edges_for(grid: NumericalGrid, values: Numbers) -> Numbers:
    """Return the edges in the precision in which values are compared, the coarser one of both sides."""
    if grid.narrow:
        return grid.edges.astype(values.dtype)
    return _in_single_precision(grid) if values.dtype == np.float32 else grid.edges


def _in_single_precision(grid: NumericalGrid) -> Numbers:
    """Return the edges for values in single precision: 0.1 there is the 0.1 that a reference has in double."""
    with np.errstate(over="ignore"):
        edges = grid.edges.astype(np.float32)
        under = np.flatnonzero(grid.points[1:-1])
        edges[under] = np.nextafter(edges[under + 1], np.float32(-np.inf))  # the edge that sets a single value apart
    in_order: Numbers = np.minimum.accumulate(edges[::-1])[::-1]
    return in_order


def compared(grid: NumericalGrid, values: Numbers) -> Numbers:
    """Return values in the precision of the reference, so that 0.1 served is the 0.1 trained on."""
    if not grid.narrow or values.dtype == np.float32:
        return values
    limit = np.finfo(np.float32).max
    with np.errstate(over="ignore"):
        narrowed = values.astype(np.float32)
    too_large = np.isinf(narrowed) & np.isfinite(values)
    narrowed[too_large] = np.copysign(limit, values[too_large].astype(np.float64))
    return narrowed


def finite_part(ordered: Numbers) -> Numbers:
    """Return the finite ones of sorted values: infinities lie at the ends and NaN after them."""
    if ordered.dtype.kind != "f":
        return ordered
    return ordered[ordered.searchsorted(-np.inf, "right") : ordered.searchsorted(np.inf, "left")]


def moments_of(finite: Numbers) -> Moments:
    """Return the moments of sorted finite values, at least one."""
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float have no finite moments
        mean = float(finite.mean(dtype=np.float64))
        off = np.subtract(finite, mean, dtype=np.float64)
        off *= off  # no dot product: its threads would fight with ours
        return np.array([finite.size, mean, float(off.sum()), finite[0], finite[-1]], dtype=np.float64)
