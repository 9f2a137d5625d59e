"""How often a trigger has fired one after the other, in checks that count.

Windows of neighbouring checks share nearly all of their rows and so say the same thing twice. Checks count when they
are at least a quarter of the window apart.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from vernal.records import Streak

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.records import TriggerResult

APART = 0.25
"""Part of the window that checks have to lie apart to count."""


def go_on(
    before: Streak | None, result: TriggerResult, *, window: timedelta, champion: str | None, now: datetime
) -> Streak | None:
    """Return the streak after one more check, ``None`` if there is none.

    Parameters
    ----------
    before
        The streak after the check before.
    result
        What the trigger says now. One that could not tell changes nothing.
    window
        The trigger's window, unless its answer names the one it fired on.
    champion
        The version that serves; a streak on the data of another one is over.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from vernal.records import TriggerResult
    >>> fired = TriggerResult(kind="drift", fired=True, sufficient=True, reason="x moved")
    >>> noon, day = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(days=1)
    >>> streak = go_on(None, fired, window=day, champion="3", now=noon)
    >>> streak = go_on(streak, fired, window=day, champion="3", now=noon + timedelta(hours=1))
    >>> streak.count
    1
    >>> go_on(streak, fired, window=day, champion="3", now=noon + timedelta(hours=6)).count
    2
    """
    if before is not None and before.champion != champion:
        before = None
    if not result.sufficient:
        return before
    hours = window_hours(result, window) if result.fired or before is None else before.window_hours
    if before is not None and now - before.counted_at < apart(hours):
        return before
    if not result.fired:
        return None
    count = 1 if before is None else before.count + 1
    return Streak(trigger=result.kind, count=count, counted_at=now, window_hours=hours, champion=champion)


def acts_at(streak: Streak, *, needed: int) -> datetime:
    """Return when the streak can be long enough at the soonest."""
    return streak.counted_at + max(needed - streak.count, 0) * apart(streak.window_hours)


def window_hours(result: TriggerResult, window: timedelta) -> float:
    """Return the length of the window that an answer rests on, in hours."""
    return window / timedelta(hours=1) if result.window_hours is None else result.window_hours


def apart(hours: float) -> timedelta:
    """Return how far apart checks on a window have to be to count."""
    return timedelta(hours=hours) * APART


__all__ = ["APART", "acts_at", "apart", "go_on", "window_hours"]
