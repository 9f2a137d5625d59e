"""Chi-square test that two histograms come from one distribution."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.stats.arrays import Floats, Ints, paired_counts
from vernal.stats.judged import judged_sum
from vernal.stats.null import Nulls
from vernal.stats.permutation import Sizes
from vernal.stats.segments import segments_of


class ChiSquare(msgspec.Struct, frozen=True, kw_only=True):
    """Pearson's statistic of the table of two histograms.

    ``critical`` is the statistic that chance exceeds with probability ``alpha``. ``method`` is ``chi2``, ``moments``
    (sparse cells), ``exact`` (two cells, or three of which two are sparse), ``conditional`` (three cells of which one
    is sparse) or ``one cell`` (nothing to compare: statistic 0, p-value 1).
    """

    statistic: float
    critical: float
    p_value: float
    alpha: float
    dof: int
    method: str


class ChiSquares(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Pearson's statistic of many features: :class:`ChiSquare` with arrays of shape ``(f,)``.

    A feature without rows on a side has the method ``no rows``, NaN for statistic and p-value, and 0 degrees of
    freedom.
    """

    statistic: Floats
    dof: Ints
    p_value: Floats
    method: tuple[str, ...]
    nulls: Nulls

    def critical_at(self, alpha: float) -> Floats:
        """Return the statistics that chance exceeds with probability ``alpha``, shape ``(f,)``."""
        return self.nulls.quantile(alpha)


def chi_square(reference: npt.ArrayLike, current: npt.ArrayLike, *, alpha: float = 0.05) -> ChiSquare:
    """Test two histograms for homogeneity: that both are samples of one distribution, which neither of them is.

    It is not the test of fit, which would take the reference's shares for the truth and find drift in every large
    window that is held against a small reference.

    Parameters
    ----------
    reference, current
        Counts per cell, shape ``(k,)``, on the same cells; nulls are a cell like any other.
    alpha
        Level of the critical value.

    Returns
    -------
    ChiSquare
        No continuity correction is made. The statistic grows with the number of rows and is no measure of how far
        the histograms are apart.

    Raises
    ------
    SampleError
        If a histogram is empty, the shapes differ, a count is negative, or ``alpha`` is not between 0 and 1.

    References
    ----------
    K. Pearson (1911). On the probability that two independent distributions of frequency are really samples from the
    same population. Biometrika 8.

    Examples
    --------
    >>> result = chi_square([500, 300, 200], [460, 300, 240])
    >>> round(result.statistic, 3), result.dof, round(result.p_value, 4)
    (5.303, 2, 0.0705)
    """
    many = chi_square_many(*paired_counts(reference, current), [0])
    return ChiSquare(
        statistic=float(many.statistic[0]),
        critical=float(many.critical_at(alpha)[0]),
        p_value=float(many.p_value[0]),
        alpha=alpha,
        dof=int(many.dof[0]),
        method=many.method[0],
    )


def chi_square_many(reference: npt.ArrayLike, current: npt.ArrayLike, starts: npt.ArrayLike) -> ChiSquares:
    """Test many features for homogeneity at once; see :func:`chi_square`.

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
    >>> chi_square_many([40, 60, 7, 9], [60, 40, 1, 0], [0, 2]).method
    ('chi2', 'exact')
    """
    segments = segments_of(reference, current, starts)
    judged = judged_sum(segments, _term, scale=np.ones_like(segments.n), well_filled=_WELL_FILLED)
    return ChiSquares(
        statistic=judged.value,
        dof=np.maximum(judged.cells - 1, 0) * segments.defined,
        p_value=judged.p_value,
        method=judged.method,
        nulls=judged.nulls,
    )


_WELL_FILLED = 5.0
"""Smallest expected count, in the smaller sample, of cells for which the classical limit is used (W. G. Cochran, 1954,
Biometrics 10)."""


def _term(r: Floats, c: Floats, sizes: Sizes) -> Floats:
    """Return both rows' contributions of a column: the squared differences over the expected counts, summed."""
    term: Floats = (r * sizes.m - c * sizes.n) ** 2 / (sizes.n * sizes.m * np.maximum(r + c, 1.0))
    return term
