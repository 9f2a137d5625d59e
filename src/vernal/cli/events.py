"""``vernal events``: the queue of events, for people and for systems that poll."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vernal.cli.options import AsJson, ProjectFolder
from vernal.cli.output import Output


def events(
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="CURSOR", min=0, help="Only events behind this number; by default all."),
    ] = None,
    consumer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only events that the consumer of this name has not acknowledged."),
    ] = None,
    ack: Annotated[
        int | None,
        typer.Option(
            "--ack", metavar="CURSOR", min=0, help="With --consumer: it is done up to this number; shows the rest."
        ),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only this type, such as run.failed or run.*; may be repeated."),
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="Only this model, or pattern; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most this many, the oldest.")] = 100,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """List what happened, as events for other systems, oldest first.

    A system polls with `--after CURSOR --json`, where CURSOR is the `cursor` of the answer before, and misses nothing.
    With `--consumer NAME` Vernal remembers the cursor: read, work, then acknowledge with `--ack CURSOR`.
    """
    from vernal.act.events import chosen_events
    from vernal.bootstrap import open_system

    if ack is not None and consumer is None:
        raise typer.BadParameter("it goes with --consumer", param_hint="--ack")
    if after is not None and consumer is not None:
        raise typer.BadParameter("a consumer has a cursor of its own", param_hint="--after")
    output = Output(as_json=as_json)
    with open_system(project, read_only=ack is None) as system:
        if consumer is not None:
            after = system.store.acknowledged(consumer) if ack is None else system.store.acknowledge(consumer, ack)
        found, cursor = chosen_events(
            system.store,
            after=after or 0,
            limit=limit,
            types=types,
            models=models,
            source=system.project.event_source,
        )
    output.document({"events": list(found), "cursor": cursor})
    if not found:
        output.line("There are no such events." if not after else f"There are no such events behind {after}.")
        return
    rows = [[event["sequence"], event["time"], event["type"], event["subject"], _reason(event)] for event in found]
    output.table(("number", "time (UTC)", "type", "subject", "reason"), rows)


def _reason(event: dict[str, Any]) -> str:
    data = event["data"]
    # The outcome of a check is a word that its type says already; that of a run is a sentence.
    return str((data.get("outcome") if "phase" in data else None) or data["reason"])
