"""Holding one profile against another: every distance of every feature, with what chance would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline
from vernal.profile.counts import Counts, Profile
from vernal.profile.grid import FeatureKind, Grid, NumericalGrid
from vernal.stats.binning import merge_cells
from vernal.stats.distance import Divergence, KolmogorovSmirnov, jensen_shannon, kolmogorov_smirnov, psi
from vernal.stats.multiple import benjamini_hochberg, rejection_level


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


class FeatureComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One feature in two sets of rows; ``reference_`` marks the older set.

    Distances are ``None`` where a side has no rows (Kolmogorov-Smirnov also for categorical features and without finite
    values). Shares are of all rows and ``None`` without rows, or where the kind of feature has no such cell.
    ``sufficient`` tells whether both sides reach the minimum number of rows.
    """

    feature: str
    kind: FeatureKind
    rows: int
    reference_rows: int
    sufficient: bool
    psi: Distance | None
    js: Distance | None
    ks: Distance | None
    null_share: float | None
    reference_null_share: float | None
    nonfinite_share: float | None
    new_share: float | None
    out_of_range_share: float | None
    mean: float | None
    reference_mean: float | None


def compare(
    baseline: Baseline, profile: Profile, *, alpha: float = 0.01, bins: int = 10, min_rows: int = 1000
) -> tuple[FeatureComparison, ...]:
    """Hold a window against the reference of its baseline; see :func:`compare_profiles` for the parameters."""
    return compare_profiles(baseline, baseline.reference, profile, alpha=alpha, bins=bins, min_rows=min_rows)


def compare_profiles(
    baseline: Baseline,
    reference: Profile,
    current: Profile,
    *,
    alpha: float = 0.01,
    bins: int = 10,
    min_rows: int = 1000,
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

    Returns
    -------
    tuple[FeatureComparison, ...]
        In the baseline's order of features.

    Raises
    ------
    ProfileError
        If a profile is on another grid, or ``min_rows`` is below 1.
    SampleError
        If ``bins`` or ``alpha`` is out of range.
    """
    baseline.check(reference)
    baseline.check(current)
    if min_rows < 1:
        raise ProfileError(f"min_rows: found {min_rows}, expected at least 1")
    found = [_distances(baseline, grid, reference, current, bins=bins, alpha=alpha) for grid in baseline.grids]
    numerical = [isinstance(grid, NumericalGrid) for grid in baseline.grids]
    usual = _adjusted([one.psi if number else one.js for one, number in zip(found, numerical, strict=True)], alpha)
    unusual = _adjusted([one.js if number else one.psi for one, number in zip(found, numerical, strict=True)], alpha)
    ks = _adjusted([one.ks for one in found], alpha)
    sufficient = min(reference.rows, current.rows) >= min_rows
    return tuple(
        FeatureComparison(
            feature=grid.name,
            kind=grid.kind,
            rows=current.rows,
            reference_rows=reference.rows,
            sufficient=sufficient,
            psi=usual[i] if numerical[i] else unusual[i],
            js=unusual[i] if numerical[i] else usual[i],
            ks=ks[i],
            null_share=_share(baseline, current, grid, _NULL),
            reference_null_share=_share(baseline, reference, grid, _NULL),
            nonfinite_share=_share(baseline, current, grid, _NONFINITE) if numerical[i] else None,
            new_share=None if numerical[i] else _share(baseline, current, grid, _NEW),
            out_of_range_share=_share(baseline, current, grid, _OUTSIDE) if numerical[i] else None,
            mean=_mean(baseline, current, grid),
            reference_mean=_mean(baseline, reference, grid),
        )
        for i, grid in enumerate(baseline.grids)
    )


_NULL, _NONFINITE, _NEW, _OUTSIDE = [-1], [-2], [-2], [0, -3]
"""Places of a feature's special cells; a numerical one's intervals end at -3, the first and last being outside."""


class _Distances(NamedTuple):
    psi: Divergence | None
    js: Divergence | None
    ks: KolmogorovSmirnov | None


def _distances(
    baseline: Baseline, grid: Grid, reference: Profile, current: Profile, *, bins: int, alpha: float
) -> _Distances:
    if not (reference.rows and current.rows):
        return _Distances(None, None, None)
    r: Counts = baseline.cells(reference, grid.name)
    c: Counts = baseline.cells(current, grid.name)
    ks = None
    if isinstance(grid, NumericalGrid):
        r_intervals, c_intervals = r[: grid.intervals], c[: grid.intervals]
        if r_intervals.any() and c_intervals.any():
            ks = kolmogorov_smirnov(r_intervals, c_intervals, points=grid.points, alpha=alpha)
        starts = _bin_starts(grid, baseline.cells(baseline.reference, grid.name)[: grid.intervals], bins)
        r, c = _merged(r, starts), _merged(c, starts)
    return _Distances(psi(r, c, alpha=alpha), jensen_shannon(r, c, alpha=alpha), ks)


def _bin_starts(grid: NumericalGrid, reference: Counts, bins: int) -> Counts:
    """Return the first cell of every bin, non-finite values and nulls being bins of their own."""
    if reference.any():
        merged = merge_cells(reference, bins=bins, points=grid.points)
        firsts = np.flatnonzero(np.diff(merged, prepend=-1))
    else:
        firsts = np.zeros(1, dtype=np.int64)  # a reference without values: any value at all is the news
    starts: Counts = np.r_[firsts, grid.intervals, grid.intervals + 1]
    return starts


def _merged(cells: Counts, starts: Counts) -> Counts:
    merged: Counts = np.add.reduceat(cells, starts)
    return merged


def _adjusted(found: Sequence[Divergence | KolmogorovSmirnov | None], alpha: float) -> list[Distance | None]:
    """Return one family of distances with p-values and critical values that control its false discoveries."""
    p_values = [one.p_value for one in found if one is not None]
    level = rejection_level(p_values, alpha=alpha)
    adjusted = iter(benjamini_hochberg(p_values).tolist())
    return [None if one is None else _distance(one, next(adjusted), level) for one in found]


def _distance(found: Divergence | KolmogorovSmirnov, adjusted_p: float, level: float) -> Distance:
    score, upper = (found.distance, found.upper) if isinstance(found, KolmogorovSmirnov) else (found.score, None)
    return Distance(
        score=score,
        critical=found.critical_at(level),
        p_value=found.p_value,
        adjusted_p=adjusted_p,
        method=found.method,
        upper=upper,
    )


def _share(baseline: Baseline, profile: Profile, grid: Grid, places: list[int]) -> float | None:
    return float(baseline.cells(profile, grid.name)[places].sum()) / profile.rows if profile.rows else None


def _mean(baseline: Baseline, profile: Profile, grid: Grid) -> float | None:
    moments = baseline.summary(profile, grid.name)
    return None if moments is None else moments.mean
