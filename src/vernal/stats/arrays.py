"""The array types that the statistics speak, and the checks that they share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]


def counts_of(subject: str, values: npt.ArrayLike) -> Ints:
    """Return ``values`` as a vector of counts.

    Raises
    ------
    SampleError
        If it is not one-dimensional, or holds anything but whole numbers of at least 0.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise SampleError(f"{subject}: found an array of shape {array.shape}, expected one row of counts")
    if array.dtype.kind not in "iub":
        whole = array.astype(np.float64)
        if not (np.isfinite(whole).all() and (whole == np.floor(whole)).all()):
            raise SampleError(f"{subject}: found fractions or values that are not finite, expected whole counts")
    counts = array.astype(np.int64)
    if counts.size and counts.min() < 0:
        raise SampleError(f"{subject}: found a count of {counts.min()}, expected at least 0")
    return counts


def paired_counts(reference: npt.ArrayLike, current: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Return two histograms on the same cells, each with at least one row.

    Raises
    ------
    SampleError
        If the cells differ in number or a side is empty.
    """
    r, c = counts_of("reference", reference), counts_of("current", current)
    if r.shape != c.shape:
        raise SampleError(f"histograms: found {r.size} reference and {c.size} current cells, expected the same cells")
    for subject, side in (("reference", r), ("current", c)):
        if not side.sum():
            raise SampleError(f"{subject}: found no rows, expected at least 1")
    return r, c


def check_level(subject: str, value: float) -> None:
    """Refuse a probability that is not strictly between 0 and 1.

    Raises
    ------
    SampleError
        If it is outside.
    """
    if not 0.0 < value < 1.0:
        raise SampleError(f"{subject}: found {value}, expected a number between 0 and 1")


def normal_quantile(probability: float) -> float:
    """Return the standard normal quantile of ``probability``."""
    from scipy.special import ndtri

    return float(ndtri(probability))
