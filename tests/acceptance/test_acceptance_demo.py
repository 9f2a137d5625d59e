"""The demo as a person starts it, for its first two months: a badly installed challenger and what becomes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vernal.act.system import System
from vernal.bootstrap import open_system
from vernal.clock import SimulatedClock
from vernal.demo.command import END
from vernal.records import Phase, Predictions, Run

pytestmark = pytest.mark.slow

DAYS = 60
MODEL = "late_arrival"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "flights"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    words = ["demo", "--dir", str(folder), "--days", str(DAYS), "--fault", "worse-model", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "vernal.cli", *words], check=False, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "day 60 of 60" in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def system(result: dict[str, Any], folder: Path) -> Iterator[System]:
    with open_system(folder, clock=SimulatedClock(END), read_only=True) as opened:
        yield opened


@pytest.fixture
def victim(system: System) -> Run:
    """Return the run whose candidate was installed badly: the first one that met production beside a champion."""
    rollouts = [run for run in reversed(system.store.runs(MODEL)) if run.facts.rollout is not None]
    assert rollouts, "no candidate passed the gates"
    return rollouts[0]


def test_the_result_for_machines_names_months_runs_gain_and_report(result: dict[str, Any], folder: Path) -> None:
    assert {"months", "runs", "mean_gain", "report"} <= result.keys()
    assert [month["month"] for month in result["months"]] == ["2013-02", "2013-03"]
    assert all(0.5 < month[side] < 0.8 for month in result["months"] for side in ("static", "vernal"))
    assert result["report"] == str(folder / "report.html")


def test_the_first_model_is_asked_for_when_january_is_over(result: dict[str, Any]) -> None:
    first = result["runs"][0]
    assert (first["phase"], first["trigger"]) == ("promoted", "manual")
    assert first["requested_at"] == "2013-02-01T05:00:00Z"


def test_the_bad_candidate_passed_every_gate_and_was_rolled_back_before_full_traffic(victim: Run) -> None:
    assert victim.phase is Phase.ROLLED_BACK
    assert all(gate.verdict.passes for gate in victim.facts.gates)
    assert len(victim.facts.gates) == 2
    assert victim.facts.rollout is not None
    assert victim.facts.rollout.step < 2
    assert "worse by more than the margin" in victim.outcome


def test_every_flight_is_answered_once_and_the_bad_candidate_answered_few(system: System, victim: Run) -> None:
    rows = system.lake.scan(MODEL, "predictions", columns=(Predictions.ID, Predictions.VERSION))
    versions = rows[Predictions.VERSION].to_pylist()
    assert len(set(rows[Predictions.ID].to_pylist())) == rows.num_rows
    assert None not in versions[-20_000:]
    assert 0 < versions.count(victim.facts.version) < 0.05 * len(versions)
    route = system.store.model(MODEL).route
    assert route is not None
    assert route.champion != victim.facts.version


def test_the_report_tells_the_fault_and_the_rollback(result: dict[str, Any], victim: Run) -> None:
    page = Path(result["report"]).read_text("utf-8")
    assert "worse-model" in page
    assert victim.id in page
    assert "rolled back to 1" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
