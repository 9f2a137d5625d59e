"""The controller as a service: what is due is handed to a crew of workers, each model on its own cadence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from vernal.act import reconcile
from vernal.act.crew import Job
from vernal.clock import monotonic
from vernal.errors import LeaseLostError, VernalError, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vernal.act.crew import Crew, Finished
    from vernal.act.reconcile import TickReport
    from vernal.act.system import System

SLICE_SECONDS = 0.2
"""Longest wait before a wish to stop is noticed."""

SLOW_SECONDS = 10.0
"""A model whose last step took longer counts as slow; slow models never take the last free worker."""

_SHORTEST = timedelta(seconds=1)
_AWAY = timedelta(seconds=10)


class Step(NamedTuple):
    """What a step did, as the service tells it; ``lost`` if its worker hung and was ended, or died."""

    job: Job
    seconds: float
    report: TickReport
    lost: bool


class Service:
    """Keeps the named models of a system checked and their runs moving.

    Parameters
    ----------
    system
        The system that claims are made with; workers open their own.
    names
        The models to look after.
    crew
        Who does the work.
    longest
        Longest time between two looks: within it, what people ask for is noticed.
    tell
        Called with every step that was done.
    complain
        Called with what went wrong outside any step, such as a store that cannot be reached.
    """

    def __init__(
        self,
        system: System,
        names: tuple[str, ...],
        crew: Crew,
        *,
        longest: timedelta,
        tell: Callable[[Step], None],
        complain: Callable[[str], None],
    ) -> None:
        self._system = system
        self._names = names
        self._crew = crew
        self._longest = longest
        self._tell = tell
        self._complain = complain
        self._slow: set[str] = set()
        self._look_at: datetime | None = None
        self._deliver_at = system.clock.now()
        self._synced = False
        self._renewed = monotonic()

    def look(self) -> None:
        """Start what is due, as far as there are free workers, and see to what has ended; takes a moment at most."""
        now = self._system.clock.now()
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + self._longest
            self._start(now)
        self._see_to_what_ended(SLICE_SECONDS)
        self._renew()

    def finish(self, *, seconds: float) -> None:
        """Wait for what is in hand, starting nothing, for at most that many seconds."""
        until = monotonic() + seconds
        while self._crew.in_hand and monotonic() < until:
            self._see_to_what_ended(min(SLICE_SECONDS, max(0.0, until - monotonic())))
            self._renew()

    def _start(self, now: datetime) -> None:
        try:
            if not self._synced:
                self._system.store.sync_models(self._names, now=now)
                self._synced = True
            self._start_delivery(now)
            self._start_claims(now)
            self._look_at = min(self._look_at or now, self._deliver_at)
        except (VernalError, OSError) as error:
            self._complain(str(error))
            self._look_at = now + min(_AWAY, self._longest)

    def _start_delivery(self, now: datetime) -> None:
        if self._crew.free and now >= self._deliver_at and not self._is_delivering():
            self._deliver_at = now + self._longest
            if self._has_messages():
                self._crew.start(Job(None, now))

    def _start_claims(self, now: datetime) -> None:
        while self._crew.free:
            names = self._startable()
            held = reconcile.claim(self._system, names) if names else None
            if held is None:
                wake = self._system.store.next_wake(names) if names else None
                # Due and not claimed: another controller has it in hand.
                self._look_at = min(now + self._longest, max(wake or now + self._longest, now + _SHORTEST))
                return
            self._crew.start(Job(held, self._system.clock.now()))

    def _startable(self) -> tuple[str, ...]:
        busy = {job.model for job, _ in self._crew.in_hand}
        spare = self._crew.size - 1 - len(busy & self._slow)
        held_back = busy if spare > 0 or self._crew.size == 1 else busy | self._slow
        return tuple(name for name in self._names if name not in held_back)

    def _has_messages(self) -> bool:
        """Whether something waits; a target may also hold messages back, such as those of a quiet night."""
        store = self._system.store
        return bool(self._system.targets or store.unrouted_messages(limit=1) or store.waiting_channels())

    def _is_delivering(self) -> bool:
        return any(job.held is None for job, _ in self._crew.in_hand)

    def _see_to_what_ended(self, seconds: float) -> None:
        for finished in self._crew.wait(seconds):
            report = finished.report or self._give_up(finished)
            self._note_speed(finished)
            self._look_at = None
            if finished.job.held is not None:  # it may have left messages; those of a round go together
                self._deliver_at = min(self._deliver_at, self._system.clock.now() + _SHORTEST)
            self._tell(Step(finished.job, finished.seconds, report, lost=finished.report is None))

    def _give_up(self, finished: Finished) -> TickReport:
        """Give back what a lost worker had in hand; if that fails too, its lease runs out."""
        held, reason = finished.job.held, f"{finished.job}: {finished.lost}"
        if held is None:
            return reconcile.TickReport((), (), 0, (reason,))
        try:
            return reconcile.give_up(self._system, held, WorkerError(reason))
        except (VernalError, OSError) as error:
            return reconcile.TickReport((), (), 0, (reason, str(error)))

    def _note_speed(self, finished: Finished) -> None:
        model = finished.job.model
        if model is not None:
            slow = finished.report is None or finished.seconds > SLOW_SECONDS
            (self._slow.add if slow else self._slow.discard)(model)

    def _renew(self) -> None:
        """Keep the leases of what is in hand, three times within each."""
        if monotonic() - self._renewed < self._system.lease.total_seconds() / 3:
            return
        self._renewed = monotonic()
        for job, _ in self._crew.in_hand:
            if job.held is not None:
                try:
                    self._system.store.renew(job.held, lease=self._system.claim())
                except LeaseLostError:
                    continue  # the worker's commit is refused, and says so
                except (VernalError, OSError) as error:
                    self._complain(str(error))
                    return


__all__ = ["Service", "Step"]
