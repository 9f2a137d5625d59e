"""The drift trigger: whether production has moved far enough from what the champion was trained on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from vernal.records import TriggerKind, TriggerResult
from vernal.stats.shares import rise_p_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vernal.records import CheckEvidence, DriftEvidence, FeatureDrift
    from vernal.spec import DriftTrigger

_SHOWN = 3
"""Features named in a reason."""


class _Verdict(NamedTuple):
    """What one window says: ``None`` for too few rows to say anything."""

    fired: bool | None
    reason: str


def judge_drift(
    spec: DriftTrigger, evidence: CheckEvidence, *, importances: Mapping[str, float] | None = None
) -> TriggerResult:
    """Fire when enough has drifted in either window and, after a run, has moved since that run's window as well.

    Parameters
    ----------
    importances
        Each feature's share of the importance of all, as measured when the champion was trained; ``None`` while
        unknown.
    """
    if evidence.drift is None:
        return _result("no baseline yet, so there is nothing to compare with", fired=None)
    judged = [(spec.window, _judge(spec, evidence.drift, importances))]
    if spec.short_window is not None and evidence.short_drift is not None:
        judged.insert(0, (spec.short_window, _judge(spec, evidence.short_drift, importances)))
    fired = [(length, verdict) for length, verdict in judged if verdict.fired]
    if fired:
        reason = "; ".join(_within(length, verdict) for length, verdict in fired)
        return _result(reason, fired=True, length=fired[0][0])
    reason = "; ".join(_within(length, verdict) for length, verdict in judged)
    return _result(reason, fired=None if all(verdict.fired is None for _, verdict in judged) else False)


def has_drifted(spec: DriftTrigger, one: FeatureDrift, *, family: int = 1) -> bool:
    """Whether something moved relevantly (above a threshold) and really (beyond chance).

    ``family`` is the number of features judged together, which rises of missing or unseen values share their chance
    of a false alarm among.
    """
    level = spec.false_discovery / family
    return (
        (
            one.score is not None
            and one.critical is not None
            and one.adjusted_p is not None
            and one.score > max(_threshold(spec, one), one.critical)
            and one.adjusted_p <= spec.false_discovery
        )
        or (spec.ks is not None and one.ks is not None and one.ks > max(spec.ks, one.ks_critical or 0.0))
        or _has_risen(spec.missing, one.null_share, one.reference_null_share, one, level=level)
        or _has_risen(spec.unseen, one.new_share, one.reference_new_share, one, level=level)
    )


def _judge(spec: DriftTrigger, drift: DriftEvidence, importances: Mapping[str, float] | None) -> _Verdict:
    if drift.rows < spec.min_rows:
        return _Verdict(fired=None, reason=f"{drift.rows} rows in the window < {spec.min_rows} needed")
    watched = [feature for feature in drift.features if not spec.features or feature.feature in spec.features]
    drifted = [feature for feature in watched if has_drifted(spec, feature, family=len(watched))]
    weights = _weights(spec, watched, importances)
    beside = [one for one in _beside(spec, drift) if one.rows >= spec.min_rows and has_drifted(spec, one)]
    enough = _enough(spec, drifted, watched, weights)
    if not enough and not beside:
        return _Verdict(fired=False, reason=_calm(spec, watched, drifted, weights))
    since = {one.feature: one for one in drift.since_last_run}
    if since:
        again = [one for one in drifted if has_drifted(spec, since[one.feature], family=len(watched))]
        beside_again = [one for one in beside if one.feature in since and has_drifted(spec, since[one.feature])]
        if not beside_again and not (enough and _enough(spec, again, watched, weights)):
            return _Verdict(fired=False, reason=_told_already(drifted, watched, beside, again))
        beside, enough = beside_again, enough and _enough(spec, again, watched, weights)
    parts = [_told(spec, drifted, watched, weights)] if enough else []
    parts += [f"{_name(one)} drifted: {_cause(spec, one)}" for one in beside]
    return _Verdict(fired=True, reason=f"{', and '.join(parts)} (n={drift.rows})")


def _beside(spec: DriftTrigger, drift: DriftEvidence) -> list[FeatureDrift]:
    """Return what is judged beside the features, each for itself."""
    found = list(drift.answers) if spec.predictions else []
    return [*found, drift.labels] if spec.labels and drift.labels is not None else found


def _weights(
    spec: DriftTrigger, watched: Sequence[FeatureDrift], importances: Mapping[str, float] | None
) -> dict[str, float] | None:
    """Return what each watched feature counts for, 1 in sum; ``None`` if one drifted feature is enough."""
    if not watched or spec.rule == "any":
        return None
    if spec.rule == "share":
        return {feature.feature: 1.0 / len(watched) for feature in watched}
    known = {feature.feature: (importances or {}).get(feature.feature, 0.0) for feature in watched}
    total = sum(known.values())
    return {name: weight / total for name, weight in known.items()} if total > 0 else None


def _enough(
    spec: DriftTrigger,
    drifted: Sequence[FeatureDrift],
    watched: Sequence[FeatureDrift],
    weights: Mapping[str, float] | None,
) -> bool:
    if not drifted:
        return False
    if weights is None:
        return True
    if spec.rule == "share":  # counted, for sums of fractions fall short of what was asked by a rounding error
        return len(drifted) >= spec.share * len(watched)
    return sum(weights[feature.feature] for feature in drifted) >= spec.share


def _told(
    spec: DriftTrigger,
    drifted: Sequence[FeatureDrift],
    watched: Sequence[FeatureDrift],
    weights: Mapping[str, float] | None,
) -> str:
    known = weights or {}
    ranked = sorted(drifted, key=lambda one: (known.get(one.feature, 0.0), one.score or 0.0), reverse=True)
    shown = ", ".join(f"{one.feature} {_cause(spec, one)}" for one in ranked[:_SHOWN])
    more = f" and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
    return f"{_amount(spec, drifted, watched, weights)} drifted: {shown}{more}"


def _amount(
    spec: DriftTrigger,
    drifted: Sequence[FeatureDrift],
    watched: Sequence[FeatureDrift],
    weights: Mapping[str, float] | None,
) -> str:
    held = ""
    if spec.rule == "weighted" and weights is not None:
        held = f" with {sum(weights[one.feature] for one in drifted):.0%} of the importance"
    return f"{len(drifted)} of {len(watched)} features{held}"


def _calm(
    spec: DriftTrigger,
    watched: Sequence[FeatureDrift],
    drifted: Sequence[FeatureDrift],
    weights: Mapping[str, float] | None,
) -> str:
    if drifted:
        return f"{_amount(spec, drifted, watched, weights)} drifted, less than the share {spec.share:g}"
    top = max(watched, key=lambda one: one.score or 0.0, default=None)
    if top is None or top.score is None:
        return f"none of {len(watched)} features drifted"
    return f"none of {len(watched)} features drifted; highest {top.feature} {top.statistic} {top.score:.3f}"


def _told_already(
    drifted: Sequence[FeatureDrift],
    watched: Sequence[FeatureDrift],
    beside: Sequence[FeatureDrift],
    again: Sequence[FeatureDrift],
) -> str:
    names = ", ".join([*(one.feature for one in drifted[:_SHOWN]), *(_name(one) for one in beside)])
    found = f"{len(drifted)} of {len(watched)} features differ from the baseline ({names})"
    return f"{found}, but {f'only {len(again)}' if again else 'none'} also from the window of the last run"


def _cause(spec: DriftTrigger, one: FeatureDrift) -> str:
    """Return what moved, with its limit."""
    if one.score is not None and one.score > max(_threshold(spec, one), one.critical or 0.0):
        return f"{one.statistic} {one.score:.3f} > {_threshold(spec, one):g}"
    if spec.ks is not None and one.ks is not None and one.ks > spec.ks:
        return f"ks {one.ks:.3f} > {spec.ks:g}"
    for what, limit, now, then in (
        ("missing", spec.missing, one.null_share, one.reference_null_share),
        ("unseen", spec.unseen, one.new_share, one.reference_new_share),
    ):
        if limit is not None and now is not None and now - (then or 0.0) > limit:
            return f"{what} {now:.1%}, {now - (then or 0.0):.1%} more > {limit:.1%}"
    return "moved"


def _has_risen(limit: float | None, now: float | None, then: float | None, one: FeatureDrift, *, level: float) -> bool:
    if limit is None or now is None or then is None or now - then <= limit or not one.rows or not one.reference_rows:
        return False
    p_value = rise_p_value(
        round(now * one.rows),
        one.rows,
        reference_count=round(then * one.reference_rows),
        reference_rows=one.reference_rows,
    )
    return p_value <= level


def _threshold(spec: DriftTrigger, one: FeatureDrift) -> float:
    return spec.js if one.statistic == "js" else spec.psi


def _name(one: FeatureDrift) -> str:
    return f"{one.feature}s"


def _within(length: timedelta, verdict: _Verdict) -> str:
    days, hours = divmod(_hours(length), 24)
    window = f"{days} d" if days > 1 and not hours else f"{_hours(length)} h"
    return f"{window}: {verdict.reason}"


def _hours(length: timedelta) -> int:
    return length // timedelta(hours=1)


def _result(reason: str, *, fired: bool | None, length: timedelta | None = None) -> TriggerResult:
    return TriggerResult(
        kind=TriggerKind.DRIFT,
        fired=bool(fired),
        sufficient=fired is not None,
        reason=reason,
        window_hours=None if length is None else _hours(length),
    )


__all__ = ["has_drifted", "judge_drift"]
