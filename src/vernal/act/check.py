"""One check of one model: take in what arrived, measure, judge the triggers, and say what leaves in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from vernal.act.ingest import drain_inbox
from vernal.act.messages import about_model
from vernal.decide import policy, triggers
from vernal.decide.cadence import next_check
from vernal.decide.quality import held_against
from vernal.decide.shadows import cron_after, judge_shadows, shadows_of
from vernal.observe.check import observe
from vernal.observe.windows import KEPT, lengths_of
from vernal.records import CheckCommit, Decision, Ruling, RunRequest, TriggerKind
from vernal.tracing import span

if TYPE_CHECKING:
    from vernal.act.system import System
    from vernal.act.tally import IngestReport
    from vernal.observe.check import Observation
    from vernal.records import ModelState, Run, ShadowRuling, TriggerResult
    from vernal.spec import ModelSpec


_FURTHER = 30
"""Runs to look at beyond those that open the circuit; each further one in vain doubles its pause."""

_CHECKS = 200
"""Checks to look back at for the last one that did not end with an error."""


class Judgement(NamedTuple):
    """What a check saw, each trigger's answer, and what they ask for together, and would by each shadow policy."""

    observation: Observation
    results: tuple[TriggerResult, ...]
    ruling: Ruling
    shadows: dict[str, ShadowRuling]


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
    with span("judge") as current:
        results = triggers.judge(spec.triggers, observation.evidence, state, every=spec.monitoring.every)
        before = _evidence_before(system, state.model)
        # Runs matter only to what fired: a quiet check, which nearly all are, need not read them.
        asked = bool(spec.shadow) or any(result.fired for result in results)
        runs = _latest_runs(system, spec) if asked else ()
        ruling_before = msgspec.convert(before["policy"], Ruling) if before else None
        situation = policy.Situation(state=state, runs=runs, before=ruling_before, now=now)
        ruling = policy.rule(results, triggers=spec.triggers, policy=spec.policy, situation=situation)
        ruling = held_against(ruling, arrived.quality, max_refused_share=spec.quality.max_refused_share)
        shadows = judge_shadows(
            spec.shadow,
            observation.evidence,
            situation,
            before=shadows_of(before),
            every=spec.monitoring.every,
        )
        current.set(outcome=ruling.outcome)
    return Judgement(observation, results, ruling, shadows)


def check_model(system: System, state: ModelState) -> CheckCommit:
    """Take in the model's inbox, judge it, and return what the check leaves behind."""
    spec, now = system.project.models[state.model], system.clock.now()
    with span("ingest") as current:
        taken = drain_inbox(system.lake, spec.model, spec.features.kinds, task=spec.task, now=now, quality=spec.quality)
        current.set(accepted=taken.accepted, quarantined=taken.quarantined)
    judgement = judge_model(system, state, taken)
    observation, ruling = judgement.observation, judgement.ruling
    decision = Decision(
        model=spec.model,
        at=now,
        kind="check",
        outcome=ruling.outcome,
        reason=ruling.reason,
        evidence={
            "evidence": observation.evidence.to_dict(),
            "triggers": [result.to_dict() for result in judgement.results],
            "policy": ruling.to_dict(),
            "shadow": {name: shadow.to_dict() for name, shadow in judgement.shadows.items()},
        },
    )
    messages = []
    if taken.quarantined:
        body = (
            f"{taken.quarantined} of {taken.quarantined + taken.accepted} rows refused: {'; '.join(taken.reasons[:5])}"
        )
        title = f"{spec.model}: rows quarantined"
        messages.append(about_model(spec.model, "quarantine", at=now, severity="warning", title=title, body=body))
    request, announced = None, None
    if ruling.outcome == "requested" and ruling.trigger is not None:
        request = RunRequest(
            model=spec.model,
            trigger=TriggerKind(ruling.trigger),
            reason=ruling.reason,
            requested_by="vernal",
            at=now,
        )
        title = f"{spec.model}: retraining requested"
        announced = about_model(spec.model, "requested", at=now, severity="info", title=title, body=ruling.reason)
    return CheckCommit(
        at=now,
        next_check_at=next_check(spec.model, every=spec.monitoring.every, now=now, spread=system.spread),
        profiled_version=observation.profiled_version,
        cron_at=cron_after(spec.triggers, judgement.results, ruling, since=state.cron_at, now=now),
        baseline_version=observation.baseline_version,
        hours=dict(observation.hours),
        decisions=(decision,),
        messages=tuple(messages),
        request=request,
        announcement=announced,
        supersedes=ruling.supersedes,
        windows=observation.windows,
        forget_before=now - max(lengths_of(spec)) - KEPT,
    )


def _latest_runs(system: System, spec: ModelSpec) -> tuple[Run, ...]:
    policies = (spec.policy, *(shadow.policy for shadow in spec.shadow))
    breakers = [one.circuit_breaker for one in policies]
    limit = _FURTHER + max((breaker.after for breaker in breakers if breaker is not None), default=0)
    return system.store.runs(spec.model, limit=limit)


def _evidence_before(system: System, model: str) -> dict[str, Any]:
    """Return what the last check recorded that got as far as asking the policies."""
    for limit in (1, _CHECKS):
        for check in reversed(system.store.decisions(model, kind="check", limit=limit)):
            if check.evidence is not None and "policy" in check.evidence:
                return check.evidence
    return {}
