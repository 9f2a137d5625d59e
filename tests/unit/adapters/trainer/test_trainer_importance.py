# ruff: noqa: ANN401 - stands in for models, which take and answer anything
"""The importance of features by permutation: what it says, and when it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance

from vernal.adapters.models import LoadedModel, ModelColumns
from vernal.adapters.trainer.importance import ROUNDS, ROWS, Importances, importances_within

NAMES = ("a", "b", "unused")


class Formula:
    """Answers what a function of its inputs gives, as a number, a class and a probability."""

    def __init__(self, answer: Callable[[pd.DataFrame], Any]) -> None:
        self.answer = answer
        self.asked = 0
        self.most_rows = 0

    def fit(self) -> None:
        """Be acceptable to scikit-learn, which wants an estimator."""

    def predict(self, rows: pd.DataFrame) -> Any:
        self.asked += 1
        self.most_rows = max(self.most_rows, len(rows))
        return np.asarray(self.answer(rows))

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        score = 1 / (1 + np.exp(-self.predict(rows)))
        return np.column_stack([1 - score, score])


def inputs(rows: int = 4000) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame({name: rng.normal(size=rows) for name in NAMES})


def measured(
    model: Formula,
    matrix: pd.DataFrame,
    truth: Any,
    judged_by: str = "rmse",
    *,
    task: str = "regression",
    seed: int = 1,
    seconds: float = 60.0,
) -> Importances:
    loaded = LoadedModel(model, ModelColumns(tuple(matrix.columns), (), task), subject="it")
    return importances_within(loaded, matrix, pd.Series(truth), judged_by=judged_by, seed=seed, seconds=seconds)


def line(rows: pd.DataFrame) -> pd.Series[float]:
    return 2 * rows["a"] + rows["b"]


def test_the_shares_are_what_permuting_costs() -> None:
    matrix = inputs()
    shares = measured(Formula(line), matrix, line(matrix)).shares
    assert shares is not None
    assert list(shares) == list(NAMES)
    assert sum(shares.values()) == pytest.approx(1)
    # Permuting one of two independent unit normals moves the answer by its slope times a normal of variance 2.
    assert [shares[name] for name in NAMES] == pytest.approx([2 / 3, 1 / 3, 0.0], abs=0.02)
    assert shares["unused"] == 0.0


@pytest.mark.parametrize("judged_by", ["accuracy", "roc_auc", "log_loss", "brier", "f1"])
def test_the_shares_agree_with_scikit_learns(judged_by: str) -> None:
    matrix, rng = inputs(), np.random.default_rng(3)
    truth = (rng.random(len(matrix)) < 1 / (1 + np.exp(-line(matrix)))).astype(int)
    model = Formula(line)
    model.predict = lambda rows: (np.asarray(line(rows)) > 0).astype(int)  # type: ignore[method-assign]
    model.predict_proba = lambda rows: _two(1 / (1 + np.exp(-np.asarray(line(rows)))))  # type: ignore[method-assign]
    model.classes_ = np.array([0, 1])  # type: ignore[attr-defined]
    model._estimator_type = "classifier"  # type: ignore[attr-defined]
    shares = measured(model, matrix, truth, judged_by, task="binary").shares
    assert shares is not None
    scoring = {"log_loss": "neg_log_loss", "brier": "neg_brier_score"}.get(judged_by, judged_by)
    theirs = permutation_importance(model, matrix, truth, scoring=_scorer(scoring), n_repeats=ROUNDS, random_state=1)
    wanted = theirs.importances_mean / theirs.importances_mean.sum()
    assert [shares[name] for name in NAMES] == pytest.approx(wanted.tolist(), abs=0.03)


def _two(positive: Any) -> Any:
    return np.column_stack([1 - positive, positive])


def _scorer(name: str) -> Callable[[Any, Any, Any], float]:
    from sklearn import metrics

    def score(model: Any, rows: Any, truth: Any) -> float:
        match name:
            case "accuracy":
                return float(metrics.accuracy_score(truth, model.predict(rows)))
            case "f1":
                return float(metrics.f1_score(truth, model.predict(rows)))
            case "roc_auc":
                return float(metrics.roc_auc_score(truth, model.predict_proba(rows)[:, 1]))
            case "neg_log_loss":
                return -float(metrics.log_loss(truth, model.predict_proba(rows)[:, 1]))
            case _:
                return -float(metrics.brier_score_loss(truth, model.predict_proba(rows)[:, 1]))

    return score


def test_a_seed_fixes_the_shares() -> None:
    matrix = inputs()
    one, same, other = (measured(Formula(line), matrix, line(matrix), seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_no_more_rows_are_looked_at_than_are_promised() -> None:
    matrix, model = inputs(ROWS + 1000), Formula(line)
    assert measured(model, matrix, line(matrix)).shares is not None
    assert (model.most_rows, model.asked) == (ROWS, 1 + ROUNDS * len(NAMES))


def test_without_the_time_for_one_round_the_importances_stay_unknown() -> None:
    matrix, model = inputs(), Formula(line)
    shares, note = measured(model, matrix, line(matrix), seconds=0.0)
    assert shares is None
    assert note.startswith("permuting 3 features once takes about")
    assert model.asked == 1


def test_an_undefined_metric_leaves_the_importances_unknown() -> None:
    shares, note = measured(Formula(line), inputs(), np.zeros(4000, dtype=int), "roc_auc", task="binary")
    assert (shares, note) == (None, "roc_auc is undefined on 4000 rows of the holdout: one class only")


def test_a_model_that_looks_at_nothing_has_no_importances() -> None:
    matrix = inputs()
    shares, note = measured(Formula(lambda rows: np.zeros(len(rows))), matrix, line(matrix))
    assert (shares, note) == (None, "rmse does not get worse, whichever feature is permuted")


def test_a_model_that_refuses_permuted_rows_has_no_importances() -> None:
    matrix = inputs()

    def picky(rows: pd.DataFrame) -> Any:
        if not rows["b"].equals(matrix["b"]):
            raise ValueError("b must fit a")
        return line(rows)

    shares, note = measured(Formula(picky), matrix, line(matrix))
    assert shares is None
    assert "does not answer rows with permuted values" in note
    assert "ValueError: b must fit a" in note


def test_a_model_that_runs_out_of_memory_has_no_importances() -> None:
    matrix, calls = inputs(), iter([None])

    def hungry(rows: pd.DataFrame) -> Any:
        if next(calls, "again") == "again":
            raise MemoryError
        return line(rows)

    shares, note = measured(Formula(hungry), matrix, line(matrix))
    assert shares is None
    assert "memory" in note.lower()


def test_finding_nothing_any_more_counts_as_the_worst_precision() -> None:
    matrix = inputs(2000)
    matrix["b"] = np.arange(2000) % 2
    matrix["a"] = matrix["b"] * (np.arange(2000) == 1)
    model = Formula(lambda rows: ((rows["a"] == 1) & (rows["b"] == 1)).astype(int))
    truth = (np.arange(2000) == 1).astype(int)
    shares = measured(model, matrix, truth, "precision", task="binary").shares
    assert shares is not None
    assert shares["a"] > 0.5
    assert shares["unused"] == 0.0
