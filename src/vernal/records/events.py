"""What happened, for other systems: facts that leave as CloudEvents."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from vernal.records.base import Record


class RunData(Record, frozen=True, kw_only=True):
    """A run, at the moment when it entered a phase."""

    model: str
    run_id: str
    number: int
    phase: str
    previous_phase: str | None
    trigger: str
    reason: str
    requested_by: str
    requested_at: datetime
    version: str | None = None
    champion: str | None = None
    cost_usd: Decimal | None = None
    outcome: str = ""


class RolloutData(Record, frozen=True, kw_only=True):
    """A rollout, at the moment when the traffic changed; ``share`` is that of the challenger."""

    model: str
    run_id: str
    champion: str | None
    challenger: str | None
    share: float
    reason: str


class ChampionData(Record, frozen=True, kw_only=True):
    """A model's new champion. ``run_id`` is missing when ``actor`` is a person who set it by hand."""

    model: str
    version: str
    previous: str | None
    run_id: str | None
    actor: str
    reason: str


class CheckData(Record, frozen=True, kw_only=True):
    """A check after which the model is not watched as it should be."""

    model: str
    outcome: str
    reason: str
    champion: str | None = None


EventData = RunData | RolloutData | ChampionData | CheckData


class Happening(Record, frozen=True, kw_only=True):
    """An event before the store has given it its place and its id."""

    type: str
    at: datetime
    model: str
    data: EventData
    run_id: str | None = None


class Event(Record, frozen=True, kw_only=True):
    """One entry of the store's queue of events.

    Entries are numbered without gaps in the order of commits: whoever has read up to ``seq`` has missed nothing below
    it. ``id`` never changes, however often the event is delivered. ``type`` is without the prefix that it gets as a
    CloudEvent; ``schema`` names what ``data`` looks like.
    """

    seq: int
    id: str
    type: str
    at: datetime
    model: str
    run_id: str | None
    schema: str
    data: dict[str, Any]


__all__ = ["ChampionData", "CheckData", "Event", "EventData", "Happening", "RolloutData", "RunData"]
