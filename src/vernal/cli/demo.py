"""``vernal demo``: a year of flights in a few minutes."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vernal.cli.options import AsJson
from vernal.cli.output import Output, warn
from vernal.cli.text import number, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vernal.demo.command import Finished
    from vernal.records import Run
    from vernal.replay.engine import Day

    OnDay = Callable[[Day, int, int], None]


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="Where the project and the report go.")
    ] = Path("vernal-demo"),
    fault: Annotated[
        str | None, typer.Option(metavar="FAULT", help="worse-model: one challenger is worse in production.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, hidden=True, help="Stop after so many days.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a year of real flights through the production code: with Vernal, and never retrained."""
    from vernal.demo.command import BEGIN, run_demo

    output = Output(as_json=as_json)
    with _progress() as on_day:
        until = None if days is None else BEGIN + timedelta(days=days)
        finished = run_demo(folder, fault=fault, until=until, on_day=on_day)
    _print(finished, output)


@contextmanager
def _progress() -> Iterator[OnDay]:
    """Show a bar on a terminal and a line a month elsewhere, on stderr, so that stdout holds the result alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _line_a_month
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("2013-01-01", total=None)

        def on_day(day: Day, number: int, of: int) -> None:
            bar.update(task, completed=number, total=of, description=f"{_middle(day):%Y-%m-%d}")
            for run in _turns(day):
                console.print(_told(day, run))

        yield on_day


def _line_a_month(day: Day, number: int, of: int) -> None:
    for run in _turns(day):
        warn(_told(day, run))
    if number == of or f"{_middle(day):%m}" != f"{_middle(day) + timedelta(days=1):%m}":
        warn(f"{_middle(day):%Y-%m-%d}: day {number} of {of}")


def _middle(day: Day) -> datetime:
    """Return the day's noon, which has the day's date whichever the time zone of its bounds."""
    return day.start + (day.end - day.start) / 2


def _turns(day: Day) -> list[Run]:
    """Return the runs that ended or met production on a day."""
    last = {run.id: run for run in day.report.steps}
    return [run for run in last.values() if run.phase.terminal]


def _told(day: Day, run: Run) -> str:
    outcome = run.outcome.partition("\n")[0]
    return one_line(f"{_middle(day):%Y-%m-%d} {run.id} {run.phase}: {outcome}")


def _print(finished: Finished, output: Output) -> None:
    outcome = finished.outcome
    facts = outcome.to_dict()
    decisions = facts.pop("decisions")
    places = {"report": str(finished.report.absolute()), "project": str(finished.project.absolute())}
    output.document({**facts, "decisions": len(decisions), **places})
    rows = [
        [month.month, number(month.static), number(month.vernal), number(month.gain, "+.4f")]
        for month in outcome.months
    ]
    output.table(("month", "never retrained", "Vernal", "gain"), rows)
    output.line()
    band = ""
    if outcome.gain_lower is not None and outcome.gain_upper is not None:
        band = f" [{outcome.gain_lower:+.4f}, {outcome.gain_upper:+.4f}]"
    ended = {run.phase: 0 for run in outcome.runs}
    for run in outcome.runs:
        ended[run.phase] += 1
    counted = ", ".join(f"{count} {phase.replace('_', ' ')}" for phase, count in ended.items())
    checks = ", ".join(f"{count} {answer}" for answer, count in outcome.checks.items())
    output.fields(
        [
            ("mean gain", f"{number(outcome.mean_gain, '+.4f')}{band} {outcome.metric} (95% interval, paired by day)"),
            ("runs", f"{len(outcome.runs)}: {counted}" if outcome.runs else "none"),
            ("checks", checks),
            ("cost", f"{outcome.cost_usd} USD, simulated"),
            ("took", f"{outcome.seconds:.0f} s"),
            ("report", places["report"]),
            ("project", f"{places['project']} (look around with `vernal status --project {finished.project}`)"),
        ],
        indent="",
    )
