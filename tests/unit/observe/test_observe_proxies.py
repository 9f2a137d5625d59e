from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vernal.adapters.lake import DeltaLake
from vernal.decide.performance import judge_performance
from vernal.decide.triggers import judge_volume
from vernal.errors import SampleError
from vernal.observe.dataset import cut_dataset
from vernal.observe.labelled import Labelled, labelled
from vernal.observe.performance import live_performance
from vernal.observe.rollout import rollout_evidence
from vernal.records import CheckEvidence, PerformanceEvidence, Phase, RolloutState, Run, RunFacts, TriggerKind
from vernal.spec import LabelsSpec, ModelSpec, PerformanceTrigger, VolumeTrigger

TIME = pa.timestamp("us", tz="UTC")
START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 800
NOW = START + timedelta(days=8)


def spec(proxy: str | float) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "m",
            "task": "binary",
            "code": "m.py",
            "label_delay": "0s",
            "labels": {"proxy": proxy},
            "features": {"numerical": ["x"]},
            "training": {"lookback": "10d", "holdout": "2d", "min_rows": 1},
        }
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> DeltaLake:
    """Return a lake of 800 predictions of 1: 400 true labels, all 1, then 400 proxies, all 0."""
    made = DeltaLake(tmp_path_factory.mktemp("lake"))
    when = pa.array([START + timedelta(minutes=14 * n) for n in range(ROWS)], TIME)
    ids = [f"p{n}" for n in range(ROWS)]
    answers = {"prediction": [1.0] * ROWS, "score": [0.9] * ROWS}
    beside = {"other_version": ["2"] * ROWS, "other_prediction": [0.0] * ROWS, "other_score": [0.1] * ROWS}
    predictions = {"prediction_id": ids, "event_time": when, "model_version": ["1"] * ROWS, "x": [0.0] * ROWS}
    made.append("m", "predictions", pa.table({**predictions, **answers, **beside}), writer="w", sequence=1)
    proxy = np.arange(ROWS) % 2 == 1
    labels = {
        "prediction_id": ids,
        "label": np.where(proxy, 0.0, 1.0).tolist(),
        "event_time": when,
        "arrival_time": when,
        "source": np.where(proxy, "proxy", "true").tolist(),
    }
    made.append("m", "labels", pa.table(labels), writer="w", sequence=1)
    return made


def live(lake: DeltaLake, proxy: str | float) -> PerformanceEvidence:
    wide = spec(proxy).model_copy(
        update={"triggers": spec(proxy).triggers.model_copy(update={"performance": trigger()})}
    )
    return live_performance(lake, wide, version="1", now=NOW)


def trigger(**changes: object) -> PerformanceTrigger:
    return PerformanceTrigger.model_validate({"threshold": 0.9, "window": "8d", **changes})


@pytest.mark.parametrize(
    ("proxy", "accuracy", "counted", "unused"),
    [("exclude", 1.0, 0, 400), ("include", 0.5, 400, 0), (0.5, 2 / 3, 400, 0), (0.25, 0.8, 400, 0)],
)
def test_the_live_metric_counts_proxies_as_the_file_says(
    lake: DeltaLake, proxy: str | float, accuracy: float, counted: int, unused: int
) -> None:
    found = live(lake, proxy)

    assert found.measure.value == pytest.approx(accuracy)
    assert (found.proxies, found.unused_proxies, found.labelled) == (counted, unused, 400 + counted)


def test_a_proxy_of_half_a_weight_says_as_much_as_half_a_row(lake: DeltaLake) -> None:
    half, whole = live(lake, 0.5).measure, live(lake, "include").measure

    assert half.effective_rows == pytest.approx(600)
    assert whole.effective_rows is None
    assert half.lower is not None
    assert half.upper is not None
    assert whole.lower is not None
    assert whole.upper is not None
    assert half.lower < 2 / 3 < half.upper
    assert half.upper - half.lower > whole.upper - whole.lower


def test_the_trigger_asks_for_rows_that_count_and_says_what_is_left_out(lake: DeltaLake) -> None:
    weighed = judge_performance(trigger(min_rows=700), live(lake, 0.5))
    alone = judge_performance(trigger(min_rows=500), live(lake, "exclude"))

    assert (weighed.sufficient, alone.sufficient) == (False, False)
    assert weighed.reason == "800 matured labelled predictions (worth 600 equal ones) < 700 needed"
    assert alone.reason.endswith("400 matured labelled predictions < 500 needed; 400 have only a proxy label, left out")
    assert judge_performance(trigger(min_rows=600), live(lake, 0.5)).sufficient


