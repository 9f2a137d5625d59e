"""``vernal rollout`` and ``rollback``: how a challenger does in production, and taking it back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import measured, moment, relative, span, traffic

if TYPE_CHECKING:
    from vernal.act.system import System
    from vernal.records import Decision, ModelState, RolloutEvidence, Run
    from vernal.spec import ModelSpec


class _Stage(NamedTuple):
    """Where a rollout stands: its step from 1 (the soak is one more than the steps), and when that step may end."""

    step: int
    steps: int
    share: float
    since: datetime
    earliest: datetime
    latest: datetime


def rollout(model: Model, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Show the open rollout: step, share, evidence with its band, and what the next step waits for.

    The evidence is measured now, by the code that the next tick uses; nothing is changed.
    """
    from vernal.act.operations import SERVING
    from vernal.act.phases import step
    from vernal.bootstrap import open_system

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        spec = system.project.model(model)
        run = next((run for run in system.store.runs(model, open_only=True) if run.phase in SERVING), None)
        if run is None:
            _none(system, model, output)
            return
        now = system.clock.now()
        transition = step(system, run)
    stage, evidence, verdict = _stage(spec, run), transition.facts.evidence, transition.decision
    output.document(
        {
            "model": model,
            "run": run.id,
            "phase": run.phase,
            "champion": run.facts.champion,
            "challenger": run.facts.version,
            **stage._asdict(),
            "evidence": evidence.to_dict() if evidence else None,
            "next": {"move": verdict.outcome, "reason": verdict.reason} if verdict else None,
        }
    )
    output.line(f"{run.id}: {run.phase}, step {stage.step} of {stage.steps}")
    output.fields(_fields(run, stage, evidence, verdict, now))


def rollback(
    model: Model,
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="Go to this version instead.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "asked for on the command line",
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Take all traffic away from the newest version, at once.

    During a rollout the challenger is rolled back, for good. Otherwise the champion before it is the champion again.
    """
    from vernal.act import operations
    from vernal.bootstrap import open_system
    from vernal.cli.opening import actor
    from vernal.records import Run

    output = Output(as_json=as_json)
    with open_system(project) as system:
        name = system.project.model(model).model
        done = operations.rollback(system, name, actor=actor(), reason=reason, to=to)
        state = system.store.model(name)
    run = done if isinstance(done, Run) else None
    output.document(
        {
            "model": name,
            "run": run.to_dict() if run else None,
            "champion": state.champion.to_dict() if state.champion else None,
            "route": state.route.to_dict() if state.route else None,
        }
    )
    output.line(f"{run.id} {run.phase}: {run.outcome}" if run else _moved(state))
    output.line(f"{name}: {traffic(state.route)}")


def _moved(state: ModelState) -> str:
    champion = state.champion
    return f"{state.model}: the champion is version {champion.version if champion else 'none'}"


def _none(system: System, model: str, output: Output) -> None:
    states = {state.model: state for state in system.store.models()}
    route = states[model].route if model in states else None
    last = next(iter(system.store.runs(model, limit=1)), None)
    output.document({"model": model, "run": None, "route": route.to_dict() if route else None})
    ended = f"; its last run, {last.id}, is {last.phase}" if last else ""
    output.line(f"{model}: no rollout is under way{ended}")
    output.line(f"  {traffic(route)}")


def _stage(spec: ModelSpec, run: Run) -> _Stage:
    started, steps = run.facts.rollout.started_at if run.facts.rollout else (), spec.rollout.steps
    index = min(len(started) - 1, len(steps))
    since = started[-1]
    if index == len(steps):
        limit = spec.rollout.hold_limit or 2 * spec.rollout.soak + spec.label_delay
        return _Stage(index + 1, len(steps) + 1, 1.0, since, since + spec.rollout.soak, since + limit)
    current = steps[index]
    return _Stage(
        index + 1,
        len(steps) + 1,
        current.share,
        since,
        since + current.duration,
        since + spec.hold_limit(index),
    )


def _fields(
    run: Run, stage: _Stage, evidence: RolloutEvidence | None, verdict: Decision | None, now: datetime
) -> list[tuple[str, str]]:
    share = f"{stage.share:.0%} of the entities are answered by version {run.facts.version}"
    return [
        ("traffic", f"{share}, the others by version {run.facts.champion}" if stage.share < 1 else share),
        ("since", f"{moment(stage.since)} UTC ({span(now - stage.since)})"),
        ("evidence", _band(evidence)),
        ("champion", measured(evidence.champion) if evidence and evidence.champion else ""),
        ("challenger", measured(evidence.challenger) if evidence and evidence.challenger else ""),
        ("answered", _answered(evidence)),
        ("step ends", f"not before {moment(stage.earliest)} UTC ({relative(stage.earliest, now)})"),
        ("given up", f"if undecided at {moment(stage.latest)} UTC ({relative(stage.latest, now)})"),
        ("next look", f"{verdict.outcome}: {verdict.reason}" if verdict else ""),
    ]


def _band(evidence: RolloutEvidence | None) -> str:
    if evidence is None or evidence.difference is None:
        return "none yet" if evidence is None or not evidence.note else f"none yet: {evidence.note}"
    if evidence.lower is None or evidence.upper is None:
        return f"{evidence.score} difference {evidence.difference:+.4f} on {evidence.rows} rows; {evidence.note}"
    band = f"[{evidence.lower:+.4f}, {evidence.upper:+.4f}]"
    rows = f"on {evidence.rows} rows in {evidence.blocks} hours"
    return f"{evidence.score} difference {evidence.difference:+.4f} {band} {rows}; margin {evidence.margin:g}"


def _answered(evidence: RolloutEvidence | None) -> str:
    if evidence is None or not evidence.asked:
        return ""
    answered = evidence.asked - evidence.unanswered
    return f"{answered} of {evidence.asked} requests{f'; {evidence.failing}' if evidence.failing else ''}"
