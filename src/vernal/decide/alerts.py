"""What a target is told now, what is held back, and the summary that follows.

One function decides, on what the target asked for, on what it remembers and on what has arrived. What is not sent is
counted or kept in the memory, and leaves with the next summary: nothing is lost on the way.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from vernal.decide.conditions import CONDITIONS
from vernal.records import Message, MessageState, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vernal.spec import QuietHoursSpec, TargetSpec

SEVERITIES: Final = ("info", "warning", "error", "critical")
"""From the least severe to the most."""

SUMMARY: Final = "summary"
"""Kind of the message that sums up what was held back."""

MOST_HELD: Final = 200
"""Messages that a summary tells of one by one; the rest is counted."""

FORGET_AFTER: Final = timedelta(days=30)
"""Time after which a condition that is neither seen again nor resolved is forgotten: its model may be gone."""


class Told(Record, frozen=True, kw_only=True):
    """An alert that the target knows of.

    ``more`` counts how often it came since it was last sent; ``held`` says that it waits to be summed up.
    """

    key: str
    severity: str
    sent_at: datetime
    seen_at: datetime
    more: int = 0
    held: bool = False


class Memory(Record, frozen=True, kw_only=True):
    """What is remembered of a target: what it was told, what waits for the summary, and when messages left."""

    told: tuple[Told, ...] = ()
    held: tuple[Message, ...] = ()
    more_held: int = 0
    sent_at: tuple[datetime, ...] = ()


class Plan(NamedTuple):
    """What is sent now, and what is remembered from now on."""

    send: tuple[Message, ...]
    memory: Memory


def plan(target: TargetSpec, memory: Memory, arrived: Sequence[Message], *, now: datetime) -> Plan:
    """Return which messages a target gets now.

    - What the target did not ask for is left out. That a condition is over is told to those who were told of it.
    - The same alert (:func:`key_of`) is told again after ``repeat_after``, with the number of times it came since,
      or at once when it has become more severe.
    - In quiet hours only what is severe enough passes. What is above the rate waits too. One summary follows when the
      hours are over, or when there is room.
    """
    desk = _Desk(target, memory, now)
    for message in arrived:
        desk.take(message)
    return desk.closed()


def key_of(message: Message) -> str:
    """Return what makes two alerts the same one: model, kind and cause.

    The cause is the run. All messages about a condition have the same one; of an event that belongs to no run it is
    what it says, since two of them are two acts.
    """
    cause = message.run_id or ""
    if not cause and message.state is MessageState.EVENT:
        cause = blake2b(message.body.encode(), digest_size=8).hexdigest()
    return f"{message.model}:{message.kind}:{cause}"


def wants(target: TargetSpec, message: Message) -> bool:
    """Tell whether a target asked for such a message."""
    return (
        _rank(message.severity) >= _rank(target.severity)
        and (target.kinds is None or _matches(message.kind, target.kinds))
        and (target.models is None or _matches(message.model, target.models))
    )


def is_quiet(hours: QuietHoursSpec | None, now: datetime) -> bool:
    """Tell whether a moment lies in the quiet hours, by the clock on the wall of their time zone."""
    if hours is None:
        return False
    wall = now.astimezone(ZoneInfo(hours.timezone)).time().replace(tzinfo=None)
    if hours.start < hours.end:
        return hours.start <= wall < hours.end
    return wall >= hours.start or wall < hours.end


class _Desk:
    """The memory while messages are taken one by one."""

    def __init__(self, target: TargetSpec, memory: Memory, now: datetime) -> None:
        self._target = target
        self._now = now
        self._quiet = is_quiet(target.quiet_hours, now)
        self._told = {told.key: told for told in memory.told}
        self._held = list(memory.held)
        self._more_held = memory.more_held
        since = now - target.rate_limit.per
        self._sent_at = [moment for moment in memory.sent_at if moment > since]
        self._send: list[Message] = []

    def take(self, message: Message) -> None:
        key = key_of(message)
        known = self._told.get(key)
        if message.state is MessageState.RESOLVED:
            if known is not None:
                del self._told[key]
                self._pass_on(_with_count(message, known), severity=known.severity)
            return
        if not wants(self._target, message):
            return
        if known is not None and not self._tells_again(known, message):
            self._told[key] = _seen(known, self._now)
            return
        held = self._pass_on(_with_count(message, known), severity=message.severity)
        self._told[key] = Told(key=key, severity=message.severity, sent_at=self._now, seen_at=self._now, held=held)

    def closed(self) -> Plan:
        """Send the summary if it is time, and return everything."""
        if self._held and not self._quiet and self._has_room():
            self._send.append(_summary(self._held, self._more_held, self._told, self._now))
            self._sent_at.append(self._now)
            self._held, self._more_held = [], 0
            # They have been told now, so that is when waiting for the next time begins.
            self._told = {key: _sent(told, self._now) if told.held else told for key, told in self._told.items()}
        told = tuple(told for told in self._told.values() if not self._is_forgotten(told))
        memory = Memory(told=told, held=tuple(self._held), more_held=self._more_held, sent_at=tuple(self._sent_at))
        return Plan(tuple(self._send), memory)

    def _tells_again(self, known: Told, message: Message) -> bool:
        if _rank(message.severity) > _rank(known.severity):
            return True
        return not known.held and self._now - known.sent_at >= self._target.repeat_after

    def _pass_on(self, message: Message, *, severity: str) -> bool:
        """Send a message or keep it for the summary; returns whether it was kept."""
        hours = self._target.quiet_hours
        disturbs = hours is not None and _rank(severity) >= _rank(hours.passing)
        # Behind others that wait it waits too: the summary tells all of them in order.
        free = disturbs if self._quiet else not self._held or disturbs
        if free and self._has_room():
            self._send.append(message)
            self._sent_at.append(self._now)
            return False
        if len(self._held) < MOST_HELD:
            self._held.append(message)
        else:
            self._more_held += 1
        return True

    def _has_room(self) -> bool:
        return len(self._sent_at) < self._target.rate_limit.messages

    def _is_forgotten(self, told: Told) -> bool:
        lasts = told.key.split(":")[1] in CONDITIONS
        after = FORGET_AFTER if lasts else self._target.repeat_after
        return self._now - told.seen_at > after


def _summary(held: Sequence[Message], more: int, told: Mapping[str, Told], now: datetime) -> Message:
    if len(held) == 1 and not more:
        only = _with_count(held[0], told.get(key_of(held[0])))
        return only.evolve(body=f"{only.body}\n(Held back since {only.at:%Y-%m-%d %H:%M} UTC.)")
    lines = [f"{message.at:%Y-%m-%d %H:%M} UTC {_named(message, told.get(key_of(message)))}" for message in held]
    if more:
        lines.append(f"and {more} more, which the notifications file has")
    models = {message.model for message in held}
    severity = max((message.severity for message in held), key=_rank)
    count = len(held) + more
    return Message(
        id=f"{SUMMARY}:{held[0].id}:{now.isoformat()}",
        at=now,
        model=models.pop() if len(models) == 1 else "",
        kind=SUMMARY,
        severity=severity,
        title=f"{count} alerts were held back",
        body="\n".join(lines),
    )


def _named(message: Message, known: Told | None) -> str:
    over = message.state is MessageState.RESOLVED
    word = "resolved" if over else message.severity
    times = f" ({known.more + 1} times)" if known is not None and known.more and not over else ""
    first = message.body.partition("\n")[0]
    return f"[{word}] {message.title}{times}: {first}"


def _with_count(message: Message, known: Told | None) -> Message:
    if known is None or not known.more:
        return message
    times = "once" if known.more == 1 else f"{known.more} times"
    return message.evolve(body=f"{message.body}\n(Came {times} more since {known.sent_at:%Y-%m-%d %H:%M} UTC.)")


def _seen(told: Told, now: datetime) -> Told:
    return told.evolve(more=told.more + 1, seen_at=now)


def _sent(told: Told, now: datetime) -> Told:
    return told.evolve(held=False, more=0, sent_at=now)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1