def test_the_volume_trigger_says_what_a_proxy_counts() -> None:
    seen = CheckEvidence(
        model="m", at=NOW, champion="1", new_rows=0, quarantined=0, new_labels=7, new_proxies=4, proxy_weight=0.5
    )

    reason = judge_volume(VolumeTrigger(labels=7), seen).reason
    assert reason == "7 new labels ever >= 7; 4 proxy labels counted 0.5 each"


@pytest.mark.parametrize(("proxy", "low", "high"), [("exclude", 0, 0), ("include", 343, 343), (0.5, 130, 210)])
def test_a_training_set_holds_proxies_as_the_file_says_the_same_ones_each_time(
    lake: DeltaLake, proxy: str | float, low: int, high: int
) -> None:
    one, other = (cut_dataset(lake, spec(proxy), now=START + timedelta(days=6, hours=16)) for _ in range(2))
    labels = [*one.training["label"].to_pylist(), *one.holdout["label"].to_pylist()]

    assert labels.count(1.0) == 343
    assert low <= one.proxies == labels.count(0.0) <= high
    assert one.training.equals(other.training)


def test_nothing_but_proxies_that_are_left_out_cannot_train_and_says_so(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path)
    when = pa.array([START], TIME)
    lake.append(
        "m",
        "predictions",
        pa.table({"prediction_id": ["a"], "event_time": when, "x": [1.0]}),
        writer="w",
        sequence=1,
    )
    lake.append(
        "m",
        "labels",
        pa.table(
            {"prediction_id": ["a"], "label": [1.0], "event_time": when, "arrival_time": when, "source": ["proxy"]}
        ),
        writer="w",
        sequence=1,
    )

    with pytest.raises(SampleError, match="1 have only a proxy label, which is left out"):
        cut_dataset(lake, spec("exclude"), now=NOW)


@pytest.mark.parametrize(("proxy", "low", "high"), [("exclude", 0, 0), ("include", 400, 400), (0.5, 160, 240)])
def test_a_rollout_is_judged_on_proxies_as_the_file_says(
    lake: DeltaLake, proxy: str | float, low: int, high: int
) -> None:
    run = Run(
        id="m-2",
        model="m",
        number=2,
        phase=Phase.ROLLING_OUT,
        trigger=TriggerKind.MANUAL,
        reason="asked",
        requested_by="ann",
        requested_at=START,
        phase_since=START,
        wake_at=START,
        fence=1,
        attempt=1,
        facts=RunFacts(champion="1", version="2", rollout=RolloutState(started_at=(START,), salt="m-2")),
    )
    found = rollout_evidence(lake, spec(proxy), run, now=NOW)

    assert low <= found.proxies <= high
    assert found.rows == 400 + found.proxies
    # The champion is right where the label is true, the challenger where it is a proxy.
    assert found.difference == pytest.approx((found.proxies - 400) / found.rows)


def test_a_true_label_wins_over_a_proxy_whichever_came_later(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path)
    when = pa.array([START] * 2, TIME)
    ids = ["truth first", "proxy first"]
    predictions = {"prediction_id": ids, "event_time": when}
    lake.append("m", "predictions", pa.table(predictions), writer="w", sequence=1)
    arrivals = {"true": [1, 5], "proxy": [2, 4]}
    for number, (source, hours) in enumerate(arrivals.items(), 1):
        labels = {
            "prediction_id": ids,
            "label": [float(source == "true")] * 2,
            "event_time": when,
            "arrival_time": pa.array([START + timedelta(hours=hour) for hour in hours], TIME),
            "source": [source] * 2,
        }
        lake.append("m", "labels", pa.table(labels), writer="w", sequence=number)

    def known(hours: float) -> Labelled:
        return labelled(
            lake,
            "m",
            columns=("prediction_id", "event_time"),
            start=START,
            end=START + timedelta(hours=1),
            as_of=START + timedelta(hours=hours),
            counting=LabelsSpec(proxy="include"),
        )

    early, late = known(4.5), known(6)
    assert dict(zip(early.rows["prediction_id"].to_pylist(), early.proxy.tolist(), strict=True)) == {
        "truth first": False,
        "proxy first": True,
    }
    assert late.rows["label"].to_pylist() == [1.0, 1.0]
    assert not late.proxy.any()
