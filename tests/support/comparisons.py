"""Results of comparisons, made up number by number for those who show them."""

from __future__ import annotations

from typing import Any

from vernal.comparing import Comparison, FeatureResult, Sample, Unknown, Verdict
from vernal.comparing.result import Limits
from vernal.profile import Bar, Distance, FeatureComparison, FeatureKind, SpecialBar
from vernal.profile.comparison import Homogeneity

LIMITS = Limits(psi=0.15, js=0.15, ks=None, false_discovery=0.01, bins=10, min_rows=1000)

BARS = (
    Bar(low=None, high=-2.0, reference=0.02, current=0.01),
    Bar(low=-2.0, high=0.0, reference=0.50, current=0.30),
    Bar(low=0.0, high=2.0, reference=0.46, current=0.65),
    Bar(low=2.0, high=None, reference=0.02, current=0.04),
)


def distance(score: float, *, critical: float = 0.01, p: float = 1e-9, upper: float | None = None) -> Distance:
    return Distance(score=score, critical=critical, p_value=p, adjusted_p=p, method="chi2", upper=upper)


def measured(feature: str, kind: FeatureKind, **known: Any) -> FeatureComparison:  # noqa: ANN401 - any of its fields
    number = kind is FeatureKind.NUMERICAL
    facts: dict[str, Any] = {
        "rows": 2000,
        "reference_rows": 3000,
        "sufficient": True,
        "psi": distance(0.312),
        "js": distance(0.212),
        "ks": distance(0.19, upper=0.2) if number else None,
        "chi_square": Homogeneity(statistic=321.5, dof=9, p_value=1e-9, method="chi2"),
        "hellinger": 0.123,
        "total_variation": 0.234,
        "wasserstein": 0.456 if number else None,
        "null_share": 0.0,
        "reference_null_share": 0.0,
        "nonfinite_share": 0.0 if number else None,
        "reference_nonfinite_share": 0.0 if number else None,
        "new_share": None if number else 0.0,
        "reference_new_share": None if number else 0.0,
        "out_of_range_share": 0.0 if number else None,
        "mean": 0.5 if number else None,
        "reference_mean": 0.0 if number else None,
        "deviation": 1.0 if number else None,
        "reference_deviation": 0.98 if number else None,
    }
    return FeatureComparison(feature=feature, kind=kind, **{**facts, **known})


def number(
    feature: str = "amount",
    *,
    verdict: Verdict = Verdict.DRIFTED,
    score: float | None = 0.312,
    critical: float | None = 0.01,
    data_type: str = "double",
    bars: tuple[Bar, ...] = BARS,
    **known: Any,  # noqa: ANN401 - any field of what was measured
) -> FeatureResult:
    return FeatureResult(
        feature=feature,
        kind=FeatureKind.NUMERICAL,
        data_type=data_type,
        verdict=verdict,
        reason="psi 0.312 > 0.15",
        statistic="psi",
        score=score,
        threshold=0.15,
        critical=critical,
        adjusted_p=None if score is None else 1e-9,
        measured=measured(feature, FeatureKind.NUMERICAL, **known),
        distribution=bars,
    )


def category(
    feature: str = "carrier",
    *,
    shares: dict[str | SpecialBar, tuple[float, float]] | None = None,
    verdict: Verdict = Verdict.DRIFTED,
    score: float = 0.212,
    **known: Any,  # noqa: ANN401 - any field of what was measured
) -> FeatureResult:
    drawn = shares or {"AA": (0.12, 0.31), "UA": (0.88, 0.69)}
    return FeatureResult(
        feature=feature,
        kind=FeatureKind.CATEGORICAL,
        data_type="string",
        verdict=verdict,
        reason="js 0.212 > 0.15",
        statistic="js",
        score=score,
        threshold=0.15,
        critical=0.01,
        adjusted_p=1e-9,
        measured=measured(feature, FeatureKind.CATEGORICAL, **known),
        distribution=tuple(_bar(label, then, now) for label, (then, now) in drawn.items()),
    )


def _bar(label: str | SpecialBar, then: float, now: float) -> Bar:
    if isinstance(label, SpecialBar):
        return Bar(special=label, reference=then, current=now)
    return Bar(label=label, reference=then, current=now)


def comparison(
    *features: FeatureResult,
    unknown: tuple[tuple[str, str], ...] = (),
    notes: tuple[str, ...] = (),
    names: tuple[str, str] = ("jan.parquet", "jul.parquet"),
    limits: Limits = LIMITS,
) -> Comparison:
    return Comparison(
        reference=Sample(name=names[0], rows=3000),
        current=Sample(name=names[1], rows=2000),
        limits=limits,
        features=features,
        unknown=tuple(Unknown(feature=feature, reason=reason) for feature, reason in unknown),
        notes=notes,
    )
