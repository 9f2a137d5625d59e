"""What the policies made of the triggers' answers in one check."""

from __future__ import annotations

from datetime import datetime

from vernal.records.base import Record


class Suppression(Record, frozen=True, kw_only=True):
    """A policy that held triggers back, and until when at the soonest, as far as that can be said.

    ``policy`` is ``consecutive``, ``warm_up``, ``combine``, ``cooldown``, ``circuit_breaker`` or ``open_run``.
    """

    policy: str
    triggers: tuple[str, ...]
    reason: str
    until: datetime | None = None


class Streak(Record, frozen=True, kw_only=True):
    """In how many checks that count a trigger has fired one after the other, on the data of one champion.

    ``counted_at`` is the last of them and ``window_hours`` the window it fired on.
    """

    trigger: str
    count: int
    counted_at: datetime
    window_hours: float
    champion: str | None


class Ruling(Record, frozen=True, kw_only=True):
    """What one check asks for: ``requested``, ``suppressed``, ``healthy`` or ``insufficient``.

    ``trigger`` is the most urgent one that fired and was not held back by itself, else the most urgent one that fired.
    ``supersedes`` names the open run that an emergency takes the place of. ``streaks`` is what the next check goes on
    counting from.
    """

    outcome: str
    reason: str
    trigger: str | None = None
    suppressions: tuple[Suppression, ...] = ()
    streaks: tuple[Streak, ...] = ()
    supersedes: str | None = None


class ShadowRuling(Record, frozen=True, kw_only=True):
    """What a shadow policy would have done in one check, and what it goes on from in the next.

    ``cron_at`` is the moment up to which its schedule has been looked at, ``asked_at`` when it last would have asked.
    """

    ruling: Ruling
    cron_at: datetime | None = None
    asked_at: datetime | None = None


__all__ = ["Ruling", "ShadowRuling", "Streak", "Suppression"]
