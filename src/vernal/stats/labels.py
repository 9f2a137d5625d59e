"""Labels of two classes and the scores that go with them, checked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Bools, Floats


def binary_labels(labels: npt.ArrayLike) -> Bools:
    """Return labels of 0 and 1 as booleans.

    Raises
    ------
    SampleError
        If there is any other value, or no row.
    """
    values = np.asarray(labels)
    if values.ndim != 1 or not values.size:
        raise SampleError(f"labels: found shape {values.shape}, expected one row of at least 1")
    if values.dtype == np.bool_:
        return values
    positive: Bools = np.asarray(values == 1, dtype=np.bool_)
    other = values[~(positive | np.asarray(values == 0, dtype=np.bool_))]
    if other.size:
        raise SampleError(f"labels: found {other[0]!s} in {other.size} of {values.size} rows, expected 0 or 1")
    return positive


def finite_scores(scores: npt.ArrayLike, rows: int) -> Floats:
    """Return scores as finite numbers, one per row.

    Raises
    ------
    SampleError
        If the number of rows differs or a score is NaN or infinite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (rows,):
        raise SampleError(f"scores: found shape {values.shape}, expected ({rows},), one per label")
    bad = rows - int(np.isfinite(values).sum())
    if bad:
        raise SampleError(f"scores: found {bad} of {rows} that are NaN or infinite, expected finite numbers")
    return values
