"""What the operating system knows about a job's processes, and how to end all of them.

On Linux everything that a job starts stays a descendant of its worker, even what detaches itself, and nothing survives
the worker. Elsewhere only the process group of a job that is stopped is ended, and memory is limited by the kernel
alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from vernal.clock import pause

MARK = "VERNAL_TRAINING_JOB"
"""Environment variable that names the job's folder to everything that the job starts."""

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36
_ROUNDS = 200


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process as soon as its parent, with the given process id, is gone."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before the kernel was asked
        os._exit(1)


def descendants(pid: int) -> list[int]:
    """Return the process ids of everything below a process, parents first."""
    found: list[int] = []
    queue = [pid]
    while queue:
        children = [int(child) for file in _children_files(queue.pop()) for child in _read(file).split()]
        found += children
        queue += children
    return found


def memory_of(pids: list[int], *, above: int) -> int:
    """Return the bytes of memory that processes occupy together.

    Pages that processes share are counted once when it matters: where a first, quick sum lies above a limit.
    """
    quick = sum(_resident_bytes(pid) for pid in pids)
    return quick if quick <= above else sum(_proportional_bytes(pid) for pid in pids)


def end_descendants() -> None:
    """Kill everything below this process and wait for its end. Only for a process that owns all of its children."""
    for _ in range(_ROUNDS):
        for pid in descendants(os.getpid()):
            _kill(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        pause(0.005)


def kill_group(leader: int) -> None:
    """Kill a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def kill_marked(folder: Path) -> None:
    """Kill what is left of a job whose worker was killed: processes that carry the job's mark."""
    mark = f"{MARK}={folder}".encode()
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                _kill(int(process.name))


def data_bytes() -> tuple[int, int]:
    """Return how many bytes of private memory this process has asked for, and how many it occupies."""
    status = dict(line.split(":", 1) for line in _read(_PROC / "self" / "status").splitlines() if ":" in line)
    return _kilobytes(status.get("VmData", "0 kB")), _kilobytes(status.get("VmRSS", "0 kB"))


def _children_files(pid: int) -> list[Path]:
    try:
        return [thread / "children" for thread in (_PROC / str(pid) / "task").iterdir()]
    except OSError:
        return []


def _resident_bytes(pid: int) -> int:
    fields = _read(_PROC / str(pid) / "statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _proportional_bytes(pid: int) -> int:
    lines = _read(_PROC / str(pid) / "smaps_rollup").splitlines()
    return next((_kilobytes(line[4:]) for line in lines if line.startswith("Pss:")), 0)


def _kilobytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:  # the process has ended, or this is not Linux
        return ""


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
