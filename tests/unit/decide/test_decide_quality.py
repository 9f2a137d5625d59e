"""A check that saw only what was left of its rows does not call the model fine."""

from __future__ import annotations

import pytest

from vernal.decide.quality import held_against
from vernal.records import QualityEvidence, RuleCount, Ruling

HEALTHY = Ruling(outcome="healthy", reason="drift: none of 2 features drifted")


def arrived(accepted: int, refused: int) -> QualityEvidence:
    by = (RuleCount(rule="x: expected at least 0", rows=refused),) if refused else ()
    return QualityEvidence(rows=accepted + refused, accepted=accepted, refused=refused, refused_by=by)


def test_a_check_whose_rows_were_largely_refused_is_insufficient_and_says_why() -> None:
    found = held_against(HEALTHY, arrived(40, 60), max_refused_share=0.5)
    assert found == Ruling(
        outcome="insufficient",
        reason="60 of 100 arriving rows were refused (refused share 0.6 > max_refused_share 0.5), most often "
        "x: expected at least 0; drift: none of 2 features drifted",
    )


@pytest.mark.parametrize(("accepted", "refused"), [(0, 0), (100, 0), (50, 50)])
def test_up_to_the_limit_the_verdict_stands(accepted: int, refused: int) -> None:
    assert held_against(HEALTHY, arrived(accepted, refused), max_refused_share=0.5) is HEALTHY


@pytest.mark.parametrize("outcome", ["requested", "suppressed", "insufficient"])
def test_a_verdict_that_is_not_healthy_stands(outcome: str) -> None:
    ruling = Ruling(outcome=outcome, reason="because")
    assert held_against(ruling, arrived(0, 10), max_refused_share=0.5) is ruling
