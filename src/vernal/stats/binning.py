"""Coarse bins made of whole grid cells."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Ints, counts_of


def merge_cells(
    counts: npt.ArrayLike, *, bins: int = 10, points: npt.ArrayLike | None = None, least_rows: int = 1
) -> Ints:
    """Return the bin of every grid cell, so that the bins hold about equal shares of the reference.

    A value with more than ``1 / bins`` of the rows gets a bin of its own, and the bins left over divide the rest: a
    feature that is 60 % zeros keeps its ten bins. Cells without reference rows join a neighbour, because an empty
    last bin would inflate every score. Between such single values they stay a bin of their own: what a discrete
    feature never showed is news, not tail.

    Parameters
    ----------
    counts
        Reference rows per cell in order of value, shape ``(k,)``.
    bins
        Bins asked for. There are fewer when the cells cannot be divided so, and more when more than ``bins`` runs
        of cells lie apart between single values.
    points
        True for cells that hold one value only, shape ``(k,)``.
    least_rows
        Rows that the bins of a run between single values hold on average at the least; with fewer, where a bin ends is
        chance, and the law of the scores without drift, which takes the bins as given, does not hold.

    Returns
    -------
    Ints
        Bin per cell, shape ``(k,)``, from 0 and never falling.

    Raises
    ------
    SampleError
        If ``bins`` is below 2, the reference is empty, or the shapes differ.

    Examples
    --------
    >>> merge_cells([1, 1, 1, 1, 1, 1], bins=3).tolist()
    [0, 0, 1, 1, 2, 2]
    >>> merge_cells([0, 60, 20, 20], bins=3, points=[False, True, False, False]).tolist()
    [0, 1, 2, 3]
    """
    cells = counts_of("reference", counts)
    single = np.zeros(cells.size, np.bool_) if points is None else np.asarray(points, dtype=np.bool_)
    if bins < 2:  # noqa: PLR2004 - one bin compares nothing
        raise SampleError(f"bins: found {bins}, expected at least 2")
    if single.shape != cells.shape:
        raise SampleError(f"points: found shape {single.shape}, expected {cells.shape}, one per cell")
    total = int(cells.sum())
    if not total:
        raise SampleError("reference: found no rows, expected at least 1")
    alone = single & (cells * bins > total)
    starts = np.zeros(cells.size, np.bool_)
    starts[0] = True
    starts |= alone
    starts[1:] |= alone[:-1]
    runs = _runs(starts, alone, cells)
    for (first, last), share in zip(runs, _shares(cells, runs, bins - int(alone.sum())), strict=True):
        filled = max(1, int(cells[first:last].sum()) // least_rows)
        starts[first + _cuts(cells[first:last], min(share, filled))] = True
    merged: Ints = np.cumsum(starts, dtype=np.int64) - 1
    return merged


def _runs(starts: Bools, alone: Bools, cells: Ints) -> list[tuple[int, int]]:
    """Return the runs of cells (first, one past the last) between single values that hold any rows."""
    edges = [*np.flatnonzero(starts).tolist(), starts.size]
    return [(a, b) for a, b in itertools.pairwise(edges) if not alone[a] and cells[a:b].any()]


def _shares(cells: Ints, runs: list[tuple[int, int]], bins: int) -> list[int]:
    """Divide ``bins`` among the runs by their rows (largest remainder), at least one to each."""
    if not runs:
        return []
    rows = np.array([cells[first:last].sum() for first, last in runs], dtype=np.float64)
    wanted = rows / rows.sum() * max(bins, len(runs))
    shares = np.maximum(1, np.floor(wanted))
    while shares.sum() < bins:
        shares[np.argmax(wanted - shares)] += 1
    return [int(share) for share in shares]


def _cuts(cells: Ints, bins: int) -> Ints:
    """Return the cells that start a new bin within a run, nearest to equal shares; no bin is without rows."""
    below = np.cumsum(cells)
    total = below[-1]
    possible = np.flatnonzero((cells > 0) & (below < total))
    if not possible.size or bins == 1:
        return np.empty(0, np.int64)
    reached = below[possible]
    targets = total * np.arange(1, bins) / bins
    after = np.minimum(reached.searchsorted(targets), possible.size - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(targets - reached[before] <= reached[after] - targets, before, after)
    chosen = np.zeros(possible.size, np.bool_)
    chosen[nearest] = True
    cuts: Ints = possible[chosen].astype(np.int64) + 1
    return cuts
