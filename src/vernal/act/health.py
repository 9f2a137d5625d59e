"""Whether the controller lives, and whether it can work: what probes ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vernal.clock import monotonic
from vernal.errors import VernalError

if TYPE_CHECKING:
    from vernal.act.crew import Crew
    from vernal.act.system import System

LOOP_SECONDS = 120.0
"""A controller that has not come round for so long does not live; asking a store that is away takes a part of it."""


class Answer(NamedTuple):
    """The answer to a probe: whether all is well, and the facts."""

    well: bool
    facts: dict[str, Any]


class Health:
    """What the controller's loop notes, and what probes, from other threads, read.

    Parameters
    ----------
    loop_seconds
        After this time without a sign of life the controller counts as stuck.
    """

    def __init__(self, *, loop_seconds: float = LOOP_SECONDS) -> None:
        self._loop_seconds = loop_seconds
        self._looped = monotonic()
        self._system: System | None = None
        self._crew: Crew | None = None
        self.project_problem: str | None = None
        self.stopping = False

    def note_loop(self) -> None:
        """Note that the controller came round."""
        self._looped = monotonic()

    def watch(self, system: System | None, crew: Crew | None = None) -> None:
        """Ask this system from now on, or none while it is being opened."""
        self._system, self._crew = system, crew

    def alive(self) -> Answer:
        """Answer whether the process lives: whether its loop still comes round."""
        since = monotonic() - self._looped
        crew = self._crew
        in_hand = [] if crew is None else crew.in_hand
        facts = {
            "seconds_since_last_loop": round(since, 1),
            "in_hand": [{"step": str(job), "seconds": round(seconds, 1)} for job, seconds in in_hand],
        }
        return Answer(since <= self._loop_seconds, {"alive": since <= self._loop_seconds, **facts})

    def ready(self) -> Answer:
        """Answer whether the controller can work: store reachable, project valid, nobody has asked it to stop."""
        problems = {}
        if self.stopping:
            problems["stopping"] = "it was asked to stop and finishes the steps at hand"
        if self.project_problem is not None:
            problems["project"] = self.project_problem
        if (trouble := self._store_trouble()) is not None:
            problems["store"] = trouble
        return Answer(not problems, {"ready": not problems, "problems": problems})

    def _store_trouble(self) -> str | None:
        system = self._system
        if system is None:
            return "it is not open"
        try:
            system.store.machine_now()
        except (VernalError, OSError) as error:
            return str(error)
        return None


__all__ = ["Answer", "Health"]
