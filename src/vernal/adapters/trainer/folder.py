"""A training job's folder: what is asked for, who works on it, and what came out."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vernal.clock import monotonic, pause
from vernal.errors import TrainingError
from vernal.ports import RegisteredVersion, TrainingJob
from vernal.records import Record, TrainingResult

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@-]*")
_PROBE_SECONDS = 0.2
"""How long to try for a lock that another process may only be looking at."""


class Order(Record, frozen=True, kw_only=True):
    """A job as it lies in its folder: paths are absolute, and the trainer's own settings go with it."""

    name: str
    code: str
    training: str
    holdout: str
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    task: str
    champion: tuple[str, str, str] | None
    time_limit_seconds: float
    memory_limit_bytes: int | None
    seed: int
    importance_metric: str | None
    allow_pickle: bool
    threads: int | None

    @property
    def champion_version(self) -> RegisteredVersion | None:
        """The registered version to score beside the new model."""
        if self.champion is None:
            return None
        version, artefact, digest = self.champion
        return RegisteredVersion(version, Path(artefact), digest)


class Outcome(Record, frozen=True, kw_only=True):
    """What the process that ran the user's code says about it; ``message`` is empty when it succeeded."""

    message: str = ""
    artefact_digest: str = ""
    code_digest: str = ""
    importances: dict[str, float] | None = None
    note: str = ""


class Ending(Record, frozen=True, kw_only=True):
    """How a job ended, for good."""

    status: str
    message: str = ""
    result: TrainingResult | None = None


class JobFolder:
    """The files of one job.

    ``lock`` is locked as long as somebody works on the job; ``result.json`` is written last, so a job without a result
    and without a holder of the lock was lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.order_path = path / "job.json"
        self.result_path = path / "result.json"
        self.outcome_path = path / "outcome.json"
        self.log_path = path / "log.txt"
        self.artefact_path = path / "artefact"
        self.scores_path = path / "scores.parquet"
        self._lock_path = path / "lock"
        self._cancel_path = path / "cancel"

    @classmethod
    def named(cls, root: Path, name: str) -> JobFolder:
        """Return the folder of a job.

        Raises
        ------
        TrainingError
            If the name is not one that a folder may have.
        """
        if not _NAME.fullmatch(name):
            raise TrainingError(f"training job {name!r}: expected a name of letters, digits and any of . _ : @ -")
        return cls(root / name)

    # Who works on it
    def try_lock(self) -> int | None:
        """Lock the job and return the file descriptor that holds the lock, ``None`` while somebody else does.

        The lock belongs to the descriptor and to whoever inherits it; it ends when the last of them is gone, however.
        """
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = monotonic() + _PROBE_SECONDS
        while not _flock(descriptor, fcntl.LOCK_EX):
            if monotonic() > deadline:
                os.close(descriptor)
                return None
            pause(0.01)
        os.ftruncate(descriptor, 0)
        return descriptor

    def locked(self) -> bool:
        """Tell whether somebody works on the job."""
        try:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def sign(self, lock: int) -> None:
        """Write the holder's process id into the lock."""
        os.pwrite(lock, str(os.getpid()).encode(), 0)

    def holder(self) -> int | None:
        """Return the process id in the lock; it means something only while the job is locked."""
        with suppress(OSError, ValueError):
            return int(self._lock_path.read_text())
        return None

    def ask_to_stop(self) -> None:
        """Ask whoever works on the job to stop it."""
        self._cancel_path.touch()

    @property
    def asked_to_stop(self) -> bool:
        """Whether somebody asked to stop the job."""
        return self._cancel_path.exists()

    # What is in it
    def place(self, order: Order) -> None:
        """Write what is asked for, and forget an earlier wish to stop. Call it with the lock held."""
        self._cancel_path.unlink(missing_ok=True)
        write_atomically(self.order_path, order.to_json())

    def order(self) -> Order:
        """Return what is asked for.

        Raises
        ------
        TrainingError
            If ``job.json`` is missing or damaged.
        """
        try:
            return Order.from_json(self.order_path.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise TrainingError(f"training job {self.path.name}: cannot read {self.order_path}: {error}") from error

    def outcome(self) -> Outcome | None:
        """Return what the process with the user's code wrote; ``None`` if it did not get that far."""
        with suppress(OSError, msgspec.DecodeError):
            return Outcome.from_json(self.outcome_path.read_bytes())
        return None

    def ending(self) -> Ending | None:
        """Return how the job ended, ``None`` as long as it has not.

        Raises
        ------
        TrainingError
            If ``result.json`` is damaged.
        """
        try:
            return Ending.from_json(self.result_path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            message = f"training job {self.path.name}: cannot read {self.result_path}: {error}"
            raise TrainingError(message, hint="Remove the job's folder to train again.") from error

    def clear(self) -> None:
        """Remove what an earlier, lost try has left."""
        for path in (self.outcome_path, self.scores_path, self.log_path):
            path.unlink(missing_ok=True)
        for path in (self.artefact_path, *self._half_written()):
            shutil.rmtree(path, ignore_errors=True)

    def _half_written(self) -> Iterator[Path]:
        return self.path.glob(f".{self.artefact_path.name}.*")


def order_for(job: TrainingJob, *, allow_pickle: bool, threads: int | None) -> Order:
    """Return a job in the form in which it is kept."""
    champion = job.champion
    return Order(
        name=job.name,
        code=str(job.code.absolute()),
        training=str(job.training.absolute()),
        holdout=str(job.holdout.absolute()),
        features=job.features,
        categorical=job.categorical,
        task=job.task,
        champion=None if champion is None else (champion.version, str(champion.artefact.absolute()), champion.digest),
        time_limit_seconds=job.time_limit_seconds,
        memory_limit_bytes=job.memory_limit_bytes,
        seed=job.seed,
        importance_metric=job.importance_metric,
        allow_pickle=allow_pickle,
        threads=threads,
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there completely or not at all, also after a power cut."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
