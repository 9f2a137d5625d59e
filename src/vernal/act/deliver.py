"""The outbox, emptied: each message goes through every channel that wants it, and each channel fails on its own."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from vernal.act.messages import CHAMPION_KINDS
from vernal.clock import monotonic
from vernal.decide import alerts
from vernal.decide.delivery import after_failure, given_up
from vernal.decide.events import asked_for
from vernal.errors import DeliveryError, VernalError
from vernal.records import ChannelState, DeliveryStatus, MessageState, Routing, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vernal.act.system import System
    from vernal.ports import EventSink, Notifier
    from vernal.records import Delivery, Event, Message

    Send = Callable[[Delivery], None]

log = logging.getLogger(__name__)

FILE: Final = "file"
"""The channel of the notifications file, which gets everything."""

REGISTRY: Final = "registry"
"""The channel through which the registry's ``champion`` alias follows the store."""

ROUTED_AT_ONCE: Final = 100
CLAIMED_AT_ONCE: Final = 20


def deliver(system: System, errors: list[str]) -> int:
    """Route what is new, try what is due, and return how many alerts were sent; what fails stays for a later tick."""
    _route(system)
    senders = _senders(system)
    sent = 0
    for channel in system.store.waiting_channels():
        done = _send_through(system, channel, senders.get(channel, _no_such_channel), errors)
        sent += done if channel != REGISTRY else 0
    return sent


def _route(system: System) -> None:
    """Decide where new messages go; another worker that does the same at this moment does it for both."""
    while True:
        messages = system.store.unrouted_messages(limit=ROUTED_AT_ONCE)
        events = system.store.unrouted_events(limit=ROUTED_AT_ONCE)
        routing = _routing(system, messages, events)
        if not (routing.message_ids or routing.event_seqs or routing.deliveries or routing.memories):
            return
        if not system.store.route(routing):
            return


def _routing(system: System, messages: Sequence[Message], events: Sequence[Event]) -> Routing:
    """Return where messages and events go.

    To the file what is new, to each target what its policy lets through now, to each sink what it asked for.
    """
    deliveries = [(channel, message) for message in messages for channel in _fixed_channels(message)]
    memories = []
    known = {state.name: state for state in system.store.channels()} if system.targets else {}
    for target in system.project.spec.notifications.targets:
        channel = alert_channel(target.name)
        if target.name not in system.targets:
            continue
        before = memory_of(known.get(channel))
        if not messages and not before.held:
            continue
        send, after = alerts.plan(target, before, messages, now=system.clock.now())
        deliveries += [(channel, message) for message in send]
        if after != before:
            state = known.get(channel, ChannelState(name=channel))
            memories.append(state.evolve(memory=after.to_json().decode()))
    return Routing(
        message_ids=tuple(message.id for message in messages),
        deliveries=tuple(deliveries),
        event_seqs=tuple(event.seq for event in events),
        event_deliveries=tuple(
            (event_channel(sink.name), event)
            for event in events
            for sink in system.project.spec.events.sinks
            if sink.name in system.sinks and asked_for(sink.types, sink.models, event)
        ),
        memories=tuple(memories),
    )


def alert_channel(target: str) -> str:
    """Return the channel of a notification target."""
    return f"alert:{target}"


def event_channel(sink: str) -> str:
    """Return the channel of a sink of events."""
    return f"event:{sink}"


def memory_of(state: ChannelState | None) -> alerts.Memory:
    """Return what is remembered of a target."""
    return alerts.Memory.from_json(state.memory) if state is not None and state.memory else alerts.Memory()


def _fixed_channels(message: Message) -> Iterator[str]:
    if message.kind in CHAMPION_KINDS:
        yield REGISTRY
    if message.state is not MessageState.ONGOING:  # the file told of it when it began
        yield FILE


def _senders(system: System) -> Mapping[str, Send]:
    senders: dict[str, Send] = {FILE: partial(_tell, system.notifier), REGISTRY: partial(_mirror_champion, system)}
    for name, notifier in system.targets.items():
        senders[alert_channel(name)] = partial(_tell, notifier)
    for name, sink in system.sinks.items():
        senders[event_channel(name)] = partial(_pass_on, sink)
    return senders


def _tell(notifier: Notifier, delivery: Delivery) -> None:
    if delivery.message is not None:
        notifier.send(delivery.message)


def _pass_on(sink: EventSink, delivery: Delivery) -> None:
    if delivery.event is not None:
        sink.send(delivery.event)


def _no_such_channel(delivery: Delivery) -> None:
    raise DeliveryError(
        f"no channel {delivery.channel!r} is configured",
        hint="Put it back into vernal.yaml, or leave it: the delivery is given up in time.",
    )


def _mirror_champion(system: System, delivery: Delivery) -> None:
    model = delivery.message.model if delivery.message is not None else ""
    champion = system.store.model(model).champion
    if champion is not None:
        system.registry.set_alias(model, "champion", champion.version)


def _send_through(system: System, channel: str, send: Send, errors: list[str]) -> int:
    """Send a channel's due deliveries in order, until there are none or the receiver cannot be reached."""
    sent = 0
    while claimed := system.store.claim_deliveries(channel, lease=system.claim(), limit=CLAIMED_AT_ONCE):
        # A slow receiver must not outlast the lease: another worker would send the rest a second time.
        until = monotonic() + system.lease.total_seconds() / 2
        for index, delivery in enumerate(claimed):
            if index and monotonic() > until:
                system.store.release_deliveries(claimed[index:])
                break
            settlement = _attempt(system, delivery, send)
            system.store.settle(delivery, settlement)
            if settlement.status is DeliveryStatus.SENT:
                sent += 1
                continue
            errors.append(f"{channel}: message {delivery.id}: {settlement.error}")
            if settlement.whole_channel or settlement.closes_channel:
                system.store.release_deliveries(claimed[index + 1 :])
                return sent
    return sent


def _attempt(system: System, delivery: Delivery, send: Send) -> Settlement:
    give_up_after = system.project.spec.notifications.give_up_after
    if delivery.attempts > 1:
        age = system.store.machine_now() - delivery.queued_at
        if age >= give_up_after:
            # Also the end of one that brings down whoever tries it, and so never comes to an end of its own.
            return given_up(delivery.last_error, attempts=delivery.attempts - 1, age=age)
    try:
        send(delivery)
    except Exception as error:
        if not isinstance(error, (VernalError, OSError)):
            log.exception("%s: a fault in sending %s", delivery.channel, delivery.id)
        age = system.store.machine_now() - delivery.queued_at
        return after_failure(
            error,
            _said(error),
            subject=f"{delivery.channel}:{delivery.id}",
            attempts=delivery.attempts,
            age=age,
            give_up_after=give_up_after,
        )
    return Settlement(status=DeliveryStatus.SENT)


def _said(error: Exception) -> str:
    if isinstance(error, VernalError):
        return error.message
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
