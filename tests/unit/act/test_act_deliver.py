"""The outbox, emptied: what one channel does to another, and what is left when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

import loopworld
from vernal.act import deliver as delivering
from vernal.act.deliver import FILE, REGISTRY, deliver
from vernal.act.reconcile import tick
from vernal.errors import DeliveryError, RegistryError
from vernal.records import DeliveryStatus, Lease, Message, Route, Routing
from vernal.testing.fakes import FakeRegistry, RecordingNotifier


class Moody(RecordingNotifier):
    """Does what it is told to with each message, by its id."""

    def __init__(self, mood: Callable[[Message], None]) -> None:
        super().__init__()
        self.mood = mood
        self.asked: list[str] = []

    @override
    def send(self, message: Message) -> None:
        self.asked.append(message.id)
        self.mood(message)
        super().send(message)


def content(message: Message) -> None:
    """Take whatever comes."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[loopworld.World]:
    world = loopworld.build(tmp_path)
    world.system.store.sync_models((loopworld.MODEL,), now=loopworld.START)
    yield world
    world.close()


def told(world: loopworld.World, *ids: str, kind: str = "failed") -> None:
    """Put messages on their way to the file."""
    at = loopworld.START
    messages = tuple(
        Message(id=name, at=at, model=loopworld.MODEL, kind=kind, severity="error", title="t", body="b") for name in ids
    )
    pairs = tuple((FILE, message) for message in messages)
    assert world.system.store.route(Routing(message_ids=(), deliveries=pairs))


def moody(world: loopworld.World, mood: Callable[[Message], None]) -> Moody:
    notifier = Moody(mood)
    world.system = replace(world.system, notifier=notifier)
    return notifier


def waiting(world: loopworld.World) -> list[str]:
    return [one.id for one in world.system.store.deliveries(statuses=(DeliveryStatus.WAITING,))]


def test_what_is_sent_is_sent_once_and_in_order(world: loopworld.World) -> None:
    notifier = moody(world, content)
    names = [f"m{number:02}" for number in range(45)]
    told(world, *names)
    errors: list[str] = []
    assert (deliver(world.system, errors), errors) == (45, [])
    assert deliver(world.system, errors) == 0
    assert notifier.asked == names


def test_a_receiver_that_is_away_is_asked_once_a_tick(world: loopworld.World) -> None:
    def away(message: Message) -> None:
        raise DeliveryError("no answer")

    notifier = moody(world, away)
    told(world, "m1", "m2", "m3")
    errors: list[str] = []
    assert deliver(world.system, errors) == deliver(world.system, errors) == 0
    assert (notifier.asked, errors) == (["m1"], ["file: message m1: no answer"])
    assert waiting(world) == ["m1", "m2", "m3"]
    attempts = [one.attempts for one in world.system.store.deliveries()]
    assert attempts == [1, 0, 0]


def test_a_message_that_is_refused_lets_the_others_pass(world: loopworld.World) -> None:
    def picky(message: Message) -> None:
        if message.id == "m1":
            raise DeliveryError("too long", refused=True)

    notifier = moody(world, picky)
    told(world, "m1", "m2")
    assert deliver(world.system, []) == 1
    assert ([one.id for one in notifier.sent], waiting(world)) == (["m2"], ["m1"])


def test_what_a_library_raises_is_kept_with_its_type(world: loopworld.World) -> None:
    def broken(message: Message) -> None:
        raise KeyError("x")

    moody(world, broken)
    told(world, "m1")
    errors: list[str] = []
    deliver(world.system, errors)
    assert errors == ["file: message m1: KeyError: 'x'"]


def test_what_comes_back_is_sent_under_the_same_id(world: loopworld.World) -> None:
    back = False

    def away(message: Message) -> None:
        if not back:
            raise OSError("no route")

    notifier = moody(world, away)
    told(world, "m1", "m2")
    deliver(world.system, [])
    back = True
    assert world.system.store.redeliver() == 2
    assert deliver(world.system, []) == 2
    assert [one.id for one in notifier.sent] == ["m1", "m2"]


