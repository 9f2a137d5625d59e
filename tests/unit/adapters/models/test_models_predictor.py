"""What a loaded model may be given, and what it may answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vernal.adapters.models import LoadedModel, ModelColumns, design_matrix, labels
from vernal.errors import UserCodeError

BINARY = ModelColumns(("x",), (), "binary")
TWO = pd.DataFrame({"x": [0.0, 1.0]})


class Says:
    """Answers what it was told to answer."""

    def __init__(self, predictions: object, probabilities: object = ((0.5, 0.5), (0.5, 0.5))) -> None:
        self._predictions = predictions
        self._probabilities = probabilities
        self.seen: list[pd.DataFrame] = []

    def predict(self, rows: pd.DataFrame) -> object:
        self.seen.append(rows)
        if isinstance(self._predictions, Exception):
            raise self._predictions
        return self._predictions

    def predict_proba(self, rows: pd.DataFrame) -> object:
        return self._probabilities


def asked(model: Says, task: str = "binary", rows: pd.DataFrame = TWO) -> tuple[Any, Any]:
    return LoadedModel(model, ModelColumns(("x",), (), task), subject="it").predict(rows)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Says([1]), r"shape \(1,\), expected \(2,\)"),
        (Says([0, 2]), "answered 2 for one of 1 rows, expected the classes 0 and 1"),
        (Says([0, np.nan]), "NaN or infinity 1 times"),
        (Says(["yes", "no"]), "expected numbers"),
        (Says([0, 1], [[0.5, 0.5]]), "answered with shape"),
        (Says([0, 1], [[0.5, np.inf], [0.5, 0.5]]), "NaN or infinity 1 times"),
        (Says([0, 1], [[-0.5, 1.5], [0.5, 0.5]]), "expected probabilities between 0 and 1"),
        (Says(ZeroDivisionError("oh")), "raised ZeroDivisionError: oh"),
    ],
)
def test_nonsense_from_a_model_is_an_error_that_says_what_it_answered(model: Says, told: str) -> None:
    with pytest.raises(UserCodeError, match=told):
        asked(model)


def test_a_score_is_the_probability_of_one_whichever_column_it_stands_in() -> None:
    model = Says([0, 1], [[0.9, 0.1], [0.2, 0.8]])
    assert asked(model)[1] == [0.1, 0.8]
    model.classes_ = np.array([1, 0])  # type: ignore[attr-defined]
    assert asked(model)[1] == [0.9, 0.2]


def test_a_model_trained_on_zeros_only_scores_zero() -> None:
    model = Says([0, 0], [[1.0], [1.0]])
    model.classes_ = np.array([0])  # type: ignore[attr-defined]
    assert asked(model)[1] == [0.0, 0.0]


def test_no_rows_are_answered_without_asking_the_model() -> None:
    model = Says(RuntimeError("asked"))
    assert asked(model, rows=TWO.iloc[:0]) == ([], [])
    assert asked(model, "regression", TWO.iloc[:0]) == ([], None)


def test_a_regression_has_no_scores_and_a_class_is_a_text() -> None:
    assert asked(Says([[1.5], [2.5]]), "regression") == ([1.5, 2.5], None)
    predictions, scores = asked(Says([3, 4], [[0.7, 0.3], [0.4, 0.6]]), "multiclass")
    assert (list(predictions), scores) == (["3", "4"], [0.7, 0.6])


def test_a_missing_feature_is_named_beside_those_that_were_found() -> None:
    with pytest.raises(UserCodeError, match=r"features `x` are missing; found `z`"):
        asked(Says([0, 1]), rows=pd.DataFrame({"z": [1.0, 2.0]}))


def test_a_feature_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(UserCodeError, match="x"):
        asked(Says([0, 1]), rows=pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["x", "x"]))


def test_text_where_numbers_are_expected_is_refused_with_an_example() -> None:
    with pytest.raises(UserCodeError, match=r"x holds values of type string such as 'red', expected numbers"):
        asked(Says([0, 1]), rows=pd.DataFrame({"x": ["red", "blue"]}))


def test_infinities_and_gaps_reach_the_model_as_they_are() -> None:
    model = Says([0, 1, 1])
    model._probabilities = [[0.5, 0.5]] * 3
    asked(model, rows=pd.DataFrame({"x": [np.inf, None, np.nan]}))
    seen = model.seen[0]["x"].tolist()
    assert seen[0] == np.inf
    assert np.isnan(seen[1:]).all()


def test_the_model_gets_its_own_columns_in_its_own_order() -> None:
    rows = pd.DataFrame({"late": [1.0], "b": [2.0], "a": ["u"]}, index=[7])
    matrix = design_matrix(rows, ModelColumns(("a", "b"), ("a",), "binary"), subject="it")
    assert matrix.columns.tolist() == ["a", "b"]
    assert matrix.index.tolist() == [0]


def test_a_category_is_the_same_text_whichever_type_carries_it() -> None:
    columns = ModelColumns(("c",), ("c",), "binary")
    found = [
        design_matrix(pd.DataFrame({"c": pd.Series([value], dtype=object)}), columns, subject="it")["c"][0]
        for value in (3, 3.0, np.int8(3), Decimal("3.00"), "3", True, None, "")
    ]
    assert found == ["3", "3", "3", "3", "3", "true", None, None]


@pytest.mark.parametrize(
    ("task", "column", "told"),
    [
        ("binary", [0, None], "the label is missing in 1 of 2 rows"),
        ("binary", [0, 2], "found the label 2, expected 0 or 1"),
        ("binary", [0, np.inf], "found the label inf, expected 0 or 1"),
        ("binary", ["no", "yes"], "expected numbers"),
        ("regression", [0.0, -np.inf], "a label is infinite"),
        ("multiclass", ["a", None], "the label is missing in 1 of 2 rows"),
    ],
)
def test_a_label_that_does_not_fit_the_task_is_refused(task: str, column: list[Any], told: str) -> None:
    with pytest.raises(UserCodeError, match=told):
        labels(pd.Series(column), task, subject="it")
