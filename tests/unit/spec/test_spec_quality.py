"""What a model's file may expect of rows, and which mistakes in it are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from vernal.spec import ModelSpec


def model(expectations: list[dict[str, Any]] | None = None, *, task: str = "binary", **quality: Any) -> ModelSpec:  # noqa: ANN401 - values of a file
    described = {
        "model": "m",
        "task": task,
        "code": "m.py",
        "features": {"numerical": ["amount"], "categorical": ["country"]},
        "quality": quality | ({"expectations": expectations} if expectations is not None else {}),
    }
    if task == "regression":
        described |= {"gates": {"floor": 1.0, "min_improvement": 0.1}, "rollout": {"margin": 0.1}}
    return ModelSpec.model_validate(described)


def test_nothing_is_expected_by_default_and_late_means_a_day() -> None:
    quality = model().quality
    assert quality.expectations == ()
    assert (quality.late_after, quality.max_lateness, quality.max_refused_share) == (timedelta(days=1), None, 0.5)


@pytest.mark.parametrize(
    "expectation",
    [
        {"column": "amount", "min": 0},
        {"column": "amount", "min": -1.5, "max": 10, "not_null": True, "action": "warn"},
        {"column": "amount", "allowed_values": [0, 1, 2.5]},
        {"column": "country", "allowed_values": ["DE", 49, True], "pattern": "[A-Z]+", "max_null_share": 0},
        {"column": "score", "not_null": True},
        {"column": "label", "max": 1},
    ],
)
def test_sensible_expectations_are_taken(expectation: dict[str, Any]) -> None:
    (found,) = model([expectation]).quality.expectations
    assert found.column == expectation["column"]


@pytest.mark.parametrize(
    ("expectation", "told"),
    [
        ({"column": "amont", "min": 0}, 'got "amont", expected a feature of the model or one of prediction.*"amount"'),
        ({"column": "amount"}, "found nothing that is expected, expected at least one of min, max"),
        ({"column": "amount", "not_null": False}, "found nothing that is expected"),
        ({"column": "amount", "min": 2, "max": 1}, "got min 2 above max 1"),
        ({"column": "country", "min": 1}, "country holds texts, expected allowed_values or pattern"),
        ({"column": "amount", "pattern": "a"}, "amount holds numbers, expected min, max"),
        ({"column": "amount", "allowed_values": ["1"]}, 'got "1", expected a number, for amount holds numbers'),
        ({"column": "country", "pattern": "["}, "expected a regular expression"),
        ({"column": "country", "max_null_share": 1}, "less than 1"),
        ({"column": "country", "allowed_values": []}, "at least 1 item"),
        ({"column": "amount", "min": 1, "action": "drop"}, "'quarantine' or 'warn'"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_told(expectation: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        model([expectation])


def test_the_answers_of_a_multiclass_model_are_texts_and_those_of_a_regression_numbers() -> None:
    assert model([{"column": "label", "pattern": "[a-z]+"}], task="multiclass").quality.expectations
    assert model([{"column": "prediction", "max": 100}], task="regression").quality.expectations
    with pytest.raises(ValidationError, match="prediction holds texts"):
        model([{"column": "prediction", "max": 100}], task="multiclass")


def test_the_limit_of_lateness_is_not_below_what_counts_as_late() -> None:
    assert model(late_after="1h", max_lateness="90d").quality.max_lateness == timedelta(days=90)
    with pytest.raises(ValidationError, match="max_lateness is shorter than late_after"):
        model(max_lateness="1h")


def test_nothing_can_be_expected_of_rows_that_are_read_from_the_users_own_tables() -> None:
    source = {"kind": "parquet", "predictions": {"folder": "logs"}}
    described = {
        "model": "m",
        "task": "binary",
        "code": "m.py",
        "features": {"numerical": ["amount"]},
        "source": source,
        "quality": {"expectations": [{"column": "label", "max": 1}]},
    }
    assert ModelSpec.model_validate(described).quality.expectations
    described["quality"] = {"expectations": [{"column": "amount", "min": 0}]}
    with pytest.raises(ValidationError, match="the predictions are read from your own table"):
        ModelSpec.model_validate(described)
