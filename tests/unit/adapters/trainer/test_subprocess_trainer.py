"""Training jobs as real processes: whatever the user's code does, its job ends, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import loopworld
import realworld
from vernal.adapters.models import digest_directory
from vernal.adapters.trainer import SubprocessTrainer
from vernal.adapters.trainer.folder import JobFolder
from vernal.clock import monotonic, pause
from vernal.errors import TrainingError
from vernal.ports import RegisteredVersion, TrainingJob, TrainingState

PATIENCE = 60.0

HANGING = """\
import signal
from pathlib import Path

def train(X, y):
    Path("started").touch()
    signal.pause()
"""
SLOW = """\
import time
from sklearn.linear_model import LogisticRegression

class Slow(LogisticRegression):
    def predict_proba(self, X):
        time.sleep(2.5)
        return super().predict_proba(X[["x"]])

    def predict(self, X):
        return super().predict(X[["x"]])

def train(X, y):
    return Slow().fit(X[["x"]], y)
"""
COUNTING = realworld.GOOD.replace("    return", "    open('trained', 'a').write('once ')\n    return")


@pytest.fixture
def trainer(tmp_path: Path) -> SubprocessTrainer:
    return SubprocessTrainer(tmp_path / "jobs", threads=1)


def ended(trainer: SubprocessTrainer, job: TrainingJob) -> TrainingState:
    trainer.submit(job)
    return trainer.wait(job.name, seconds=PATIENCE)


def await_file(path: Path) -> None:
    deadline = monotonic() + PATIENCE
    while not path.exists():
        assert monotonic() < deadline, f"{path} never came"
        pause(0.02)


def await_lost(trainer: SubprocessTrainer, name: str) -> TrainingState:
    """Wait until the kernel has taken down what a killed worker leaves."""
    deadline = monotonic() + PATIENCE
    while (state := trainer.poll(name)).status == "running":
        assert monotonic() < deadline, f"{name} is still running"
        pause(0.02)
    return state


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_job_leaves_a_verified_artefact_and_a_score_for_every_held_out_row(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    job = realworld.job(tmp_path, "good")
    state = ended(trainer, job)
    assert state.status == "succeeded", state.message
    assert state.result is not None
    assert digest_directory(Path(state.result.artefact)) == state.result.artefact_digest
    scores = pq.ParquetFile(state.result.scores_path).read()
    assert scores["prediction_id"].to_pylist() == pq.ParquetFile(job.holdout).read()["prediction_id"].to_pylist()
    assert scores["score"].null_count == 0
    assert state.result.cpu_seconds > 0
    assert state.result.peak_bytes > 10_000_000
    assert (state.result.importances, state.result.note) == (None, "")  # nobody asked for them


def test_a_job_that_is_asked_to_measures_the_importance_of_each_feature(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    asked = realworld.job(tmp_path, "weighed")._replace(importance_metric="roc_auc")
    first = ended(trainer, asked).result
    again = ended(trainer, asked._replace(name="weighed-again")).result
    assert first is not None
    assert again is not None
    assert first.importances == again.importances == {"x": 1.0, "noise": 0.0, "c": 0.0}


@pytest.mark.slow
def test_a_model_too_slow_for_its_importances_to_be_measured_is_not_lost(tmp_path: Path) -> None:
    job = realworld.job(tmp_path, "slow", SLOW, seconds=28.0)._replace(importance_metric="roc_auc")
    state = ended(SubprocessTrainer(tmp_path / "jobs", allow_pickle=True, threads=1), job)
    assert state.status == "succeeded", state.message
    assert state.result is not None
    assert state.result.importances is None
    assert "permuting 3 features once takes about 8 s of" in state.result.note


def test_a_job_that_was_submitted_twice_runs_once_also_after_its_end(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    job = realworld.job(tmp_path, "twice", COUNTING)
    trainer.submit(job)
    trainer.submit(job)
    first = trainer.wait("twice", seconds=PATIENCE)
    trainer.submit(job)
    assert trainer.poll("twice") == first
    assert first.status == "succeeded", first.message
    assert (tmp_path / "jobs" / "twice" / "trained").read_text() == "once "


@pytest.mark.chaos
def test_a_job_whose_worker_is_killed_is_lost_and_runs_again_under_its_name(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    trainer.submit(realworld.job(tmp_path, "again", HANGING))
    folder = JobFolder.named(tmp_path / "jobs", "again")
    await_file(folder.path / "started")
    worker = folder.holder()
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    state = await_lost(trainer, "again")
    assert (state.status, state.result) == ("lost", None)
    assert "its process is gone and left no result" in state.message
    again = ended(trainer, realworld.job(tmp_path, "again", COUNTING))
    assert again.status == "succeeded", again.message
    assert (folder.path / "trained").read_text() == "once "


def test_a_job_that_is_cancelled_has_failed_and_its_process_is_gone(trainer: SubprocessTrainer, tmp_path: Path) -> None:
    code = HANGING.replace("touch()", "write_text(str(__import__('os').getpid()))")
    trainer.submit(realworld.job(tmp_path, "stop", code))
    started = tmp_path / "jobs" / "stop" / "started"
    await_file(started)
    trainer.cancel("stop")
    state = trainer.poll("stop")
    assert (state.status, state.message) == ("failed", "cancelled")
    assert not alive(int(started.read_text()))


def test_a_job_beyond_its_time_is_ended_with_everything_it_printed_bounded(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    code = "def train(X, y):\n    while True:\n        print('never ending ' * 1000)\n"
    state = ended(trainer, realworld.job(tmp_path, "loud", code, seconds=3.0))
    log = tmp_path / "jobs" / "loud" / "log.txt"
    assert state.status == "failed"
    assert state.message.startswith("not finished after 3 s, the time limit of a training job")
    assert "bytes left out" in log.read_text()
    assert log.stat().st_size < 600_000
    assert len(state.message) < 5_000


def test_a_child_that_detaches_itself_ends_with_its_job(trainer: SubprocessTrainer, tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from sklearn.dummy import DummyClassifier\n"
        "def train(X, y):\n"
        "    reading, writing = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            Path('grandchild').write_text(str(os.getpid()))\n"
        "            os.write(writing, b'.')\n"
        "            while True:\n"
        "                signal.pause()\n"
        "        os._exit(0)\n"
        "    os.read(reading, 1)\n"
        "    return DummyClassifier().fit(X, y)\n"
    )
    state = ended(trainer, realworld.job(tmp_path, "fork", code))
    assert state.status == "succeeded", state.message
    assert not alive(int((tmp_path / "jobs" / "fork" / "grandchild").read_text()))


def test_memory_beyond_the_limit_fails_the_job_and_says_so(trainer: SubprocessTrainer, tmp_path: Path) -> None:
    code = "def train(X, y):\n    return bytearray(4 * 10**9)\n"
    job = realworld.job(tmp_path, "big", code)._replace(memory_limit_bytes=10**9)
    state = ended(trainer, job)
    assert state.status == "failed"
    assert "MemoryError" in state.message


def test_a_feature_that_the_training_set_lacks_is_named_before_anything_is_trained(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    job = realworld.job(tmp_path, "lacks", COUNTING)._replace(features=("x", "altitude"))
    state = ended(trainer, job)
    assert state.status == "failed"
    assert state.message.startswith("training set: columns altitude are missing in")
    assert not (tmp_path / "jobs" / "lacks" / "trained").exists()


def test_infinite_or_missing_labels_fail_the_job_by_name(trainer: SubprocessTrainer, tmp_path: Path) -> None:
    job = realworld.job(tmp_path, "labels", COUNTING)
    rows = loopworld.day_rows(0)
    realworld.write_sets(tmp_path / "sets", rows=rows.assign(label=rows["label"].replace(1.0, float("inf"))))
    state = ended(trainer, job)
    assert state.message.startswith("training set: found the label inf, expected 0 or 1 for a binary model")


def test_a_training_set_that_is_gone_or_damaged_fails_the_job_by_name(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    job = realworld.job(tmp_path, "damaged")
    job.training.write_bytes(b"PAR1 and no more")
    assert ended(trainer, job).message.startswith(f"training set: cannot read {job.training}")


def test_a_champion_that_is_damaged_fails_the_job_before_anything_is_trained(
    trainer: SubprocessTrainer, tmp_path: Path
) -> None:
    first = ended(trainer, realworld.job(tmp_path, "first")).result
    assert first is not None
    artefact = Path(first.artefact)
    realworld.flip_a_byte(artefact / "model.skops")
    champion = RegisteredVersion("7", artefact, first.artefact_digest)
    state = ended(trainer, realworld.job(tmp_path, "second", COUNTING)._replace(champion=champion))
    assert state.message.startswith("version 7: model.skops is changed")
    assert not (tmp_path / "jobs" / "second" / "trained").exists()


def test_a_process_that_ends_itself_leaves_a_reason(trainer: SubprocessTrainer, tmp_path: Path) -> None:
    state = ended(trainer, realworld.job(tmp_path, "exit", "import os\ndef train(X, y):\n    os._exit(3)\n"))
    assert state.status == "failed"
    assert state.message.startswith("the training process ended with exit code 3 before it had stored a model")


def test_a_job_that_nobody_submitted_is_unknown(trainer: SubprocessTrainer) -> None:
    assert trainer.poll("nobody").status == "unknown"


def test_a_name_that_would_leave_the_folder_is_refused(trainer: SubprocessTrainer) -> None:
    with pytest.raises(TrainingError, match="expected a name of letters, digits"):
        trainer.poll("../elsewhere")
