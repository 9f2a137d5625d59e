"""Distances between histograms, each with what chance alone would give.

The population stability index and the Jensen-Shannon distance are here; the other distances have modules of their own
and can be imported from this one as well.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.stats.arrays import Floats, Ints, paired_counts
from vernal.stats.homogeneity import ChiSquare, ChiSquares, chi_square, chi_square_many
from vernal.stats.judged import judged_sum
from vernal.stats.kolmogorov import KolmogorovSmirnov, KolmogorovSmirnovs, kolmogorov_smirnov, kolmogorov_smirnov_many
from vernal.stats.null import Null, Nulls
from vernal.stats.overlap import hellinger, hellinger_many, total_variation, total_variation_many
from vernal.stats.permutation import CellTerm, Sizes
from vernal.stats.segments import Segments, segments_of
from vernal.stats.wasserstein import wasserstein, wasserstein_many

__all__ = [
    "ChiSquare",
    "ChiSquares",
    "Divergence",
    "Divergences",
    "KolmogorovSmirnov",
    "KolmogorovSmirnovs",
    "chi_square",
    "chi_square_many",
    "hellinger",
    "hellinger_many",
    "jensen_shannon",
    "jensen_shannon_many",
    "kolmogorov_smirnov",
    "kolmogorov_smirnov_many",
    "psi",
    "psi_many",
    "total_variation",
    "total_variation_many",
    "wasserstein",
    "wasserstein_many",
]


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """A distance between two histograms and its law without drift.

    ``critical`` is the score that chance exceeds with probability ``alpha``; ``p_value`` is the probability of at
    least ``score``. ``cells`` counts the cells that hold anything on either side. ``method`` is ``chi2`` (classical
    limit), ``moments`` (sparse cells), ``exact`` (two cells, or three of which two are sparse), ``conditional`` (three
    cells of which one is sparse) or ``one cell`` (nothing to compare: score 0, p-value 1).
    """

    score: float
    critical: float
    p_value: float
    alpha: float
    cells: int
    reference_rows: int
    rows: int
    method: str
    null: Null
    root_unit: float | None = None

    def critical_at(self, alpha: float) -> float:
        """Return the score that chance exceeds with probability ``alpha``."""
        return float(_as_score(np.array(self.null.quantile(alpha)), self.root_unit))


class Divergences(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The same distance of many features: :class:`Divergence` with arrays of shape ``(f,)``.

    A feature without rows on a side has the method ``no rows`` and NaN for score, p-value and critical value.
    """

    score: Floats
    p_value: Floats
    cells: Ints
    reference_rows: Ints
    rows: Ints
    method: tuple[str, ...]
    nulls: Nulls
    root_unit: float | None = None

    def critical_at(self, alpha: float) -> Floats:
        """Return the scores that chance exceeds with probability ``alpha``, shape ``(f,)``."""
        return _as_score(self.nulls.quantile(alpha), self.root_unit)


def psi(reference: npt.ArrayLike, current: npt.ArrayLike, *, alpha: float = 0.05) -> Divergence:
    """Return the population stability index of two histograms, in nats.

    Cells that are empty on both sides are dropped; then 0.5 is added to every count, so that a category that is new
    has a finite score which does not hang on an arbitrary epsilon.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells; nulls are a cell like any other.
    alpha
        Level of the critical value.

    Returns
    -------
    Divergence
        Without drift its score is about ``(1/n + 1/m) * chi2(cells - 1)``, so read it next to the sample sizes.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, a count is negative, or ``alpha`` is not between 0 and 1.

    References
    ----------
    B. Yurdakul, J. Naranjo (2020). Statistical properties of the population stability index. Journal of Risk Model
    Validation 14.

    Examples
    --------
    >>> result = psi([500, 300, 200], [460, 300, 240])
    >>> round(result.score, 4), round(result.critical, 4), round(result.p_value, 3)
    (0.0106, 0.012, 0.071)
    """
    return _only(psi_many(*paired_counts(reference, current), [0]), alpha)


def psi_many(reference: npt.ArrayLike, current: npt.ArrayLike, starts: npt.ArrayLike) -> Divergences:
    """Return the population stability index of many features at once; see :func:`psi`.

    Parameters
    ----------
    reference, current
        Counts of all features one after another, shape ``(cells,)``.
    starts
        First cell of each feature, shape ``(f,)``: 0 first, then rising.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative, or ``starts`` does not cut the cells into features.

    Examples
    --------
    >>> result = psi_many([500, 300, 200, 40, 60], [460, 300, 240, 0, 0], [0, 3])
    >>> result.score.round(4).tolist(), result.method
    ([0.0106, nan], ('chi2', 'no rows'))
    """
    return _divergences(segments_of(reference, current, starts), _psi_term, unit=1.0, root_unit=None)


