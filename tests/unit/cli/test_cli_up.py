"""The controller as a process: it starts, notices what has changed, and stops when it is asked to."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

import fleetworld
import loopworld
from commandline import Vernal
from vernal.clock import monotonic, pause

SECONDS = 120

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Return a function that starts a controller; whatever still runs after the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def up(*options: str) -> subprocess.Popen[str]:
        listen = () if "--listen" in options else ("--listen", "off")
        command = [sys.executable, "-m", "vernal.cli", "up", "--longest-sleep", "0.2", *listen, *options]
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


def address_of(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Return where a controller says that it listens."""
    told: str = until(process, "listening")[-1]["address"]
    host, _, port = told.rpartition(":")
    return host, int(port)


def ask(address: tuple[str, int], path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found


def stop(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def test_probes_are_answered(start: Start) -> None:
    process = start("--json", "--listen", "127.0.0.1:0")
    address = address_of(process)
    until(process, "started")
    assert ask(address, "/healthz")[1]["alive"] is True
    assert ask(address, "/readyz") == (200, {"ready": True, "problems": {}})


def test_it_is_not_ready_while_the_files_are_wrong(start: Start, project: Path) -> None:
    process = start("--json", "--listen", "127.0.0.1:0")
    address = address_of(process)
    until(process, "started")
    (project / "m.yaml").write_text(loopworld.POLICY.replace("task: binary", "task: guess"))
    until(process, "error")
    status, found = ask(address, "/readyz")
    assert status == 503
    assert found["problems"]["project"].startswith("m.yaml:2: task: ")
    assert ask(address, "/healthz")[0] == 200


def test_it_listens_nowhere_when_that_is_asked_for(start: Start) -> None:
    process = start("--json", "--listen", "off")
    assert [event["event"] for event in until(process, "started")] == ["started"]


def test_an_address_that_was_asked_for_and_is_taken_ends_it(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("--json", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (1, "")
    assert "cannot be listened on" in json.loads(err)["error"]["message"]


@pytest.mark.parametrize("address", ["9464", "localhost:http"])
def test_what_is_no_address_is_a_wrong_command_line(address: str, vernal: Vernal, project: Path) -> None:
    told = vernal("up", "--project", project, "--listen", address)
    assert told.exit_code == 2
    assert "HOST:PORT" in told.stderr


def test_a_step_longer_than_the_limit_is_ended(start: Start, project: Path) -> None:
    fleetworld.hang(project, "m")
    process = start("--json", "--step-limit", "1")
    told = until(process, "decision")[-1]
    assert told["outcome"] == "error"
    assert told["reason"] == "check of m: it hung: stopped after 1 s without a result"


def test_a_step_at_hand_is_finished_before_it_stops(start: Start, project: Path) -> None:
    pipe = fleetworld.hang(project, "m")
    process = start("--json", "--grace", str(SECONDS), "--listen", "127.0.0.1:0")
    address = address_of(process)
    _wait_for(lambda: bool(ask(address, "/healthz")[1]["in_hand"]))
    process.send_signal(signal.SIGTERM)
    _wait_for(lambda: "stopping" in ask(address, "/readyz")[1]["problems"])
    fleetworld.release(pipe)
    told = [event["event"] for event in stop_reading(process)]
    assert told[-2:] == ["decision", "stopped"]


def test_a_step_that_outlasts_the_grace_is_cut_off(start: Start, project: Path) -> None:
    fleetworld.hang(project, "m")
    process = start("--json", "--grace", "0", "--listen", "127.0.0.1:0")
    address = address_of(process)
    _wait_for(lambda: bool(ask(address, "/healthz")[1]["in_hand"]))
    assert "check of m" in stop(process)[-1]["cut_off"]


def test_as_many_steps_as_there_are_workers_are_at_hand(start: Start, project: Path) -> None:
    fleetworld.write(project, "a", "b", "c", "m")
    for name in "abcm":
        fleetworld.hang(project, name)
    process = start("--json", "--workers", "3", "--grace", "0", "--listen", "127.0.0.1:0")
    address = address_of(process)
    _wait_for(lambda: sum("check" in job["step"] for job in ask(address, "/healthz")[1]["in_hand"]) == 3)
    assert len(stop(process)[-1]["cut_off"]) == 3


@pytest.mark.chaos
@pytest.mark.slow
def test_a_worker_does_not_outlive_a_controller_that_was_killed(start: Start, project: Path) -> None:
    fleetworld.hang(project, "m")
    process = start("--json", "--listen", "127.0.0.1:0")
    address = address_of(process)
    _wait_for(lambda: bool(ask(address, "/healthz")[1]["in_hand"]))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    process.kill()
    process.wait()
    _wait_for(lambda: not any(runs(int(child)) for child in children))


def runs(pid: int) -> bool:
    """Tell whether a process does anything any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def metrics_of(address: tuple[str, int], *, token: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_metrics_count_what_was_done(start: Start) -> None:
    process = start("--json", "--listen", "127.0.0.1:0", "--workers", "3")
    address = address_of(process)
    until(process, "decision")
    status, page = metrics_of(address)
    assert status == 200
    assert 'vernal_checks_total{model="m",outcome=' in page
    assert "vernal_workers_limit 3.0" in page
    assert "vernal_store_up 1.0" in page


def test_metrics_ask_for_the_token_that_is_set(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERNAL_METRICS_TOKEN", "s3cret")
    process = start("--json", "--listen", "127.0.0.1:0")
    address = address_of(process)
    assert metrics_of(address)[0] == 401
    assert metrics_of(address, token="s3cret")[0] == 200
    assert ask(address, "/healthz")[0] == 200


@pytest.mark.parametrize(("options", "status"), [((), 403), (("--open-metrics",), 200)])
def test_metrics_are_not_shown_to_a_network_unless_that_is_asked_for(
    start: Start, options: tuple[str, ...], status: int
) -> None:
    process = start("--json", "--listen", "0.0.0.0:0", *options)
    _, port = address_of(process)
    assert metrics_of(("127.0.0.1", port))[0] == status


def stop_reading(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def _wait_for(reached: Callable[[], bool]) -> None:
    started = monotonic()
    while not reached():
        assert monotonic() - started < SECONDS
        pause(0.05)


def test_workers_write_log_lines_as_the_controller_was_told(project: Path) -> None:
    command = [sys.executable, "-m", "vernal.cli", "--log-format", "json", "--log-level", "info", "up", "--json"]
    process = subprocess.Popen(
        [*command, "--listen", "off"], cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(process, "decision")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=SECONDS)
    lines = [json.loads(line) for line in err.splitlines()]
    [line] = [line for line in lines if line.get("event") == "check"]
    assert (line["model"], line["level"]) == ("m", "info")
