"""The circuit breaker: after several runs in a row that led to nothing, triggers ask for nothing for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from vernal.records import Phase, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.records import Run
    from vernal.spec import CircuitBreakerSpec

IN_VAIN: Final = frozenset({Phase.FAILED, Phase.REJECTED, Phase.ROLLED_BACK})
"""Ends of a run that count. One that was cancelled, expired or superseded says nothing about what would come of it."""

LONGEST: Final = timedelta(days=365)
"""A pause is doubled up to here."""


class Tripped(NamedTuple):
    """An open circuit: the runs that opened it, the newest first, and when it closes by itself."""

    runs: tuple[Run, ...]
    until: datetime


def tripped(spec: CircuitBreakerSpec | None, runs: Sequence[Run]) -> Tripped | None:
    """Return how the circuit stands open by these runs, ``None`` if it is closed or switched off.

    Parameters
    ----------
    runs
        The model's runs, the newest first. A promotion ends the count, and so does a run that a person asked for,
        which is the first to count again.
    """
    if spec is None:
        return None
    in_vain: list[Run] = []
    for run in runs:
        if run.phase is Phase.PROMOTED:
            break
        if run.phase in IN_VAIN:
            in_vain.append(run)
        if run.trigger is TriggerKind.MANUAL:
            break
    further = len(in_vain) - spec.after
    if further < 0:
        return None
    pause = spec.pause
    for _ in range(further):
        pause = max(pause, min(2 * pause, LONGEST))
    return Tripped(tuple(in_vain), in_vain[0].phase_since + pause)


__all__ = ["IN_VAIN", "LONGEST", "Tripped", "tripped"]
