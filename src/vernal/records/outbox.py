"""The outbox: what has to reach whom, how often that was tried, and how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from vernal.records.base import Record
from vernal.records.events import Event
from vernal.records.governance import Message


class DeliveryStatus(StrEnum):
    """Where a delivery stands; ``failed`` is given up, kept, and can be asked for again."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Delivery(Record, frozen=True, kw_only=True):
    """One message or one event on its way through one channel.

    Times are the store's machine time. ``queued_at`` is when it was put into the outbox, or asked for again;
    ``attempts`` counts claims since then, the current one included. ``last_error`` says why the last attempt failed.
    """

    number: int
    channel: str
    message: Message | None
    event: Event | None = None
    status: DeliveryStatus
    queued_at: datetime
    due_at: datetime
    attempts: int = 0
    last_error: str = ""
    owner: str | None = None
    ended_at: datetime | None = None

    @property
    def id(self) -> str:
        """The id of the message or event, the same at every attempt."""
        return self.message.id if self.message is not None else self.event.id if self.event is not None else ""


class Settlement(Record, frozen=True, kw_only=True):
    """How an attempt at a delivery ended.

    ``waiting`` tries again after ``again_in``, and with ``whole_channel`` nothing else goes through the channel before.
    ``closes_channel`` ends the channel until somebody asks for its deliveries again. ``error`` is empty for ``sent``.
    """

    status: DeliveryStatus
    error: str = ""
    again_in: timedelta = timedelta(0)
    whole_channel: bool = False
    closes_channel: bool = False


class ChannelState(Record, frozen=True, kw_only=True):
    """What the store remembers of a channel.

    ``memory`` belongs to whoever decides what goes through the channel, and changes with every ``version``. Nothing
    goes through a channel that is ``resting_until`` a later time: its receiver could not be reached. A channel that is
    ``closed_at`` takes nothing more: its receiver has said that it is gone for good.
    """

    name: str
    version: int = 0
    memory: str = ""
    resting_until: datetime | None = None
    closed_at: datetime | None = None
    closed_because: str = ""


class Routing(Record, frozen=True, kw_only=True):
    """Where some messages and events go, written in one transaction or not at all.

    ``deliveries`` are pairs of a channel's name and a message, which may also be one that was made up on the way, such
    as a summary; ``event_deliveries`` are pairs of a channel's name and an event. ``memories`` replaces what was
    remembered of channels whose version is still the one given.
    """

    message_ids: tuple[str, ...]
    deliveries: tuple[tuple[str, Message], ...]
    event_seqs: tuple[int, ...] = ()
    event_deliveries: tuple[tuple[str, Event], ...] = ()
    memories: tuple[ChannelState, ...] = ()


__all__ = ["ChannelState", "Delivery", "DeliveryStatus", "Routing", "Settlement"]
