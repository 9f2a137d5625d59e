"""Holding one profile against another: every distance of every feature, with what chance would give."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline
from vernal.profile.binning import Binning
from vernal.profile.columns import Counts
from vernal.profile.counts import COUNT, M2, MEAN, Moments, Profile, joint_moments
from vernal.profile.grid import FeatureKind, NumericalGrid
from vernal.stats.distance import (
    ChiSquares,
    Divergences,
    KolmogorovSmirnovs,
    chi_square_many,
    hellinger_many,
    jensen_shannon_many,
    kolmogorov_smirnov_many,
    psi_many,
    total_variation_many,
    wasserstein_many,
)
from vernal.stats.multiple import benjamini_hochberg, rejection_level

Floats = npt.NDArray[np.float64]


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """One distance of one feature.

    ``adjusted_p`` is the p-value after Benjamini-Hochberg over the features; ``critical`` is the score at the level
    that this control comes down to for one feature, so ``score > critical`` and ``adjusted_p <= alpha`` are one rule.
    ``upper`` bounds the Kolmogorov-Smirnov distance of the raw values, which the grid may understate; it is ``None``
    for the others.
    """

    score: float
    critical: float
    p_value: float
    adjusted_p: float
    method: str
    upper: float | None = None


class Homogeneity(msgspec.Struct, frozen=True, kw_only=True):
    """The chi-squared test that both sets of rows come from one distribution."""

    statistic: float
    dof: int
    p_value: float
    method: str


class FeatureComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One feature in two sets of rows; ``reference_`` marks the older set.

    Distances are ``None`` where a side has no rows (Kolmogorov-Smirnov and Wasserstein also for categorical features
    and without finite values). ``wasserstein`` is in standard deviations of the baseline's reference, so that windows
    can be compared, and ``None`` if that has none.
    Rows are those in which the feature was counted: all, but where a reference has rare categories one half of it.
    Shares are of these, and ``None`` without rows or where the kind of feature has no such cell. ``sufficient`` tells
    whether both sides reach the minimum number of rows.
    """

    feature: str
    kind: FeatureKind
    rows: int
    reference_rows: int
    sufficient: bool
    psi: Distance | None
    js: Distance | None
    ks: Distance | None
    chi_square: Homogeneity | None
    hellinger: float | None
    total_variation: float | None
    wasserstein: float | None
    null_share: float | None
    reference_null_share: float | None
    nonfinite_share: float | None
    reference_nonfinite_share: float | None
    new_share: float | None
    reference_new_share: float | None
    out_of_range_share: float | None
    mean: float | None
    reference_mean: float | None
    deviation: float | None
    reference_deviation: float | None


def compare(
    baseline: Baseline,
    profile: Profile,
    *,
    alpha: float = 0.01,
    bins: int = 10,
    min_rows: int = 1000,
    binning: Binning | None = None,
) -> tuple[FeatureComparison, ...]:
    """Hold a window against the reference of its baseline; see :func:`compare_profiles` for the parameters."""
    return compare_profiles(
        baseline, baseline.reference, profile, alpha=alpha, bins=bins, min_rows=min_rows, binning=binning
    )


def compare_profiles(  # noqa: PLR0913 - both sides, and options that stand alone
    baseline: Baseline,
    reference: Profile,
    current: Profile,
    *,
    alpha: float = 0.01,
    bins: int = 10,
    min_rows: int = 1000,
    binning: Binning | None = None,
    thorough: bool = True,
    ks: bool = True,
) -> tuple[FeatureComparison, ...]:
    """Hold one window against another on the same grid.

    Parameters
    ----------
    baseline
        Whose grid both were counted on.
    reference, current
        The older and the newer rows.
    alpha
        False-discovery rate over the features, for each distance on its own: PSI of numerical with Jensen-Shannon of
        categorical features, the same the other way round, and Kolmogorov-Smirnov.
    bins
        Bins of a numerical feature for PSI and Jensen-Shannon, of about equal mass in the baseline.
    min_rows
        Rows from which the comparison counts as sufficient; distances are given all the same.
    binning
        The baseline's layout with these ``bins``, for who compares more than once; see :meth:`Binning.of`.
    thorough, ks
        Without ``thorough`` only what a drift check judges is measured: PSI of numerical and Jensen-Shannon of
        categorical features, and Kolmogorov-Smirnov unless ``ks`` is off as well. All other distances are ``None``.

    Returns
    -------
    tuple[FeatureComparison, ...]
        In the baseline's order of features.

    Raises
    ------
    ProfileError
        If a profile or the binning is of another grid, or ``min_rows`` is below 1.
    SampleError
        If ``bins`` or ``alpha`` is out of range.
    """
    baseline.check(reference)
    baseline.check(current)
    if min_rows < 1:
        raise ProfileError(f"min_rows: found {min_rows}, expected at least 1")
    layout = Binning.of(baseline, bins=bins) if binning is None else binning
    if layout.grid_id != baseline.grid_id:
        raise ProfileError(f"binning: found one of grid {layout.grid_id}, expected the baseline's {baseline.grid_id}")
    measured = _Measured(baseline, layout, reference, current, alpha, thorough=thorough, ks=ks)
    return tuple(measured.feature(place, min_rows=min_rows) for place in range(len(baseline.grids)))