def test_it_is_given_up_after_the_projects_time(world: loopworld.World) -> None:
    notifications = world.system.project.spec.notifications.model_copy(
        update={"give_up_after": timedelta(microseconds=1)}
    )
    spec = world.system.project.spec.model_copy(update={"notifications": notifications})
    world.system = replace(world.system, project=replace(world.system.project, spec=spec))

    def away(message: Message) -> None:
        raise OSError("no route")

    moody(world, away)
    told(world, "m1")
    deliver(world.system, [])
    (ended,) = world.system.store.deliveries()
    assert ended.status is DeliveryStatus.FAILED
    assert ended.last_error.endswith("the last one: no route")


def test_one_that_nobody_survives_ends_without_being_tried_for_ever(world: loopworld.World) -> None:
    notifications = world.system.project.spec.notifications.model_copy(
        update={"give_up_after": timedelta(microseconds=1)}
    )
    spec = world.system.project.spec.model_copy(update={"notifications": notifications})
    world.system = replace(world.system, project=replace(world.system.project, spec=spec))
    notifier = moody(world, content)
    told(world, "m1")
    dying = Lease(owner="dying", duration=timedelta(0))
    assert world.system.store.claim_deliveries(FILE, lease=dying, limit=1)
    errors: list[str] = []
    deliver(world.system, errors)
    assert (notifier.asked, "it never came to an end" in errors[0]) == ([], True)


def test_a_channel_that_is_no_longer_configured_keeps_what_it_has(world: loopworld.World) -> None:
    told(world, "m1")
    (one,) = world.system.store.deliveries()
    assert one.message is not None
    pairs = (("fax", one.message),)
    assert world.system.store.route(Routing(message_ids=(), deliveries=pairs))
    errors: list[str] = []
    assert deliver(world.system, errors) == 1
    assert errors == ["fax: message m1: no channel 'fax' is configured"]
    assert waiting(world) == ["m1"]


def test_a_slow_receiver_does_not_outlast_the_lease(world: loopworld.World, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 1000, 6))
    monkeypatch.setattr(delivering, "monotonic", lambda: float(next(seconds)))
    claims: list[list[str]] = []
    claim = world.system.store.claim_deliveries

    class Watching:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def claim_deliveries(self, channel: str, *, lease: Lease, limit: int) -> object:
            found = claim(channel, lease=lease, limit=limit)
            claims.append([one.id for one in found])
            return found

    store = world.system.store
    notifier = moody(world, content)
    told(world, "m1", "m2", "m3", "m4")
    world.system = replace(world.system, store=Watching())  # type: ignore[arg-type] # all but one method are the store's
    assert deliver(world.system, []) == 4
    assert notifier.asked == ["m1", "m2", "m3", "m4"]
    assert [one[0] for one in claims if one] == ["m1", "m3"]


def test_a_registry_that_is_away_holds_up_no_alert(world: loopworld.World) -> None:
    class Away(FakeRegistry):
        @override
        def set_alias(self, model: str, alias: str, version: str) -> None:
            raise RegistryError("MLflow does not answer")

    notifier = moody(world, content)
    good = world.system.registry
    world.system = replace(world.system, registry=Away(world.root / "away.json"))
    world.system.store.set_champion(loopworld.MODEL, "3", actor="ada", reason="r", now=loopworld.START)
    errors: list[str] = []
    assert deliver(world.system, errors) == 1
    assert [one.kind for one in notifier.sent] == ["champion"]
    assert errors == [f"{REGISTRY}: message {notifier.sent[0].id}: MLflow does not answer"]
    world.system = replace(world.system, registry=good)
    world.system.store.redeliver(channel=REGISTRY)
    assert deliver(world.system, []) == 0, "the alias is no alert"
    assert good.alias(loopworld.MODEL, "champion") == "3"
    assert len(notifier.sent) == 1
    assert world.system.store.model(loopworld.MODEL).route == Route(
        model=loopworld.MODEL, champion="3", updated_at=loopworld.START
    )


def test_a_tick_tells_of_what_could_not_be_sent(world: loopworld.World) -> None:
    def away(message: Message) -> None:
        raise DeliveryError("no answer")

    moody(world, away)
    told(world, "m1")
    report = tick(world.system)
    assert (report.sent, report.errors) == (0, ("file: message m1: no answer",))
