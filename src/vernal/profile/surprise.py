"""How unusual single rows are for a reference: those of a kind that has become frequent and was rare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.profile.baseline import Baseline
from vernal.profile.binning import Binning
from vernal.profile.columns import Codes, column_of
from vernal.profile.grid import Grid, NumericalGrid
from vernal.profile.hourly import cells_of_categories, cells_of_numbers


def surprise(baseline: Baseline, rows: pa.Table) -> npt.NDArray[np.float64]:
    """Return how much more frequent than in the reference rows like each one are, by their most unusual feature.

    Parameters
    ----------
    baseline
        The reference.
    rows
        At least the baseline's features.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, at least 1: the largest ratio over features of the share of the row's bin among these rows to
        its share in the reference, half a row added to either count. The bins are those of the drift statistics.

    Raises
    ------
    ProfileError
        If a feature is missing or has a type that cannot be counted as its kind.
    """
    found = np.ones(rows.num_rows)
    if not rows.num_rows:
        return found
    batch = rows.combine_chunks().to_batches()[0]
    binning = Binning.of(baseline)
    reference = binning.binned(baseline.reference)
    ends = np.append(binning.bin_starts[1:], binning.bins.size)
    for grid, offset, start, end in zip(baseline.grids, baseline.offsets, binning.bin_starts, ends, strict=True):
        cells = offset + _cells(grid, column_of(batch, grid.name))
        bins = np.searchsorted(binning.bins[start:end], cells, "right") - 1
        then = reference[start:end] + 0.5
        now = np.bincount(bins, minlength=then.size) + 0.5
        ratios = (now / now.sum()) / (then / then.sum())
        found = np.maximum(found, ratios[bins])
    return found


def _cells(grid: Grid, column: pa.Array) -> Codes:
    return cells_of_numbers(grid, column)[0] if isinstance(grid, NumericalGrid) else cells_of_categories(grid, column)
