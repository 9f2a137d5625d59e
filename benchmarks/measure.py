"""Measuring processes: whole ones, side by side, in alternating order.

This module and those that call it import nothing but the standard library. The kernel counts the memory of the parent
when it starts a child as the child's own peak, so a driver that had numpy loaded would hide the smallest peaks.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

SLOW_SECONDS = 100.0
"""A run that takes longer is not repeated: what shakes a measurement by seconds cannot change its place."""

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system tells a peak: Linux counts in KiB."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a case: a command, or the reason why it is not run."""

    name: str
    title: str
    command: tuple[str, ...]
    skip: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Commands that answer the same question about the same data; ratios are to the one named ``against``."""

    scenario: str
    title: str
    against: str
    entries: tuple[Entry, ...]
    rows: int
    reads: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One process from start to end; memory in MB (a million bytes). ``error`` is empty if it ended well."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    answer: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What became of an entry: its runs, or ``outcome`` in words when there is nothing to compare."""

    entry: Entry
    runs: tuple[Run, ...] = ()
    outcome: str = ""

    def medians(self) -> dict[str, float]:
        """Return the median of each quantity over the runs; none without runs or with an outcome in words."""
        if self.outcome or not self.runs:
            return {}
        found = {
            name: median(getattr(run, name) for run in self.runs) for name in ("wall_seconds", "cpu_seconds", "peak_mb")
        }
        inside = [run.answer.get("inside", {}) for run in self.runs]
        return found | {f"inside_{name}": median(part[name] for part in inside) for name in inside[0]}

    @property
    def answer(self) -> dict[str, Any] | None:
        """What the first run printed."""
        return self.runs[0].answer if self.runs and not self.outcome else None


def measure(
    case: Case, *, repetitions: int, limit_seconds: float, logs: Path, progress: Callable[[str], None]
) -> list[Measured]:
    """Run all entries of a case in turn, ``repetitions`` times, every second time backwards."""
    for path in case.reads:
        _warm(path)
    runs: dict[str, list[Run]] = {entry.name: [] for entry in case.entries}
    outcomes = {entry.name: f"not run: {entry.skip}" for entry in case.entries if entry.skip}
    for repetition in range(repetitions):
        for entry in case.entries if repetition % 2 == 0 else reversed(case.entries):
            before = runs[entry.name]
            if entry.name in outcomes or (before and before[0].wall_seconds > SLOW_SECONDS):
                continue
            run = run_once(entry.command, limit_seconds=limit_seconds, log=logs / f"{entry.name}.log")
            if run.error:
                outcomes[entry.name] = run.error
            else:
                before.append(run)
            told = run.error or f"{run.wall_seconds:.2f} s, CPU {run.cpu_seconds:.2f} s, {run.peak_mb:.0f} MB"
            progress(f"{case.scenario}, {case.title}, round {repetition + 1} of {repetitions}: {entry.title}: {told}")
    return [
        Measured(entry=entry, runs=tuple(runs[entry.name]), outcome=outcomes.get(entry.name, ""))
        for entry in case.entries
    ]


def run_once(command: Sequence[str], *, limit_seconds: float, log: Path) -> Run:
    """Run a command to its end and return what it used; standard output is its answer, as JSON in the last line."""
    log.parent.mkdir(parents=True, exist_ok=True)
    output = log.with_suffix(".out")
    with output.open("wb") as out, log.open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        expired = threading.Event()
        timer = threading.Timer(limit_seconds, _stop, (process.pid, expired))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    answer, error = _outcome(process.returncode, output, log)
    if expired.is_set():
        error = f"not finished: stopped after the limit of {limit_seconds:.0f} s"
    return Run(
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss * _PEAK_UNIT / 1e6,
        answer=answer,
        error=error,
    )


def _stop(pid: int, expired: threading.Event) -> None:
    expired.set()
    os.killpg(pid, signal.SIGKILL)


def _outcome(code: int, output: Path, log: Path) -> tuple[dict[str, Any], str]:
    lines = output.read_text(errors="replace").splitlines()
    if code == 0 and lines:
        try:
            answer: dict[str, Any] = json.loads(lines[-1])
        except ValueError:
            return {}, f"failed: printed no answer but {lines[-1][:100]!r}"
        return answer, ""
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return {}, f"failed: {said[-1][:200] if said else how}"


def _warm(path: Path) -> None:
    """Read a file once, so that nobody pays for being the first; in small parts, for the reason given above."""
    with path.open("rb") as file:
        while file.read(1 << 18):
            pass
