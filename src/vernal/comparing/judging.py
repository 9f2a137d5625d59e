"""The verdict on one feature: relevant (above the threshold), real (beyond chance), and with rows enough to tell."""

from __future__ import annotations

from typing import NamedTuple

from vernal.comparing.result import FeatureResult, Limits, Verdict
from vernal.profile import Bar, Distance, FeatureComparison, FeatureKind


class _Test(NamedTuple):
    statistic: str
    found: Distance | None
    threshold: float

    @property
    def drifted(self) -> bool:
        return self.found is not None and self.found.score > max(self.threshold, self.found.critical)


def judge(
    measured: FeatureComparison, distribution: tuple[Bar, ...], limits: Limits, *, data_type: str, fewest: int
) -> FeatureResult:
    """Return the verdict on a feature.

    It has drifted when PSI (Jensen-Shannon for categories) is above its threshold and above what chance alone gives,
    or, if asked for, the Kolmogorov-Smirnov distance is. With fewer rows than the minimum nothing is said; ``fewest``
    are the rows of the smaller side.
    """
    usual = _usual(measured, limits)
    tests = [usual]
    if limits.ks is not None and measured.ks is not None:
        tests.append(_Test("ks", measured.ks, limits.ks))
    decisive = next((test for test in tests if test.drifted), usual)
    verdict, reason = _verdict(measured, decisive, limits, fewest)
    found = decisive.found
    return FeatureResult(
        feature=measured.feature,
        kind=measured.kind,
        data_type=data_type,
        verdict=verdict,
        reason=reason,
        statistic=decisive.statistic,
        score=None if found is None else found.score,
        threshold=decisive.threshold,
        critical=None if found is None else found.critical,
        adjusted_p=None if found is None else min(1.0, found.adjusted_p * limits.false_discovery / limits.level),
        measured=measured,
        distribution=distribution,
    )


def _usual(measured: FeatureComparison, limits: Limits) -> _Test:
    if measured.kind is FeatureKind.NUMERICAL:
        return _Test("psi", measured.psi, limits.psi)
    return _Test("js", measured.js, limits.js)


def _verdict(measured: FeatureComparison, test: _Test, limits: Limits, fewest: int) -> tuple[Verdict, str]:
    if test.found is None:
        return Verdict.INSUFFICIENT, "no rows in the reference" if not measured.reference_rows else "no rows"
    if not measured.sufficient:
        return Verdict.INSUFFICIENT, f"{fewest} rows < {limits.min_rows} needed"
    if measured.null_share == 1.0 == measured.reference_null_share:
        return Verdict.INSUFFICIENT, "nothing but nulls on both sides"
    score, critical = test.found.score, test.found.critical
    if test.drifted:
        return Verdict.DRIFTED, f"{test.statistic} {score:.3f} > {max(test.threshold, critical):.3g}"
    if score > test.threshold:
        return (
            Verdict.STABLE,
            f"{test.statistic} {score:.3f} > {test.threshold:g}, but chance alone gives {critical:.3f}",
        )
    return Verdict.STABLE, f"{test.statistic} {score:.3f} <= {test.threshold:g}"
