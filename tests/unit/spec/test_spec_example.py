from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from vernal.spec import Project, load_project

TREE = Path(__file__).resolve().parents[3]


@pytest.fixture
def flights(tmp_path: Path) -> Project:
    for name in ("vernal.yaml", "late_arrival.yaml"):
        shutil.copy(TREE / "examples" / "flights" / name, tmp_path)
    (tmp_path / "late_arrival.py").touch()
    return load_project(tmp_path)


def test_the_example_is_a_project_of_one_model(flights: Project) -> None:
    assert list(flights.models) == ["late_arrival"]
    assert flights.code_path("late_arrival").name == "late_arrival.py"


def test_the_example_asks_what_the_product_asks_of_flights(flights: Project) -> None:
    spec = flights.model("late_arrival")

    assert (spec.task, spec.metric, spec.gates.floor) == ("binary", "roc_auc", 0.60)
    assert spec.gates.min_improvement >= 0.01
    assert spec.training.lookback is None
    assert (spec.rollout.mode, [step.share for step in spec.rollout.steps]) == ("paired", [0.05, 0.25])


def test_the_example_predicts_from_columns_that_the_data_has_and_never_from_the_outcome(flights: Project) -> None:
    columns = set(pq.read_schema(TREE / "src/vernal/demo/data/flights.parquet").names)
    features = set(flights.model("late_arrival").features.names)

    assert features <= columns - {"id", "late", "label_time"}


def test_the_examples_label_delay_covers_every_flight(flights: Project) -> None:
    times = pq.read_table(TREE / "src/vernal/demo/data/flights.parquet", columns=["scheduled_departure", "label_time"])
    milliseconds = pc.subtract(times["label_time"], times["scheduled_departure"]).cast("int64")
    longest = timedelta(milliseconds=pc.max(milliseconds).as_py())

    assert timedelta(0) < longest <= flights.model("late_arrival").label_delay
