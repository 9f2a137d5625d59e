"""A challenger in production, as the command line shows it and takes it back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import loopworld
from commandline import Vernal, document
from vernal.clock import SimulatedClock

DAYS = loopworld.HISTORY_DAYS


@pytest.fixture
def rolling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project whose run ``m-2`` has served its first step for half a day."""
    world = loopworld.build(tmp_path / "rolling")
    for day in range(DAYS):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=DAYS))
    world.retrain()
    world.live(DAYS)
    world.retrain()
    world.live(DAYS + 1)
    now = world.clock.now() + timedelta(hours=12)
    world.close()
    monkeypatch.setattr("vernal.bootstrap.SystemClock", lambda: SimulatedClock(now))
    return world.root


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_rollout_is_shown_with_its_step_and_what_comes_next(rolling: Path, vernal: Vernal) -> None:
    told = document(vernal("rollout", "m", "--json", "--project", rolling))
    assert (told["run"], told["phase"], told["champion"], told["challenger"]) == ("m-2", "rolling_out", "1", "2")
    assert (told["step"], told["steps"], told["share"]) == (1, 3, 0.05)
    assert told["since"] < told["earliest"] < told["latest"]
    assert told["next"]["move"] == "hold"
    assert told["next"]["reason"]


def test_a_rollout_reads_in_words(rolling: Path, vernal: Vernal) -> None:
    lines = vernal("rollout", "m", "--project", rolling).stdout.splitlines()
    assert lines[0] == "m-2: rolling_out, step 1 of 3"
    assert lines[1].split(maxsplit=1) == [
        "traffic",
        "5% of the entities are answered by version 2, the others by version 1",
    ]
    assert any(line.strip().startswith("next look") for line in lines)


def test_looking_at_a_rollout_changes_nothing(rolling: Path, vernal: Vernal) -> None:
    before = content(rolling)
    assert vernal("rollout", "m", "--project", rolling).exit_code == 0
    assert vernal("check", "m", "--project", rolling).exit_code == 0
    assert content(rolling) == before


def test_a_status_shows_who_answers_how_much(rolling: Path, vernal: Vernal) -> None:
    told = vernal("status", "--project", rolling).stdout
    assert "95% version 1, 5% version 2" in told
    assert "m-2 rolling_out" in told


def test_a_rollback_takes_all_traffic_from_the_challenger(rolling: Path, vernal: Vernal) -> None:
    told = document(vernal("rollback", "m", "--reason", "it smells", "--json", "--project", rolling))
    assert (told["run"]["id"], told["run"]["phase"]) == ("m-2", "rolled_back")
    assert "it smells" in told["run"]["outcome"]
    assert told["champion"]["version"] == "1"
    assert (told["route"]["champion"], told["route"]["challenger"]) == ("1", None)
    assert document(vernal("rollout", "m", "--json", "--project", rolling))["run"] is None
    assert "its last run, m-2, is rolled_back" in vernal("rollout", "m", "--project", rolling).stdout
