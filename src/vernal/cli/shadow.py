"""``vernal shadow``: how often each shadow policy would have asked for a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from vernal.cli.moments import moment_of
from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import moment

DAYS = 30
"""How far back is counted unless told otherwise."""


def shadow(
    model: Model,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help=f"Count from then on; {DAYS} days back unless said."),
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Count how often each shadow policy would have asked for a run, beside how often the active one did.

    Counted are the checks that were recorded; nothing is measured again.
    """
    from vernal.bootstrap import open_system
    from vernal.decide.shadows import tally

    asked = moment_of(since, option="--since", end_of_day=False)
    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        name = system.project.model(model).model
        until = system.clock.now()
        start = until - timedelta(days=DAYS) if asked is None else asked
        counted = tally(system.store.decisions(name, kind="check", since=start))
    output.document(
        {"model": name, "since": start, "until": until, "policies": [one.to_dict() for one in counted]},
    )
    output.line(f"{name}: checks from {moment(start)} to {moment(until)} UTC")
    columns = ("policy", "checks", "asked", "held back", "quiet", "could not tell", "last asked")
    output.table(
        columns,
        [
            [
                one.name,
                *(str(count) for count in (one.checks, one.requested, one.suppressed, one.healthy, one.insufficient)),
                moment(one.last_asked),
            ]
            for one in counted
        ],
        indent="  ",
    )
    if len(counted) == 1:
        output.line("  No shadow policy was evaluated: list some under `shadow` in the model's file.")
