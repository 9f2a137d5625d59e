from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vernal.adapters.lake import DeltaLake
from vernal.observe.estimated import MOST_ROWS, estimated_performance, fit
from vernal.observe.performance import live_performance
from vernal.records import EstimatedPerformance
from vernal.spec import ModelSpec

TIME = pa.timestamp("us", tz="UTC")
START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=7)
ROWS = 2000
RNG = np.random.default_rng(8)
X = RNG.uniform(0, 1, ROWS)
COUNTRIES = np.where(RNG.random(ROWS) < 0.5, "a", "b")


def spec(task: str = "binary", **changes: object) -> ModelSpec:
    regression = {"gates": {"floor": 9.0, "min_improvement": 0.1}, "rollout": {"margin": 0.5}}
    return ModelSpec.model_validate(
        {
            "model": "m",
            "task": task,
            "code": "m.py",
            "label_delay": "2d",
            "features": {"numerical": ["x"], "categorical": ["c"]},
            **(regression if task == "regression" else {}),
            **changes,
        }
    )


def answered(task: str, x: np.ndarray[Any, Any]) -> dict[str, list[object]]:
    if task == "binary":
        return {"prediction": (x > 0.5).astype(float).tolist(), "score": x.tolist()}
    if task == "multiclass":
        return {"prediction": ["u"] * len(x), "score": (0.5 + x / 2).tolist()}
    return {"prediction": x.tolist(), "score": [None] * len(x)}


def truth(
    task: str, x: np.ndarray[Any, Any], countries: np.ndarray[Any, Any], rng: np.random.Generator
) -> list[object]:
    """Return labels; those of a regression stray three times as far in country b."""
    if task == "binary":
        return list((rng.random(len(x)) < x).astype(float).tolist())
    if task == "multiclass":
        return list(np.where(rng.random(len(x)) < 0.5 + x / 2, "u", "v").tolist())
    return list((x + np.where(countries == "b", 3.0, 1.0) * rng.normal(size=len(x))).tolist())


def fitted(task: str = "binary", **changes: object) -> bytes | None:
    ids = [f"h{n}" for n in range(ROWS)]
    labels = truth(task, X, COUNTRIES, np.random.default_rng(1))
    scored = pa.table({"prediction_id": ids, "label": labels, **answered(task, X)})
    holdout = pa.table({"prediction_id": ids, "x": X.tolist(), "c": COUNTRIES.tolist()})
    return fit(spec(task, **changes), scored, holdout.take(list(range(ROWS - 1, -1, -1))))


def lake_of(
    folder: Path, task: str, x: np.ndarray[Any, Any], countries: np.ndarray[Any, Any], *, labelled: int = 0
) -> DeltaLake:
    lake = DeltaLake(folder)
    ids = [f"p{n}" for n in range(len(x))]
    when = pa.array([START + timedelta(days=7) * (n / len(x)) for n in range(len(x))], TIME)
    rows = {
        "prediction_id": ids,
        "event_time": when,
        "model_version": ["1"] * len(x),
        "x": x.tolist(),
        "c": countries.tolist(),
        **answered(task, x),
        "other_version": pa.nulls(len(x), pa.string()),
        "other_prediction": pa.nulls(len(x), pa.string() if task == "multiclass" else pa.float64()),
        "other_score": pa.nulls(len(x), pa.float64()),
    }
    table = pa.table(rows)
    if task == "regression":
        table = table.set_column(table.column_names.index("score"), "score", pa.nulls(len(x), pa.float64()))
    lake.append("m", "predictions", table, writer="w", sequence=1)
    if labelled:
        labels = truth(task, x, countries, np.random.default_rng(2))[:labelled]
        made = {"prediction_id": ids[:labelled], "label": labels, "source": ["true"] * labelled}
        made |= {"event_time": when[:labelled], "arrival_time": when[:labelled]}
        lake.append("m", "labels", pa.table(made), writer="w", sequence=1)
    return lake


def look(lake: DeltaLake, asked: ModelSpec, kept: bytes | None) -> EstimatedPerformance | None:
    assert kept is not None
    live = live_performance(lake, asked, version="1", now=NOW)
    return estimated_performance(lake, asked, kept, version="1", live=live, now=NOW)


def test_without_labels_the_whole_window_is_estimated(tmp_path: Path) -> None:
    x = RNG.uniform(0.3, 0.7, 3000)
    found = look(lake_of(tmp_path, "binary", x, np.full(3000, "a")), spec(), fitted())

    assert found is not None
    assert (found.measure.rows, found.window_start, found.method) == (3000, START, "cbpe")
    assert found.measure.value == pytest.approx(np.maximum(x, 1 - x).mean(), abs=0.04)
    assert found.measure.lower is not None
    assert found.measure.upper is not None
    assert found.measure.lower < np.maximum(x, 1 - x).mean() < found.measure.upper
    assert (found.fitted_on, "concept drift" in found.blind_to) == (ROWS, True)
    assert found.sampling_error is not None
    assert found.calibration_error is not None


