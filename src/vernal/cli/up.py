"""``vernal up``: the controller, running."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vernal.cli.options import AsJson, Models, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import event

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import FrameType

    from vernal.act.system import System
    from vernal.spec import Project

LONGEST = timedelta(seconds=60)
"""Longest sleep: what people ask for (a run, an approval) is noticed within it."""

SLICE_SECONDS = 0.2

_Snapshot = frozenset[tuple[str, int, int]]


class Stop:
    """Notices the first SIGTERM or SIGINT; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before = {number: signal.signal(number, self._notice) for number in (signal.SIGTERM, signal.SIGINT)}

    def _notice(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self.restore()

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


def up(
    models: Models = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
    longest: Annotated[
        float, typer.Option("--longest-sleep", metavar="SECONDS", min=0.2, help="Longest time between two looks.")
    ] = LONGEST.total_seconds(),
) -> None:
    """Run the controller until SIGTERM or Ctrl-C, one line per event.

    Finishes the step at hand before it stops; training jobs go on and are picked up again. Changed project or model
    files are read again when they are valid. Several controllers may run on one store.
    """
    from vernal.bootstrap import open_system

    output = Output(as_json=as_json)
    stop = Stop()
    try:
        while not stop.asked:
            with open_system(project, patience_seconds=0.0) as system:
                _control(system, models, output, stop, longest=timedelta(seconds=longest))
        output.event({"event": "stopped"}, "stopped")
    finally:
        stop.restore()


def _control(system: System, models: list[str] | None, output: Output, stop: Stop, *, longest: timedelta) -> None:
    """Tick until somebody asks to stop, or the project's files have changed and are valid."""
    from vernal.cli.opening import chosen

    seen = _snapshot(system.project)
    names = chosen(system, models)
    output.event({"event": "started", "models": names}, f"watching {', '.join(names)}")
    while not stop.asked:
        wake = _tick(system, names, output)
        until = min(wake, system.clock.now() + longest)
        _sleep(system, stop, until)
        found = _snapshot(system.project)
        if found != seen:
            seen = found
            if _is_valid(system.project.root, models, output):
                return


def _tick(system: System, names: tuple[str, ...], output: Output) -> datetime:
    """Do what is due, and return when to look again; a store that is away for a while is no reason to end."""
    from vernal.act import reconcile
    from vernal.cli.tick import events
    from vernal.errors import VernalError

    started = system.clock.now()
    try:
        report = reconcile.tick(system, names)
        decisions = events(system, report, since=started)
        wake = reconcile.next_wake(system, names)
    except (VernalError, OSError) as error:
        _complain(output, str(error))
        return system.clock.now() + LONGEST
    for decision in decisions:
        output.event({"event": "decision", **decision.to_dict()}, event(decision))
    for problem in report.errors:
        _complain(output, problem)
    return wake or system.clock.now() + LONGEST


def _sleep(system: System, stop: Stop, until: datetime) -> None:
    """Wait in short slices, so that a wish to stop is noticed at once."""
    while not stop.asked and (left := (until - system.clock.now()).total_seconds()) > 0:
        _pause(min(SLICE_SECONDS, left))


def _complain(output: Output, message: str) -> None:
    output.event({"event": "error", "message": message}, f"error: {message}")


def _snapshot(project: Project) -> _Snapshot:
    """Return what would differ if a file of the project had been changed, added or removed."""
    folders = {project.root, *(path.parent for path in project.files.values())}
    found = set()
    for folder in folders:
        for path in folder.glob("*.yaml"):
            try:
                facts = path.stat()
            except OSError:  # removed just now
                continue
            found.add((str(path), facts.st_mtime_ns, facts.st_size))
    return frozenset(found)


def _is_valid(root: Path, models: list[str] | None, output: Output) -> bool:
    from vernal.errors import VernalError
    from vernal.spec import load_project

    try:
        project = load_project(root)
        for name in models or ():
            project.model(name)
    except VernalError as error:
        _complain(output, f"the changed files are not used: {error}")
        return False
    output.event({"event": "reloaded"}, "the project's files have changed")
    return True


def _pause(seconds: float) -> None:
    from vernal.clock import pause

    pause(max(seconds, 0.0))
