from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from vernal.errors import SampleError
from vernal.stats.estimator import LEAST_ROWS, Estimator, fit_estimator
from vernal.stats.trees import Trees

RNG = np.random.default_rng(4)
P = RNG.beta(1.0, 1.0, 2000)
LABELS = (RNG.random(2000) < P).astype(float)
NONE = np.full(2000, np.nan)


def test_trees_answer_as_the_library_that_grew_them_also_where_values_are_missing() -> None:
    table = RNG.normal(size=(1500, 4))
    table[RNG.random(table.shape) < 0.1] = np.nan
    target = RNG.gamma(2.0, 1.0, 1500) * np.exp(np.nan_to_num(table[:, 0]))
    fitted = HistGradientBoostingRegressor(
        loss="poisson", max_iter=20, max_leaf_nodes=8, early_stopping=False, random_state=0
    ).fit(table, target)
    asked = 3 * RNG.normal(size=(1000, 4))
    asked[RNG.random(asked.shape) < 0.1] = np.nan
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(Trees.of(fitted)), type=Trees)

    np.testing.assert_allclose(kept.predict(asked), fitted.predict(asked), rtol=1e-12)


def of_classes(task: str, metric: str, rows: int = 2000) -> Estimator | None:
    return fit_estimator(
        metric,
        task=task,
        scores=P[:rows],
        predictions=(P > 0.5).astype(float)[:rows],
        labels=LABELS[:rows],
        features=None,
        rng=RNG,
    )


def test_two_classes_are_estimated_from_their_scores_and_what_is_kept_estimates_the_same() -> None:
    fitted = of_classes("binary", "accuracy")
    assert fitted is not None
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(fitted), type=Estimator)
    new = RNG.beta(0.5, 0.5, 3000)
    answers = (new > 0.5).astype(float)
    estimate = kept.estimate(scores=new, predictions=answers, features=None, certainty=0.95)

    assert estimate == fitted.estimate(scores=new, predictions=answers, features=None, certainty=0.95)
    assert estimate.value == pytest.approx(np.maximum(new, 1 - new).mean(), abs=0.03)
    assert not kept.needs_features
    assert len(msgspec.msgpack.encode(fitted)) < 20_000


def test_several_classes_are_estimated_from_how_sure_the_model_was() -> None:
    sure = RNG.uniform(0.34, 1.0, 2000)
    labels = np.where(RNG.random(2000) < sure, "a", "b").astype(object)
    answers = np.full(2000, "a", dtype=object)
    fitted = fit_estimator(
        "accuracy", task="multiclass", scores=sure, predictions=answers, labels=labels, features=None, rng=RNG
    )
    assert fitted is not None
    unsure = RNG.uniform(0.34, 0.6, 1000)
    found = fitted.estimate(scores=unsure, predictions=answers[:1000], features=None, certainty=0.95)
    assert found.value == pytest.approx(unsure.mean(), abs=0.05)


def test_a_regression_is_estimated_from_its_features() -> None:
    x = RNG.uniform(0, 1, (1500, 2))
    truth = x[:, 1] + (0.3 + 1.5 * x[:, 0] ** 2) * RNG.normal(size=1500)
    fitted = fit_estimator(
        "mae", task="regression", scores=NONE, predictions=x[:, 1], labels=truth, features=x, rng=RNG
    )
    assert fitted is not None
    assert fitted.needs_features
    hard = np.column_stack((RNG.uniform(0.8, 1, 1000), RNG.uniform(0, 1, 1000)))
    found = fitted.estimate(scores=NONE, predictions=hard[:, 1], features=hard, certainty=0.95)
    assert found.value == pytest.approx(np.sqrt(2 / np.pi) * (0.3 + 1.5 * hard[:, 0] ** 2).mean(), rel=0.15)
    assert len(msgspec.msgpack.encode(fitted)) < 150_000
    with pytest.raises(SampleError, match="features: found none"):
        fitted.estimate(scores=NONE, predictions=hard[:, 1], features=None, certainty=0.95)


@pytest.mark.parametrize(("task", "metric"), [("binary", "brier"), ("multiclass", "f1")])
def test_what_cannot_be_estimated_has_no_estimator(task: str, metric: str) -> None:
    assert of_classes(task, metric) is None


def test_with_few_rows_or_without_scores_there_is_no_estimator() -> None:
    assert of_classes("binary", "accuracy", LEAST_ROWS - 1) is None
    assert of_classes("binary", "accuracy", LEAST_ROWS) is not None
    for task, metric in (("binary", "accuracy"), ("regression", "mae")):
        found = fit_estimator(metric, task=task, scores=NONE, predictions=P, labels=LABELS, features=None, rng=RNG)
        assert found is None
