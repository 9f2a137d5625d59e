"""``vernal tick``: everything that is due now, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vernal.cli.options import AsJson, Models, ProjectFolder
from vernal.cli.output import Output, warn
from vernal.cli.reporting import FAILED
from vernal.cli.text import event, relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.act.reconcile import TickReport
    from vernal.act.system import System
    from vernal.records import Decision


REQUESTED, BLIND = 10, 20
"""Exit statuses with ``--detailed-exit-code``, apart from those of errors."""


def tick(
    models: Models = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Start training jobs without following them; a later tick goes on.")
    ] = False,
    detailed: Annotated[
        bool,
        typer.Option(
            "--detailed-exit-code", help="Exit with 10 if a run was requested, with 20 if a model could not be judged."
        ),
    ] = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option("--metrics-file", metavar="FILE", dir_okay=False, help="Then write what `vernal metrics` prints."),
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Do everything that is due now, then exit: checks, steps of runs, alerts. For cron and CronJobs.

    A tick at the same moment as another one, or as `vernal up`, does no harm: what one works on, the other leaves
    alone. Exits with 1 if something failed; it is tried again by a later tick.
    """
    from vernal.act import reconcile
    from vernal.bootstrap import open_system, store_metrics
    from vernal.cli.opening import chosen

    output = Output(as_json=as_json)
    with open_system(project, patience_seconds=0.0 if no_wait else None) as system:
        names = chosen(system, models)
        started = system.clock.now()
        report = reconcile.tick(system, names)
        decisions = events(system, report, since=started)
        wake = reconcile.next_wake(system, names)
        if metrics_file is not None:
            store_metrics(system).write(metrics_file)
        output.document(as_dict(report, decisions, at=started, next_wake=wake))
        for decision in decisions:
            output.line(event(decision))
        sent = f"{report.sent} {'message' if report.sent == 1 else 'messages'} sent; " if report.sent else ""
        done = "" if decisions or report.sent else "nothing was due; "
        output.line(f"{done}{sent}next wake {relative(wake, system.clock.now())}")
    if not as_json:
        for error in report.errors:
            warn(f"Error: {error}")
    if report.errors:
        raise typer.Exit(FAILED)
    if detailed:
        raise typer.Exit(exit_code(report.checks))


def exit_code(checks: Sequence[Decision]) -> int:
    """Return what a script wants to know of a tick's checks: a run was requested, or else a model was not judged."""
    outcomes = {check.outcome for check in checks}
    return REQUESTED if "requested" in outcomes else BLIND if "insufficient" in outcomes else 0


def events(system: System, report: TickReport, *, since: datetime) -> tuple[Decision, ...]:
    """Return what a tick decided: of checks first, then of each run that took steps, in order of time."""
    runs = dict.fromkeys(run.id for run in report.steps)
    steps = [decision for run in runs for decision in system.store.decisions(run_id=run, since=since)]
    return (*report.checks, *steps)


def as_dict(
    report: TickReport, decisions: tuple[Decision, ...], *, at: datetime, next_wake: datetime | None
) -> dict[str, Any]:
    """Return what a tick did as JSON-compatible builtins."""
    runs = {run.id: run.to_dict() for run in report.steps}
    return {
        "at": at,
        "decisions": [decision.to_dict() for decision in decisions],
        "runs": list(runs.values()),
        "sent": report.sent,
        "errors": list(report.errors),
        "next_wake": next_wake,
    }