def jensen_shannon(reference: npt.ArrayLike, current: npt.ArrayLike, *, alpha: float = 0.05) -> Divergence:
    """Return the Jensen-Shannon distance of two histograms, with logarithms of base 2.

    It is the square root of the divergence and lies in 0..1; SciPy's distance in natural logarithms is ours times
    ``sqrt(ln 2)``. No smoothing is needed.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells; nulls are a cell like any other.
    alpha
        Level of the critical value.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, a count is negative, or ``alpha`` is not between 0 and 1.

    References
    ----------
    J. Lin (1991). Divergence measures based on the Shannon entropy. IEEE Transactions on Information Theory 37.

    Examples
    --------
    >>> jensen_shannon([10, 0], [0, 10]).score
    1.0
    """
    return _only(jensen_shannon_many(*paired_counts(reference, current), [0]), alpha)


def jensen_shannon_many(reference: npt.ArrayLike, current: npt.ArrayLike, starts: npt.ArrayLike) -> Divergences:
    """Return the Jensen-Shannon distance of many features at once; see :func:`jensen_shannon`.

    Parameters
    ----------
    reference, current
        Counts of all features one after another, shape ``(cells,)``.
    starts
        First cell of each feature, shape ``(f,)``: 0 first, then rising.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative, or ``starts`` does not cut the cells into features.

    Examples
    --------
    >>> jensen_shannon_many([10, 0, 3, 3], [0, 10, 5, 5], [0, 2]).score.tolist()
    [1.0, 0.0]
    """
    segments = segments_of(reference, current, starts)
    return _divergences(segments, _jensen_shannon_term, unit=1 / 8, root_unit=math.log(2))


_SMOOTHING = 0.5


def _psi_term(r: Floats, c: Floats, sizes: Sizes) -> Floats:
    added = _SMOOTHING * sizes.cells
    p, q = (r + _SMOOTHING) / (sizes.n + added), (c + _SMOOTHING) / (sizes.m + added)
    term: Floats = (q - p) * np.log(q / p)
    return term


def _jensen_shannon_term(r: Floats, c: Floats, sizes: Sizes) -> Floats:
    p, q = r / sizes.n, c / sizes.m
    middle = (p + q) / 2
    return (_times_log_ratio(p, middle) + _times_log_ratio(q, middle)) / 2


def _times_log_ratio(p: Floats, q: Floats) -> Floats:
    """Return ``p * log(p / q)``, which is 0 where ``p`` is 0."""
    some = p > 0
    product: Floats = p * np.log(np.where(some, p, 1.0) / np.where(some, q, 1.0))
    return product


_WELL_FILLED = 50.0
"""Smallest expected count, in the smaller sample, of cells for which the classical limit is used."""


def _divergences(segments: Segments, term: CellTerm, *, unit: float, root_unit: float | None) -> Divergences:
    judged = judged_sum(
        segments, term, scale=unit * (1 / segments.n_or_one + 1 / segments.m_or_one), well_filled=_WELL_FILLED
    )
    return Divergences(
        score=_as_score(judged.value, root_unit),
        p_value=judged.p_value,
        cells=judged.cells,
        reference_rows=segments.n.astype(np.int64),
        rows=segments.m.astype(np.int64),
        method=judged.method,
        nulls=judged.nulls,
        root_unit=root_unit,
    )


def _as_score(divergence: Floats, root_unit: float | None) -> Floats:
    """Return the divergence itself, or its root in units of ``root_unit`` (at most 1, whatever a tail says)."""
    return divergence if root_unit is None else np.minimum(1.0, np.sqrt(np.maximum(0.0, divergence) / root_unit))


def _only(many: Divergences, alpha: float) -> Divergence:
    """Return the result of the one feature there is."""
    return Divergence(
        score=float(many.score[0]),
        critical=float(many.critical_at(alpha)[0]),
        p_value=float(many.p_value[0]),
        alpha=alpha,
        cells=int(many.cells[0]),
        reference_rows=int(many.reference_rows[0]),
        rows=int(many.rows[0]),
        method=many.method[0],
        null=many.nulls.at(0),
        root_unit=many.root_unit,
    )
