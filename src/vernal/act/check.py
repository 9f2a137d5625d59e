"""One check of one model: take in what arrived, measure, judge the triggers, and say what leaves in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vernal.act.ingest import drain_inbox
from vernal.act.messages import about_model
from vernal.decide import policy, triggers
from vernal.decide.cadence import next_check
from vernal.decide.quality import held_against
from vernal.observe.check import observe
from vernal.observe.windows import KEPT, lengths_of
from vernal.records import CheckCommit, Decision, RunRequest, TriggerKind

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.act.system import System
    from vernal.act.tally import IngestReport
    from vernal.decide.policy import Verdict
    from vernal.observe.check import Observation
    from vernal.records import ModelState, Run, TriggerResult
    from vernal.spec import ModelSpec


class Judgement(NamedTuple):
    """What a check saw, each trigger's answer, and what they ask for together."""

    observation: Observation
    results: tuple[TriggerResult, ...]
    verdict: Verdict


def judge_model(system: System, state: ModelState, arrived: IngestReport) -> Judgement:
    """Measure a model now and judge its triggers, changing nothing.

    Parameters
    ----------
    arrived
        The rows that the check took in, or would take in.
    """
    spec, now = system.project.models[state.model], system.clock.now()
    observation = observe(system.lake, system.store, spec, state, now=now)
    evidence = observation.evidence.evolve(quarantined=arrived.quarantined, quality=arrived.quality)
    observation = observation._replace(evidence=evidence)
    results = triggers.judge(spec.triggers, observation.evidence, state)
    verdict = policy.combine(results, policy=spec.policy, state=state, open_run=_open_run(system, state.model), now=now)
    verdict = held_against(verdict, arrived.quality, max_refused_share=spec.quality.max_refused_share)
    return Judgement(observation, results, verdict)


def check_model(system: System, state: ModelState) -> CheckCommit:
    """Take in the model's inbox, judge it, and return what the check leaves behind."""
    spec, now = system.project.models[state.model], system.clock.now()
    taken = drain_inbox(system.lake, spec.model, spec.features.kinds, task=spec.task, now=now, quality=spec.quality)
    judgement = judge_model(system, state, taken)
    observation, verdict = judgement.observation, judgement.verdict
    decision = Decision(
        model=spec.model,
        at=now,
        kind="check",
        outcome=verdict.outcome,
        reason=verdict.reason,
        evidence={
            "evidence": observation.evidence.to_dict(),
            "triggers": [result.to_dict() for result in judgement.results],
        },
    )
    messages = []
    if taken.quarantined:
        body = (
            f"{taken.quarantined} of {taken.quarantined + taken.accepted} rows refused: {'; '.join(taken.reasons[:5])}"
        )
        title = f"{spec.model}: rows quarantined"
        messages.append(about_model(spec.model, "quarantine", at=now, severity="warning", title=title, body=body))
    request = None
    if verdict.outcome == "requested" and verdict.trigger is not None:
        request = RunRequest(
            model=spec.model,
            trigger=TriggerKind(verdict.trigger.kind),
            reason=verdict.reason,
            requested_by="vernal",
            at=now,
        )
        title = f"{spec.model}: retraining requested"
        messages.append(about_model(spec.model, "requested", at=now, severity="info", title=title, body=verdict.reason))
    return CheckCommit(
        at=now,
        next_check_at=next_check(spec.model, every=spec.monitoring.every, now=now, spread=system.spread),
        profiled_version=observation.profiled_version,
        cron_at=_cron_after(spec, judgement, state, now=now),
        baseline_version=observation.baseline_version,
        hours=dict(observation.hours),
        decisions=(decision,),
        messages=tuple(messages),
        request=request,
        windows=observation.windows,
        forget_before=now - max(lengths_of(spec)) - KEPT,
    )


def _cron_after(spec: ModelSpec, judgement: Judgement, state: ModelState, *, now: datetime) -> datetime | None:
    """Move the schedule's cursor, except past a suppressed due time, which stays due until it gets its run."""
    if spec.triggers.schedule is None:
        return None
    fired = any(result.kind == TriggerKind.SCHEDULE and result.fired for result in judgement.results)
    return state.cron_at if fired and judgement.verdict.outcome == "suppressed" else now


def _open_run(system: System, model: str) -> Run | None:
    return next(iter(system.store.runs(model, open_only=True, limit=1)), None)
