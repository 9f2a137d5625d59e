"""The whole loop around the user's own code, run in real processes: whatever `train` does, the champion serves on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

import loopworld
import realworld
from vernal.act.reconcile import tick
from vernal.adapters.trainer import SubprocessTrainer
from vernal.adapters.trainer.folder import JobFolder
from vernal.clock import pause
from vernal.errors import DigestMismatchError
from vernal.ports import TrainingJob, TrainingState
from vernal.records import Phase, Run

NO_PREDICT = "def train(X, y):\n    return {'a': 'dict'}\n"
RAISES = "def train(X, y):\n    raise ValueError('the moon is full')\n"
LACKS_A_COLUMN = "def train(X, y):\n    return X['altitude']\n"
HANGS = "import signal\ndef train(X, y):\n    signal.pause()\n"
CONSTANT = """\
from sklearn.dummy import DummyClassifier

def train(X, y):
    return DummyClassifier().fit(X, y)
"""
BROKEN = "def train(X, y)\n    return None\n"


class Hasty(SubprocessTrainer):
    """Gives no job more than a few seconds."""

    @override
    def submit(self, job: TrainingJob) -> None:
        super().submit(job._replace(time_limit_seconds=2.0))


class Damaging(SubprocessTrainer):
    """Flips a byte of every artefact that comes out of a job."""

    @override
    def wait(self, name: str, *, seconds: float) -> TrainingState:
        state = super().wait(name, seconds=seconds)
        if state.result is not None:
            realworld.flip_a_byte(Path(state.result.artefact) / "model.skops")
        return state


class Killing(SubprocessTrainer):
    """Kills the worker of every job as often as it is told to."""

    def __init__(self, root: Path, *, times: int) -> None:
        super().__init__(root, threads=1)
        self._folders = root
        self._left = times

    @override
    def submit(self, job: TrainingJob) -> None:
        super().submit(job)
        if self._left:
            self._left -= 1
            folder = JobFolder.named(self._folders, job.name)
            while (worker := folder.holder()) is None:
                pause(0.01)
            os.kill(worker, signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopworld.World]:
    """One project whose first model serves; every test asks it for another run, which ends within the test."""
    world = realworld.build(tmp_path_factory.mktemp("jobs"))
    realworld.promote_first(world)
    yield world
    world.close()


@pytest.fixture
def world(shared: loopworld.World) -> Iterator[loopworld.World]:
    system = shared.system
    yield shared
    shared.system = system
    realworld.write_code(shared, realworld.GOOD)


def told(world: loopworld.World, run: Run) -> str:
    """Return what a person was told about the end of a run."""
    lines = (world.root / "sent.jsonl").read_text().splitlines()
    bodies = [message["body"] for message in map(json.loads, lines) if message["run_id"] == run.id]
    return str(bodies[-1])


def test_the_champion_knows_which_features_matter_to_it(world: loopworld.World) -> None:
    champion = world.system.store.model("m").champion
    assert champion is not None
    assert champion.importances == {"x": 1.0, "noise": 0.0, "c": 0.0}


class Noting(SubprocessTrainer):
    """Notes by which metric each job is asked to measure importances."""

    asked: list[str | None]

    @override
    def submit(self, job: TrainingJob) -> None:
        self.asked = [*getattr(self, "asked", []), job.importance_metric]
        super().submit(job)


@pytest.mark.parametrize(("switch", "asked"), [("true", "roc_auc"), ("false", None)])
def test_importances_can_be_switched_off(tmp_path: Path, switch: str, asked: str | None) -> None:
    policy = loopworld.POLICY.replace("min_rows: 100", f"min_rows: 100, importance: {switch}")
    trainer = Noting(tmp_path / "jobs", threads=1)
    world = loopworld.build(tmp_path, policy=policy, trainer=trainer)
    realworld.write_code(world, RAISES)
    for day in range(loopworld.HISTORY_DAYS):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    world.retrain()
    tick(world.system)
    world.close()
    assert trainer.asked == [asked]


def test_a_run_says_why_the_importances_of_its_candidate_are_unknown(world: loopworld.World) -> None:
    realworld.write_code(world, CONSTANT)
    run = realworld.finish(world, world.retrain())
    assert run.facts.training is not None
    assert run.facts.training.importances is None
    (trained,) = [one for one in world.system.store.decisions(run_id=run.id) if one.outcome == "trained"]
    assert "importances of the features stay unknown: roc_auc does not get worse" in trained.reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (RAISES, "m.py: `train` raised ValueError: the moon is full (m.py, line 2)"),
        (NO_PREDICT, "m.py: `train` returned a dict without `predict`, expected a fitted model with it"),
        (LACKS_A_COLUMN, "m.py: `train` raised KeyError: 'altitude' (m.py, line 2)"),
        (BROKEN, "m.py: importing it raised SyntaxError: expected ':' (m.py, line 1)"),
    ],
)
def test_code_that_gives_no_model_fails_its_run_with_the_reason_and_the_champion_serves_on(
    world: loopworld.World, code: str, reason: str
) -> None:
    realworld.write_code(world, code)
    run = realworld.finish(world, world.retrain())
    assert run.phase is Phase.FAILED
    assert run.outcome.startswith(reason)
    assert told(world, run).startswith(reason)
    assert realworld.served(world) == {"1"}


def test_code_that_hangs_is_ended_at_its_limit_and_the_champion_serves_on(world: loopworld.World) -> None:
    world.system = replace(world.system, trainer=Hasty(world.root / "jobs", threads=1))
    realworld.write_code(world, HANGS)
    run = realworld.finish(world, world.retrain())
    assert run.phase is Phase.FAILED
    assert "not finished after 2 s, the time limit" in run.outcome
    assert realworld.served(world) == {"1"}


def test_a_missing_code_file_fails_the_run_and_names_the_file(world: loopworld.World) -> None:
    code = world.root / "m.py"
    code.unlink()
    run = realworld.finish(world, world.retrain())
    assert run.phase is Phase.FAILED
    assert f"{code}: no such file" in run.outcome
    assert realworld.served(world) == {"1"}


@pytest.mark.chaos
@pytest.mark.parametrize(("times", "phase"), [(1, Phase.REJECTED), (3, Phase.FAILED)])
def test_a_job_that_is_killed_is_started_again_a_few_times_and_the_champion_serves_on(
    world: loopworld.World, times: int, phase: Phase
) -> None:
    world.system = replace(world.system, trainer=Killing(world.root / "jobs", times=times))
    run = realworld.finish(world, world.retrain())
    outcomes = [decision.outcome for decision in world.system.store.decisions(run_id=run.id)]
    assert run.phase is phase, run.outcome  # a candidate as good as the champion is no improvement
    assert outcomes.count("restarted") == min(times, 2)
    assert ("vanished 3 times" in run.outcome) == (phase is Phase.FAILED)
    assert realworld.served(world) == {"1"}


def test_a_candidate_that_is_damaged_before_it_is_registered_never_gets_a_version(world: loopworld.World) -> None:
    world.system = replace(world.system, trainer=Damaging(world.root / "jobs", threads=1))
    before = world.system.registry.versions("m")
    run = realworld.finish(world, world.retrain())
    assert run.phase is Phase.FAILED
    assert "model.skops is changed" in run.outcome
    assert world.system.registry.versions("m") == before
    assert realworld.served(world) == {"1"}


def test_a_damaged_champion_ends_the_run_is_never_loaded_and_serves_from_memory(world: loopworld.World) -> None:
    assert realworld.served(world) == {"1"}
    stored = world.system.registry.fetch("m", "1").artefact / "model.skops"
    realworld.flip_a_byte(stored)
    try:
        run = realworld.finish(world, world.retrain())
        assert run.phase is Phase.FAILED
        assert "m version 1: model.skops is changed" in run.outcome
        assert "a damaged one is never loaded" in run.outcome
        assert realworld.served(world) == {"1"}
        with pytest.raises(DigestMismatchError, match=r"model\.skops is changed"):
            realworld.served(world, realworld.new_server(world))
    finally:
        realworld.flip_a_byte(stored)


@pytest.mark.slow
def test_a_challenger_that_is_damaged_on_disk_gets_no_answer_in_and_is_rolled_back(tmp_path: Path) -> None:
    world = realworld.build(tmp_path)
    realworld.promote_first(world, realworld.WEAK)
    realworld.write_code(world, realworld.GOOD)
    run_id = world.retrain()
    assert realworld.finish(world, run_id).phase is Phase.ROLLING_OUT
    realworld.flip_a_byte(world.system.registry.fetch("m", "2").artefact / "model.skops")
    for day in range(loopworld.HISTORY_DAYS, loopworld.HISTORY_DAYS + 4):
        assert realworld.served(world) == {"1"}
        world.live(day)
    run = world.system.store.run(run_id)
    assert run.phase is Phase.ROLLED_BACK
    assert "unanswered" in run.outcome
    assert realworld.served(world) == {"1"}
    world.close()
