"""Which events a change makes, and how an event reads as a CloudEvent."""

from __future__ import annotations

from datetime import UTC
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vernal.records import ChampionData, CheckData, Happening, Phase, RolloutData, RunData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from vernal.records import Champion, Decision, Event, Run, Transition

PREFIX: Final = "dev.vernal."
"""What every type begins with as a CloudEvent."""

SCHEMAS: Final[Mapping[type[msgspec.Struct], str]] = {
    RunData: "urn:vernal:event:run:1",
    RolloutData: "urn:vernal:event:rollout:1",
    ChampionData: "urn:vernal:event:champion:1",
    CheckData: "urn:vernal:event:check:1",
}
"""Names of what the data of events look like; a name is never given to other data."""

TYPES: Final[Mapping[str, type[msgspec.Struct]]] = {
    "retrain.requested": RunData,
    **{f"run.{phase}": RunData for phase in Phase if phase is not Phase.REQUESTED},
    **dict.fromkeys(("rollout.started", "rollout.advanced", "rollout.completed", "rollout.rolled_back"), RolloutData),
    **dict.fromkeys(("champion.promoted", "champion.set"), ChampionData),
    **dict.fromkeys(("check.insufficient", "check.failed"), CheckData),
}
"""Every type of event, with its data."""

TEST: Final = "test"
"""Type of the event by which a sink is tried out; it is in no queue."""

TEST_SCHEMA: Final = "urn:vernal:event:test:1"

_SERVING: Final = frozenset({Phase.ROLLING_OUT, Phase.SOAKING})


def run_opened(run: Run) -> tuple[Happening, ...]:
    """Return the events of a run that was asked for."""
    return (_about(run, "retrain.requested", run.requested_at, None),)


def run_stepped(before: Run, after: Run, transition: Transition, *, actor: str) -> tuple[Happening, ...]:
    """Return the events of one step of a run; a look that changes nothing has none."""
    found = []
    at = transition.at
    if after.phase is not before.phase:
        found.append(_about(after, f"run.{after.phase}", at, str(before.phase)))
    reason = transition.decision.reason if transition.decision is not None else transition.outcome
    if (kind := _rollout(before, after, transition)) is not None:
        route = transition.route
        data = RolloutData(
            model=after.model,
            run_id=after.id,
            champion=after.facts.champion,
            challenger=after.facts.version,
            share=1.0 if kind == "rollout.completed" else route.share if route is not None else 0.0,
            reason=reason,
        )
        found.append(Happening(type=kind, at=at, model=after.model, run_id=after.id, data=data))
    if transition.champion is not None:
        found.append(champion_changed(transition.champion, "champion.promoted", actor=actor, reason=reason))
    return tuple(found)


def champion_changed(champion: Champion, kind: str, *, actor: str, reason: str) -> Happening:
    """Return the event of a new champion: ``champion.promoted`` by a run, ``champion.set`` by hand."""
    data = ChampionData(
        model=champion.model,
        version=champion.version,
        previous=champion.previous,
        run_id=champion.run_id,
        actor=actor,
        reason=reason,
    )
    return Happening(type=kind, at=champion.since, model=champion.model, run_id=champion.run_id, data=data)


def check_ended(decisions: Sequence[Decision], previous: str | None) -> tuple[Happening, ...]:
    """Return the events of a check: that it cannot judge, or failed, and the outcome before it was another one."""
    kinds = {"insufficient": "check.insufficient", "error": "check.failed"}
    return tuple(
        Happening(type=kinds[decision.outcome], at=decision.at, model=decision.model, data=_seen(decision))
        for decision in decisions
        if decision.kind == "check" and decision.outcome in kinds and decision.outcome != previous
    )


def asked_for(types: Sequence[str] | None, models: Sequence[str] | None, event: Event) -> bool:
    """Tell whether an event is of one of some types and models, given as names or patterns; ``None`` is all."""
    return (types is None or any(fnmatchcase(event.type, pattern) for pattern in types)) and (
        models is None or any(fnmatchcase(event.model, pattern) for pattern in models)
    )


def cloudevent(event: Event, *, source: str) -> dict[str, Any]:
    """Return an event as a CloudEvent 1.0, in the form of its JSON format.

    ``sequence`` is the place in the queue, and ``partitionkey`` the model, so that a partitioned log keeps each model's
    events in order.
    """
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": f"{PREFIX}{event.type}",
        "subject": event.run_id or event.model,
        "time": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": event.schema,
        "sequence": str(event.seq),
        "partitionkey": event.model,
        "data": event.data,
    }


def schema() -> dict[str, Any]:
    """Return the JSON Schema of Vernal's CloudEvents in JSON; each kind of data has its name as ``$id``."""
    _, components = msgspec.json.schema_components(tuple(SCHEMAS), ref_template="#/$defs/{name}")
    definitions = {name: dict(described) for name, described in components.items()}
    for data, name in SCHEMAS.items():
        definitions[data.__name__] |= {"$id": name}
    text = {"type": "string", "minLength": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of Vernal, as a CloudEvent 1.0",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"enum": [f"{PREFIX}{name}" for name in TYPES]},
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"enum": list(SCHEMAS.values())},
            "sequence": {"type": "string", "pattern": "^[0-9]+$"},
            "partitionkey": text,
            "data": {"anyOf": [{"$ref": SCHEMAS[data]} for data in SCHEMAS]},
        },
        "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "sequence", "data"],
        "$defs": definitions,
    }


def _about(run: Run, kind: str, at: datetime, previous: str | None) -> Happening:
    cost = run.facts.cost
    data = RunData(
        model=run.model,
        run_id=run.id,
        number=run.number,
        phase=str(run.phase),
        previous_phase=previous,
        trigger=str(run.trigger),
        reason=run.reason,
        requested_by=run.requested_by,
        requested_at=run.requested_at,
        version=run.facts.version,
        champion=run.facts.champion,
        cost_usd=cost.usd if cost is not None else None,
        outcome=run.outcome,
    )
    return Happening(type=kind, at=at, model=run.model, run_id=run.id, data=data)


def _rollout(before: Run, after: Run, transition: Transition) -> str | None:
    if after.phase is Phase.ROLLED_BACK:
        return "rollout.rolled_back"
    if before.phase in _SERVING and after.phase is Phase.PROMOTED:
        return "rollout.completed"
    if transition.route is None or after.phase not in _SERVING:
        return None
    return "rollout.advanced" if before.phase in _SERVING else "rollout.started"


def _seen(decision: Decision) -> CheckData:
    evidence = (decision.evidence or {}).get("evidence") or {}
    return CheckData(
        model=decision.model,
        outcome=decision.outcome,
        reason=decision.reason,
        champion=evidence.get("champion"),
    )
