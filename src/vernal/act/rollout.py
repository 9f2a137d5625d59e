"""The phases of a run while people are served by the challenger: steps, soak, promotion, rollback."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from vernal.act.messages import PROMOTED, about_run
from vernal.decide.rollout import Action, next_move
from vernal.observe.estimated import fit
from vernal.observe.reference import LABEL, build_reference
from vernal.observe.rollout import rollout_evidence
from vernal.records import Champion, Decision, Phase, Predictions, RolloutState, Route, Transition

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.act.system import System
    from vernal.decide.rollout import Move
    from vernal.profile import Reference
    from vernal.records import RolloutEvidence, Run, TrainingSet
    from vernal.spec import ModelSpec


def start_rollout(spec: ModelSpec, run: Run, now: datetime, decision: Decision) -> Transition:
    """Give the challenger the first step's share."""
    first = spec.rollout.steps[0]
    reason = f"{decision.reason}; rollout starts with {first.share:.0%} for {_days(first.duration)}"
    return Transition(
        phase=Phase.ROLLING_OUT,
        wake_at=now + spec.monitoring.every,
        at=now,
        facts=run.facts.evolve(rollout=RolloutState(started_at=(now,), salt=run.id)),
        decision=decision.evolve(reason=reason),
        route=_route(run, share=first.share, now=now),
    )


