"""How values read, and what reaches a pipe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from vernal.cli.output import Output, aligned
from vernal.cli.text import dollars, due, event, measured, moment, number, one_line, relative, span, traffic
from vernal.records import Decision, Measure, Route

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def route(challenger: str | None = None, share: float = 0.0) -> Route:
    return Route(model="fraud", champion="3", challenger=challenger, share=share, salt="s", updated_at=NOW)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=90), "1.5 h"),
        (timedelta(days=14), "14 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(hours=-2), "2 h"),
    ],
)
def test_a_duration_reads_in_its_largest_unit(duration: timedelta, text: str) -> None:
    assert span(duration) == text


@pytest.mark.parametrize(
    ("away", "text"),
    [(timedelta(hours=3), "in 3 h"), (timedelta(hours=-3), "3 h ago"), (timedelta(milliseconds=400), "now")],
)
def test_a_moment_is_told_as_seen_from_now(away: timedelta, text: str) -> None:
    assert relative(NOW + away, NOW) == text


def test_what_is_late_is_due_now() -> None:
    assert due(NOW - timedelta(days=3), NOW) == "due now"
    assert due(NOW + timedelta(days=3), NOW) == "in 3 d"


def test_what_is_not_known_is_a_dash() -> None:
    assert {moment(None), relative(None, NOW), due(None, NOW), number(None), dollars(None)} == {"-"}


@pytest.mark.parametrize(
    ("usd", "text"), [("12.345", "12.34 USD"), ("0.00003", "0.0000 USD"), ("0.0421", "0.0421 USD"), ("0", "0.00 USD")]
)
def test_small_amounts_keep_their_digits(usd: str, text: str) -> None:
    assert dollars(Decimal(usd)) == text


def test_traffic_names_who_answers_how_much() -> None:
    assert traffic(route()) == "100% version 3"
    assert traffic(route(challenger="4", share=0.05)) == "95% version 3, 5% version 4"
    assert traffic(route(challenger="4", share=0.0)) == "100% version 3"


def test_an_undefined_metric_says_why_once() -> None:
    unknown = Measure(metric="roc_auc", value=None, rows=9, certainty=0.95, note="one class only")
    assert measured(unknown) == "roc_auc undefined: one class only"


def test_a_metric_is_told_with_its_interval() -> None:
    known = Measure(metric="roc_auc", value=0.8, rows=9, lower=0.7, upper=0.9, certainty=0.95)
    assert measured(known) == "roc_auc 0.8000 [0.7000, 0.9000]"


def test_an_event_is_one_line_whatever_its_reason_holds() -> None:
    decision = Decision(model="fraud", at=NOW, kind="check", outcome="healthy", reason="a\nb\x1b[2J\tc")
    assert event(decision) == "2026-03-01 12:00:00 fraud check healthy: a b?[2J c"


def test_a_table_in_a_pipe_is_neither_wrapped_nor_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "because " * 60
    Output(as_json=False).table(("model", "reason"), [["fraud", long], ["churn", "x\ny"]])
    assert capsys.readouterr().out.splitlines() == ["model  reason", f"fraud  {one_line(long)}", "churn  x y"]


def test_columns_are_aligned_and_lines_do_not_end_in_blanks() -> None:
    assert aligned([["a", "bb"], ["ccc", ""]]) == ["a    bb", "ccc"]
    assert aligned([]) == []


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).fields([("champion", "3"), ("drift", ""), ("last", "one\ntwo")])
    assert capsys.readouterr().out == "  champion  3\n  last      one\n            two\n"


def test_json_is_the_only_thing_printed_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.line("for people")
    output.fields([("a", "b")])
    output.table(("a",), [["b"]])
    output.document({"at": NOW, "usd": Decimal("1.20")})
    assert capsys.readouterr().out == '{\n  "at": "2026-03-01T12:00:00Z",\n  "usd": "1.20"\n}\n'


def test_people_see_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.document({"a": 1})
    output.event({"event": "started"}, "watching\nfraud")
    assert capsys.readouterr().out == "watching fraud\n"
