"""Conditions of a model, read from what its checks decided: they begin, go on and end once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from vernal.decide.conditions import MANY_ATTEMPTS, conditions_of, messages_about
from vernal.records import Decision, MessageState

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def check(outcome: str = "healthy", *, champion: str | None = "3", quarantined: int = 0, fired: str = "") -> Decision:
    evidence: dict[str, Any] | None = {
        "evidence": {"champion": champion, "quarantined": quarantined},
        "triggers": [{"kind": kind, "fired": kind == fired} for kind in ("performance", "drift")],
    }
    return Decision(
        model="m",
        at=NOON,
        kind="check",
        outcome=outcome,
        reason="why",
        evidence=None if outcome == "error" else evidence,
    )


SUPPRESSED = check("suppressed", fired="performance")


@pytest.mark.parametrize(
    ("decision", "kinds"),
    [
        (check(), []),
        (check("requested", fired="performance"), []),
        (check("error"), ["check-error"]),
        (check("insufficient"), ["insufficient"]),
        (check("insufficient", champion=None), []),
        (SUPPRESSED, ["performance-suppressed"]),
        (check("suppressed", fired="drift"), []),
        (check("insufficient", quarantined=7), ["insufficient", "quarantine"]),
    ],
)
def test_a_check_says_what_is_wrong(decision: Decision, kinds: list[str]) -> None:
    assert list(conditions_of(decision)) == kinds


@pytest.mark.parametrize("kind", ["performance", "estimate"])
def test_a_warning_is_a_condition_while_it_lasts(kind: str) -> None:
    trigger = {"kind": kind, "fired": False, "warning": True, "reason": "0.89 against 0.90"}
    warned = check().evolve(evidence={"evidence": {"champion": "3"}, "triggers": [trigger]})
    condition = conditions_of(warned)[f"{kind}-warning"]

    assert (condition.severity, condition.body) == ("warning", "0.89 against 0.90")
    assert told(warned, check()) == [(f"{kind}-warning", MessageState.RAISED)]
    assert told(check(), warned) == [(f"{kind}-warning", MessageState.RESOLVED)]


def test_a_check_that_keeps_failing_becomes_critical() -> None:
    severities = [conditions_of(check("error"), attempt=n)["check-error"].severity for n in range(1, MANY_ATTEMPTS + 1)]
    assert severities == ["error"] * (MANY_ATTEMPTS - 1) + ["critical"]
    assert "Tried 5 times" in conditions_of(check("error"), attempt=5)["check-error"].body


def told(decision: Decision, *earlier: Decision, said: tuple[str, ...] = ()) -> list[tuple[str, MessageState]]:
    return [(one.kind, one.state) for one in messages_about(decision, earlier, attempt=1, told=said)]


def test_it_begins_goes_on_and_ends() -> None:
    bad = check("insufficient")
    assert told(bad) == [("insufficient", MessageState.RAISED)]
    assert told(bad, check()) == [("insufficient", MessageState.RAISED)]
    assert told(bad, bad) == [("insufficient", MessageState.ONGOING)]
    assert told(check(), bad) == [("insufficient", MessageState.RESOLVED)]
    assert told(check(), check()) == []


def test_a_check_that_failed_saw_neither_the_end_nor_the_beginning_of_anything_else() -> None:
    bad = check("insufficient")
    assert told(check("error"), bad) == [("check-error", MessageState.RAISED)]
    assert told(check("error"), bad, check("error")) == [("check-error", MessageState.ONGOING)]
    assert told(bad, bad, check("error")) == [
        ("check-error", MessageState.RESOLVED),
        ("insufficient", MessageState.ONGOING),
    ]
    assert told(check(), bad, check("error"), check("error")) == [
        ("check-error", MessageState.RESOLVED),
        ("insufficient", MessageState.RESOLVED),
    ]


def test_what_is_told_in_better_words_only_gets_its_end() -> None:
    assert told(check(quarantined=2), said=("quarantine",)) == []
    assert told(check(), check(quarantined=2)) == [("quarantine", MessageState.RESOLVED)]


def test_the_end_says_what_it_was_and_has_an_id_of_its_own() -> None:
    bad = check("insufficient")
    (begin,), (end,) = messages_about(bad, (), attempt=1), messages_about(check(), (bad,), attempt=1)
    assert (end.severity, end.title, end.body) == ("info", "m: there is enough data to judge it again", "It was: why")
    assert len({begin.id, end.id}) == 2
