"""The triggers: whether retraining is worth it, on this evidence, now.

Each function answers for one trigger. "Not enough data" is an answer of its own (``sufficient=False``), never "fine".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from vernal.decide.drift import judge_drift
from vernal.decide.performance import judge_estimate, judge_performance
from vernal.records import TriggerKind, TriggerResult

if TYPE_CHECKING:
    from vernal.records import CheckEvidence, ModelState
    from vernal.spec import ScheduleTrigger, TriggersSpec, VolumeTrigger

URGENCY = (TriggerKind.PERFORMANCE, TriggerKind.DRIFT, TriggerKind.VOLUME, TriggerKind.SCHEDULE)


def judge(spec: TriggersSpec, evidence: CheckEvidence, state: ModelState) -> tuple[TriggerResult, ...]:
    """Return the answer of every trigger that is switched on, the most urgent kind first."""
    results = []
    if spec.performance is not None:
        results.append(judge_performance(spec.performance, evidence.performance, holdout=evidence.holdout))
        if evidence.estimated is not None:
            results.append(judge_estimate(spec.performance, evidence.estimated, holdout=evidence.holdout))
    if spec.drift is not None:
        importances = None if state.champion is None else state.champion.importances
        results.append(judge_drift(spec.drift, evidence, importances=importances))
    if spec.volume is not None:
        results.append(judge_volume(spec.volume, evidence))
    if spec.schedule is not None:
        results.append(judge_schedule(spec.schedule, since=state.cron_at, now=evidence.at))
    return tuple(results)


def judge_volume(spec: VolumeTrigger, evidence: CheckEvidence) -> TriggerResult:
    """Fire when enough labels have arrived since the last training cut, whether its candidate was accepted or not."""
    since = "ever" if evidence.labels_since is None else f"since {evidence.labels_since:%Y-%m-%d %H:%M}"
    fired = evidence.new_labels >= spec.labels
    reason = f"{evidence.new_labels} new labels {since} {'>=' if fired else '<'} {spec.labels}"
    if evidence.new_proxies:
        reason += f"; {evidence.new_proxies} proxy labels counted {evidence.proxy_weight:g} each"
    return TriggerResult(kind=TriggerKind.VOLUME, fired=fired, sufficient=True, reason=reason)


def judge_schedule(spec: ScheduleTrigger, *, since: datetime | None, now: datetime) -> TriggerResult:
    """Fire when a time of the cron expression lies in ``(since, now]``; several missed times fire once."""
    if since is None:
        due = next_due(spec, after=now)
        reason = f"first look; next due {_local(spec, due)}"
        return TriggerResult(kind=TriggerKind.SCHEDULE, fired=False, sufficient=True, reason=reason)
    due = next_due(spec, after=since)
    fired = due <= now
    reason = f"{spec.cron!r} was due {_local(spec, due)}" if fired else f"next due {_local(spec, due)}"
    return TriggerResult(kind=TriggerKind.SCHEDULE, fired=fired, sufficient=True, reason=reason)


def next_due(spec: ScheduleTrigger, *, after: datetime) -> datetime:
    """Return the first time of the schedule strictly after a moment, in UTC."""
    from cronsim import CronSim

    zone = ZoneInfo(spec.timezone)
    due: datetime = next(CronSim(spec.cron, after.astimezone(zone)))
    return due.astimezone(UTC)


def _insufficient(kind: TriggerKind, reason: str) -> TriggerResult:
    return TriggerResult(kind=kind, fired=False, sufficient=False, reason=reason)


def _local(spec: ScheduleTrigger, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(spec.timezone)):%Y-%m-%d %H:%M} {spec.timezone}"