def test_where_labels_come_late_only_the_cohorts_that_still_wait_are_estimated(tmp_path: Path) -> None:
    x = RNG.uniform(0, 1, 700)
    lake = lake_of(tmp_path, "binary", x, np.full(700, "a"), labelled=600)  # some of the last two days came early
    found = look(lake, spec(), fitted())

    assert found is not None
    assert (found.measure.rows, found.window_start) == (200, NOW - timedelta(days=2))


def test_where_every_label_is_there_at_once_there_is_nothing_to_estimate(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, "binary", RNG.uniform(0, 1, 700), np.full(700, "a"), labelled=700)
    assert look(lake, spec(label_delay="0s"), fitted()) is None


def test_of_many_predictions_a_day_is_looked_at_and_evenly_thinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST_ROWS, "cbpe", 300)
    lake = lake_of(tmp_path, "binary", RNG.uniform(0, 1, 7000), np.full(7000, "a"))
    found = look(lake, spec(), fitted())

    assert found is not None
    assert (found.measure.rows, found.window_start) == (300, NOW - timedelta(days=1))


def test_several_classes_are_estimated_from_how_sure_the_model_was(tmp_path: Path) -> None:
    x = RNG.uniform(0, 0.4, 1500)
    found = look(lake_of(tmp_path, "multiclass", x, np.full(1500, "a")), spec("multiclass"), fitted("multiclass"))

    assert found is not None
    assert found.measure.value == pytest.approx((0.5 + x / 2).mean(), abs=0.05)


def test_a_regression_is_estimated_from_its_features_and_knows_its_categories(tmp_path: Path) -> None:
    errors = {}
    for country in ("a", "b", "never seen"):
        x = RNG.uniform(0, 1, 800)
        lake = lake_of(tmp_path / country, "regression", x, np.full(800, country))
        found = look(lake, spec("regression"), fitted("regression"))
        assert found is not None
        assert found.method == "dle"
        assert found.measure.value is not None
        errors[country] = found.measure.value
    assert errors["a"] == pytest.approx(np.sqrt(2 / np.pi), rel=0.15)
    assert errors["b"] == pytest.approx(3 * np.sqrt(2 / np.pi), rel=0.15)
    assert errors["a"] < errors["never seen"] <= errors["b"] * 1.2


def test_another_metric_or_other_features_in_the_file_have_no_estimate(tmp_path: Path) -> None:
    x = RNG.uniform(0, 1, 500)
    lake = lake_of(tmp_path / "b", "binary", x, np.full(500, "a"))
    assert look(lake, spec(metric="roc_auc", gates={"floor": 0.6}), fitted()) is None
    lake = lake_of(tmp_path / "r", "regression", x, np.full(500, "a"))
    other = spec("regression", features={"numerical": ["x"]})
    assert look(lake, other, fitted("regression")) is None


def test_a_model_without_scores_has_no_estimator() -> None:
    ids = [f"h{n}" for n in range(ROWS)]
    labels = truth("binary", X, COUNTRIES, RNG)
    scored = {"prediction_id": ids, "label": labels, "prediction": labels, "score": pa.nulls(ROWS, pa.float64())}
    holdout = pa.table({"prediction_id": ids, "x": X.tolist(), "c": COUNTRIES.tolist()})
    assert fit(spec(), pa.table(scored), holdout) is None


def test_predictions_without_an_answer_or_a_score_are_left_out(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, "binary", RNG.uniform(0, 1, 500), np.full(500, "a"))
    when = pa.array([NOW - timedelta(hours=1)] * 2, TIME)
    silent = {"prediction_id": ["s1", "s2"], "event_time": when, "model_version": ["1", "2"], "x": [0.1, 0.1]}
    silent |= {"c": ["a", "a"], "prediction": pa.array([None, 1.0], pa.float64())}
    silent |= {"score": pa.array([None, 0.9], pa.float64()), "other_version": pa.nulls(2, pa.string())}
    silent |= {"other_prediction": pa.nulls(2, pa.float64()), "other_score": pa.nulls(2, pa.float64())}
    lake.append("m", "predictions", pa.table(silent), writer="w", sequence=2)
    found = look(lake, spec(), fitted())
    assert found is not None
    assert found.measure.rows == 500


def test_a_version_that_was_not_asked_yet_has_nothing_to_estimate(tmp_path: Path) -> None:
    kept, lake = fitted(), DeltaLake(tmp_path)
    assert kept is not None
    live = live_performance(lake, spec(), version="1", now=NOW)
    assert estimated_performance(lake, spec(), kept, version="1", live=live, now=NOW) is None
