"""The phases of a run before anybody is served: each looks at the world and returns the one transition that leaves it.

A phase may be entered any number of times (a worker died, a lease ran out), so everything it does before its
transition is committed can be done twice: jobs, data sets and registered versions have deterministic names.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from vernal.act.evaluate import evaluate
from vernal.act.messages import about_run
from vernal.act.rollout import promote, roll_out, soak, start_rollout
from vernal.clock import monotonic
from vernal.decide import gates, money
from vernal.errors import LeaseLostError, SampleError
from vernal.observe.dataset import WEIGHT, cut_dataset
from vernal.ports import TrainingJob, TrainingState
from vernal.records import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    Cost,
    Decision,
    LedgerEntry,
    Message,
    Phase,
    TrainingSet,
    Transition,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from vernal.act.system import System
    from vernal.records import Run, RunFacts
    from vernal.spec import ModelSpec

MAX_LOST = 3
"""How often a training job may vanish (killed, machine gone) before the run fails."""

POLL = timedelta(seconds=5)


def step(system: System, run: Run) -> Transition:
    """Return the next transition of a claimed run."""
    spec = system.project.models[run.model]
    return _PHASES[run.phase](system, spec, run)


def request(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Estimate the cost, ask the budget, and ask a person where the estimate is above the limit."""
    now = system.clock.now()
    runs = system.store.runs(run.model)
    _stop_superseded(system, runs)
    past = [past.facts.cost for past in runs if past.facts.cost is not None]
    estimate = system.costs.estimate(run.model, past, rows=0)
    facts = run.facts.evolve(estimate=estimate)
    allowances = _allowances(system, spec, run, estimate, now)
    refused = [allowance for allowance in allowances if not allowance.allowed]
    reason = "; ".join(allowance.reason for allowance in refused or allowances)
    if refused:
        alert = about_run(
            run, "over-budget", at=now, severity="warning", title=f"{run.model}: run refused", body=reason
        )
        return _leave(
            run, Phase.CANCELLED, now, facts, kind="budget", outcome="refused", reason=reason, messages=(alert,)
        )
    warnings: tuple[Message, ...] = ()
    if any(allowance.warn for allowance in allowances):
        title = f"{run.model}: budget nearly used up"
        warnings = (about_run(run, "budget-warning", at=now, severity="warning", title=title, body=reason),)
    if money.spend_needs_approval(spec.approval, estimate):
        why = f"estimated {estimate.usd:.2f} USD > {spec.approval.cost_above_usd:g} USD; trigger: {run.reason}"
        return _ask(run, spec, ApprovalKind.SPEND, now, facts, why, warnings)
    why = f"{reason}; no approval needed up to {spec.approval.cost_above_usd:g} USD"
    return _leave(run, Phase.BUILDING, now, facts, kind="budget", outcome="allowed", reason=why, messages=warnings)


