"""Reading the queue of events: whoever polls and acknowledges misses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vernal.decide.events import asked_for, cloudevent
from vernal.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.ports import StateStore

AT_ONCE = 100


class EventQueue:
    """The events of a project for one consumer, which is known by its name.

    A consumer polls, does its work, and acknowledges. What it did not acknowledge it gets again, under the same ``id``,
    also after a crash and in another process. Consumers do not disturb each other.

    Parameters
    ----------
    store
        The project's state store.
    consumer
        The consumer's name; one that is new begins with the first event there is.
    source
        The events' ``source``.

    Examples
    --------
    .. code-block:: python

        with open_events("erp") as queue:
            for event in queue.poll():
                work_on(event)
                queue.acknowledge(event)
    """

    def __init__(self, store: StateStore, consumer: str, *, source: str) -> None:
        self._store = store
        self._source = source
        self.consumer = consumer

    @property
    def cursor(self) -> int:
        """Up to which ``sequence`` everything is acknowledged."""
        return self._store.acknowledged(self.consumer)

    def poll(self, *, limit: int = AT_ONCE) -> tuple[dict[str, Any], ...]:
        """Return the next events behind the cursor as CloudEvents, at most ``limit``; none if there is nothing new."""
        found = self._store.events(after=self.cursor, limit=limit)
        return tuple(cloudevent(event, source=self._source) for event in found)

    def acknowledge(self, event: dict[str, Any]) -> int:
        """Move the cursor to an event that was polled: it and all before it are done. Returns the cursor.

        Raises
        ------
        StoreError
            If it is no event of this store.
        """
        try:
            seq = int(event["sequence"])
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                f"consumer {self.consumer}: got something without a sequence to acknowledge, expected a polled event"
            ) from None
        return self._store.acknowledge(self.consumer, seq)


def chosen_events(
    store: StateStore,
    *,
    after: int,
    limit: int,
    types: Sequence[str] | None,
    models: Sequence[str] | None,
    source: str,
) -> tuple[tuple[dict[str, Any], ...], int]:
    """Return events of some types and models behind a number, and the number up to which the queue was read.

    The number is that of the last event that was looked at, so that reading on from it misses nothing and looks at
    nothing twice.
    """
    found: list[dict[str, Any]] = []
    cursor = after
    while len(found) < limit and (page := store.events(after=cursor, limit=AT_ONCE)):
        for event in page:
            cursor = event.seq
            if asked_for(types, models, event):
                found.append(cloudevent(event, source=source))
                if len(found) == limit:
                    break
    return tuple(found), cursor
