"""The whole loop on a real store and lake: what a run does to who is served, and what a person can do about it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from typing_extensions import override

import loopworld
from vernal.act.operations import answer_approval, rollback
from vernal.act.reconcile import tick
from vernal.errors import LakeError, LeaseLostError, NotFoundError, OpenRunError
from vernal.ports import SavedDataset, TrainingState
from vernal.records import Champion, Decision, Phase, Route, Transition
from vernal.testing.fakes import FakeTrainer


@pytest.fixture
def world(tmp_path: Path) -> Iterator[loopworld.World]:
    made = loopworld.build(tmp_path)
    yield made
    made.close()


def champion(world: loopworld.World) -> Champion:
    found = world.system.store.model("m").champion
    assert found is not None
    return found


def route(world: loopworld.World) -> Route:
    found = world.system.store.model("m").route
    assert found is not None
    return found


def first_champion(world: loopworld.World) -> int:
    for day in range(loopworld.HISTORY_DAYS):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    world.retrain()
    tick(world.system)
    return loopworld.HISTORY_DAYS


def live_until(world: loopworld.World, run_id: str, day: int, *phases: Phase) -> int:
    for later in range(day, day + 20):
        if world.system.store.run(run_id).phase in phases:
            return later
        world.live(later)
    message = f"{run_id} is {world.system.store.run(run_id).phase}, never {phases}"
    raise AssertionError(message)


def outcomes(world: loopworld.World, run_id: str) -> list[str]:
    return [decision.outcome for decision in world.system.store.decisions(run_id=run_id)]


def test_the_first_model_serves_at_once_when_it_reaches_the_floor(world: loopworld.World) -> None:
    first_champion(world)
    run = world.system.store.run("m-1")
    state = world.system.store.model("m")
    assert run.phase is Phase.PROMOTED
    assert state.champion is not None
    assert state.champion.version == run.facts.version
    assert state.route is not None
    assert (state.route.champion, state.route.challenger) == (run.facts.version, None)
    assert world.system.store.baseline("m", state.champion.version) is not None
    assert world.system.registry.alias("m", "champion") == state.champion.version


def test_a_better_model_climbs_the_steps_and_becomes_the_champion(world: loopworld.World) -> None:
    day = first_champion(world)
    run_id = world.retrain()
    shares = []
    for later in range(day, day + 8):
        world.live(later)
        shares.append(route(world).share)
    run = world.system.store.run(run_id)
    assert run.phase is Phase.PROMOTED
    assert [share for share, after in pairwise(shares) if share != after] == [0.05, 0.25, 1.0]
    assert outcomes(world, run_id)[:5] == ["requested", "allowed", "built", "trained", "pass"]
    assert champion(world).previous == "1"


def test_a_worse_candidate_is_rejected_and_never_serves(world: loopworld.World) -> None:
    day = first_champion(world)
    world.levels[2] = 4.0
    run_id = world.retrain()
    world.live(day)
    run = world.system.store.run(run_id)
    assert run.phase is Phase.REJECTED
    assert {gate.gate for gate in run.facts.gates} == {"improvement", "floor"}
    assert route(world).challenger is None


def test_a_challenger_that_is_worse_in_production_is_rolled_back_before_full_traffic(world: loopworld.World) -> None:
    day = first_champion(world)
    run_id = world.retrain()
    world.live(day)
    assert world.system.store.run(run_id).phase is Phase.ROLLING_OUT
    world.levels[2] = 40.0
    live_until(world, run_id, day + 1, Phase.ROLLED_BACK)
    run = world.system.store.run(run_id)
    assert "worse by more than the margin" in run.outcome
    assert "advance" not in outcomes(world, run_id)
    assert route(world).challenger is None
    assert champion(world).version == "1"


def test_a_challenger_that_does_not_answer_is_rolled_back_and_the_champion_answers(world: loopworld.World) -> None:
    day = first_champion(world)
    run_id = world.retrain()
    world.live(day)
    del world.levels[2]
    live_until(world, run_id, day + 1, Phase.ROLLED_BACK)
    assert "unanswered" in world.system.store.run(run_id).outcome
    answers = world.system.lake.scan("m", "predictions", columns=("prediction_id", "prediction", "model_version"))
    last = [row for row in answers.to_pylist() if row["prediction_id"].startswith(f"{day + 1}-")]
    assert {row["model_version"] for row in last} == {"1"}
    assert all(row["prediction"] is not None for row in last)


def test_only_one_run_of_a_model_is_open(world: loopworld.World) -> None:
    first_champion(world)
    world.retrain()
    with pytest.raises(OpenRunError):
        world.retrain()


def test_a_second_tick_at_the_same_moment_does_nothing(world: loopworld.World) -> None:
    day = first_champion(world)
    world.retrain()
    world.live(day)
    before = world.system.store.decisions()
    report = tick(world.system)
    assert (report.checks, report.steps, report.errors) == ((), (), ())
    assert world.system.store.decisions() == before


def test_a_person_rolls_back_a_rollout_and_then_the_champion(world: loopworld.World) -> None:
    day = first_champion(world)
    run_id = world.retrain()
    world.live(day)
    rollback(world.system, "m", actor="ann", reason="it smells")
    assert world.system.store.run(run_id).phase is Phase.ROLLED_BACK
    assert "by ann: it smells" in world.system.store.run(run_id).outcome
    with pytest.raises(NotFoundError):
        rollback(world.system, "m", actor="ann", reason="again")
    for never in ("99", "2"):
        with pytest.raises(NotFoundError, match="has never been the champion; these have: 1"):
            rollback(world.system, "m", actor="ann", reason="again", to=never)
    assert champion(world).version == "1"


def test_a_promoted_model_gives_way_to_the_champion_before_it_and_may_come_back(world: loopworld.World) -> None:
    day = first_champion(world)
    run_id = world.retrain()
    live_until(world, run_id, day, Phase.PROMOTED)
    assert champion(world).version == "2"
    rollback(world.system, "m", actor="ann", reason="complaints")
    assert (champion(world).version, route(world).champion) == ("1", "1")
    rollback(world.system, "m", actor="ann", reason="false alarm", to="2")
    assert champion(world).version == "2"


def test_a_rollback_during_a_phase_refuses_the_late_commit(world: loopworld.World) -> None:
    day = first_champion(world)
    world.retrain()
    world.live(day)
    world.clock.set(world.clock.now() + timedelta(hours=12))
    claimed = world.system.store.claim_run(("m",), lease=world.system.claim(), now=world.clock.now())
    assert claimed is not None
    rollback(world.system, "m", actor="ann", reason="now")
    from vernal.act.phases import step

    with pytest.raises(LeaseLostError):
        world.system.store.commit_run(claimed, step(world.system, claimed))


@pytest.mark.parametrize(("approved", "phase"), [(True, Phase.PROMOTED), (False, Phase.REJECTED)])
def test_a_costly_run_waits_for_a_person(tmp_path: Path, approved: bool, phase: Phase) -> None:
    world = loopworld.build(tmp_path, policy=loopworld.POLICY + "approval: {cost_above_usd: 0.5}\n")
    first_champion(world)
    assert world.system.store.run("m-1").phase is Phase.AWAITING_APPROVAL
    answer_approval(world.system, "m-1", approved=approved, actor="bob", note="fine")
    tick(world.system)
    assert world.system.store.run("m-1").phase is phase
    world.close()


def test_an_unanswered_request_for_approval_expires(tmp_path: Path) -> None:
    policy = loopworld.POLICY + "approval: {cost_above_usd: 0.5, expire_after: 2d}\n"
    world = loopworld.build(tmp_path, policy=policy)
    first_champion(world)
    world.clock.advance(timedelta(days=2))
    tick(world.system)
    assert world.system.store.run("m-1").phase is Phase.EXPIRED
    world.close()


def test_a_risky_model_waits_before_its_release(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path, policy=loopworld.POLICY + "risky: true\n")
    first_champion(world)
    assert world.system.store.run("m-1").phase is Phase.AWAITING_RELEASE
    answer_approval(world.system, "m-1", approved=True, actor="bob", note="")
    tick(world.system)
    assert world.system.store.run("m-1").phase is Phase.PROMOTED
    world.close()


class Unending(FakeTrainer):
    """Trains the first model, and then nothing to its end; notes what was stopped."""

    stopped: tuple[str, ...] = ()
    meanwhile: Callable[[], object] | None = None

    @override
    def poll(self, name: str) -> TrainingState:
        found = super().poll(name)
        return TrainingState("running") if found.status == "succeeded" and not name.startswith("m-1.") else found

    @override
    def wait(self, name: str, *, seconds: float) -> TrainingState:
        if self.meanwhile is not None:
            self.meanwhile()
        return self.poll(name)

    @override
    def cancel(self, name: str) -> None:
        self.stopped = (*self.stopped, name)


def unending(root: Path) -> Unending:
    return Unending(root / "jobs", lambda rows, _: loopworld.score(rows["x"], rows["noise"], 0.3))


def test_an_emergency_supersedes_a_run_and_stops_its_training(tmp_path: Path) -> None:
    trainer = unending(tmp_path)
    policy = loopworld.emergency_policy().replace("risky: true\n", "")
    world = loopworld.build(tmp_path, policy=policy, trainer=trainer, patience_seconds=0.0)
    day = first_champion(world)
    world.live(day)
    assert world.system.store.run("m-2").phase is Phase.TRAINING
    world.live(day + 1)
    assert world.system.store.run("m-2").phase is Phase.SUPERSEDED
    assert (world.system.store.run("m-3").trigger, world.system.store.run("m-3").phase) == (
        "performance",
        Phase.TRAINING,
    )
    assert trainer.stopped == ("m-2.0",)
    world.live(day + 2)  # the emergency goes on, and is not superseded by itself
    assert [run.id for run in world.system.store.runs("m", open_only=True)] == ["m-3"]
    (held,) = world.system.store.decisions("m", kind="check", limit=1)
    assert held.outcome == "suppressed"
    assert held.evidence is not None
    assert [one["policy"] for one in held.evidence["policy"]["suppressions"]] == ["open_run"]
    world.close()


def test_a_training_that_is_followed_is_stopped_when_its_run_is_over(tmp_path: Path) -> None:
    trainer = unending(tmp_path)
    world = loopworld.build(tmp_path, trainer=trainer)
    first_champion(world)
    run_id = world.retrain()
    now = world.clock.now()

    def end_it() -> None:
        over = Transition(phase=Phase.CANCELLED, wake_at=now, at=now, facts=world.system.store.run(run_id).facts)
        world.system.store.intervene(run_id, over, actor="ann", expected=tuple(Phase))

    trainer.meanwhile = end_it
    assert any("m-2" in error for error in tick(world.system).errors)
    assert trainer.stopped == ("m-2.0",)
    assert world.system.store.run(run_id).phase is Phase.CANCELLED
    world.close()


def test_runs_in_vain_stop_the_triggers_until_a_person_asks(tmp_path: Path) -> None:
    policy = loopworld.emergency_policy().replace("risky: true\n", "")
    world = loopworld.build(tmp_path, policy=policy.replace("cooldown: 0s", "cooldown: 0s, warm_up: 0"))
    day = first_champion(world)
    world.levels.update(dict.fromkeys(range(2, 9), 3.0))  # no candidate is any good
    for later in range(day, day + 6):
        world.live(later)
    store = world.system.store
    assert [run.phase for run in store.runs("m")] == [Phase.REJECTED] * 3 + [Phase.PROMOTED]
    (last,) = store.decisions("m", kind="check", limit=1)
    assert last.evidence is not None
    (held,) = last.evidence["policy"]["suppressions"]
    until = store.run("m-4").phase_since + timedelta(days=7)
    assert (held["policy"], held["until"]) == ("circuit_breaker", until.isoformat().replace("+00:00", "Z"))
    world.retrain()
    world.live(day + 6)
    assert store.run("m-5").phase is Phase.REJECTED
    world.live(day + 7)
    assert store.run("m-6").trigger == "performance"
    world.close()


def test_a_run_that_the_budget_does_not_allow_is_refused_with_the_sums(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path, policy=loopworld.POLICY + "budget: {monthly_usd: 0.5}\n")
    first_champion(world)
    run = world.system.store.run("m-1")
    assert run.phase is Phase.CANCELLED
    assert "0.00 spent + 1.00 estimated > 0.45 USD" in run.outcome
    world.close()


def test_too_few_rows_end_the_run_and_say_how_many_are_missing(world: loopworld.World) -> None:
    world.log(0)
    world.clock.set(loopworld.START + timedelta(days=1))
    world.retrain()
    tick(world.system)
    run = world.system.store.run("m-1")
    assert run.phase is Phase.FAILED
    assert "expected at least 100" in run.outcome


def test_a_full_disk_is_waited_out_and_the_champion_serves_on(
    world: loopworld.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = first_champion(world)
    save = world.system.datasets.save
    tries = []

    def full(name: str, *, training: pa.Table, holdout: pa.Table) -> SavedDataset:
        tries.append(name)
        if len(tries) < 3:
            raise LakeError("training set: no space left on device")
        return save(name, training=training, holdout=holdout)

    monkeypatch.setattr(world.system.datasets, "save", full)
    run_id = world.retrain()
    live_until(world, run_id, day, Phase.ROLLING_OUT, Phase.SOAKING, Phase.PROMOTED)
    assert outcomes(world, run_id).count("retry") == 2


def test_checks_measure_drift_and_performance_once_a_champion_serves(world: loopworld.World) -> None:
    day = first_champion(world)
    for later in range(day, day + 8):
        world.live(later)
    check = [decision for decision in world.system.store.decisions("m") if decision.kind == "check"][-1]
    assert check.evidence is not None
    evidence = check.evidence["evidence"]
    assert evidence["drift"]["rows"] == 7 * loopworld.ROWS
    assert {feature["feature"] for feature in evidence["drift"]["features"]} == {"x", "noise", "c"}
    assert evidence["performance"]["measure"]["rows"] == 7 * loopworld.ROWS
    assert 0.6 < evidence["performance"]["measure"]["value"] < 0.8


def test_a_fault_of_vernal_in_one_check_is_recorded_and_stops_nothing_else(
    world: loopworld.World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    day = first_champion(world)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("vernal.act.reconcile.check_model", broken)
    run_id = world.retrain()
    world.live(day)
    found = [d for d in world.system.store.decisions("m") if d.kind == "check" and d.outcome == "error"]
    assert found[-1].reason == "ZeroDivisionError: division by zero"
    assert world.system.store.run(run_id).phase is not Phase.REQUESTED
    assert "fault of Vernal itself" in caplog.text
    assert "Traceback" in caplog.text


def test_a_fault_of_vernal_in_a_phase_is_tried_again_and_then_ends_the_run(
    world: loopworld.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = first_champion(world)

    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("vernal.act.reconcile.step", broken)
    run_id = world.retrain()
    live_until(world, run_id, day, Phase.FAILED)
    assert outcomes(world, run_id).count("retry") == 4
    assert world.system.store.run(run_id).outcome.startswith("requested: MemoryError")
    assert champion(world).version == "1"


@pytest.mark.slow
def test_hourly_ticks_and_one_tick_a_day_see_the_same_window(tmp_path: Path) -> None:
    policy = loopworld.POLICY.replace("every: 12h", "every: 1h")
    hourly = loopworld.build(tmp_path / "hourly", policy=policy)
    daily = loopworld.build(tmp_path / "daily")
    windows = []
    for made in (hourly, daily):
        day = first_champion(made)
        for later in range(day, day + 3):
            (made.live_hourly if made is hourly else made.live)(later)
        state = made.system.store.model("m")
        last = [decision for decision in made.system.store.decisions("m") if decision.kind == "check"][-1]
        assert last.evidence is not None
        hours = made.system.store.hour_profiles(
            "m", "1", start=made.clock.now() - timedelta(days=7), end=made.clock.now()
        )
        windows.append((last.at, last.evidence["evidence"]["drift"], [hour.hour for hour in hours]))
        assert state.profiled_version == made.system.lake.version("m", "predictions")
        made.close()
    assert windows[0] == windows[1]
    checks = [d.at for d in loopworld_checks(tmp_path / "hourly", policy)]
    assert len(checks) >= 72
    assert all(after - before == timedelta(hours=1) for before, after in pairwise(checks[-72:]))


def loopworld_checks(root: Path, policy: str) -> list[Decision]:
    made = loopworld.build(root, policy=policy)
    try:
        return [decision for decision in made.system.store.decisions("m") if decision.kind == "check"]
    finally:
        made.close()
