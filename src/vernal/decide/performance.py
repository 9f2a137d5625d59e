"""The performance trigger: whether the live metric is too bad, surely or on the face of it, and what estimates say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from vernal.decide.directions import points, sign, surely_worse, worse
from vernal.records import TriggerKind, TriggerResult
from vernal.stats.arrays import normal_quantile

if TYPE_CHECKING:
    from vernal.records import EstimatedPerformance, Measure, PerformanceEvidence
    from vernal.spec import PerformanceTrigger

ESTIMATE: Final = "estimate"
"""Kind of the result that warns by an estimate; it never fires."""


class _Answer(NamedTuple):
    """What one limit says: surely too bad, too bad on the face of it, and how that reads."""

    sure: bool
    bad: bool
    told: str


def judge_performance(
    spec: PerformanceTrigger, evidence: PerformanceEvidence | None, *, holdout: Measure | None = None
) -> TriggerResult:
    """Fire when the live metric is surely worse than its threshold, or has surely dropped too far.

    ``holdout`` is the champion's own evaluation, that a drop is counted from. A metric that is on the bad side without
    being surely there is a warning.
    """
    if evidence is None:
        return _insufficient("no champion serves yet, so there is nothing to measure")
    measure, blind = evidence.measure, _blind(spec, evidence)
    if blind:
        return _insufficient(blind)
    answers = _answers(spec, measure, holdout)
    if not answers:
        return _insufficient(_no_holdout(spec, measure))
    band = _band(measure)
    fired = [answer for answer in answers if answer.sure]
    if fired:
        told = "; ".join(answer.told for answer in fired)
        reason = f"{band} {told} with certainty {spec.certainty:g} (n={measure.rows})"
        return TriggerResult(kind=TriggerKind.PERFORMANCE, fired=True, sufficient=True, reason=reason)
    warned = [answer for answer in answers if answer.bad]
    verdict = "not sure yet" if warned else "holds"
    told = "; ".join(answer.told for answer in warned or answers)
    reason = f"{band} {told}: {verdict} (n={measure.rows})"
    return TriggerResult(
        kind=TriggerKind.PERFORMANCE, fired=False, sufficient=True, reason=reason, warning=bool(warned)
    )


def judge_estimate(
    spec: PerformanceTrigger, estimated: EstimatedPerformance, *, holdout: Measure | None = None
) -> TriggerResult:
    """Warn when the estimated metric is on the bad side of a limit; an estimate never fires."""
    measure = estimated.measure
    if measure.value is None or measure.lower is None or measure.upper is None:
        reason = f"{measure.metric} cannot be estimated: {measure.note}"
        return TriggerResult(kind=ESTIMATE, fired=False, sufficient=False, reason=reason)
    if measure.rows < spec.min_rows:
        reason = f"{measure.rows} predictions without labels < {spec.min_rows} needed"
        return TriggerResult(kind=ESTIMATE, fired=False, sufficient=False, reason=reason)
    answers = _answers(spec, measure, holdout)
    if not answers:
        return TriggerResult(kind=ESTIMATE, fired=False, sufficient=False, reason=_no_holdout(spec, measure))
    bad = [answer for answer in answers if answer.bad]
    band = f"estimated {_band(measure)}"
    how = "surely, as far as an estimate can tell" if any(answer.sure for answer in bad) else "not sure"
    verdict = f"early warning, {how}; it asks for nothing by itself" if bad else "holds"
    told = "; ".join(answer.told for answer in bad or answers)
    reason = f"{band} {told}: {verdict} (n={measure.rows})"
    return TriggerResult(kind=ESTIMATE, fired=False, sufficient=True, reason=reason, warning=bool(bad))


def _blind(spec: PerformanceTrigger, evidence: PerformanceEvidence) -> str:
    """Return why the live metric says too little, if it does."""
    measure = evidence.measure
    if measure.value is None:
        return f"{measure.metric} is undefined: {measure.note}{_unlabelled(evidence)}"
    if (worth := _worth(measure)) < spec.min_rows:
        as_many = f" (worth {worth:.0f} equal ones)" if measure.effective_rows is not None else ""
        rows = f"{measure.rows} matured labelled predictions{as_many}"
        return f"{rows} < {spec.min_rows} needed{_unlabelled(evidence)}"
    covered = evidence.represented_share
    if spec.min_coverage is not None and covered is not None and covered < spec.min_coverage:
        stand = "have a label" if evidence.represented is None else "are stood for by labelled ones"
        share = f"{covered:.1%} of {evidence.issued} matured predictions"
        return f"{share} {stand} < {spec.min_coverage:.1%} needed"
    if measure.lower is None or measure.upper is None:
        return f"{measure.metric} has no interval: {measure.note}"
    return ""


def _band(measure: Measure) -> str:
    value, lower, upper = _numbers(measure)
    return f"{measure.metric} {value:.3f} [{lower:.3f}, {upper:.3f}]"


def _answers(spec: PerformanceTrigger, measure: Measure, holdout: Measure | None) -> list[_Answer]:
    """Hold a measure that has its interval against every limit that can be applied."""
    answers = []
    if spec.threshold is not None:
        answers.append(_against(measure, spec.threshold))
    if spec.max_drop is not None and holdout is not None and holdout.value is not None:
        answers.append(_dropped(measure, holdout, holdout.value, spec.max_drop, spec.certainty))
    return answers


def _against(measure: Measure, threshold: float) -> _Answer:
    value, lower, upper = _numbers(measure)
    sure = surely_worse(measure.metric, lower=lower, upper=upper, limit=threshold)
    told = f"{sign(measure.metric, bad=True)} {threshold:.3f}" if sure else f"against {threshold:.3f}"
    return _Answer(sure, worse(measure.metric, value, threshold), told)


def _dropped(measure: Measure, holdout: Measure, then: float, limit: float, certainty: float) -> _Answer:
    """Compare with the champion's own evaluation, of which the error counts too.

    The distances of both bounds from their values are added as squares (R. G. Newcombe, 1998, Statistics in Medicine
    17); that of the holdout is taken to the asked certainty first.
    """
    value, lower, upper = _numbers(measure)
    drop = -points(measure.metric, value - then)
    # The bound of today that is nearest to no drop, and that of the holdout.
    better_is_higher = points(measure.metric, 1.0) > 0
    now = (upper - value) if better_is_higher else (value - lower)
    bound = holdout.lower if better_is_higher else holdout.upper
    before = 0.0 if bound is None else abs(then - bound) * _scale(holdout.certainty, certainty)
    least = drop - math.hypot(now, before)
    told = f"{abs(drop):.3f} {'worse' if drop > 0 else 'better'} than its own evaluation ({then:.3f})"
    if least > limit:
        return _Answer(sure=True, bad=True, told=f"{told}, surely more than {limit:g}")
    return _Answer(sure=False, bad=drop > limit, told=f"{told}, limit {limit:g}")


def _scale(known: float | None, wanted: float) -> float:
    """Return how much farther a bound of one certainty lies than that of another; a bound at 0.5 says nothing."""
    reach = 0.0 if known is None else normal_quantile(known)
    return normal_quantile(wanted) / reach if reach > 0 else 0.0


def _numbers(measure: Measure) -> tuple[float, float, float]:
    assert measure.value is not None  # noqa: S101 - asked before
    assert measure.lower is not None  # noqa: S101 - asked before
    assert measure.upper is not None  # noqa: S101 - asked before
    return measure.value, measure.lower, measure.upper


def _no_holdout(spec: PerformanceTrigger, measure: Measure) -> str:
    missing = f"the champion has no evaluation on record to count a drop of {spec.max_drop:g} from"
    return f"{measure.metric} {measure.value:.3f}; {missing}"


def _worth(measure: Measure) -> float:
    """Return how many rows of equal weight a measure rests on."""
    return measure.rows if measure.effective_rows is None else measure.effective_rows


def _unlabelled(evidence: PerformanceEvidence) -> str:
    if evidence.unused_proxies:
        return f"; {evidence.unused_proxies} have only a proxy label, left out"
    return "; no label has come" if evidence.issued and not evidence.labelled else ""


def _insufficient(reason: str) -> TriggerResult:
    return TriggerResult(kind=TriggerKind.PERFORMANCE, fired=False, sufficient=False, reason=reason)
