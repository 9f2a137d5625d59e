"""Drift in the small world: two windows, features, answers and labels, before and after a change."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import loopworld
from vernal.act.reconcile import tick
from vernal.records import CheckEvidence, DriftEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

PATIENT = loopworld.POLICY.replace("drift: off", "drift: {min_rows: 100, rule: any}")
POLICY = PATIENT + "policy: {consecutive: 1, warm_up: 0, circuit_breaker: off}\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[loopworld.World]:
    made = begin(tmp_path / "w", POLICY)
    yield made
    made.close()


def begin(root: Path, policy: str) -> loopworld.World:
    """Return a world whose first model has just become the champion."""
    made = loopworld.build(root, policy=policy)
    made.levels.update(dict.fromkeys(range(2, 30), made.levels[1]))  # no candidate is better, and all are rejected
    made.retrain()
    for day in range(loopworld.HISTORY_DAYS):
        made.log(day)
    made.clock.set(loopworld.START + timedelta(days=loopworld.HISTORY_DAYS))
    tick(made.system)
    assert made.system.store.model("m").champion is not None
    return made


def live(world: loopworld.World, day: int, change: Callable[[pd.DataFrame], None] | None = None) -> dict[str, Any]:
    """Serve a day, changed, and return what the check at its end decided."""
    rows = loopworld.day_rows(day)
    if change is not None:
        change(rows)
    world.log_rows(rows, sequence=day)
    world.clock.set(loopworld.START + timedelta(days=day + 1))
    tick(world.system)
    (check,) = world.system.store.decisions("m", kind="check", limit=1)
    assert check.evidence is not None
    return check.evidence | {"outcome": check.outcome, "reason": check.reason}


def live_days(
    world: loopworld.World, first: int, last: int, change: Callable[[pd.DataFrame], None] | None = None
) -> dict[str, Any]:
    """Serve days of the world's second part, and return what the last check decided."""
    return [live(world, loopworld.HISTORY_DAYS + day, change) for day in range(first, last + 1)][-1]


def measured(found: dict[str, Any]) -> tuple[DriftEvidence, DriftEvidence]:
    """Return the drift of the day and of the week."""
    evidence = msgspec.convert(found["evidence"], CheckEvidence)
    assert evidence.short_drift is not None
    assert evidence.drift is not None
    return evidence.short_drift, evidence.drift


def scores(drift: DriftEvidence) -> dict[str, float]:
    every = (*drift.features, *drift.answers, *(() if drift.labels is None else (drift.labels,)))
    return {one.feature: one.score for one in every if one.score is not None}


def test_quiet_days_are_held_against_the_same_hours_of_the_week(world: loopworld.World) -> None:
    found = live_days(world, 0, 7)
    short, week = measured(found)
    assert found["outcome"] == "healthy"
    assert short.against == "the training data of the same hours of the week"
    assert week.against == "the training data"
    assert (short.rows, week.rows) == (loopworld.ROWS, 7 * loopworld.ROWS)
    assert set(scores(week)) == {"x", "noise", "c", "prediction", "score", "label"}
    assert set(scores(short)) == {"x", "noise", "c"}
    assert max(scores(week).values()) < 0.1


def test_a_change_overnight_is_seen_on_the_day_that_the_week_still_drowns_it(world: loopworld.World) -> None:
    def shift(rows: pd.DataFrame) -> None:
        rows["x"] += 0.8

    live_days(world, 0, 6)
    short, week = measured(live_days(world, 7, 7, shift))
    assert scores(short)["x"] > 0.3
    assert scores(week)["x"] < 0.1
    assert scores(week)["score"] < 0.1
    _, week = measured(live_days(world, 8, 14, shift))
    assert scores(week)["x"] > 0.3
    assert scores(week)["score"] > 0.1  # what the model answers has moved with what it is asked


def test_labels_that_change_are_label_drift(world: loopworld.World) -> None:
    def turn(rows: pd.DataFrame) -> None:
        rows["label"] = 1.0

    found = live_days(world, 0, 6, turn)
    _, week = measured(found)
    assert scores(week)["label"] > 0.3
    assert "labels drifted" in found["reason"]


def test_after_a_run_the_same_drift_does_not_fire_again(world: loopworld.World) -> None:
    def shift(rows: pd.DataFrame) -> None:
        rows["noise"] += 2.0

    outcomes = [live(world, day, shift)["outcome"] for day in range(loopworld.HISTORY_DAYS, loopworld.HISTORY_DAYS + 2)]
    assert "requested" in outcomes
    assert {window.hours for window in world.system.store.windows("m", "last_run")} == {24, 168}
    live_days(world, 2, 9, shift)
    asked = [run.requested_at for run in world.system.store.runs("m")]
    found = live_days(world, 10, 10, shift)
    short, week = measured(found)
    assert scores(short)["noise"] > 0.3
    assert scores(week)["noise"] > 0.3
    (told,) = [trigger["reason"] for trigger in found["triggers"] if trigger["kind"] == "drift"]
    assert told.count("but none also from the window of the last run") == 2
    assert [run.requested_at for run in world.system.store.runs("m")] == asked


def test_counting_checks_are_counted_by_whatever_process_makes_them(tmp_path: Path) -> None:
    def shift(rows: pd.DataFrame) -> None:
        rows["noise"] += 2.0

    world = begin(tmp_path / "w", PATIENT + "policy: {warm_up: 0}\n")
    outcomes = []
    for day in range(loopworld.HISTORY_DAYS, loopworld.HISTORY_DAYS + 4):
        found = live(world, day, shift)
        outcomes.append((found["outcome"], [streak["count"] for streak in found["policy"]["streaks"]]))
        at = world.clock.now()
        world.close()
        world = loopworld.build(tmp_path / "w", policy=PATIENT + "policy: {warm_up: 0}\n", at=at)
        world.levels[2] = world.levels[1]
    world.close()
    assert outcomes[:3] == [("suppressed", [1]), ("suppressed", [2]), ("requested", [])]
