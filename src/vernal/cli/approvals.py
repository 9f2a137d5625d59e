"""``vernal approvals``, ``approve`` and ``reject``: what waits for a person, and the answer."""

from __future__ import annotations

from typing import Annotated

import typer

from vernal.cli.options import AsJson, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import moment

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run that waits, such as fraud-7.")]
Note = Annotated[str, typer.Option(help="A word to go with the answer, for the record.")]


def approvals(as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """List what waits for a person, oldest first."""
    from vernal.bootstrap import open_system

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        pending = system.store.pending_approvals()
    output.document({"approvals": [approval.to_dict() for approval in pending]})
    if not pending:
        output.line("Nothing waits for approval.")
        return
    rows = [
        [one.run_id, str(one.kind), moment(one.requested_at), moment(one.expires_at), one.reason] for one in pending
    ]
    output.table(("run", "asks for", "since (UTC)", "expires (UTC)", "reason"), rows)


def approve(run: RunId, note: Note = "", as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Agree to what a run asks for: its cost, or the release of its candidate."""
    _answer(run, approved=True, note=note, as_json=as_json, project=project)


def reject(run: RunId, note: Note = "", as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Refuse what a run asks for, which ends it; the champion goes on serving."""
    _answer(run, approved=False, note=note, as_json=as_json, project=project)


def _answer(run: str, *, approved: bool, note: str, as_json: bool, project: ProjectFolder) -> None:
    from vernal.act.operations import answer_approval
    from vernal.bootstrap import open_system
    from vernal.cli.opening import actor

    output = Output(as_json=as_json)
    with open_system(project) as system:
        approval = answer_approval(system, run, approved=approved, actor=actor(), note=note)
    output.document({"approval": approval.to_dict()})
    output.line(
        f"{approval.run_id}: {approval.kind} {approval.status} by {approval.decided_by}; the next tick goes on."
    )