def await_spending(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Wait for a person to agree to the cost."""
    return _await(system, spec, run, ApprovalKind.SPEND, approved=lambda now: _approved(run, Phase.BUILDING, now))


def build(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Cut the training set and materialise it."""
    now = system.clock.now()
    try:
        split = cut_dataset(system.lake, spec, now=run.phase_since)
    except SampleError as error:
        return _fail(run, now, run.facts, str(error))
    saved = system.datasets.save(run.id, training=split.training, holdout=split.holdout)
    training_set = TrainingSet(
        training_path=str(saved.training),
        holdout_path=str(saved.holdout),
        digest=saved.digest,
        training_rows=split.training.num_rows,
        holdout_rows=split.holdout.num_rows,
        training_start=split.start,
        training_end=split.split,
        holdout_end=split.cut,
        cut=split.cut,
        predictions_version=system.lake.version(run.model, "predictions") or 0,
        labels_version=system.lake.version(run.model, "labels") or 0,
        features=spec.features.names,
        proxy_rows=split.proxies,
        weighted=WEIGHT in split.holdout.column_names,
    )
    champion = system.store.model(run.model).champion
    facts = run.facts.evolve(training_set=training_set, champion=champion.version if champion else None)
    rows = f"{split.training.num_rows} rows [{split.start:%Y-%m-%d}, {split.split:%Y-%m-%d})"
    proxies = f"; {split.proxies} labels are proxies" if split.proxies else ""
    reason = f"{rows} to train on, {split.holdout.num_rows} rows until {split.cut:%Y-%m-%d} held out{proxies}"
    return _leave(run, Phase.TRAINING, now, facts, kind="run", outcome="built", reason=reason)


def train(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Start the training job, follow it, and book what it cost."""
    name = _job_name(run)
    training_set = run.facts.training_set
    if training_set is None:
        return _fail(run, system.clock.now(), run.facts, f"{run.id}: no training set was built")
    state = system.trainer.poll(name)
    if state.status == "unknown":
        system.trainer.submit(_job(system, spec, run, name))
        state = system.trainer.poll(name)
    state = _follow(system, run, name) if state.status in {"unknown", "running"} else state
    now = system.clock.now()
    if state.status == "running":
        return Transition(phase=Phase.TRAINING, wake_at=now + POLL, at=now, facts=run.facts)
    if state.status == "lost":
        lost = run.facts.trainer_attempt + 1
        facts = run.facts.evolve(trainer_attempt=lost)
        if lost >= MAX_LOST:
            return _fail(run, now, facts, f"the training process vanished {lost} times: {state.message}")
        reason = f"the training process vanished ({lost} of {MAX_LOST}): started again"
        return _leave(run, Phase.TRAINING, now, facts, kind="run", outcome="restarted", reason=reason)
    if state.result is None:
        return _fail(run, now, run.facts, state.message)
    cost = system.costs.charge(state.result, rows=training_set.training_rows)
    facts = run.facts.evolve(training=state.result, cost=cost)
    entry = LedgerEntry(key=f"{run.id}:training", model=run.model, run_id=run.id, at=now, usd=cost.usd, what="training")
    reason = f"trained in {cost.wall_seconds:.1f} s ({cost.source}), {cost.usd:.4f} USD"
    if state.result.note:
        reason += f"; the importances of the features stay unknown: {state.result.note}"
    return _leave(run, Phase.EVALUATING, now, facts, kind="run", outcome="trained", reason=reason, ledger=(entry,))


def judge(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Hold the candidate against the gates on the held-out rows, and register it either way."""
    now = system.clock.now()
    champion = system.store.model(run.model).champion
    serving = champion.version if champion else None
    if serving != run.facts.champion:
        return _fail(
            run, now, run.facts, f"the champion changed from {run.facts.champion} to {serving} while this run trained"
        )
    evaluation = evaluate(system.datasets, spec, run)
    results = gates.judge(spec.gates, comparison=evaluation.comparison, measure=evaluation.measure)
    verdict = gates.overall(results)
    version = _register(system, run, evaluation.metrics)
    facts = run.facts.evolve(
        version=version, gates=results, comparison=evaluation.comparison, measure=evaluation.measure
    )
    reason = "; ".join(f"{result.gate} {result.verdict}: {result.reason}" for result in results)
    if not verdict.passes:
        body = f"The candidate of {run.id} is not good enough and was not deployed. {reason}"
        alert = about_run(run, "rejected", at=now, severity="info", title=f"{run.model}: candidate rejected", body=body)
        return _leave(
            run, Phase.REJECTED, now, facts, kind="gates", outcome=str(verdict), reason=reason, messages=(alert,)
        )
    if spec.risky:
        return _ask(run, spec, ApprovalKind.RELEASE, now, facts, f"gates passed: {reason}", ())
    judged = Decision(model=run.model, run_id=run.id, at=now, kind="gates", outcome=str(verdict), reason=reason)
    return _release(system, spec, run.evolve(facts=facts), now, judged)


def await_release(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Wait for a person to agree to the release."""

    def approved(now: datetime) -> Transition:
        reason = f"{run.id}: release approved"
        decision = Decision(model=run.model, run_id=run.id, at=now, kind="approval", outcome="approved", reason=reason)
        return _release(system, spec, run, now, decision)

    return _await(system, spec, run, ApprovalKind.RELEASE, approved=approved)


def fail(run: Run, now: datetime, reason: str) -> Transition:
    """Return the transition that ends a run that cannot go on; whoever served before serves on."""
    return _fail(run, now, run.facts, reason)


_PHASES: dict[Phase, Callable[[System, ModelSpec, Run], Transition]] = {
    Phase.REQUESTED: request,
    Phase.AWAITING_APPROVAL: await_spending,
    Phase.BUILDING: build,
    Phase.TRAINING: train,
    Phase.EVALUATING: judge,
    Phase.AWAITING_RELEASE: await_release,
    Phase.ROLLING_OUT: roll_out,
    Phase.SOAKING: soak,
}


def _allowances(system: System, spec: ModelSpec, run: Run, estimate: Cost, now: datetime) -> list[money.Allowance]:
    start, end = money.month_of(now)
    budget = system.project.spec.budget
    limits: list[tuple[str, str | None, Decimal]] = [("project", None, budget.monthly_usd)]
    if spec.budget.monthly_usd is not None:
        limits.append((run.model, run.model, spec.budget.monthly_usd))
    return [
        money.within_budget(
            budget,
            limit=limit,
            spent=system.store.spent(model, since=start, until=end),
            estimate=estimate,
            trigger=run.trigger,
            whose=whose,
        )
        for whose, model, limit in limits
    ]


def _job(system: System, spec: ModelSpec, run: Run, name: str) -> TrainingJob:
    training_set, champion = run.facts.training_set, run.facts.champion
    assert training_set is not None  # noqa: S101 - checked by the caller
    memory = spec.training.memory_limit_gb
    return TrainingJob(
        name=name,
        code=system.project.code_path(run.model),
        training=Path(training_set.training_path),
        holdout=Path(training_set.holdout_path),
        features=spec.features.names,
        categorical=tuple(spec.features.categorical),
        task=spec.task,
        champion=system.registry.fetch(run.model, champion) if champion else None,
        time_limit_seconds=spec.training.time_limit.total_seconds(),
        memory_limit_bytes=int(memory * 10**9) if memory else None,
        seed=run.number,
        importance_metric=spec.metric if spec.training.importance else None,
    )


def _follow(system: System, run: Run, name: str) -> TrainingState:
    """Wait for the job, renewing the lease, until it ends or patience does."""
    until = None if system.patience_seconds is None else monotonic() + system.patience_seconds
    breath = system.lease.total_seconds() / 3
    while True:
        left = breath if until is None else min(breath, max(0.0, until - monotonic()))
        state = system.trainer.wait(name, seconds=left)
        if state.status != "running" or (until is not None and monotonic() >= until):
            return state
        try:
            system.store.renew(run, lease=system.claim())
        except LeaseLostError:
            # The commit that follows is refused. A new holder follows the same job, but nobody does if the run is over.
            if system.store.run(run.id).phase.terminal:
                system.trainer.cancel(name)
            return state


def _stop_superseded(system: System, runs: Sequence[Run]) -> None:
    """Stop the training of the run whose place this one took: whatever comes of it, nobody will look."""
    for old in runs[1:2]:
        if old.phase is Phase.SUPERSEDED and old.facts.training_set is not None and old.facts.training is None:
            system.trainer.cancel(_job_name(old))


def _job_name(run: Run) -> str:
    return f"{run.id}.{run.facts.trainer_attempt}"


def _register(system: System, run: Run, metrics: dict[str, float]) -> str:
    training_set, result = run.facts.training_set, run.facts.training
    assert training_set is not None  # noqa: S101 - set by the phases before
    assert result is not None  # noqa: S101 - set by the phase before
    parameters = {
        "training_rows": str(training_set.training_rows),
        "training_start": training_set.training_start.isoformat(),
        "training_end": training_set.training_end.isoformat(),
        "holdout_end": training_set.holdout_end.isoformat(),
        "predictions_version": str(training_set.predictions_version),
        "labels_version": str(training_set.labels_version),
        "data_digest": training_set.digest,
        "trigger": str(run.trigger),
    }
    return system.registry.register(run.model, run, result, parameters=parameters, metrics=metrics)


def _release(system: System, spec: ModelSpec, run: Run, now: datetime, decision: Decision) -> Transition:
    if run.facts.champion is None:
        first = decision.evolve(
            reason=f"{decision.reason}; first champion: nobody to compare with, so it serves at once"
        )
        return promote(system, run, now, first)
    return start_rollout(spec, run, now, decision)


def _ask(
    run: Run,
    spec: ModelSpec,
    kind: ApprovalKind,
    now: datetime,
    facts: RunFacts,
    why: str,
    messages: tuple[Message, ...],
) -> Transition:
    expires = now + spec.approval.expire_after
    approval = Approval(
        run_id=run.id,
        model=run.model,
        kind=kind,
        status=ApprovalStatus.PENDING,
        requested_at=now,
        expires_at=expires,
        reason=why,
    )
    body = f"{why}\nvernal approve {run.id}   or   vernal reject {run.id}   before {expires:%Y-%m-%d %H:%M} UTC"
    alert = about_run(
        run, f"approve-{kind}", at=now, severity="warning", title=f"{run.id} waits for approval", body=body
    )
    phase = Phase.AWAITING_APPROVAL if kind is ApprovalKind.SPEND else Phase.AWAITING_RELEASE
    return Transition(
        phase=phase,
        wake_at=expires,
        at=now,
        facts=facts,
        approval=approval,
        decision=Decision(model=run.model, run_id=run.id, at=now, kind="approval", outcome="asked", reason=why),
        messages=(*messages, alert),
    )


def _await(
    system: System, spec: ModelSpec, run: Run, kind: ApprovalKind, *, approved: Callable[[datetime], Transition]
) -> Transition:
    now = system.clock.now()
    approval = system.store.approval(run.id, kind)
    if approval is None:
        return _ask(run, spec, kind, now, run.facts, f"{kind} approval for {run.id}", ())
    who = f"{approval.decided_by}{f' ({approval.note})' if approval.note else ''}"
    if approval.status is ApprovalStatus.APPROVED:
        return approved(now)
    if approval.status is ApprovalStatus.REJECTED:
        reason = f"{kind} rejected by {who}"
        return _leave(run, Phase.REJECTED, now, run.facts, kind="approval", outcome="rejected", reason=reason)
    if now >= approval.expires_at:
        reason = f"nobody answered the request for {kind} approval by {approval.expires_at:%Y-%m-%d %H:%M} UTC"
        alert = about_run(run, "expired", at=now, severity="warning", title=f"{run.id} expired", body=reason)
        return _leave(
            run, Phase.EXPIRED, now, run.facts, kind="approval", outcome="expired", reason=reason, messages=(alert,)
        )
    return Transition(phase=run.phase, wake_at=approval.expires_at, at=now, facts=run.facts)


def _approved(run: Run, phase: Phase, now: datetime) -> Transition:
    return _leave(run, phase, now, run.facts, kind="approval", outcome="approved", reason=f"{run.id}: cost approved")


def _fail(run: Run, now: datetime, facts: RunFacts, reason: str) -> Transition:
    body = f"{reason}\nThe champion goes on serving."
    alert = about_run(run, "failed", at=now, severity="error", title=f"{run.id} failed", body=body)
    return _leave(run, Phase.FAILED, now, facts, kind="run", outcome="failed", reason=reason, messages=(alert,))


def _leave(  # noqa: PLR0913 - the parts of a transition
    run: Run,
    phase: Phase,
    now: datetime,
    facts: RunFacts,
    *,
    kind: str,
    outcome: str,
    reason: str,
    messages: tuple[Message, ...] = (),
    ledger: tuple[LedgerEntry, ...] = (),
) -> Transition:
    return Transition(
        phase=phase,
        wake_at=now,
        at=now,
        facts=facts,
        outcome=reason if phase.terminal else "",
        decision=Decision(model=run.model, run_id=run.id, at=now, kind=kind, outcome=outcome, reason=reason),
        messages=messages,
        ledger=ledger,
    )
