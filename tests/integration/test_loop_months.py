"""Months in the small world with the policy that nobody has set: labels two weeks late, and no labels at all."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import loopworld
from vernal.act.reconcile import tick
from vernal.records import Phase, TriggerKind
from vernal.story import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from vernal.records import Decision, Run

HISTORY = 42
POLICY = """\
model: m
task: binary
code: m.py
label_delay: {delay}
features: {{numerical: [x, noise], categorical: [c]}}
monitoring: {{every: 12h}}
triggers: {{performance: {{threshold: 0.6}}}}
training: {{lookback: all, holdout: 14d, min_rows: 100}}
gates: {{min_improvement: 0.01, floor: 0.6}}
rollout:
  steps: [{{share: 0.05, duration: 1d}}, {{share: 0.25, duration: 1d}}]
  soak: 1d
  score_margin: 0.05
"""

pytestmark = pytest.mark.slow


def begin(root: Path, *, delay: str) -> loopworld.World:
    """Make a world with a champion trained on six weeks, whose labels come after an hour."""
    world = loopworld.build(root, policy=POLICY.format(delay=delay))
    world.levels.update(dict.fromkeys(range(2, 30), world.levels[1]))  # no candidate is better
    for day in range(HISTORY):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=HISTORY))
    world.retrain()
    tick(world.system)
    assert world.system.store.run("m-1").phase is Phase.PROMOTED
    return world


def live(world: loopworld.World, first: int, last: int, change: Callable[[pd.DataFrame], None] | None = None) -> None:
    """Serve days after the history."""
    for day in range(HISTORY + first, HISTORY + last + 1):
        rows = loopworld.day_rows(day)
        if change is not None:
            change(rows)
        world.log_rows(rows, sequence=day)
        world.clock.set(loopworld.START + timedelta(days=day + 1))
        tick(world.system)


def checks(world: loopworld.World, first: int) -> list[Decision]:
    since = loopworld.START + timedelta(days=HISTORY + first)
    return list(world.system.store.decisions("m", kind="check", since=since))


def runs_after(world: loopworld.World, first: int) -> list[Run]:
    since = loopworld.START + timedelta(days=HISTORY + first)
    return [run for run in world.system.store.runs("m") if run.requested_at > since]


def why(world: loopworld.World) -> str:
    story = tell("m", at=world.clock.now(), checks=world.system.store.decisions("m", kind="check"), steps=())
    return "\n".join([story.headline, *(sentence for part in story.paragraphs for sentence in part.sentences)])


@pytest.fixture
def late(tmp_path: Path) -> Iterator[loopworld.World]:
    world = begin(tmp_path / "late", delay="14d")
    world.label_lag = timedelta(days=13)
    yield world
    world.close()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[loopworld.World]:
    world = begin(tmp_path / "silent", delay="1d")
    world.label_lag = None
    yield world
    world.close()


def worthless(rows: pd.DataFrame) -> None:
    """Labels have nothing to do with the features any more, whose distributions stay as they were."""
    labels: np.ndarray = rows["label"].to_numpy()
    rows["label"] = labels[::-1].copy()


def shifted(rows: pd.DataFrame) -> None:
    rows["x"] += 1.5


def test_with_labels_two_weeks_late_quiet_weeks_are_quiet_and_a_change_is_found_when_they_come(
    late: loopworld.World,
) -> None:
    live(late, 0, 30)
    outcomes = Counter(check.outcome for check in checks(late, 1))
    assert set(outcomes) <= {"healthy", "suppressed"}, outcomes
    assert not [run for run in runs_after(late, 1) if run.trigger is not TriggerKind.VOLUME]
    text = why(late)
    assert "On 1,050 predictions whose labels had time to come and came, accuracy was 0." in text
    assert "performance stayed quiet" in text

    live(late, 31, 43, worthless)
    assert not [run for run in runs_after(late, 31) if run.trigger is TriggerKind.PERFORMANCE]
    live(late, 44, 54, worthless)
    (asked, *_) = [run for run in runs_after(late, 31) if run.trigger is TriggerKind.PERFORMANCE]
    assert "accuracy" in asked.reason
    assert asked.requested_at > loopworld.START + timedelta(days=HISTORY + 44)  # the first matured labels of the change
    assert "performance" in why(late)


def test_without_any_labels_the_features_are_watched_and_a_run_says_what_it_lacks(silent: loopworld.World) -> None:
    live(silent, 0, 24)
    assert {check.outcome for check in checks(silent, 10)} == {"healthy"}
    assert not runs_after(silent, 1)
    text = why(silent)
    assert "nothing called for retraining m" in text
    assert "performance could not tell" in text
    assert "drift stayed quiet" in text

    live(silent, 25, 50, shifted)
    outcomes = [check.outcome for check in checks(silent, 25)]
    assert "suppressed" in outcomes[: outcomes.index("requested")]  # first it has to last
    (asked, *_) = reversed(runs_after(silent, 25))
    assert asked.trigger is TriggerKind.DRIFT
    told = silent.system.store.decisions(run_id=asked.id)
    assert asked.phase.terminal
    assert any(asked.outcome in decision.reason for decision in told)
    assert silent.system.store.model("m").champion is not None
    assert len(runs_after(silent, 25)) <= 4  # one that ended in vain is not repeated for ever
