"""``vernal quarantine``: what was refused of a model's rows, and bringing it in or giving it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vernal.cli.family import family
from vernal.cli.moments import moment_of
from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import moment, one_line

if TYPE_CHECKING:
    from vernal.act.quarantine import Chosen, Group, Listing
    from vernal.act.replaying import Replay

WIDEST_ROW = 400
"""Characters of an example row that are shown; ``--json`` has all."""

Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Refused then or later: 2026-03-01 or 2026-03-01T14:00; UTC unless said."),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Refused before then; a day alone stands for its end.")]
Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Only rows whose reason contains this, whatever its case.")
]


def listed(
    model: Model,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, help="At most this many example rows per reason, the newest.")] = 1,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """List what was refused and waits, by reason, with example rows. Changes nothing."""
    from vernal.act.quarantine import listing
    from vernal.bootstrap import open_system

    chosen = _chosen(reason, since, until)
    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        name = system.project.model(model).model
        found = listing(system.lake, name, chosen, examples=limit)
    output.document({"model": name, **_as_dict(found)})
    output.line(_told(name, found))
    if found.groups:
        columns = ("rows", "table", "reason", "batches", "first (UTC)", "last (UTC)")
        output.table(columns, [_row(group) for group in found.groups])
    for group in found.groups:
        for example in group.examples:
            output.line(f"\n{example['reason']}")
            output.line(f"  {_short(example['row'])}")
    if found.waiting:
        output.line(f"\nAfter a fix: `vernal quarantine replay {name} --dry-run` tells what would be fit now.")


def replay(
    model: Model,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Screen waiting rows by today's rules, and bring those that are fit now into the lake, each once.

    Whatever goes wrong on the way, the same command again finishes it. Rows that are still unfit go on waiting.
    """
    from vernal.act import operations, replaying
    from vernal.bootstrap import open_system
    from vernal.cli.opening import actor

    chosen = _chosen(reason, since, until)
    output = Output(as_json=as_json)
    with open_system(project, read_only=dry_run) as system:
        spec, now = system.project.model(model), system.clock.now()
        if dry_run:
            done = replaying.replay(system.lake, spec, chosen, actor=actor(), now=now, dry_run=True)
        else:
            done = operations.replay_refused(system, spec.model, chosen, actor=actor())
    output.document(
        {
            "model": spec.model,
            "dry_run": dry_run,
            "replayed": done.replayed,
            "present": done.present,
            "refused": [{"reason": rule, "rows": count} for rule, count in done.refused],
        }
    )
    for line in _outcome(done, dry_run=dry_run):
        output.line(line)


def discard(
    model: Model,
    note: Annotated[str, typer.Option(help="Why these rows will not be used, for the record.")],
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All that waits, instead of a choice.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Give up waiting rows: they stay in the quarantine, with who gave them up and why, and wait no longer."""
    from vernal.act import operations
    from vernal.act.quarantine import EVERYTHING
    from vernal.bootstrap import open_system
    from vernal.cli.opening import actor

    chosen = _chosen(reason, since, until)
    if everything == (chosen != EVERYTHING):
        raise typer.BadParameter("say which rows with --reason, --since or --until, or --all without any of them")
    output = Output(as_json=as_json)
    with open_system(project) as system:
        name, by = system.project.model(model).model, actor()
        count = operations.discard_refused(system, name, chosen, actor=by, note=note)
    output.document({"model": name, "discarded": count, "actor": by, "note": note})
    output.line(f"{_rows(count)} given up by {by}: {note}" if count else "No such row waits.")


quarantine = family(
    {"list": listed, "replay": replay, "discard": discard},
    about="List what was refused of a model's rows: `vernal quarantine MODEL`; bring it in after a fix, or give it up.",
)


def _chosen(reason: str | None, since: str | None, until: str | None) -> Chosen:
    from vernal.act.quarantine import Chosen

    start = moment_of(since, option="--since", end_of_day=False)
    return Chosen(start, moment_of(until, option="--until", end_of_day=True), reason)


def _as_dict(found: Listing) -> dict[str, Any]:
    return {
        "waiting": found.waiting,
        "resolved": found.resolved,
        "reasons": [
            {("reason" if name == "rule" else name): value for name, value in group._asdict().items()}
            for group in found.groups
        ],
    }


def _told(model: str, found: Listing) -> str:
    waiting = f"{_rows(found.waiting)} of {model} {'waits' if found.waiting == 1 else 'wait'} in quarantine"
    resolved = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.resolved.items()))
    return f"{waiting}; of earlier ones {resolved}" if resolved else waiting


def _row(group: Group) -> list[str]:
    return [f"{group.rows:,}", group.kind, group.rule, f"{group.batches:,}", moment(group.first), moment(group.last)]


def _short(row: dict[str, Any]) -> str:
    text = one_line(", ".join(f"{name}={'none' if value is None else value}" for name, value in row.items()))
    return text if len(text) <= WIDEST_ROW else f"{text[: WIDEST_ROW - 3]}..."


def _outcome(done: Replay, *, dry_run: bool) -> list[str]:
    if not done.replayed and not done.present and not done.refused:
        return ["No such row waits."]
    would = "would be brought" if dry_run else "brought"
    lines = [f"{_rows(done.replayed)} {would} into the lake"]
    if done.present:
        lines.append(f"{_rows(done.present)} found there already; not brought again")
    lines += [f"{_rows(count)} still refused: {rule}" for rule, count in done.refused]
    return lines


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
