"""``vernal why``: why something happened to a model, or why nothing did."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vernal.cli.moments import moment_of
from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.act.system import System
    from vernal.story import Story

MOST_CHECKS = 500
"""Checks looked back at: three weeks of hourly ones."""


def why(
    model: Model,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="As of then: 2026-03-01 (its end) or 2026-03-01T14:00; UTC unless said."
        ),
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Tell why a model was or was not retrained: what the last check saw, what each trigger said, what held it back.

    Every sentence comes from what was stored at the time; nothing is measured again.
    """
    from vernal.bootstrap import open_system

    asked = moment_of(at, option="--at", end_of_day=True)
    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        story = _story(system, system.project.model(model).model, asked or system.clock.now())
    output.document(story.to_dict())
    output.line(story.headline)
    for paragraph in story.paragraphs:
        output.line()
        output.line(paragraph.about)
        for sentence in paragraph.sentences:
            output.line(f"  {sentence}")


def _story(system: System, model: str, at: datetime) -> Story:
    from vernal.story import tell

    until = at + timedelta(microseconds=1)
    checks = system.store.decisions(model, kind="check", until=until, limit=MOST_CHECKS)
    run = next((run for run in system.store.runs(model) if run.requested_at <= at), None)
    steps = () if run is None else system.store.decisions(run_id=run.id, until=until)
    return tell(model, at=at, checks=checks, steps=steps)
