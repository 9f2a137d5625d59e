"""``vernal runs``: attempts at a better model, and everything that was decided on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vernal.cli.options import AsJson, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import NOTHING, dollars, measured, moment, number

if TYPE_CHECKING:
    from vernal.act.system import System
    from vernal.records import Decision, Run

MOST_RUNS = 20


def runs(
    subject: Annotated[
        str | None, typer.Argument(metavar="[MODEL|RUN]", help="A model's runs, or one run such as fraud-7.")
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only runs that are not over.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = MOST_RUNS,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """List runs, or show one with its gates and every decision."""
    from vernal.bootstrap import open_system

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        # Names of models have no dash, and every run's id has one.
        if subject is not None and "-" in subject:
            _one(system, system.store.run(subject), output)
            return
        model = None if subject is None else system.project.model(subject).model
        found = system.store.runs(model, open_only=open_only, limit=limit)
    output.document({"runs": [run.to_dict() for run in found]})
    if not found:
        output.line(f"{'No open run' if open_only else 'No run yet'}.")
        return
    columns = ("run", "phase", "trigger", "requested (UTC)", "version", "improvement", "cost", "reason")
    output.table(columns, [_row(run) for run in found])


def _row(run: Run) -> list[str]:
    facts = run.facts
    return [
        run.id,
        str(run.phase),
        str(run.trigger),
        moment(run.requested_at),
        facts.version or NOTHING,
        number(facts.comparison.difference if facts.comparison else None, "+.4f"),
        dollars(facts.cost.usd if facts.cost else None),
        run.outcome or run.reason,
    ]


def _one(system: System, run: Run, output: Output) -> None:
    decisions = system.store.decisions(run_id=run.id)
    approvals = _approvals(system, run)
    output.document(
        {"run": run.to_dict(), "decisions": [decision.to_dict() for decision in decisions], "approvals": approvals}
    )
    output.line(f"{run.id}: {run.phase}")
    output.fields(_fields(run))
    if run.facts.gates:
        output.line()
        rows = [
            [gate.gate, str(gate.verdict), number(gate.measured), number(gate.limit), gate.reason]
            for gate in run.facts.gates
        ]
        output.table(("gate", "verdict", "measured", "limit", "reason"), rows, indent="  ")
    output.line()
    output.table(("at (UTC)", "about", "decision", "reason"), [_decision(one) for one in decisions], indent="  ")


def _approvals(system: System, run: Run) -> list[dict[str, object]]:
    from vernal.records import ApprovalKind

    asked = (system.store.approval(run.id, kind) for kind in ApprovalKind)
    return [approval.to_dict() for approval in asked if approval is not None]


def _fields(run: Run) -> list[tuple[str, str]]:
    facts = run.facts
    training_set, estimate, cost = facts.training_set, facts.estimate, facts.cost
    built = ""
    if training_set is not None:
        first = f"{training_set.training_rows} rows from {moment(training_set.training_start)}"
        built = (
            f"{first} to {moment(training_set.training_end)}; "
            f"held out {training_set.holdout_rows} rows to {moment(training_set.holdout_end)}"
        )
    return [
        ("asked for", f"{run.trigger} by {run.requested_by}, {moment(run.requested_at)} UTC: {run.reason}"),
        ("since", f"{moment(run.phase_since)} UTC"),
        ("version", facts.version or ""),
        ("against", f"version {facts.champion}" if facts.champion else ""),
        ("trained on", built),
        ("measured", measured(facts.measure) if facts.measure else ""),
        ("estimate", dollars(estimate.usd) if estimate else ""),
        ("cost", f"{dollars(cost.usd)} ({cost.source}, {cost.wall_seconds:.1f} s)" if cost else ""),
        ("outcome", run.outcome),
    ]


def _decision(decision: Decision) -> list[str]:
    return [moment(decision.at), decision.kind, decision.outcome, decision.reason]
