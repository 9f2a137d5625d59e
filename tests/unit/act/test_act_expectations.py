"""Rows are held against what the model's file expects: refused with what was found, or counted and let in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernal.act.refused import Why
from vernal.act.screening import Screened, screen
from vernal.act.tally import Tally
from vernal.records import NewColumn, NullShare, QualityEvidence, RuleCount
from vernal.spec import QualitySpec

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(hours=1)
FEATURES = {"x": "numerical", "c": "categorical"}
UTC_TIME = pa.timestamp("us", tz="UTC")


def predictions(count: int = 4, **changes: object) -> pa.Table:
    columns: dict[str, Any] = {
        "prediction_id": [f"p{n}" for n in range(count)],
        "event_time": pa.array([NOON] * count, UTC_TIME),
        "received_time": pa.array([NOON] * count, UTC_TIME),
        "model_version": ["1"] * count,
        "prediction": [1.0] * count,
        "score": [0.5] * count,
        "x": [float(n) for n in range(count)],
        "c": ["a"] * count,
    }
    return pa.table(columns | changes)


def labels(values: list[float]) -> pa.Table:
    ids = [f"p{n}" for n in range(len(values))]
    return pa.table({"prediction_id": ids, "label": values, "event_time": pa.array([NOON] * len(values), UTC_TIME)})


def quality(*expectations: dict[str, Any], **others: object) -> QualitySpec:
    return QualitySpec.model_validate({"expectations": list(expectations), **others})


def screened(rows: pa.Table, asked: QualitySpec, *, kind: str = "predictions", task: str = "binary") -> Screened:
    return screen(kind, rows, features=FEATURES, task=task, now=NOW, quality=asked)


def evidence(*batches: Screened, kind: str = "predictions") -> QualityEvidence:
    tally = Tally()
    for batch in batches:
        tally.add(kind, batch)
    return tally.report().quality


@pytest.mark.parametrize(
    ("expectation", "changes", "why"),
    [
        (
            {"column": "x", "min": 0},
            {"x": [0.0, -3.0, 1.0, 2.0]},
            ("x: expected at least 0", "x: got -3, expected at least 0"),
        ),
        (
            {"column": "x", "max": 2.5},
            {"x": [2.5, 2.75, 1.0, 2.0]},
            ("x: expected at most 2.5", "x: got 2.75, expected at most 2.5"),
        ),
        (
            {"column": "x", "max": 9},
            {"x": [0.0, np.inf, 1.0, 2.0]},
            ("x: expected at most 9", "x: got inf, expected at most 9"),
        ),
        (
            {"column": "x", "allowed_values": [1, 2]},
            {"x": [1, 3, 2, None]},
            ("x: expected one of 1, 2", "x: got 3, expected one of 1, 2"),
        ),
        (
            {"column": "c", "allowed_values": ["DE", 1, True]},
            {"c": ["DE", "FR", "1", "true"]},
            ("c: expected one of DE, 1, true", "c: got FR, expected one of DE, 1, true"),
        ),
        (
            {"column": "c", "allowed_values": list("abcdefg")},
            {"c": ["a", "z", None, "g"]},
            ("c: expected one of a, b, c, d, e and 2 more", "c: got z, expected one of a, b, c, d, e and 2 more"),
        ),
        (
            {"column": "c", "pattern": "[A-Z]{2}"},
            {"c": ["DE", "DEU", None, "FR"]},
            ("c: expected to match [A-Z]{2}", "c: got DEU, expected to match [A-Z]{2}"),
        ),
        ({"column": "x", "not_null": True}, {"x": [1.0, np.nan, 1.0, 2.0]}, ("x: found none, expected a value",) * 2),
        ({"column": "c", "not_null": True}, {"c": ["a", "", "b", "c"]}, ("c: found none, expected a value",) * 2),
        (
            {"column": "score", "not_null": True},
            {"score": [0.1, None, 0.1, 0.2]},
            ("score: found none, expected a value",) * 2,
        ),
        (
            {"column": "score", "max": 0.9},
            {"score": [0.1, 0.95, 0.1, 0.2]},
            ("score: expected at most 0.9", "score: got 0.95, expected at most 0.9"),
        ),
    ],
)
def test_a_row_that_breaks_an_expectation_is_refused_with_what_was_found_or_counted_and_let_in(
    expectation: dict[str, Any], changes: dict[str, Any], why: tuple[str, str]
) -> None:
    rows = predictions(**changes)
    refusing = screened(rows, quality(expectation))
    assert (refusing.whys, refusing.places.tolist(), refusing.rows.num_rows) == ((Why(*why),), [1], 3)
    assert refusing.refused["prediction_id"].to_pylist() == ["p1"]
    warning = screened(rows, quality({**expectation, "action": "warn"}))
    assert (warning.whys, warning.rows.num_rows) == ((), 4)
    assert warning.findings.warned == {why[0]: 1}


def test_labels_are_held_against_what_is_expected_of_them_and_features_do_not_matter_there() -> None:
    asked = quality({"column": "label", "max": 100}, {"column": "x", "min": 0})
    found = screened(labels([1.0, 101.0]), asked, kind="labels", task="regression")
    assert found.whys == (Why("label: expected at most 100", "label: got 101, expected at most 100"),)


def test_rows_logged_before_there_is_a_champion_owe_no_answer() -> None:
    answers = [None, None, 1.0, 1.0]
    rows = predictions(prediction=answers, score=answers, model_version=[None, None, "1", "1"])
    asked = quality({"column": "prediction", "not_null": True}, {"column": "score", "not_null": True})
    assert screened(rows, asked).whys == ()


def test_a_refused_row_is_counted_by_its_first_fault_only_and_never_as_a_warning() -> None:
    rows = predictions(x=[-5.0, 1.0, 2.0, 3.0], score=[7.0, 0.5, 0.5, 0.5])
    asked = quality({"column": "x", "min": 0}, {"column": "x", "min": 2, "action": "warn"})
    found = screened(rows, asked)
    assert [why.rule for why in found.whys] == ["score: expected a probability from 0 to 1"]
    assert found.findings.warned == {"x: expected at least 2": 1}


def test_an_id_whose_first_row_is_refused_enters_with_its_second() -> None:
    rows = predictions(prediction_id=["a", "a", "b", "b"], x=[-1.0, 1.0, 2.0, 3.0])
    found = screened(rows, quality({"column": "x", "min": 0}))
    assert found.rows["x"].to_pylist() == [1.0, 2.0]
    assert found.findings.repeated == 1


@given(st.lists(st.floats() | st.none(), min_size=1, max_size=40), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_limits_hold_exactly_for_every_number(values: list[float | None], low: float, width: float) -> None:
    high = low + width
    rows = predictions(len(values), x=pa.array(values, pa.float64()))
    found = screened(rows, quality({"column": "x", "min": low, "max": high}))
    inside = [value is None or value != value or low <= value <= high for value in values]  # noqa: PLR0124 - NaN
    assert found.rows.num_rows == sum(inside)
    assert found.places.tolist() == [row for row, fits in enumerate(inside) if not fits]


# Batches


@pytest.mark.parametrize(("nulls", "refused"), [(10, 0), (11, 100)])
def test_a_batch_with_too_many_nulls_is_refused_whole(nulls: int, refused: int) -> None:
    rows = predictions(100, x=[None] * nulls + [1.0] * (100 - nulls))
    found = screened(rows, quality({"column": "x", "max_null_share": 0.1}))
    assert len(found.whys) == refused
    if refused:
        assert found.whys[0] == Why(
            "x: expected at most 0.1 of a batch without value",
            "x: got 0.11 of 100 rows, expected at most 0.1 of a batch without value",
        )


def test_a_small_batch_is_not_refused_for_its_nulls_and_a_warning_never_refuses() -> None:
    small = screened(predictions(99, x=[None] * 99), quality({"column": "x", "max_null_share": 0.1}))
    assert small.whys == ()
    warned = quality({"column": "x", "max_null_share": 0.1, "action": "warn"})
    assert screened(predictions(100, x=[None] * 100), warned).whys == ()


def test_the_share_of_nulls_is_told_over_all_batches_of_a_check() -> None:
    asked = quality({"column": "x", "max_null_share": 0.25}, {"column": "c", "max_null_share": 0.5})
    batches = [screened(predictions(4, x=[None, None, 1.0, 1.0]), asked), screened(predictions(4), asked)]
    assert evidence(*batches).null_shares == ()
    batches.append(screened(predictions(2, x=[None, None]), asked))
    assert evidence(*batches).null_shares == (NullShare(column="x", share=0.4, limit=0.25, rows=10),)


def test_columns_that_the_model_does_not_know_are_told_with_their_type_unless_they_are_ignored() -> None:
    rows = predictions(3).append_column("basket", pa.array([1, 2, 3])).append_column("request", pa.array(["a"] * 3))
    found = screened(rows, quality(ignored_columns=["request"]))
    assert found.findings.new_columns == {"basket": "int64"}
    assert evidence(found, found).new_columns == (
        NewColumn(table="predictions", column="basket", type="int64", rows=6),
    )
    assert "basket" not in found.rows.column_names


def test_new_columns_of_labels_and_of_refused_batches_are_told_too() -> None:
    marked = labels([1.0]).append_column("annotator", pa.array(["ana"]))
    assert screened(marked, quality(), kind="labels").findings.new_columns == {"annotator": "string"}
    renamed = predictions().rename_columns([("amount" if name == "x" else name) for name in predictions().column_names])
    found = screened(renamed, quality())
    assert (found.rows.num_rows, found.findings.new_columns) == (0, {"amount": "double"})


@pytest.mark.parametrize("encoded", [False, True])
def test_numbers_that_come_as_texts_are_read_and_told(encoded: bool) -> None:
    texts = pa.array(["1.5", "many", "2", None])
    found = screened(predictions(x=texts.dictionary_encode() if encoded else texts), quality())
    assert found.rows["x"].to_pylist() == [1.5, 2.0, None]
    assert found.findings.warned == {"x: numbers that came as texts": 3}


# Time


def received(*delays: timedelta) -> pa.Table:
    times = pa.array([NOON - timedelta(days=100) + delay for delay in delays], UTC_TIME)
    events = pa.array([NOON - timedelta(days=100)] * len(delays), UTC_TIME)
    return predictions(len(delays), event_time=events, received_time=times)


def test_late_rows_are_counted_and_those_beyond_the_limit_are_refused() -> None:
    rows = received(timedelta(hours=1), timedelta(days=1), timedelta(days=2), timedelta(days=10), timedelta(days=11))
    found = screened(rows, quality())
    assert (found.rows.num_rows, found.findings.late) == (5, 3)
    assert screened(rows, quality(late_after="2d")).findings.late == 2
    limited = screened(rows, quality(max_lateness="10d"))
    assert (limited.rows.num_rows, limited.findings.late) == (4, 2)
    assert [why.rule for why in limited.whys] == ["received_time: expected within 10d of the event"]


def test_a_row_without_time_of_receipt_came_now() -> None:
    rows = received(*[timedelta(0)] * 2).drop_columns(["received_time"])
    assert screened(rows, quality()).findings.late == 2


def test_rows_after_one_of_a_later_event_are_counted_as_out_of_order() -> None:
    minutes = [0, 5, 3, None, 5, 4, 6]
    events = pa.array([None if at is None else NOON + timedelta(minutes=at) for at in minutes], UTC_TIME)
    found = screened(predictions(len(minutes), event_time=events), quality())
    assert (found.findings.out_of_order, len(found.whys)) == (2, 1)


# Together


def test_a_check_counts_everything_it_took_in() -> None:
    asked = quality({"column": "x", "min": 1}, {"column": "x", "max": 2, "action": "warn"})
    found = evidence(screened(predictions(), asked), screened(predictions(score=[7.0] * 4), asked))
    assert (found.rows, found.accepted, found.refused, found.refused_share) == (8, 3, 5, 5 / 8)
    assert found.refused_by == (
        RuleCount(rule="score: expected a probability from 0 to 1", rows=4),
        RuleCount(rule="x: expected at least 1", rows=1),
    )
    assert found.warned == (RuleCount(rule="x: expected at most 2", rows=1),)


@pytest.mark.parametrize("kind", ["predictions", "labels"])
def test_an_empty_batch_has_nothing_to_tell(kind: str) -> None:
    rows = (
        predictions(0, x=pa.array([], pa.float64()), c=pa.array([], pa.string()))
        if kind == "predictions"
        else labels([])
    )
    found = screened(rows, quality({"column": "x", "min": 1, "max_null_share": 0}), kind=kind)
    assert evidence(found, kind=kind) == QualityEvidence()
