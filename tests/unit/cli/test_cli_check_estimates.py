"""What a person sees of a model whose performance is only estimated, and of a warning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vernal.cli.check import _answer, _measured
from vernal.cli.status import _warnings
from vernal.records import (
    CheckEvidence,
    Decision,
    EstimatedPerformance,
    Measure,
    PerformanceEvidence,
    TriggerResult,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MEASURE = Measure(metric="accuracy", value=0.87, rows=1200, lower=0.84, upper=0.9, certainty=0.95)
ESTIMATED = EstimatedPerformance(
    window_start=NOON - timedelta(days=1),
    window_end=NOON,
    measure=MEASURE,
    method="cbpe",
    sampling_error=0.01,
    calibration_error=0.01,
    fitted_on=3000,
    blind_to="concept drift",
)


def seen(*, labelled: int) -> dict[str, str]:
    live = PerformanceEvidence(
        window_start=NOON, window_end=NOON, measure=MEASURE, issued=2000, labelled=labelled, drawn=200, sampled=150
    )
    evidence = CheckEvidence(
        model="m", at=NOON, champion="1", new_rows=0, quarantined=0, performance=live, estimated=ESTIMATED
    )
    return dict(_measured(evidence))


def test_the_estimate_stands_beside_the_live_metric_and_says_what_it_cannot_see() -> None:
    told = seen(labelled=1000)["estimated"]
    assert told == (
        "accuracy 0.8700 [0.8400, 0.9000]; 1200 predictions without labels since 2026-02-28 12:00 UTC; "
        "blind to concept drift"
    )


def test_without_labels_it_is_said_to_be_all_there_is() -> None:
    assert seen(labelled=0)["estimated"].endswith("; no labels have come, so this is all there is to go by")


def test_how_many_drawn_predictions_were_answered_is_shown() -> None:
    assert "150 of 200 drawn ones answered" in seen(labelled=1000)["performance"]


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, "quiet"),
        ({"warning": True}, "warning"),
        ({"fired": True}, "fired"),
        ({"sufficient": False}, "insufficient"),
    ],
)
def test_a_warning_is_an_answer_of_its_own(changes: dict[str, bool], answer: str) -> None:
    result = TriggerResult(kind="performance", fired=False, sufficient=True, reason="")
    assert _answer(result.evolve(**changes)) == answer


def test_the_status_tells_what_the_last_check_warned_of() -> None:
    quiet = TriggerResult(kind="drift", fired=False, sufficient=True, reason="calm").to_dict()
    warned = TriggerResult(kind="estimate", fired=False, sufficient=True, reason="low", warning=True).to_dict()
    check = Decision(
        model="m", at=NOON, kind="check", outcome="healthy", reason="", evidence={"triggers": [quiet, warned]}
    )
    assert _warnings(check) == ["estimate: low"]
    assert _warnings(None) == []
    assert _warnings(check.evolve(evidence=None)) == []