class _Measured:
    """Everything about all features, measured at once and read out feature by feature."""

    def __init__(
        self,
        baseline: Baseline,
        layout: Binning,
        reference: Profile,
        current: Profile,
        alpha: float,
        *,
        thorough: bool,
        ks: bool,
    ) -> None:
        self._baseline, self._reference, self._current = baseline, reference, current
        self._numerical = np.array([isinstance(grid, NumericalGrid) for grid in baseline.grids])
        self._is_number: list[bool] = self._numerical.tolist()
        self._row = np.cumsum(self._numerical) - 1  # of the moments, where the feature is numerical
        self._then, self._now = _side(baseline, reference), _side(baseline, current)
        self._psi: dict[int, Distance] = {}
        self._js: dict[int, Distance] = {}
        self._ks: dict[int, Distance] = {}
        self._chi_square: ChiSquares | None = None
        unknown: list[float | None] = [None] * len(baseline.grids)
        self._hellinger = self._total_variation = self._wasserstein = unknown
        r, c = layout.binned(reference), layout.binned(current)
        if thorough:
            self._every_distance(layout, r, c, alpha)
        else:
            self._usual_distances(layout, r, c, alpha)
        if self._numerical.any() and (thorough or ks):
            r, c = reference.counts[layout.intervals], current.counts[layout.intervals]
            found = kolmogorov_smirnov_many(r, c, layout.interval_starts, points=layout.points)
            (self._ks,) = _family(alpha, (found, np.ones(layout.interval_starts.size, np.bool_)))
            if thorough:
                lefts, rights = layout.limits(joint_moments(reference, current))
                with np.errstate(over="ignore", invalid="ignore"):  # the largest floats lie infinitely far apart
                    moved = wasserstein_many(r, c, layout.interval_starts, lefts=lefts, rights=rights)
                    self._wasserstein = _known(moved / _scale(baseline))

    def _every_distance(self, layout: Binning, r: Counts, c: Counts, alpha: float) -> None:
        psi, js = psi_many(r, c, layout.bin_starts), jensen_shannon_many(r, c, layout.bin_starts)
        usual = _family(alpha, (psi, self._numerical), (js, ~self._numerical))
        unusual = _family(alpha, (psi, ~self._numerical), (js, self._numerical))
        self._psi, self._js = ({**one, **other} for one, other in zip(usual, unusual, strict=True))
        self._chi_square = chi_square_many(r, c, layout.bin_starts)
        self._hellinger = _known(hellinger_many(r, c, layout.bin_starts))
        self._total_variation = _known(total_variation_many(r, c, layout.bin_starts))

    def _usual_distances(self, layout: Binning, r: Counts, c: Counts, alpha: float) -> None:
        """Measure PSI of the numerical and Jensen-Shannon of the categorical features, and only these."""
        sizes = np.diff(np.r_[layout.bin_starts, layout.bins.size])
        parts: list[tuple[Tested, npt.NDArray[np.bool_]]] = []
        places = [np.flatnonzero(self._numerical), np.flatnonzero(~self._numerical)]
        for measure, chosen in zip((psi_many, jensen_shannon_many), (self._numerical, ~self._numerical), strict=True):
            if chosen.any():
                of_these = np.repeat(chosen, sizes)
                starts = np.r_[0, np.cumsum(sizes[chosen])[:-1]]
                parts.append((measure(r[of_these], c[of_these], starts), np.ones(starts.size, np.bool_)))
        found = iter(_family(alpha, *parts))
        self._psi, self._js = (
            {place: scored[row] for row, place in enumerate(some.tolist()) if row in scored}
            for some in places
            for scored in [next(found) if some.size else {}]
        )

    def feature(self, place: int, *, min_rows: int) -> FeatureComparison:
        """Return what was measured of one feature."""
        grid, number = self._baseline.grids[place], self._is_number[place]
        row, now, then = int(self._row[place]), self._now, self._then
        return FeatureComparison(
            feature=grid.name,
            kind=grid.kind,
            rows=now.rows[place],
            reference_rows=then.rows[place],
            sufficient=min(self._reference.rows, self._current.rows) >= min_rows,
            psi=self._psi.get(place),
            js=self._js.get(place),
            ks=self._ks.get(row) if number else None,
            chi_square=_homogeneity(self._chi_square, place),
            hellinger=self._hellinger[place],
            total_variation=self._total_variation[place],
            wasserstein=self._wasserstein[row] if number else None,
            null_share=now.null[place],
            reference_null_share=then.null[place],
            nonfinite_share=now.before_null[place] if number else None,
            reference_nonfinite_share=then.before_null[place] if number else None,
            new_share=None if number else now.before_null[place],
            reference_new_share=None if number else then.before_null[place],
            out_of_range_share=now.outside[place] if number else None,
            mean=now.means[row] if number else None,
            reference_mean=then.means[row] if number else None,
            deviation=now.deviations[row] if number else None,
            reference_deviation=then.deviations[row] if number else None,
        )


