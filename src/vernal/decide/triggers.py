"""The triggers: whether retraining is worth it, on this evidence, now.

Each function answers for one trigger. "Not enough data" is an answer of its own (``sufficient=False``), never "fine".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from vernal.decide.drift import judge_drift
from vernal.decide.performance import judge_estimate, judge_performance
from vernal.records import TriggerKind, TriggerResult
from vernal.spec.triggers import as_written

if TYPE_CHECKING:
    from vernal.records import CheckEvidence, ModelState
    from vernal.spec import ScheduleTrigger, TriggersSpec, VolumeTrigger

MISSED_AFTER = 2
"""Checks that a due time may wait for before it was missed."""

URGENCY = (TriggerKind.PERFORMANCE, TriggerKind.DRIFT, TriggerKind.VOLUME, TriggerKind.SCHEDULE)


def judge(
    spec: TriggersSpec, evidence: CheckEvidence, state: ModelState, *, every: timedelta
) -> tuple[TriggerResult, ...]:
    """Return the answer of every trigger that is switched on, the most urgent kind first.

    ``every`` is the time between two checks, by which a schedule tells what it has missed.
    """
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
        results.append(judge_schedule(spec.schedule, since=state.cron_at, now=evidence.at, every=every))
    return tuple(results)


def judge_volume(spec: VolumeTrigger, evidence: CheckEvidence) -> TriggerResult:
    """Fire when enough labels have arrived since the last training cut, whether its candidate was accepted or not."""
    since = "ever" if evidence.labels_since is None else f"since {evidence.labels_since:%Y-%m-%d %H:%M}"
    fired = evidence.new_labels >= spec.labels
    reason = f"{evidence.new_labels} new labels {since} {'>=' if fired else '<'} {spec.labels}"
    if evidence.new_proxies:
        reason += f"; {evidence.new_proxies} proxy labels counted {evidence.proxy_weight:g} each"
    return TriggerResult(kind=TriggerKind.VOLUME, fired=fired, sufficient=True, reason=reason)


def judge_schedule(spec: ScheduleTrigger, *, since: datetime | None, now: datetime, every: timedelta) -> TriggerResult:
    """Fire when a time of the cron expression lies in ``(since, now]``; several missed times fire once, or never."""
    if since is None:
        due = next_due(spec, after=now)
        reason = f"first look; next due {_local(spec, due)}"
        return TriggerResult(kind=TriggerKind.SCHEDULE, fired=False, sufficient=True, reason=reason)
    due, missed = next_due(spec, after=since), ""
    oldest = now - MISSED_AFTER * every
    if spec.catch_up == "skip" and due <= oldest:
        missed = f"; {_local(spec, due)} was missed and is passed over"
        due = next_due(spec, after=oldest)
    fired = due <= now
    reason = f"{spec.cron!r} was due {_local(spec, due)}" if fired else f"next due {_local(spec, due)}"
    return TriggerResult(kind=TriggerKind.SCHEDULE, fired=fired, sufficient=True, reason=f"{reason}{missed}")


def next_due(spec: ScheduleTrigger, *, after: datetime) -> datetime:
    """Return the first time of the schedule strictly after a moment, in UTC."""
    from cronsim import CronSim

    coming = CronSim(spec.cron, after.astimezone(ZoneInfo(spec.timezone)))
    moments = ((local, local.astimezone(UTC)) for local in coming)
    # Within an hour that comes twice, cronsim takes the second time for the first and looks back.
    return next(due for local, due in moments if due > after and (spec.dst == "shift" or as_written(spec.cron, local)))


def _insufficient(kind: TriggerKind, reason: str) -> TriggerResult:
    return TriggerResult(kind=kind, fired=False, sufficient=False, reason=reason)


def _local(spec: ScheduleTrigger, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(spec.timezone)):%Y-%m-%d %H:%M} {spec.timezone}"
