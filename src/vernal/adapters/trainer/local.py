"""Training jobs as detached processes of this machine, each in a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from vernal.adapters.trainer.folder import Ending, JobFolder, order_for, write_atomically
from vernal.adapters.trainer.processes import kill_marked
from vernal.clock import monotonic, pause
from vernal.errors import TrainingError
from vernal.ports import TrainingState

if TYPE_CHECKING:
    from pathlib import Path

    from vernal.ports import TrainingJob

CANCELLED: Final = "cancelled"
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 10.0
"""How long a worker may take to stop its job before it is killed."""

_workers: dict[int, subprocess.Popen[bytes]] = {}
"""Workers that this process has started and not yet seen the end of; they outlive the trainer that started them."""


class SubprocessTrainer:
    """Runs each job in processes of its own, with limits on time and memory.

    A job's *worker* (:mod:`vernal.adapters.trainer.worker`) watches a child that runs the user's code. It is detached:
    the job goes on when this process ends, and any trainer with the same root finds it by its name. The worker holds a
    lock on the job's folder from before it starts to its end, so a job runs at most once at a time.

    Parameters
    ----------
    root
        Folder of the jobs' folders, ``<root>/<name>``, on a local disk.
    allow_pickle
        Whether models that cannot be stored safely may be pickled, and a pickled champion loaded.
    threads
        Processor threads that numerical libraries may use per job; as many as they choose by default.
    """

    def __init__(self, root: Path, *, allow_pickle: bool = False, threads: int | None = None) -> None:
        self._root = root.absolute()
        self._allow_pickle = allow_pickle
        self._threads = threads

    def submit(self, job: TrainingJob) -> None:
        """Start the job unless it runs already or has ended; a lost job is started again.

        Raises
        ------
        TrainingError
            If the worker cannot be started.
        """
        _reap()
        folder = JobFolder.named(self._root, job.name)
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            lock = folder.try_lock()
            if lock is None:
                return
            try:
                if not folder.result_path.exists():
                    folder.place(order_for(job, allow_pickle=self._allow_pickle, threads=self._threads))
                    _start_worker(folder, lock)
            finally:
                os.close(lock)  # the worker has its own copy, which keeps the lock
        except OSError as error:
            message = f"training job {job.name}: cannot be started in {folder.path}: {error}"
            raise TrainingError(message, hint="Check the folder's permissions and the free space.") from error

    def poll(self, name: str) -> TrainingState:
        """Return where the job stands, without waiting.

        Raises
        ------
        TrainingError
            If the job's result is damaged.
        """
        _reap()
        folder = JobFolder.named(self._root, name)
        locked = folder.locked()  # asked first: a worker writes the result before it lets go of the lock
        ending = folder.ending()
        if ending is not None:
            return TrainingState(ending.status, ending.message, ending.result)
        if locked:
            return TrainingState("running")
        if not folder.order_path.exists():
            return TrainingState("unknown")
        return TrainingState("lost", f"training job {name}: its process is gone and left no result in {folder.path}")

    def cancel(self, name: str) -> None:
        """Stop the job and everything it started, and wait until it has stopped; it then counts as failed.

        Nothing happens if it is not running.
        """
        folder = JobFolder.named(self._root, name)
        if not folder.locked() or folder.result_path.exists():
            return
        folder.ask_to_stop()
        if _until_unlocked(folder, _STOP_SECONDS):
            return
        worker = folder.holder()
        if worker is not None:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)  # it holds the lock, so the number is still its own; its child follows
        _until_unlocked(folder, _STOP_SECONDS)
        kill_marked(folder.path)
        if folder.ending() is None:
            write_atomically(folder.result_path, Ending(status="failed", message=CANCELLED).to_json())

    def wait(self, name: str, *, seconds: float) -> TrainingState:
        """Return as soon as the job has ended, at the latest after that many machine seconds."""
        deadline = monotonic() + seconds
        while True:
            state = self.poll(name)
            left = deadline - monotonic()
            if state.status != "running" or left <= 0:
                return state
            pause(min(_LOOK_SECONDS, left))


def _start_worker(folder: JobFolder, lock: int) -> None:
    command = [sys.executable, "-m", "vernal.adapters.trainer.worker", str(folder.path), "--lock", str(lock)]
    with (folder.path / "worker.log").open("wb") as trouble:
        worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=trouble,
            stderr=trouble,
            pass_fds=(lock,),
            start_new_session=True,
            cwd=folder.path,
            env=os.environ | {"PYTHONSAFEPATH": "1"},
        )
    _workers[worker.pid] = worker


def _reap() -> None:
    """Let go of workers that have ended, so that they do not stay behind as zombies."""
    for pid, worker in list(_workers.items()):
        if worker.poll() is not None:
            _workers.pop(pid, None)


def _until_unlocked(folder: JobFolder, seconds: float) -> bool:
    deadline = monotonic() + seconds
    while folder.locked():
        _reap()
        if monotonic() > deadline:
            return False
        pause(_LOOK_SECONDS)
    return True
