"""The categories of a reference, counted in bounded memory, and which of them are compared one by one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.profile.columns import Counts, encoded, indices, is_valid, whole_numbers
from vernal.profile.grid import TOP_CATEGORIES, VOCABULARY, CategoryGrid
from vernal.profile.tally import Tally

_WAITING = VOCABULARY
"""Categories of chunks that may wait before they are added up."""

_SURE = 20
"""Rows from which a category is so frequent that it would not have been missed in another sample."""

_SPLITTABLE = 20
"""Rows with a category from which there is enough for two halves."""

_CHOOSING, _COUNTING = 0, 1
"""The two parts that rows are dealt to."""


def count_vocabulary(name: str, chunks: Iterable[pa.Array]) -> tuple[CategoryGrid, Counts | None]:
    """Return the grid of a categorical feature, and the reference counted on it.

    A category that is chosen because the reference has it has by that alone more rows there than in any other sample,
    and one that the reference happens to lack has fewer. With rare categories that would pass for drift. So when there
    are any, or more than can be counted one by one, one half of the rows chooses the categories and only the other is
    counted: then the reference's counts on the grid, those of the new categories too, are as unbiased as any window's.

    Parameters
    ----------
    name
        The feature.
    chunks
        Its column in the reference.

    Returns
    -------
    grid, cells
        Equal counts are ordered by the category. ``cells`` is ``None`` beyond ``VOCABULARY`` different categories:
        rarer ones were forgotten on the way, so the other half has to be counted on the grid afresh.

    Raises
    ------
    ProfileError
        If values have no written form.
    """
    tally, known = Tally(name, split=True), _Known(name)
    for chunk in chunks:
        tally.add(chunk)
        if tally.waiting > _WAITING:
            known.add(*tally.take())
    known.add(*tally.take())
    rows = known.rows
    total = rows.sum(axis=1)
    split = bool(total.sum() >= _SPLITTABLE and (len(total) > TOP_CATEGORIES or total.min() < _SURE))
    choosing = rows[:, _CHOOSING] if split else total
    order = _by_frequency(known.labels, choosing)
    names = int((choosing > 0).sum())
    vocabulary = known.labels.take(indices(order[: min(names, VOCABULARY)]))
    top = min(names, TOP_CATEGORIES)
    complete = known.complete and names <= VOCABULARY
    grid = CategoryGrid(name=name, vocabulary=vocabulary, top=top, complete=complete, split=split)
    if not complete:
        return grid, None
    nulls = tally.nulls + known.nulls
    counted, without = (rows[order, _COUNTING], nulls[_COUNTING]) if split else (total[order], nulls.sum())
    cells: Counts = np.r_[counted[:top], counted[top:names].sum(), counted[names:].sum(), without]
    return grid, cells


def _by_frequency(labels: pa.Array, rows: Counts) -> Counts:
    """Return the order with the most frequent first, equal ones by name."""
    by_name = whole_numbers(pc.sort_indices(labels))
    order: Counts = by_name[np.argsort(-rows[by_name], kind="stable")]
    return order


class _Known:
    """Categories and their rows per part; of too many the rarest are forgotten."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.labels = pa.nulls(0, pa.large_string())
        self.rows: Counts = np.empty((0, 2), np.int64)
        self.nulls = np.zeros(2, np.int64)
        self.complete = True

    def add(self, labels: pa.Array, rows: Counts) -> None:
        joined, rows = pa.concat_arrays([self.labels, labels]), np.concatenate((self.rows, rows))
        valid = is_valid(joined)
        self.nulls += rows[~valid].sum(axis=0)
        codes, distinct = encoded(self._name, joined)  # different values may have the same written form
        merged = [np.bincount(codes[valid], weights=part[valid], minlength=len(distinct)) for part in rows.T]
        self.rows = np.stack(merged, axis=1).astype(np.int64)
        occurring = np.flatnonzero(self.rows.any(axis=1))  # a dictionary may hold what no row has
        if occurring.size > 2 * VOCABULARY:
            self.complete = False
            occurring = _by_frequency(distinct, self.rows.sum(axis=1))[: 2 * VOCABULARY]
        self.labels, self.rows = distinct.take(indices(occurring)), self.rows[occurring]
