"""The worker of one training job: ``python -m vernal.adapters.trainer.worker FOLDER``.

It starts a child that runs the user's code, collects what that prints, holds it to its limits, ends everything it
started, and writes the result last. It imports nothing heavy. Killing it kills the job, which then counts as lost.
"""

from __future__ import annotations

import argparse
import os
import resource
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vernal.adapters.trainer.folder import Ending, JobFolder, Order, write_atomically
from vernal.adapters.trainer.local import CANCELLED
from vernal.adapters.trainer.log import BoundedLog, last_lines
from vernal.adapters.trainer.processes import (
    MARK,
    adopt_orphans,
    descendants,
    end_descendants,
    kill_group,
    kill_marked,
    memory_of,
)
from vernal.clock import monotonic
from vernal.errors import TrainingError
from vernal.records import TrainingResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_LOOK_SECONDS = 0.05
_MEMORY_SECONDS = 0.25
_CHUNK = 65_536
_KILOBYTE: Final = 1024 if sys.platform == "linux" else 1
"""Bytes in the unit of ``ru_maxrss``."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS", "LOKY_MAX_CPU_COUNT")


class _Stopped(BaseException):
    """The worker itself was asked to go: the job is lost, to be started again."""


def main(arguments: Sequence[str]) -> int:
    """Work on the job in a folder, unless somebody else does or it has ended; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vernal.adapters.trainer.worker", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lock", type=int, help="file descriptor that holds the lock already")
    options = parser.parse_args(arguments)
    folder = JobFolder(options.folder.absolute())
    lock = folder.try_lock() if options.lock is None else options.lock
    if lock is None or folder.result_path.exists():
        return 0
    os.set_inheritable(lock, False)  # noqa: FBT003 - positional in the standard library
    folder.sign(lock)
    signal.signal(signal.SIGTERM, _stop)
    try:
        ending = _work(folder)
    except _Stopped:
        return 1
    write_atomically(folder.result_path, ending.to_json())
    return 0


class _Watch:
    """Follows the child: its output, its time, its memory."""

    def __init__(self, folder: JobFolder, order: Order, child: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._order = order
        self._child = child
        self._started = monotonic()
        self._memory_due = self._started
        self._log = BoundedLog(folder.log_path)
        self.peak_bytes = 0

    @property
    def seconds(self) -> float:
        """Machine seconds since the child was started."""
        return monotonic() - self._started

    def follow(self) -> str | None:
        """Wait until the child ends by itself (``None``) or has to be ended, for the reason returned."""
        with selectors.DefaultSelector() as selector:
            if self._child.stdout is not None:
                os.set_blocking(self._child.stdout.fileno(), False)
                selector.register(self._child.stdout, selectors.EVENT_READ)
            while True:
                if selector.get_map():
                    for key, _ in selector.select(_LOOK_SECONDS):
                        if not self._read():
                            selector.unregister(key.fileobj)
                else:
                    self._await_end()
                if self._child.poll() is not None:
                    return None
                reason = self._must_end()
                if reason is not None:
                    return reason

    def finish(self) -> None:
        """Take what is left in the pipe once every writer has ended."""
        while self._read():
            pass
        self._log.close()

    def _read(self) -> bool:
        """Move output to the log; false at its end or, after the end of every writer, when there is no more."""
        if self._child.stdout is None:
            return False
        try:
            data = os.read(self._child.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        self._log.write(data)
        return bool(data)

    def _await_end(self) -> None:
        try:
            self._child.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return

    def _must_end(self) -> str | None:
        if self._folder.asked_to_stop:
            return CANCELLED
        limit = self._order.time_limit_seconds
        if self.seconds > limit:
            return f"not finished after {limit:g} s, the time limit of a training job"
        allowed = self._order.memory_limit_bytes
        if allowed is None or monotonic() < self._memory_due:
            return None
        self._memory_due = monotonic() + _MEMORY_SECONDS
        used = memory_of(descendants(os.getpid()), above=allowed)
        self.peak_bytes = max(self.peak_bytes, used)
        if used > allowed:
            return f"used {_gigabytes(used)} of memory, more than the limit of {_gigabytes(allowed)}"
        return None


def _work(folder: JobFolder) -> Ending:
    try:
        order = folder.order()
    except TrainingError as error:
        return Ending(status="failed", message=str(error))
    kill_marked(folder.path)
    folder.clear()
    adopt_orphans()
    child = subprocess.Popen(
        [sys.executable, "-m", "vernal.adapters.trainer.child", str(folder.path), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        cwd=folder.path,
        env=_environment(folder, order),
    )
    watch = _Watch(folder, order, child)
    try:
        reason = watch.follow()
    finally:
        wall = watch.seconds
        if child.poll() is None:
            kill_group(child.pid)
            child.wait()
        end_descendants()
        watch.finish()
    return _ending(folder, child.returncode, reason, wall, watch.peak_bytes)


def _ending(folder: JobFolder, code: int, reason: str | None, wall: float, peak_bytes: int) -> Ending:
    outcome = folder.outcome()
    if reason is None and outcome is not None and not outcome.message:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = TrainingResult(
            artefact=str(folder.artefact_path),
            artefact_digest=outcome.artefact_digest,
            scores_path=str(folder.scores_path),
            wall_seconds=wall,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=max(peak_bytes, usage.ru_maxrss * _KILOBYTE),
            code_digest=outcome.code_digest,
            importances=outcome.importances,
            note=outcome.note,
        )
        return Ending(status="succeeded", result=result)
    if reason == CANCELLED:
        return Ending(status="failed", message=CANCELLED)
    message = reason or (outcome.message if outcome is not None else _departure(code))
    tail = last_lines(folder.log_path)
    return Ending(status="failed", message=f"{message}\nLast lines of {folder.log_path}:\n{tail}" if tail else message)


def _departure(code: int) -> str:
    """Say how a child ended that could not say so itself."""
    if code >= 0:
        return f"the training process ended with exit code {code} before it had stored a model"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hints = {"SIGKILL": ", perhaps by the kernel for lack of memory", "SIGXCPU": ", its limit of processor time"}
    return f"the training process was ended by {name}{hints.get(name, '')}"


def _environment(folder: JobFolder, order: Order) -> dict[str, str]:
    """Return the child's environment: this process's, with the folder's mark and what numerical libraries look at."""
    environment = dict(os.environ)
    # Threads that spin while they wait starve everything else on a busy machine.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if order.threads is not None:
        environment |= dict.fromkeys(_THREADS, str(order.threads))
    return environment | {
        MARK: str(folder.path),
        "PYTHONFAULTHANDLER": "1",  # a crash in native code leaves its stack in the log
        "PYTHONHASHSEED": str(order.seed % 2**32),
        "PYTHONUNBUFFERED": "1",  # what was printed before a kill is kept
    }


def _gigabytes(size: int) -> str:
    return f"{size / 10**9:.2f} GB"


def _stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; the way out must not be interrupted
    raise _Stopped


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
