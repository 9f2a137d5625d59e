"""The service at work: slow, hanging and dying steps hold up nobody, and nothing is done twice or lost."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest

import fleetworld
from vernal.act.operations import retrain
from vernal.adapters.telemetry.metrics import StoreMetrics
from vernal.decide.cadence import EPOCH, SPREAD


@pytest.fixture
def folder(tmp_path: Path, store_url: str) -> Path:
    return fleetworld.write(tmp_path / "fleet", "a", "b", "c", state=store_url)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    return fleetworld.write(tmp_path / "fleet", "a", "b", "c")


def test_every_model_is_checked_once_and_not_before_its_next_time(folder: Path) -> None:
    with fleetworld.at_work(folder) as fleet:
        fleet.until(lambda: all(fleet.outcomes(name) for name in "abc"))
        now = fleet.system.clock.now()
        fleet.until(lambda: not fleet.crew.in_hand)
        for _ in range(5):
            fleet.service.look()
        assert [len(fleet.outcomes(name)) for name in "abc"] == [1, 1, 1]
        for state in fleet.system.store.models():
            every = fleet.system.project.models[state.model].monitoring.every
            assert state.next_check_at > now
            assert (state.next_check_at - EPOCH) % every <= SPREAD * every
        assert fleet.complaints == []
        names = {sample["labels"].get("model") for sample in StoreMetrics(fleet.system).samples()}
        assert names >= {"a", "b", "c"}


def test_a_hanging_model_does_not_hold_up_the_others(folder: Path) -> None:
    fleetworld.hang(folder, "a")
    with fleetworld.at_work(folder, workers=2) as fleet:
        fleet.until(lambda: bool(fleet.outcomes("b") and fleet.outcomes("c")))
        assert "a" in fleet.in_hand()
        assert fleet.outcomes("a") == []


def test_a_step_that_hangs_is_ended_and_waits_for_its_next_time(folder: Path) -> None:
    fleetworld.hang(folder, "a")
    with fleetworld.at_work(folder, step_seconds=3.0) as fleet:
        fleet.until(lambda: fleet.outcomes("a") == ["error"])
        [decision] = fleet.system.store.decisions("a", kind="check")
        assert decision.reason == "check of a: it hung: stopped after 3 s without a result"
        state = fleet.system.store.model("a")
        assert state.next_check_at == decision.at + fleet.system.project.models["a"].monitoring.every
        assert "a" not in fleet.in_hand()


def test_models_that_hang_leave_a_worker_to_the_others(local: Path) -> None:
    for name in "abc":
        fleetworld.hang(local, name)
    with fleetworld.at_work(local, workers=2, step_seconds=3.0) as fleet:
        fleet.until(lambda: all(fleet.outcomes(name) == ["error"] for name in "abc"))
        now = fleet.system.clock.now()
        for name in "abc":  # all are due again, at once
            held = fleet.system.store.claim_check((name,), lease=fleet.system.claim(), now=now + timedelta(days=1))
            assert held is not None
            [decision] = fleet.system.store.decisions(name, kind="check")
            fleet.system.store.release_check(held, next_check_at=now, decision=decision)
        most = 0
        for _ in range(20):
            fleet.service.look()
            most = max(most, len(fleet.in_hand() & set("abc")))
        assert most == 1


def test_a_worker_that_dies_loses_its_step_and_nothing_else(local: Path) -> None:
    fleetworld.hang(local, "a")
    with fleetworld.at_work(local, workers=1) as fleet:
        fleet.until(lambda: "a" in fleet.in_hand())
        [worker] = [child for child in multiprocessing.active_children() if child.name == "vernal worker"]
        worker.kill()
        fleet.until(lambda: all(fleet.outcomes(name) for name in "abc"))
        [decision] = fleet.system.store.decisions("a", kind="check")
        assert decision.outcome == "error"
        assert decision.reason == "check of a: its worker process ended by SIGKILL (out of memory?)"


def test_a_step_that_takes_longer_than_a_lease_is_not_taken_over(folder: Path) -> None:
    pipe = fleetworld.hang(folder, "a")
    with fleetworld.at_work(folder, lease=timedelta(seconds=1)) as fleet:
        fleet.until(lambda: "a" in fleet.in_hand())
        fence = fleet.system.store.model("a").fence
        before = fleet.system.store.machine_now()
        fleet.until(lambda: fleet.system.store.machine_now() > before + timedelta(seconds=3))
        assert fleet.system.store.claim_check(("a",), lease=fleet.system.claim(), now=fleet.system.clock.now()) is None
        fleetworld.release(pipe)
        fleet.until(lambda: bool(fleet.outcomes("a")))
        assert fleet.system.store.model("a").fence == fence
        assert [step.report.errors for step in fleet.steps if step.report.errors] == []


def test_two_controllers_share_the_work(folder: Path) -> None:
    with fleetworld.at_work(folder, workers=1) as one, fleetworld.at_work(folder, workers=1) as two:
        while not all(one.outcomes(name) for name in "abc"):
            one.service.look()
            two.service.look()
        one.until(lambda: not one.crew.in_hand)
        two.until(lambda: not two.crew.in_hand)
        assert [len(one.outcomes(name)) for name in "abc"] == [1, 1, 1]


def test_what_is_in_hand_is_finished_and_nothing_else_started(local: Path) -> None:
    pipe = fleetworld.hang(local, "a")
    with fleetworld.at_work(local, workers=1) as fleet:
        fleet.until(lambda: "a" in fleet.in_hand())
        fleet.service.finish(seconds=0.0)
        assert fleet.in_hand() == {"a"}
        fleetworld.release(pipe)
        fleet.service.finish(seconds=fleetworld.SECONDS)
        assert fleet.crew.close() == ()
        assert [len(fleet.outcomes(name)) for name in "abc"] == [1, 0, 0]


def test_closing_names_what_it_cuts_off(local: Path) -> None:
    fleetworld.hang(local, "a")
    with fleetworld.at_work(local, workers=1) as fleet:
        fleet.until(lambda: "a" in fleet.in_hand())
        assert [str(job) for job in fleet.crew.close()] == ["check of a"]
        assert [child for child in multiprocessing.active_children() if child.name == "vernal worker"] == []


def test_no_worker_is_started_for_nothing(local: Path) -> None:
    with fleetworld.at_work(local) as fleet:
        fleet.until(lambda: all(fleet.outcomes(name) for name in "abc") and not fleet.system.store.waiting_channels())
        fleet.until(lambda: not fleet.crew.in_hand)
    with fleetworld.at_work(local) as fleet:
        started = fleet.system.clock.now()
        fleet.until(lambda: fleet.system.clock.now() > started + timedelta(seconds=3))
        assert fleet.steps == []
        assert not [one for one in multiprocessing.active_children() if one.name == "vernal worker"]


def test_messages_are_delivered_by_a_worker(local: Path) -> None:
    with fleetworld.at_work(local) as fleet:
        fleet.until(lambda: bool(fleet.outcomes("a")))
        run = retrain(fleet.system, "a", actor="ann", reason="asked")  # it fails, without data, and that is an alert
        sent = local / ".vernal" / "notifications.jsonl"
        fleet.until(lambda: sent.exists() and run.id in sent.read_text())


def test_workers_without_work_end_after_a_while(local: Path) -> None:
    with fleetworld.at_work(local) as fleet:
        fleet.crew._idle_seconds = 0.0
        fleet.until(lambda: all(fleet.outcomes(name) for name in "abc"))
        fleet.until(lambda: not [one for one in multiprocessing.active_children() if one.name == "vernal worker"])


def test_a_store_that_is_away_is_told_and_asked_again(local: Path) -> None:
    with fleetworld.at_work(local) as fleet:
        fleet.system.store.close()
        fleet.until(lambda: len(fleet.complaints) > 1)
        assert all("closed" in complaint for complaint in fleet.complaints)
