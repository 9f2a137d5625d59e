"""``vernal retrain``: ask for a run by hand, and follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output, warn
from vernal.cli.reporting import FAILED
from vernal.cli.text import event

if TYPE_CHECKING:
    from vernal.act.system import System
    from vernal.records import Run

LOOK_SECONDS = 0.5


def retrain(
    model: Model,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "asked for on the command line",
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the run until it is over, rolling out, or waits for a person.")
    ] = False,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Ask for a run now, whatever the triggers say. Budget, approval, gates and rollout apply as always.

    Without --wait the next tick, or `vernal up`, works on it. With --wait this command does, and exits with 1 if the
    run failed, was cancelled or expired; a candidate that is rejected because it is no better is no failure.
    """
    from vernal.act import operations
    from vernal.bootstrap import open_system
    from vernal.cli.opening import actor

    output = Output(as_json=as_json)
    with open_system(project) as system:
        run = operations.retrain(system, system.project.model(model).model, actor=actor(), reason=reason)
        output.line(f"{run.id} requested")
        if wait:
            run = _follow(system, run, output)
        decisions = system.store.decisions(run_id=run.id)
        output.document({"run": run.to_dict(), "decisions": [decision.to_dict() for decision in decisions]})
    if not wait:
        output.line("The next tick starts it: `vernal tick`, or a running `vernal up`.")
        return
    output.line(_ending(run))
    if run.phase in {"failed", "cancelled", "expired"}:
        raise typer.Exit(FAILED)


def _follow(system: System, run: Run, output: Output) -> Run:
    """Tick until the run needs days or a person; somebody else who ticks as well does no harm."""
    from vernal.act.reconcile import tick
    from vernal.clock import pause
    from vernal.records import Phase

    resting = {Phase.AWAITING_APPROVAL, Phase.AWAITING_RELEASE, Phase.ROLLING_OUT, Phase.SOAKING}
    told = 0
    while True:
        report = tick(system, (run.model,))
        for error in report.errors:
            warn(f"Error: {error}")
        decisions = system.store.decisions(run_id=run.id)
        for decision in decisions[told:]:
            output.line(event(decision))
        told = len(decisions)
        run = system.store.run(run.id)
        if run.phase.terminal or run.phase in resting:
            return run
        left = (run.wake_at - system.clock.now()).total_seconds()
        pause(min(max(left, LOOK_SECONDS), 2 * LOOK_SECONDS))


def _ending(run: Run) -> str:
    match run.phase:
        case "rolling_out" | "soaking":
            return f"{run.id} is rolling out: `vernal rollout {run.model}` shows how it does."
        case "awaiting_approval" | "awaiting_release":
            return f"{run.id} waits for a person: `vernal approve {run.id}` or `vernal reject {run.id}`."
        case _:
            return f"{run.id} {run.phase}: {run.outcome}"
