"""Cutting a baseline from a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline, grid_digest, offsets_of
from vernal.profile.columns import Mask, Numbers, numbers
from vernal.profile.counting import (
    Counted,
    count,
    count_categories,
    edges_for,
    finite_part,
    gathered,
    in_threads,
    moments_of,
)
from vernal.profile.counts import NO_MOMENTS
from vernal.profile.dealing import chosen
from vernal.profile.grid import CategoryGrid, FeatureKind, Grid, NumericalGrid, cut
from vernal.profile.source import ColumnSource, TableSource
from vernal.profile.vocabulary import count_vocabulary

_SAMPLE = 1 << 20
"""Values from which the quantiles are taken; of more, one of every two, four, eight ... counts for them."""

_SINGLE = {np.dtype(np.float32), np.dtype(np.float16)}


def build_baseline(
    data: ColumnSource | pa.Table | Iterable[pa.RecordBatch],
    features: Mapping[str, FeatureKind],
    *,
    threads: int = 1,
    on_column: Callable[[], None] | None = None,
) -> Baseline:
    """Cut the grids of all features on a reference and count it on them.

    Parameters
    ----------
    data
        The reference: a source, a table, or batches (which are kept until the end); other columns are ignored.
    features
        The features to watch and how each is compared.
    threads
        Features worked on at the same time; the result does not depend on it.
    on_column
        Called, from any of the threads, whenever a feature is done.

    Returns
    -------
    Baseline
        A feature without any value in the reference has cells for values and nulls all the same. Beyond a million rows
        the grid is cut on an even sample; the counts are those of all rows.

    Raises
    ------
    ProfileError
        If there are no rows or no features, or a feature is missing or has a type that cannot be counted as its kind.

    Examples
    --------
    >>> table = pa.table({"delay": pa.array([1.0, 2.0, 2.5, None])})
    >>> baseline = build_baseline(table, {"delay": FeatureKind.NUMERICAL})
    >>> baseline.rows, baseline.summary(baseline.reference, "delay").maximum
    (4, 2.5)
    """
    source = data if isinstance(data, ColumnSource) else TableSource(data)
    if not features:
        raise ProfileError("baseline: found no features, expected at least one to watch")
    if not source.rows:
        raise ProfileError("baseline: found no reference rows, expected at least 1")

    def build(feature: tuple[str, FeatureKind]) -> tuple[Grid, Counted]:
        name, kind = feature
        return _numerical(name, source) if FeatureKind(kind) is FeatureKind.NUMERICAL else _categorical(name, source)

    built = in_threads(build, features.items(), threads, on_column)
    grids = tuple(grid for grid, _ in built)
    grid_id = grid_digest(grids)
    reference = gathered(grid_id, source.rows, [counted for _, counted in built])
    return Baseline(grids=grids, offsets=offsets_of(grids), grid_id=grid_id, reference=reference)


def _numerical(name: str, source: ColumnSource) -> tuple[NumericalGrid, Counted]:
    sample = _Sample()
    for chunk in source.chunks(name):
        sample.add(*numbers(name, chunk))
    ordered = sample.ordered()
    grid = cut(name, finite_part(ordered), narrow=ordered.dtype in _SINGLE)
    if not sample.is_whole:
        return grid, count(grid, source.chunks(name))
    return grid, _counted_whole(grid, ordered, nulls=sample.nulls)


def _counted_whole(grid: NumericalGrid, ordered: Numbers, *, nulls: int) -> Counted:
    """Return the counts of a column that was sorted as a whole."""
    finite = finite_part(ordered)
    cells = np.zeros(grid.width, dtype=np.int64)
    below = finite.searchsorted(edges_for(grid, finite), "right")
    cells[: grid.intervals] = np.diff(below, prepend=0, append=finite.size)
    cells[-2:] = ordered.size - finite.size, nulls
    return Counted(cells, moments_of(finite) if finite.size else np.array(NO_MOMENTS))


class _Sample:
    """All values of a column while they are few; beyond that an even sample of them, with the extremes of all.

    Values are chosen by their place among all, so how they are cut into chunks does not matter.
    """

    def __init__(self) -> None:
        self.nulls = 0
        self._rows = 0
        self._level = 0
        self._kept: list[Numbers] = []
        self._held = 0
        self._extremes: list[Numbers] = []

    @property
    def is_whole(self) -> bool:
        return self._level == 0

    def add(self, values: Numbers, valid: Mask | None) -> None:
        present = values if valid is None else values[valid]
        self.nulls += values.size - present.size
        start, self._rows = self._rows, self._rows + present.size
        if not self.is_whole:
            self._note_extremes(present)
            present = present[chosen(start, self._rows, self._level) - start]
        self._kept.append(present)
        self._held += present.size
        while self._held > _SAMPLE:
            self._halve()

    def ordered(self) -> Numbers:
        ordered = np.concatenate(self._kept + self._extremes)
        ordered.sort()
        return ordered

    def _halve(self) -> None:
        held = np.concatenate(self._kept)
        if self.is_whole:
            self._note_extremes(held)
        self._kept = [held[chosen(0, self._rows, self._level + 1) >> self._level]]
        self._held = self._kept[0].size
        self._level += 1

    def _note_extremes(self, values: Numbers) -> None:
        """Keep the extremes of all values and no others, or the sample would hang on how rows are cut into chunks."""
        self._extremes = [_extremes(np.concatenate([*self._extremes, _extremes(values)]))]


def _extremes(values: Numbers) -> Numbers:
    """Return the least and the greatest finite value, or nothing."""
    finite = values[np.isfinite(values)]
    return np.array([finite.min(), finite.max()], dtype=values.dtype) if finite.size else finite


def _categorical(name: str, source: ColumnSource) -> tuple[CategoryGrid, Counted]:
    grid, cells = count_vocabulary(name, source.chunks(name))
    if cells is None:
        cells = count_categories(grid, source.chunks(name), half=grid.split)
    return grid, Counted(cells, None)
