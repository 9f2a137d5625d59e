"""Worker processes that each do one step at a time, and whose end, expected or not, is noticed.

Processes, not threads: most of a small check is Python, which threads of one process would do one after another, and a
process that hangs can be ended.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from typing_extensions import override

from vernal.act import reconcile
from vernal.act.reconcile import TickReport
from vernal.clock import monotonic, pause
from vernal.errors import VernalError
from vernal.records import ModelState, Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from vernal.act.system import System

    Opener: TypeAlias = "Callable[[], AbstractContextManager[System]]"

ORPHAN_SECONDS = 10.0
"""How long a worker whose controller is gone may go on with its step; its lease, which nobody renews, lasts longer."""

_FAREWELL_SECONDS = 2.0

IDLE_SECONDS = 60.0
"""How long a worker without work is kept; a new one takes about a second to start."""


class Job(NamedTuple):
    """One step to do: that of a claim, or with ``None`` the delivery of what waits in the outbox; and since when."""

    held: ModelState | Run | None
    at: datetime

    @property
    def model(self) -> str | None:
        """The model that the step belongs to."""
        return None if self.held is None else self.held.model

    @override
    def __str__(self) -> str:
        """Say what is being done."""
        return _name(self.held)


class Finished(NamedTuple):
    """A job that a worker is done with, after how many seconds; without a report, what became of the worker."""

    job: Job
    seconds: float
    report: TickReport | None
    lost: str = ""


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    line: Connection
    job: Job | None = None
    since: float = field(default_factory=monotonic)
    leaving: bool = False


class Crew:
    """Up to ``size`` worker processes, started when there is work and ended when there has been none for a while.

    Parameters
    ----------
    opener
        Opens the system in a worker; it must be picklable.
    size
        Steps that are done at the same time.
    step_seconds
        After this time a step counts as hanging: its worker is killed and its job is lost.
    idle_seconds
        How long a worker without work is kept.
    """

    def __init__(self, opener: Opener, *, size: int, step_seconds: float, idle_seconds: float = IDLE_SECONDS) -> None:
        self._opener = opener
        self._size = size
        self._step_seconds = step_seconds
        self._idle_seconds = idle_seconds
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")

    @property
    def size(self) -> int:
        """How many steps may be done at the same time."""
        return self._size

    @property
    def free(self) -> bool:
        """Whether another job may be started."""
        return len(self.in_hand) < self._size

    @property
    def in_hand(self) -> tuple[tuple[Job, float], ...]:
        """The jobs being done, and for how many seconds."""
        now = monotonic()
        return tuple((worker.job, now - worker.since) for worker in self._workers if worker.job is not None)

    def use(self, opener: Opener) -> None:
        """Open systems in another way from now on; what is in hand is finished by the workers that have it."""
        self._opener = opener
        for worker in self._workers:
            worker.leaving = True

    def start(self, job: Job) -> None:
        """Hand a job to an idle worker, or to a new one."""
        while True:
            idle = next((one for one in self._workers if one.job is None and not one.leaving), None) or self._hire()
            try:
                idle.line.send(job.held)
            except OSError:  # it died while it was idle
                self._dismiss(idle)
                continue
            idle.job, idle.since = job, monotonic()
            return

    def wait(self, seconds: float) -> list[Finished]:
        """Return the jobs that have ended, waiting for the first one for some time."""
        if not self._workers:
            pause(seconds)
        ready = wait([worker.line for worker in self._workers], timeout=seconds) if self._workers else ()
        found = [self._hear(worker) for worker in list(self._workers) if worker.line in ready]
        found += [self._cut_off(worker) for worker in list(self._workers) if self._hangs(worker)]
        self._let_go()
        return [finished for finished in found if finished is not None]

    def close(self) -> tuple[Job, ...]:
        """End all workers at once, and return the jobs that this has cut off."""
        cut = tuple(job for job, _ in self.in_hand)
        for worker in self._workers:
            worker.line.close()  # those without work end together
        until = monotonic() + _FAREWELL_SECONDS
        while self._workers:
            self._dismiss(self._workers[0], seconds=max(0.0, until - monotonic()))
        return cut

    def _hire(self) -> _Worker:
        here, there = self._context.Pipe()
        process = self._context.Process(target=serve, args=(self._opener, there), name="vernal worker", daemon=True)
        process.start()
        there.close()  # or the end of the worker would not be noticed here
        worker = _Worker(process, here)
        self._workers.append(worker)
        return worker

    def _hear(self, worker: _Worker) -> Finished | None:
        try:
            report: TickReport = worker.line.recv()
        except (EOFError, OSError):
            self._dismiss(worker)
            return self._finished(worker, None, lost=f"its worker process ended {_ending(worker.process.exitcode)}")
        return self._finished(worker, report)

    def _cut_off(self, worker: _Worker) -> Finished | None:
        self._dismiss(worker)
        return self._finished(worker, None, lost=f"it hung: stopped after {self._step_seconds:g} s without a result")

    def _finished(self, worker: _Worker, report: TickReport | None, *, lost: str = "") -> Finished | None:
        job, seconds = worker.job, monotonic() - worker.since
        worker.job, worker.since = None, monotonic()
        return None if job is None else Finished(job, seconds, report, lost)

    def _hangs(self, worker: _Worker) -> bool:
        return worker.job is not None and monotonic() - worker.since > self._step_seconds

    def _let_go(self) -> None:
        for worker in list(self._workers):
            if worker.job is None and (worker.leaving or monotonic() - worker.since > self._idle_seconds):
                self._dismiss(worker)

    def _dismiss(self, worker: _Worker, *, seconds: float = _FAREWELL_SECONDS) -> None:
        self._workers.remove(worker)
        worker.line.close()
        # A worker without work ends by itself when its line does; one with work is not to be waited for.
        worker.process.join(timeout=0.0 if worker.job is not None else seconds)
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()


def serve(opener: Opener, line: Connection) -> None:
    """Do the jobs that come down a line until it ends: what a worker process runs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Who asks the controller to stop often asks its whole group; the step at hand is to be finished.
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_as_an_orphan, name="vernal orphan watch", daemon=True).start()
    with suppress(EOFError, OSError):  # the controller has gone
        held: ModelState | Run | None = line.recv()
        try:
            with opener() as system:
                while True:
                    line.send(_done(system, held))
                    held = line.recv()
        except VernalError as error:
            line.send(TickReport((), (), 0, (f"{_name(held)}: {error}",)))


def _end_as_an_orphan() -> None:
    """End this process a while after its controller, so that a step that hangs does not stay behind for ever."""
    controller = multiprocessing.parent_process()
    assert controller is not None  # noqa: S101 - a worker has been started by one
    controller.join()
    pause(ORPHAN_SECONDS)
    os._exit(1)


def _done(system: System, held: ModelState | Run | None) -> TickReport:
    try:
        return reconcile.send_waiting(system) if held is None else reconcile.work(system, held)
    except (VernalError, OSError) as error:
        # Not even the failure could be written down. The claim's lease runs out, and somebody takes the step up again.
        return TickReport((), (), 0, (f"{_name(held)}: {error}",))


def _name(held: ModelState | Run | None) -> str:
    if held is None:
        return "delivery"
    return f"{held.id} {held.phase}" if isinstance(held, Run) else f"check of {held.model}"


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"by {signal.Signals(-code).name}{' (out of memory?)' if -code == signal.SIGKILL else ''}"
    return f"with exit status {code}"


__all__ = ["Crew", "Finished", "Job", "serve"]
