"""Checks of the outbox: messages are routed once, and every channel delivers, fails and ends on its own."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from vernal.records import ChannelState, DeliveryStatus, Phase, Routing, Settlement
from vernal.testing.state_store.facts import (
    BRIEF,
    HOUR,
    LEASE,
    OTHER,
    claimed,
    expired,
    message,
    opened,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore
    from vernal.records import Delivery, Lease

SENT: Final = Settlement(status=DeliveryStatus.SENT)
LATER: Final = Settlement(status=DeliveryStatus.WAITING, error="no answer", again_in=HOUR)
AT_ONCE: Final = Settlement(status=DeliveryStatus.WAITING, error="no answer")
FAILED: Final = Settlement(status=DeliveryStatus.FAILED, error="given up")


def _told(store: StateStore, *names: str) -> None:
    opened(store)
    for name in names:
        store.commit_run(claimed(store), step(Phase.TRAINING, messages=(message(name),)))


def _routed(store: StateStore, *names: str, to: tuple[str, ...] = ("mail",)) -> None:
    _told(store, *names)
    pairs = tuple((channel, message(name)) for name in names for channel in to)
    assert store.route(Routing(message_ids=names, deliveries=pairs))


def _claimed(store: StateStore, channel: str = "mail", *, lease: Lease = LEASE, limit: int = 9) -> tuple[Delivery, ...]:
    return store.claim_deliveries(channel, lease=lease, limit=limit)


def _ids(deliveries: tuple[Delivery, ...]) -> list[str]:
    return [delivery.id for delivery in deliveries]


def messages_wait_for_their_route_in_order(store: StateStore) -> None:
    """Oldest first up to the limit, until they are routed."""
    _told(store, "m3", "m1", "m2")
    assert store.unrouted_messages(limit=2) == (message("m3"), message("m1"))
    assert store.route(Routing(message_ids=("m3", "m1"), deliveries=()))
    assert store.unrouted_messages(limit=9) == (message("m2"),)
    assert store.deliveries() == ()


def a_message_is_routed_once(store: StateStore) -> None:
    """Of two workers that route the same message one is told that it was too late, and has written nothing."""
    _told(store, "m1", "m2")
    assert store.route(Routing(message_ids=("m1",), deliveries=(("mail", message("m1")),)))
    late = Routing(message_ids=("m1", "m2"), deliveries=(("mail", message("m1")), ("chat", message("m2"))))
    assert not store.route(late)
    assert store.unrouted_messages(limit=9) == (message("m2"),)
    assert [(one.channel, one.id) for one in store.deliveries()] == [("mail", "m1")]


def a_channel_gets_a_message_once(store: StateStore) -> None:
    """Routing what is there already adds nothing."""
    _routed(store, "m1")
    assert store.route(Routing(message_ids=(), deliveries=(("mail", message("m1")), ("mail", message("m0")))))
    assert _ids(store.deliveries()) == ["m1", "m0"]


def channels_deliver_on_their_own(store: StateStore) -> None:
    """What fails in one is sent in the other."""
    _routed(store, "m1", to=("mail", "chat"))
    (mail,), (chat,) = _claimed(store, "mail"), _claimed(store, "chat")
    assert (mail.message, mail.channel, mail.attempts, mail.status) == (
        message("m1"),
        "mail",
        1,
        DeliveryStatus.WAITING,
    )
    store.settle(mail, LATER)
    store.settle(chat, SENT)
    (mail, chat) = store.deliveries()
    assert (mail.status, mail.last_error, mail.ended_at) == (DeliveryStatus.WAITING, "no answer", None)
    assert mail.due_at > mail.queued_at + HOUR / 2
    assert (chat.status, chat.last_error, chat.ended_at is not None) == (DeliveryStatus.SENT, "", True)
    assert store.waiting_channels() == ("mail",)
    assert (_claimed(store, "mail"), _claimed(store, "chat")) == ((), ())


def deliveries_are_claimed_in_order_by_one_worker(store: StateStore) -> None:
    """Oldest first up to the limit; what one worker holds another does not get."""
    _routed(store, "m3", "m1", "m2")
    mine = _claimed(store, limit=2)
    assert _ids(mine) == ["m3", "m1"]
    assert _ids(_claimed(store, lease=OTHER)) == ["m2"]
    assert _claimed(store, lease=OTHER) == ()


def a_delivery_that_was_not_settled_is_claimed_again(store: StateStore) -> None:
    """At least once: a worker that dies between sending and settling leaves it to the next."""
    _routed(store, "m2", "m1")
    (_, late) = _claimed(store, lease=BRIEF)
    store.settle(late, SENT)
    expired(store, BRIEF)
    (again,) = _claimed(store)
    assert (again.id, again.attempts) == ("m2", 2)


def a_late_failure_undoes_nothing_and_a_late_success_counts(store: StateStore) -> None:
    """After a takeover only what the receiver has got is worth writing."""
    _routed(store, "m1", "m2")
    late = _claimed(store, lease=BRIEF)
    expired(store, BRIEF)
    current = _claimed(store, lease=OTHER)
    for delivery in late:
        store.settle(delivery, FAILED)
    assert {one.status for one in store.deliveries()} == {DeliveryStatus.WAITING}
    store.settle(late[0], SENT)
    store.settle(current[0], FAILED)
    store.settle(current[1], FAILED)
    assert [one.status for one in store.deliveries()] == [DeliveryStatus.SENT, DeliveryStatus.FAILED]


def an_attempt_that_was_not_made_does_not_count(store: StateStore) -> None:
    """Deliveries that are given back are there at once, for anybody."""
    _routed(store, "m1", "m2")
    held = _claimed(store)
    store.release_deliveries(held[1:])
    (again,) = _claimed(store, lease=OTHER)
    assert (again.id, again.attempts) == ("m2", 1)


def a_failure_can_hold_up_its_channel(store: StateStore) -> None:
    """A receiver that cannot be reached is not asked for every message; other channels and other failures go on."""
    _routed(store, "m1", "m2", to=("mail", "chat"))
    (first,) = _claimed(store, limit=1)
    store.settle(first, LATER.evolve(whole_channel=True))
    assert _claimed(store) == ()
    (chat,) = _claimed(store, "chat", limit=1)
    store.settle(chat, LATER)
    assert _ids(_claimed(store, "chat")) == ["m2"]
    (state,) = store.channels()
    assert (state.name, state.closed_at) == ("mail", None)
    assert state.resting_until is not None
    assert state.resting_until >= store.deliveries(channel="mail")[0].due_at


def what_comes_later_overtakes_nothing(store: StateStore) -> None:
    """It waits behind what could not be delivered, and leaves after it."""
    _routed(store, "m1")
    (first,) = _claimed(store)
    store.settle(first, LATER.evolve(whole_channel=True))
    assert store.route(Routing(message_ids=(), deliveries=(("mail", message("m2")),)))
    assert _claimed(store) == ()
    assert store.redeliver() == 2  # noqa: PLR2004 - both
    assert _ids(_claimed(store)) == ["m1", "m2"]


def a_rest_ends_by_itself(store: StateStore) -> None:
    """Then everything that waited is tried, in order."""
    _routed(store, "m1", "m2")
    (first,) = _claimed(store, limit=1)
    store.settle(first, AT_ONCE.evolve(again_in=timedelta(milliseconds=20), whole_channel=True))
    expired(store, BRIEF)
    assert _ids(_claimed(store)) == ["m1", "m2"]


def a_closed_channel_takes_nothing_until_it_is_asked_again(store: StateStore) -> None:
    """What the receiver said is kept, and so is what it did not take."""
    _routed(store, "m1", "m2")
    (first,) = _claimed(store, limit=1)
    store.settle(first, FAILED.evolve(error="gone", closes_channel=True))
    assert _claimed(store) == ()
    (state,) = store.channels()
    assert (state.name, state.closed_because, state.closed_at is not None) == ("mail", "gone", True)
    assert store.redeliver(channel="mail") == 2  # noqa: PLR2004 - the failed one and the one behind it
    assert [one.closed_at for one in store.channels()] == [None]
    assert _ids(_claimed(store)) == ["m1", "m2"]


def what_failed_is_kept_and_sent_on_request(store: StateStore) -> None:
    """By channel and by id; it starts afresh under the same id, and what was sent is left alone."""
    _routed(store, "m1", "m2", "m3", to=("mail", "chat"))
    for delivery in (*_claimed(store, "mail"), *_claimed(store, "chat")):
        store.settle(delivery, SENT if delivery.id == "m3" else FAILED)
    assert store.waiting_channels() == ()
    failed = store.deliveries(statuses=(DeliveryStatus.FAILED,))
    assert [(one.channel, one.id) for one in failed] == [("mail", "m1"), ("chat", "m1"), ("mail", "m2"), ("chat", "m2")]
    assert {(one.last_error, one.ended_at is not None) for one in failed} == {("given up", True)}
    assert store.redeliver(channel="mail", message_ids=("m2", "m3")) == 1
    assert _claimed(store, "chat") == ()
    (again,) = _claimed(store, "mail")
    assert (again.id, again.attempts, again.ended_at) == ("m2", 1, None)
    assert again.queued_at >= failed[2].queued_at
    assert store.redeliver(message_ids=("m9",)) == 0


def deliveries_are_listed_by_channel_and_status(store: StateStore) -> None:
    """Oldest first; a limit keeps the newest."""
    _routed(store, "m1", "m2", to=("mail", "chat"))
    (first, _) = _claimed(store, "chat")
    store.settle(first, SENT)
    assert _ids(store.deliveries(channel="mail")) == ["m1", "m2"]
    assert _ids(store.deliveries(channel="mail", limit=1)) == ["m2"]
    assert [one.channel for one in store.deliveries(statuses=(DeliveryStatus.SENT,))] == ["chat"]
    assert store.deliveries(channel="fax") == ()


def a_memory_is_replaced_only_by_whoever_read_it_last(store: StateStore) -> None:
    """Two workers that decide from the same memory would both send; the second one writes nothing at all."""
    _told(store, "m1")
    first = ChannelState(name="mail", memory="one")
    assert store.route(Routing(message_ids=(), deliveries=(), memories=(first,)))
    (read,) = store.channels()
    assert (read.memory, read.version) == ("one", 1)
    assert store.route(Routing(message_ids=(), deliveries=(), memories=(read.evolve(memory="two"),)))
    stale = Routing(message_ids=("m1",), deliveries=(("mail", message("m1")),), memories=(read.evolve(memory="three"),))
    assert not store.route(stale)
    assert not store.route(Routing(message_ids=(), deliveries=(), memories=(first,)))
    assert [(one.memory, one.version) for one in store.channels()] == [("two", 2)]
    assert (store.unrouted_messages(limit=9), store.deliveries()) == ((message("m1"),), ())


def a_channel_that_was_closed_first_remembers_too(store: StateStore) -> None:
    """Being closed and what is remembered do not overwrite each other."""
    _routed(store, "m1")
    (first,) = _claimed(store)
    store.settle(first, FAILED.evolve(closes_channel=True))
    (state,) = store.channels()
    assert store.route(Routing(message_ids=(), deliveries=(), memories=(state.evolve(memory="one"),)))
    (state,) = store.channels()
    assert (state.memory, state.closed_because, state.closed_at is not None) == ("one", "given up", True)


def waiting_times_run_on_the_stores_own_clock(store: StateStore) -> None:
    """A delivery is due again once its time is over."""
    _routed(store, "m1")
    (first,) = _claimed(store)
    store.settle(first, AT_ONCE.evolve(again_in=timedelta(milliseconds=20)))
    expired(store, BRIEF)
    assert _ids(_claimed(store)) == ["m1"]


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    messages_wait_for_their_route_in_order,
    a_message_is_routed_once,
    a_channel_gets_a_message_once,
    channels_deliver_on_their_own,
    deliveries_are_claimed_in_order_by_one_worker,
    a_delivery_that_was_not_settled_is_claimed_again,
    a_late_failure_undoes_nothing_and_a_late_success_counts,
    an_attempt_that_was_not_made_does_not_count,
    a_failure_can_hold_up_its_channel,
    what_comes_later_overtakes_nothing,
    a_rest_ends_by_itself,
    a_closed_channel_takes_nothing_until_it_is_asked_again,
    what_failed_is_kept_and_sent_on_request,
    deliveries_are_listed_by_channel_and_status,
    a_memory_is_replaced_only_by_whoever_read_it_last,
    a_channel_that_was_closed_first_remembers_too,
    waiting_times_run_on_the_stores_own_clock,
)
