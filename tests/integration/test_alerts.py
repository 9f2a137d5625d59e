"""Alerts from a check to a real receiver: once, in the target's words, with their end, and through an outage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

import loopworld
from receivers import Receiver, receiving
from vernal.act.reconcile import tick
from vernal.adapters.lake import DeltaLake
from vernal.adapters.notify import AppriseNotifier
from vernal.bootstrap import open_system
from vernal.clock import SimulatedClock
from vernal.errors import LakeError
from vernal.records import DeliveryStatus
from vernal.spec import load_project

TARGETS = """\
notifications:
  targets:
    - name: chat
      url: {env: CHAT_URL}
      title: "{{ state }} {{ kind }}"
      body: "{{ id }}"
      severity: info
      repeat_after: 10h
"""

HOUR = timedelta(hours=1)


class Flooded(DeltaLake):
    """A lake that cannot be read while it is under water."""

    wet = False

    @override
    def inbox(self, model: str) -> tuple[tuple[str, str, Path], ...]:
        if self.wet:
            raise LakeError("the lake is under water")
        return super().inbox(model)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as server:
        monkeypatch.setenv("CHAT_URL", f"json://{server.place}")
        yield server


Worlds = Callable[..., loopworld.World]


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Worlds]:
    worlds = []

    def build(targets: str = TARGETS, **more: str) -> loopworld.World:
        world = loopworld.build(tmp_path / "world", **more)  # type: ignore[arg-type] # policy is the one that tests change
        (world.root / "vernal.yaml").write_text(loopworld.PROJECT + targets)
        project = load_project(world.root)
        told = {
            target.name: AppriseNotifier(target, project=project.name, root=world.root)
            for target in project.spec.notifications.targets
        }
        world.system = replace(
            world.system,
            project=project,
            targets=told,
            lake=Flooded(project.lake_path, inbox_path=world.root / "inbox"),
        )
        worlds.append(world)
        return world

    yield build
    for world in worlds:
        world.close()


def lake_of(world: loopworld.World) -> Flooded:
    assert isinstance(world.system.lake, Flooded)
    return world.system.lake


def live(world: loopworld.World, hours: int, *, wet: bool) -> None:
    """Tick every hour; the lake is under water or not."""
    lake_of(world).wet = wet
    for _ in range(hours):
        world.clock.advance(HOUR)
        world.system.store.redeliver()
        tick(world.system)


def titles(receiver: Receiver) -> list[str]:
    return [request.json["title"] for request in receiver.got]


def lines(world: loopworld.World) -> list[tuple[str, str]]:
    path = world.root / "sent.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(message["state"], message["kind"]) for message in found]


def test_a_failing_check_is_told_once_reminded_of_and_taken_back(receiver: Receiver, built: Worlds) -> None:
    world = built(policy=loopworld.POLICY.replace("every: 12h", "every: 1h"))
    live(world, 1, wet=False)
    assert (titles(receiver), lines(world)) == ([], [])
    live(world, 3, wet=True)
    assert titles(receiver) == ["raised check-error"]
    live(world, 1, wet=True)  # the fifth attempt in a row is critical, whatever was told before
    live(world, 1, wet=True)
    assert titles(receiver) == ["raised check-error", "ongoing check-error"]
    live(world, 2, wet=False)
    live(world, 12, wet=False)
    assert titles(receiver)[-1] == "resolved check-error"
    assert titles(receiver).count("resolved check-error") == 1
    assert lines(world) == [("raised", "check-error"), ("resolved", "check-error")]


def test_rows_that_are_refused_are_told_of_until_there_are_none(receiver: Receiver, built: Worlds) -> None:
    world = built(policy=loopworld.POLICY.replace("every: 12h", "every: 1h"))
    folder = world.root / "inbox" / loopworld.MODEL / "predictions"
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"{number}.parquet").write_bytes(b"PAR1 but not really PAR1")
        live(world, 1, wet=False)
    live(world, 2, wet=False)
    assert titles(receiver) == ["raised quarantine", "resolved quarantine"]
    assert lines(world) == [("raised", "quarantine"), ("raised", "quarantine"), ("resolved", "quarantine")]


def test_a_champion_that_nobody_can_judge_is_told_of_once(receiver: Receiver, built: Worlds) -> None:
    drift = loopworld.POLICY.replace("every: 12h", "every: 1h").replace("drift: off", "drift: {min_rows: 10}")
    world = built(policy=drift)
    live(world, 2, wet=False)
    assert titles(receiver) == [], "before the first champion there is nothing to judge"
    world.system.store.set_champion(loopworld.MODEL, "1", actor="ada", reason="r", now=world.clock.now())
    live(world, 3, wet=False)
    assert titles(receiver) == ["event champion", "raised insufficient"]


def test_a_receiver_that_is_restarted_gets_what_it_missed_under_the_same_id(receiver: Receiver, built: Worlds) -> None:
    world = built()
    receiver.stop()
    live(world, 2, wet=True)
    (waiting,) = world.system.store.deliveries(statuses=(DeliveryStatus.WAITING,))
    assert (waiting.channel, "Connection error" in waiting.last_error) == ("alert:chat", True)
    assert lines(world) == [("raised", "check-error")], "the file did not wait for the chat"
    receiver.start()
    world.system.store.redeliver()
    tick(world.system)
    assert [request.json["message"] for request in receiver.got] == [waiting.id]
    assert world.system.store.waiting_channels() == ()


def test_one_dead_target_does_not_hold_up_another(
    receiver: Receiver, built: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as dead:
        monkeypatch.setenv("DEAD_URL", f"json://{dead.place}")
    world = built(TARGETS + "    - {name: dead, url: {env: DEAD_URL}, severity: info}\n")
    live(world, 1, wet=True)
    assert titles(receiver) == ["raised check-error"]
    assert world.system.store.waiting_channels() == ("alert:dead",)


def test_quiet_hours_end_in_one_summary_without_a_new_message(receiver: Receiver, built: Worlds) -> None:
    hours = '      quiet_hours: {start: "00:00", end: "12:00"}\n'
    world = built(TARGETS + hours)
    live(world, 3, wet=True)
    live(world, 8, wet=False)
    assert (receiver.got, lines(world)[0]) == ([], ("raised", "check-error"))
    live(world, 1, wet=False)
    assert titles(receiver) == ["event summary"]


def test_a_replay_alarms_nobody(receiver: Receiver, built: Worlds) -> None:
    world = built()
    with open_system(world.root, clock=SimulatedClock(loopworld.START)) as system:
        assert system.targets == {}
    with open_system(world.root) as system:
        assert set(system.targets) == {"chat"}
