"""The only reader of time.

Vernal keeps two clocks apart. The *domain* clock says when something happens to the model (decisions, cron,
``wake_at``); a replay sets it. The *machine* clock bounds real work (leases, time limits) and always runs;
for leases it is the state store's own (:meth:`vernal.ports.StateStore.machine_now`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from vernal.errors import VernalError


class Clock(Protocol):
    """The domain clock."""

    def now(self) -> datetime:
        """Return the current domain time, time-zone aware, in UTC."""
        ...


class SystemClock:
    """Domain time is wall-clock time."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """Domain time is whatever was set last; it never goes back.

    Parameters
    ----------
    start
        First value, time-zone aware.

    Examples
    --------
    >>> clock = SimulatedClock(datetime(2013, 2, 1, tzinfo=UTC))
    >>> clock.advance(timedelta(hours=1))
    >>> clock.now().isoformat()
    '2013-02-01T01:00:00+00:00'
    """

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time that was set last, in UTC."""
        return self._now

    def set(self, moment: datetime) -> None:
        """Move to ``moment``.

        Raises
        ------
        VernalError
            If ``moment`` lies before the current time.
        """
        if moment < self._now:
            message = f"simulated clock: asked to go back from {self._now.isoformat()} to {moment.isoformat()}"
            raise VernalError(message, hint="A replay must visit its events in order of time.")
        self._now = moment.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move forward by a non-negative duration."""
        self.set(self._now + by)


def monotonic() -> float:
    """Return seconds of the machine's steady clock; only differences mean anything."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Block the calling thread for a number of machine seconds."""
    time.sleep(seconds)
