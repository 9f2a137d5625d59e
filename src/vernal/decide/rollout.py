"""The next move of a rollout: advance, hold or roll back.

The evidence is a confidence sequence, valid at every look, so looking often costs nothing. A challenger shown to be
worse by any amount never advances; one shown to be worse by more than the margin goes back at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vernal.records import RolloutEvidence


class Action(StrEnum):
    """What to do with the rollout."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLL_BACK = "roll back"


class Move(NamedTuple):
    """An action, its reason, and until when nothing changes unless the evidence does."""

    action: Action
    reason: str


def next_move(
    evidence: RolloutEvidence, *, step_started_at: datetime, duration: timedelta, hold_limit: timedelta, now: datetime
) -> Move:
    """Judge one step of a rollout.

    Parameters
    ----------
    evidence
        The difference challenger - champion so far, positive when the challenger is better, with its band.
    step_started_at, duration
        The step advances no earlier than ``step_started_at + duration``.
    hold_limit
        How long the step may last; a step still undecided then is rolled back.
    """
    band = _band(evidence)
    if evidence.failing:
        return Move(Action.ROLL_BACK, f"the challenger fails to answer: {evidence.failing}")
    known = evidence.difference is not None and evidence.lower is not None and evidence.upper is not None
    if known and _surely_below(evidence, 0.0) and _below(evidence, -evidence.margin):
        return Move(Action.ROLL_BACK, f"{band}: worse by more than the margin {evidence.margin:g}")
    waited = now - step_started_at
    if waited >= duration and known and _surely_above(evidence, -evidence.margin):
        if not _surely_below(evidence, 0.0):
            return Move(Action.ADVANCE, f"{band}: not worse than the margin {evidence.margin:g}")
        held = f"{band}: shown to be worse, though by less than the margin {evidence.margin:g}"
    elif not known:
        held = f"{band}: no evidence yet" + (f" ({evidence.note})" if evidence.note else "")
    elif waited < duration:
        held = f"{band}: the step lasts until {step_started_at + duration:%Y-%m-%d %H:%M} UTC"
    else:
        held = f"{band}: cannot yet exclude a loss of the margin {evidence.margin:g}"
    if waited >= hold_limit:
        return Move(Action.ROLL_BACK, f"{held}; undecided for {_days(waited)}, limit {_days(hold_limit)}")
    return Move(Action.HOLD, held)


def _surely_below(evidence: RolloutEvidence, limit: float) -> bool:
    return evidence.upper is not None and evidence.upper < limit


def _surely_above(evidence: RolloutEvidence, limit: float) -> bool:
    return evidence.lower is not None and evidence.lower > limit


def _below(evidence: RolloutEvidence, limit: float) -> bool:
    return evidence.difference is not None and evidence.difference < limit


def _band(evidence: RolloutEvidence) -> str:
    if evidence.difference is None or evidence.lower is None or evidence.upper is None:
        return f"{evidence.score} difference unknown (n={evidence.rows})"
    band = f"[{evidence.lower:+.4f}, {evidence.upper:+.4f}]"
    return f"{evidence.score} difference {evidence.difference:+.4f} {band} (n={evidence.rows})"


def _days(duration: timedelta) -> str:
    return f"{duration / timedelta(days=1):.3g} d"
