"""The controller's life: open the project, let the service work, open it again when its files change, and stop."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from vernal.cli.text import event
from vernal.cli.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vernal.act.crew import Crew, Opener
    from vernal.act.health import Health
    from vernal.act.service import Step
    from vernal.act.system import System
    from vernal.adapters.telemetry.metrics import ControllerMetrics
    from vernal.cli.output import Output
    from vernal.spec import Project

AGAIN_SECONDS = 10.0
"""Pause before a project that could not be opened again is tried once more."""

WATCH_SECONDS = 1.0


Notice: TypeAlias = "tuple[dict[str, str], str]"
"""An event, for machines and for people."""


class Wish(Protocol):
    """Whether somebody has asked to stop."""

    asked: bool


class Limits(NamedTuple):
    """How much is done at once, and how long things may take."""

    workers: int
    step_seconds: float
    grace_seconds: float
    longest: timedelta


class Controller:
    """Runs the service of a project until somebody asks it to stop.

    Parameters
    ----------
    output
        Where events are told.
    health, metrics
        What probes and scrapers read.
    stop
        Asked between any two looks.
    limits
        How much is done at once, and how long things may take.
    """

    def __init__(self, output: Output, health: Health, metrics: ControllerMetrics, stop: Wish, limits: Limits) -> None:
        self._output = output
        self._health = health
        self._metrics = metrics
        self._stop = stop
        self._limits = limits
        self._crew: Crew | None = None
        self._notice: Notice | None = None

    def run(self, folder: Path | None, models: Sequence[str] | None, *, notice: Notice | None = None) -> None:
        """Work until asked to stop; raises only when the project cannot be opened the first time.

        ``notice`` is told as soon as it is open: a command that fails at once prints nothing but the error.
        """
        self._notice = notice
        project = self._look_after(folder, models)
        try:
            while not self._stop.asked:
                project = self._again(project, models)
        finally:
            cut = () if self._crew is None else self._crew.close()
        steps = [str(job) for job in cut]
        told = f"stopped; cut off after {self._limits.grace_seconds:g} s: {', '.join(steps)}" if cut else "stopped"
        self._output.event({"event": "stopped", "cut_off": steps}, told)

    def _again(self, project: Project, models: Sequence[str] | None) -> Project:
        from vernal.errors import VernalError

        try:
            return self._look_after(project.root, models)
        except (VernalError, OSError) as error:
            self._watch(None)
            self._complain(str(error))
            self._sleep(AGAIN_SECONDS)
            return project

    def _look_after(self, folder: Path | None, models: Sequence[str] | None) -> Project:
        """Open the project and work until it has changed; return it."""
        from vernal.bootstrap import open_system, open_worker
        from vernal.cli.opening import chosen

        with open_system(folder, patience_seconds=0.0) as system:
            names = chosen(system, models)
            opener = partial(open_worker, system.project, system.owner)
            crew = self._hire(opener)
            self._watch(system)
            if self._notice is not None:
                self._output.event(*self._notice)
                self._notice = None
            self._output.event({"event": "started", "models": names}, f"watching {', '.join(names)}")
            try:
                self._serve(system, names, crew, Watched(system.project, models or ()))
            finally:
                self._watch(None)
            return system.project

    def _watch(self, system: System | None) -> None:
        self._health.watch(system, self._crew)
        self._metrics.watch(system, self._crew)

    def _hire(self, opener: Opener) -> Crew:
        from vernal.act.crew import Crew

        if self._crew is None:
            self._crew = Crew(opener, size=self._limits.workers, step_seconds=self._limits.step_seconds)
        else:
            self._crew.use(opener)
        return self._crew

    def _serve(self, system: System, names: tuple[str, ...], crew: Crew, watched: Watched) -> None:
        from vernal.act.service import Service
        from vernal.clock import monotonic

        service = Service(
            system,
            names,
            crew,
            longest=self._limits.longest,
            tell=partial(self._tell, system),
            complain=self._complain,
        )
        looked = monotonic()
        while not self._stop.asked:
            self._health.note_loop()
            service.look()
            if monotonic() - looked >= min(WATCH_SECONDS, self._limits.longest.total_seconds()):
                looked = monotonic()
                if watched.changed() and self._accept(watched):
                    return
        self._health.stopping = True
        service.finish(seconds=self._limits.grace_seconds)

    def _accept(self, watched: Watched) -> bool:
        problem = watched.problem()
        self._health.project_problem = problem
        if problem is not None:
            self._complain(f"the changed files are not used: {problem}")
            return False
        self._output.event({"event": "reloaded"}, "the project's files have changed")
        return True

    def _tell(self, system: System, step: Step) -> None:
        from vernal.cli.tick import events
        from vernal.errors import VernalError

        self._metrics.note(step)
        try:
            decisions = events(system, step.report, since=step.job.at)
        except (VernalError, OSError) as error:
            self._complain(str(error))
            decisions = step.report.checks
        for decision in decisions:
            self._output.event({"event": "decision", **decision.to_dict()}, event(decision))
        for problem in step.report.errors:
            self._complain(problem)

    def _complain(self, message: str) -> None:
        self._output.event({"event": "error", "message": message}, f"error: {message}")

    def _sleep(self, seconds: float) -> None:
        from vernal.act.service import SLICE_SECONDS
        from vernal.clock import monotonic, pause

        until = monotonic() + seconds
        while not self._stop.asked and monotonic() < until:
            self._health.note_loop()
            pause(SLICE_SECONDS)
