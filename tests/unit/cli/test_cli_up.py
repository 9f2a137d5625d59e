"""The controller as a process: it starts, notices what has changed, and stops when it is asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

import loopworld

SECONDS = 120

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Return a function that starts a controller; whatever still runs after the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def up(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vernal.cli", "up", "--longest-sleep", "0.2", *options]
        process = subprocess.Popen(
            command, cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
        )
        started.append(process)
        return process

    yield up
    for process in started:
        process.kill()
        process.communicate()


def lines_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def until(process: subprocess.Popen[str], event: str) -> list[dict[str, Any]]:
    """Read events up to the first of a kind; a process that ends before fails the test."""
    found = []
    for line in lines_of(process):
        found.append(json.loads(line))
        if found[-1]["event"] == event:
            return found
    message = f"ended without {event}: {found}"
    raise AssertionError(message)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_asked(number: signal.Signals, start: Start) -> None:
    process = start("--json")
    (first, *_) = until(process, "started")
    assert first == {"event": "started", "models": ["m"]}
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events[-1] == "stopped"
    assert events.count("stopped") == 1


def test_it_tells_what_it_decided(start: Start) -> None:
    process = start("--json")
    told = until(process, "decision")[-1]
    assert (told["model"], told["kind"]) == ("m", "check")
    assert told["reason"]


def test_people_read_one_line_per_event(start: Start) -> None:
    process = start()
    assert lines_of(process).readline() == "watching m\n"
    assert " m check " in lines_of(process).readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_changed_files_are_used_once_they_are_valid(start: Start, project: Path) -> None:
    process = start("--json")
    until(process, "started")
    (project / "m.yaml").write_text(loopworld.POLICY.replace("task: binary", "task: guess"))
    refused = until(process, "error")[-1]
    assert refused["message"].startswith("the changed files are not used: m.yaml:2: task: ")
    (project / "n.yaml").write_text(loopworld.POLICY.replace("model: m", "model: n"))
    (project / "m.yaml").write_text(loopworld.POLICY)
    (project / "vernal.yaml").write_text("project: loop\nmodels: [m.yaml, n.yaml]\n")
    # The files change one by one; the controller may read them again in between.
    while until(process, "started")[-1]["models"] != ["m", "n"]:
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