class _Side(NamedTuple):
    """Facts about each feature in one set of rows.

    ``before_null`` is the share of the cell before that of nulls: non-finite values, or new categories. ``outside`` is
    that of a numerical feature's first and last interval.
    """

    rows: list[int]
    null: list[float | None]
    before_null: list[float | None]
    outside: list[float | None]
    means: list[float | None]
    deviations: list[float | None]


def _side(baseline: Baseline, profile: Profile) -> _Side:
    counts, firsts = profile.counts, np.array(baseline.offsets)
    ends = np.r_[firsts[1:], counts.size]
    rows = np.add.reduceat(counts, firsts)  # of a split reference only the half that was counted

    def share(cells: Counts) -> list[float | None]:
        return _known(np.divide(cells, rows, out=np.full(rows.size, np.nan), where=rows > 0))

    moments = profile.moments
    nothing: list[float | None] = [None] * baseline.numerical
    return _Side(
        rows=rows.tolist(),
        null=share(counts[ends - 1]),
        before_null=share(counts[ends - 2]),
        outside=share(counts[firsts] + counts[ends - 3]),
        means=nothing if moments is None else _known(np.where(moments[:, COUNT] > 0, moments[:, MEAN], np.nan)),
        deviations=nothing if moments is None else _known(_deviations(moments)),
    )


Tested = Divergences | KolmogorovSmirnovs


def _family(alpha: float, *parts: tuple[Tested, npt.NDArray[np.bool_]]) -> list[dict[int, Distance]]:
    """Return, for the places chosen of each part, the distances of one family of tests with its false discoveries held.

    Places without rows on a side were not tested and are left out.
    """
    places = [np.flatnonzero(chosen & np.isfinite(found.p_value)) for found, chosen in parts]
    p_values = np.concatenate([found.p_value[some] for (found, _), some in zip(parts, places, strict=True)])
    level = rejection_level(p_values, alpha=alpha)
    adjusted = iter(benjamini_hochberg(p_values).tolist())
    return [
        {
            place: _distance(found, critical, place, next(adjusted))
            for place, critical in zip(some.tolist(), found.critical_at(level)[some].tolist(), strict=True)
        }
        for (found, _), some in zip(parts, places, strict=True)
    ]


def _distance(found: Tested, critical: float, place: int, adjusted_p: float) -> Distance:
    score, upper = (found.distance, found.upper) if isinstance(found, KolmogorovSmirnovs) else (found.score, None)
    return Distance(
        score=float(score[place]),
        critical=critical,
        p_value=float(found.p_value[place]),
        adjusted_p=adjusted_p,
        method=found.method[place],
        upper=None if upper is None else float(upper[place]),
    )


def _homogeneity(found: ChiSquares | None, place: int) -> Homogeneity | None:
    if found is None:
        return None
    statistic = float(found.statistic[place])
    if math.isnan(statistic):
        return None
    return Homogeneity(
        statistic=statistic,
        dof=int(found.dof[place]),
        p_value=float(found.p_value[place]),
        method=found.method[place],
    )


def _deviations(moments: Moments) -> Floats:
    """Return the standard deviation of each numerical feature: 0 for one value, NaN for none."""
    with np.errstate(invalid="ignore"):
        deviations: Floats = np.sqrt(moments[:, M2] / np.maximum(moments[:, COUNT] - 1, 1))
    return np.where(moments[:, COUNT] > 0, deviations, np.nan)


def _scale(baseline: Baseline) -> Floats:
    """Return the reference's standard deviations, NaN where they are no scale: 0, not finite or not known."""
    if baseline.reference.moments is None:
        return np.full(baseline.numerical, np.nan)
    deviations = _deviations(baseline.reference.moments)
    return np.where((deviations > 0) & np.isfinite(deviations), deviations, np.nan)


def _known(values: Floats) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]
