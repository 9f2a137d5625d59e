"""Checks of the queue of events: complete, in order, numbered without gaps, and routed once."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vernal.errors import OpenRunError, StoreError
from vernal.records import Champion, DeliveryStatus, Phase, Routing, Settlement
from vernal.testing.state_store.facts import (
    HOUR,
    LEASE,
    MODEL,
    NOON,
    check,
    claimed,
    decision,
    known,
    opened,
    refused,
    request,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore
    from vernal.records import CheckCommit


def _types(store: StateStore) -> list[str]:
    return [event.type for event in store.events()]


def _judged(store: StateStore, outcome: str, *, hours: int, **more: object) -> CheckCommit:
    at = NOON + hours * HOUR
    state = store.claim_check((MODEL,), lease=LEASE, now=at)
    assert state is not None
    noted = decision(at=at, outcome=outcome).evolve(kind="check")
    commit = check(at=at, decisions=(noted,), **more)
    store.commit_check(state, commit)
    return commit


def a_run_leaves_an_event_at_every_phase(store: StateStore) -> None:
    """From the request to the new champion, numbered from 1 without gaps, each with an id of its own."""
    opened(store)
    for phase in (Phase.BUILDING, Phase.TRAINING):
        store.commit_run(claimed(store), step(phase))
    champion = Champion(model=MODEL, version="4", since=NOON, run_id="fraud-1", previous="3")
    store.commit_run(claimed(store), step(Phase.PROMOTED, champion=champion, outcome="better"))
    events = store.events()
    assert _types(store) == ["retrain.requested", "run.building", "run.training", "run.promoted", "champion.promoted"]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert len({event.id for event in events}) == len(events)
    assert {(event.model, event.run_id) for event in events} == {(MODEL, "fraud-1")}
    assert (events[0].data["trigger"], events[3].data["outcome"]) == ("drift", "better")
    assert (events[4].data["version"], events[4].data["previous"]) == ("4", "3")
    assert store.events() == events


def looking_without_acting_leaves_none(store: StateStore) -> None:
    """A run that stays in its phase, or a claim that is given back, is no event."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.TRAINING))
    store.commit_run(claimed(store), step(Phase.TRAINING))
    run = claimed(store)
    store.release_run(run, wake_at=NOON, decision=decision(run))
    assert _types(store) == ["retrain.requested", "run.training"]


def what_was_refused_leaves_none(store: StateStore) -> None:
    """An event leaves with its change or not at all."""
    opened(store)
    with refused(OpenRunError, "fraud-1"):
        store.request_run(request())
    assert _types(store) == ["retrain.requested"]


def people_leave_events_too(store: StateStore) -> None:
    """An intervention and a champion set by hand."""
    opened(store)
    stop = step(Phase.CANCELLED, decision=decision(store.run("fraud-1")))
    store.intervene("fraud-1", stop, actor="ada", expected=(Phase.REQUESTED,))
    store.set_champion(MODEL, "3", actor="ada", reason="4 is slow", now=NOON)
    last = store.events()[-1]
    assert _types(store) == ["retrain.requested", "run.cancelled", "champion.set"]
    assert (last.data["actor"], last.data["reason"], last.run_id) == ("ada", "4 is slow", None)


def a_check_that_cannot_judge_is_told_of_once(store: StateStore) -> None:
    """Again only after one that could; a failing one likewise."""
    known(store)
    for hours, outcome in enumerate(("insufficient", "insufficient", "healthy", "insufficient")):
        _judged(store, outcome, hours=hours)
    for hours in (4, 5):
        at = NOON + hours * HOUR
        state = store.claim_check((MODEL,), lease=LEASE, now=at)
        assert state is not None
        failed = decision(at=at, outcome="error").evolve(kind="check")
        store.release_check(state, next_check_at=at + HOUR, decision=failed)
    assert _types(store) == ["check.insufficient", "check.insufficient", "check.failed"]
    assert [event.at for event in store.events()] == [NOON, NOON + 3 * HOUR, NOON + 4 * HOUR]


def a_check_that_requests_a_run_is_an_event(store: StateStore) -> None:
    """Triggers and people ask in the same way."""
    known(store)
    _judged(store, "requested", hours=0, request=request())
    (event,) = store.events()
    assert (event.type, event.run_id, event.data["requested_by"]) == ("retrain.requested", "fraud-1", "vernal")


def events_are_read_behind_a_number(store: StateStore) -> None:
    """In order, up to a limit."""
    opened(store)
    for phase in (Phase.BUILDING, Phase.TRAINING, Phase.FAILED):
        store.commit_run(claimed(store), step(phase))
    assert [event.seq for event in store.events(after=1, limit=2)] == [2, 3]
    assert store.events(after=4) == ()


def a_consumer_is_remembered_and_never_goes_back(store: StateStore) -> None:
    """Each by its name; what is not there yet cannot be done with."""
    opened(store)
    store.commit_run(claimed(store), step())
    assert store.acknowledged("erp") == 0
    assert store.acknowledge("erp", 2) == 2  # noqa: PLR2004 - both events
    assert store.acknowledge("erp", 1) == 2  # noqa: PLR2004 - it stays
    assert (store.acknowledged("erp"), store.acknowledged("crm")) == (2, 0)
    with refused(StoreError, "erp", "9", "2"):
        store.acknowledge("erp", 9)


def an_event_is_routed_once(store: StateStore) -> None:
    """To each channel it goes through; another worker that comes late is told so."""
    opened(store)
    store.commit_run(claimed(store), step())
    first, second = store.unrouted_events(limit=9)
    assert store.route(Routing(message_ids=(), deliveries=(), event_seqs=(1,), event_deliveries=(("erp", first),)))
    assert store.unrouted_events(limit=9) == (second,)
    late = Routing(message_ids=(), deliveries=(), event_seqs=(1, 2), event_deliveries=(("erp", second),))
    assert not store.route(late)
    (delivery,) = store.claim_deliveries("erp", lease=LEASE, limit=9)
    assert (delivery.event, delivery.message, delivery.id) == (first, None, first.id)
    store.settle(delivery, Settlement(status=DeliveryStatus.SENT))
    assert [one.status for one in store.deliveries(channel="erp")] == [DeliveryStatus.SENT]


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    a_run_leaves_an_event_at_every_phase,
    looking_without_acting_leaves_none,
    what_was_refused_leaves_none,
    people_leave_events_too,
    a_check_that_cannot_judge_is_told_of_once,
    a_check_that_requests_a_run_is_an_event,
    events_are_read_behind_a_number,
    a_consumer_is_remembered_and_never_goes_back,
    an_event_is_routed_once,
)
