from datetime import UTC, datetime, timedelta

import pytest

from vernal.decide.rollout import Action, Move, next_move
from vernal.records import RolloutEvidence

START = datetime(2013, 3, 1, tzinfo=UTC)
STEP, LIMIT = timedelta(days=3), timedelta(days=7)


def evidence(difference: float | None, lower: float | None, upper: float | None, failing: str = "") -> RolloutEvidence:
    return RolloutEvidence(
        score="brier",
        difference=difference,
        lower=lower,
        upper=upper,
        margin=0.01,
        rows=900,
        blocks=24,
        asked=1000,
        unanswered=0,
        failing=failing,
    )


def move(found: RolloutEvidence, *, after: timedelta) -> Move:
    return next_move(found, step_started_at=START, duration=STEP, hold_limit=LIMIT, now=START + after)


@pytest.mark.parametrize(
    ("found", "after", "action"),
    [
        (evidence(0.001, -0.004, 0.006), STEP, Action.ADVANCE),
        (evidence(0.001, -0.004, 0.006), STEP - timedelta(seconds=1), Action.HOLD),
        (evidence(0.001, -0.012, 0.014), STEP, Action.HOLD),
        (evidence(-0.003, -0.005, -0.001), STEP, Action.HOLD),
        (evidence(-0.020, -0.030, -0.010), timedelta(hours=2), Action.ROLL_BACK),
        (evidence(-0.020, -0.050, 0.001), timedelta(hours=2), Action.HOLD),
        (evidence(-0.005, -0.008, -0.002), timedelta(hours=2), Action.HOLD),
        (evidence(None, None, None), STEP, Action.HOLD),
        (evidence(None, None, None), LIMIT, Action.ROLL_BACK),
        (evidence(-0.003, -0.005, -0.001), LIMIT, Action.ROLL_BACK),
        (evidence(0.001, -0.012, 0.014), LIMIT, Action.ROLL_BACK),
        (evidence(0.001, -0.004, 0.006), LIMIT, Action.ADVANCE),
        (evidence(None, None, None, failing="9 of 10 unanswered"), timedelta(minutes=1), Action.ROLL_BACK),
    ],
)
def test_a_step_advances_only_on_evidence_and_goes_back_at_once_on_harm(
    found: RolloutEvidence, after: timedelta, action: Action
) -> None:
    assert move(found, after=after).action is action


def test_no_evidence_is_never_a_pass_however_long_it_takes() -> None:
    looks = [move(evidence(None, None, None), after=timedelta(hours=hour)).action for hour in range(24 * 7)]
    assert set(looks) == {Action.HOLD}


def test_a_challenger_shown_to_be_slightly_worse_never_advances() -> None:
    actions = {move(evidence(-0.001, -0.0015, -0.0005), after=timedelta(days=day)).action for day in range(30)}
    assert Action.ADVANCE not in actions


def test_the_reason_names_the_numbers_and_what_is_missing() -> None:
    reason = move(evidence(0.001, -0.012, 0.014), after=STEP).reason
    assert reason == "brier difference +0.0010 [-0.0120, +0.0140] (n=900): cannot yet exclude a loss of the margin 0.01"