def roll_out(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Judge the current step and move on, wait or go back."""
    now = system.clock.now()
    state = _state(run)
    current = spec.rollout.steps[min(state.step, len(spec.rollout.steps) - 1)]
    evidence, move = _look(system, spec, run, current.duration)
    run = run.evolve(facts=run.facts.evolve(evidence=evidence))
    if move.action is Action.ROLL_BACK:
        return roll_back(run, now, move.reason, actor="vernal")
    if move.action is Action.HOLD:
        return _hold(spec, run, now, move)
    moved = run.facts.evolve(rollout=state_after(state, now))
    following = state.step + 1
    last = following >= len(spec.rollout.steps)
    share = 1.0 if last else spec.rollout.steps[following].share
    stage = f"100% for {_days(spec.rollout.soak)} of soaking" if last else f"{share:.0%}"
    decision = _decision(
        run, now, "advance", f"step {following} of {len(spec.rollout.steps)} done; {move.reason}; next {stage}"
    )
    return Transition(
        phase=Phase.SOAKING if last else Phase.ROLLING_OUT,
        wake_at=now + spec.monitoring.every,
        at=now,
        facts=moved,
        decision=decision,
        route=_route(run, share=share, now=now),
    )


def soak(system: System, spec: ModelSpec, run: Run) -> Transition:
    """Watch the challenger serve everybody, the champion still scoring beside it, before it becomes the champion."""
    now = system.clock.now()
    evidence, move = _look(system, spec, run, spec.rollout.soak)
    run = run.evolve(facts=run.facts.evolve(evidence=evidence))
    if move.action is Action.ROLL_BACK:
        return roll_back(run, now, move.reason, actor="vernal")
    if move.action is Action.HOLD:
        return _hold(spec, run, now, move)
    return promote(system, run, now, _decision(run, now, "promoted", f"soak done; {move.reason}"))


def promote(system: System, run: Run, now: datetime, decision: Decision) -> Transition:
    """Make the candidate the champion: pointer, route and baseline change in one transaction."""
    training_set, version = run.facts.training_set, run.facts.version
    assert training_set is not None  # noqa: S101 - a run that gets here has built one
    assert version is not None  # noqa: S101 - and registered its candidate
    reference = _reference(system, run, training_set)
    outcome = f"version {version} is the champion; {decision.reason}"
    alert = about_run(
        run, PROMOTED, at=now, severity="info", title=f"{run.model}: version {version} promoted", body=outcome
    )
    return Transition(
        phase=Phase.PROMOTED,
        wake_at=now,
        at=now,
        facts=run.facts,
        outcome=outcome,
        decision=decision.evolve(kind="champion", outcome="promoted", reason=outcome),
        champion=Champion(
            model=run.model,
            version=version,
            since=now,
            run_id=run.id,
            previous=run.facts.champion,
            importances=None if run.facts.training is None else run.facts.training.importances,
        ),
        route=Route(model=run.model, champion=version, updated_at=now),
        baseline=reference.to_bytes(),
        baseline_version=version,
        messages=(alert,),
    )


def roll_back(run: Run, now: datetime, reason: str, *, actor: str) -> Transition:
    """Give all traffic back to the champion, for good: this candidate never returns."""
    champion = run.facts.champion
    assert champion is not None  # noqa: S101 - a rollout has a champion to go back to
    outcome = f"version {run.facts.version} rolled back to {champion} by {actor}: {reason}"
    title = f"{run.model}: rolled back to version {champion}"
    alert = about_run(run, "rolled-back", at=now, severity="error", title=title, body=outcome)
    return Transition(
        phase=Phase.ROLLED_BACK,
        wake_at=now,
        at=now,
        facts=run.facts,
        outcome=outcome,
        decision=_decision(run, now, "rolled back", outcome),
        route=Route(model=run.model, champion=champion, updated_at=now),
        messages=(alert,),
    )


def state_after(state: RolloutState, now: datetime) -> RolloutState:
    """Return the rollout one step further."""
    return state.evolve(started_at=(*state.started_at, now))


def _reference(system: System, run: Run, training_set: TrainingSet) -> Reference:
    training = run.facts.training
    assert training is not None  # noqa: S101 - the candidate was trained
    spec = system.project.models[run.model]
    columns = (*spec.features.names, LABEL, Predictions.EVENT_TIME)
    rows = system.datasets.read(Path(training_set.training_path), columns=columns)
    columns = (Predictions.ID, LABEL, Predictions.PREDICTION, Predictions.SCORE)
    scored = system.datasets.read(Path(training.scores_path), columns=columns)
    columns = (Predictions.ID, *spec.features.names)
    holdout = system.datasets.read(Path(training_set.holdout_path), columns=columns)
    reference = build_reference(spec, rows, scored)
    return replace(reference, holdout=run.facts.measure, estimator=fit(spec, scored, holdout))


def _look(system: System, spec: ModelSpec, run: Run, duration: timedelta) -> tuple[RolloutEvidence, Move]:
    now, state = system.clock.now(), _state(run)
    evidence = rollout_evidence(system.lake, spec, run, now=now)
    limit = spec.rollout.hold_limit or 2 * duration + spec.label_delay
    move = next_move(evidence, step_started_at=state.started_at[-1], duration=duration, hold_limit=limit, now=now)
    return evidence, move


def _hold(spec: ModelSpec, run: Run, now: datetime, move: Move) -> Transition:
    return Transition(
        phase=run.phase,
        wake_at=now + spec.monitoring.every,
        at=now,
        facts=run.facts,
        decision=_decision(run, now, "hold", move.reason),
    )


def _route(run: Run, *, share: float, now: datetime) -> Route:
    champion, challenger = run.facts.champion, run.facts.version
    assert champion is not None  # noqa: S101 - without a champion there is no rollout
    return Route(
        model=run.model, champion=champion, challenger=challenger, share=share, salt=run.id, paired=True, updated_at=now
    )


def _state(run: Run) -> RolloutState:
    state = run.facts.rollout
    assert state is not None  # noqa: S101 - set when the rollout started
    return state


def _decision(run: Run, now: datetime, outcome: str, reason: str) -> Decision:
    evidence = None if run.facts.evidence is None else run.facts.evidence.to_dict()
    return Decision(
        model=run.model, run_id=run.id, at=now, kind="rollout", outcome=outcome, reason=reason, evidence=evidence
    )


def _days(duration: timedelta) -> str:
    return f"{duration / timedelta(days=1):.3g} d"
