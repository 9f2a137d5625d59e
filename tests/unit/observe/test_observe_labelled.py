from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from vernal.adapters.lake import DeltaLake
from vernal.errors import SampleError
from vernal.observe.dataset import cut_dataset
from vernal.observe.labelled import ANSWERS, answers_of, labelled
from vernal.spec import LabelsSpec, ModelSpec

TIME = pa.timestamp("us", tz="UTC")
TRUE_ONLY = LabelsSpec()
DAY0 = datetime(2024, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return DAY0 + timedelta(hours=hours)


def predictions(*rows: tuple[str, float], version: str = "1", other: str | None = None) -> pa.Table:
    count = len(rows)
    return pa.table(
        {
            "prediction_id": [name for name, _ in rows],
            "event_time": pa.array([at(hours) for _, hours in rows], TIME),
            "model_version": [version] * count,
            "prediction": [1.0] * count,
            "score": [0.9] * count,
            "other_version": pa.array([other] * count, pa.string()),
            "other_prediction": pa.array([0.0 if other else None] * count, pa.float64()),
            "other_score": pa.array([0.2 if other else None] * count, pa.float64()),
            "x": [float(n) for n in range(count)],
        }
    )


def labels(*rows: tuple[str, float, float, float], source: str = "true") -> pa.Table:
    return pa.table(
        {
            "prediction_id": [row[0] for row in rows],
            "label": [row[1] for row in rows],
            "event_time": pa.array([at(row[2]) for row in rows], TIME),
            "arrival_time": pa.array([at(row[3]) for row in rows], TIME),
            "source": [source] * len(rows),
        }
    )


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(tmp_path)


def test_a_label_counts_only_once_it_has_arrived(lake: DeltaLake) -> None:
    lake.append("m", "predictions", predictions(("a", 0), ("b", 1)), writer="w", sequence=1)
    lake.append("m", "labels", labels(("a", 1.0, 0, 2), ("b", 0.0, 1, 9)), writer="w", sequence=1)

    def known(hours: float) -> list[str]:
        found = labelled(lake, "m", columns=ANSWERS, start=at(0), end=at(5), as_of=at(hours), counting=TRUE_ONLY)
        assert found.issued == 2
        return [str(name) for name in found.rows["prediction_id"].to_pylist()]

    assert (known(1.9), known(2), known(9)) == ([], ["a"], ["a", "b"])


def test_a_corrected_label_counts_with_its_latest_value_by_then(lake: DeltaLake) -> None:
    lake.append("m", "predictions", predictions(("a", 0)), writer="w", sequence=1)
    lake.append("m", "labels", labels(("a", 1.0, 0, 2), ("a", 0.0, 0, 5)), writer="w", sequence=1)
    seen = [
        labelled(lake, "m", columns=ANSWERS, start=at(0), end=at(1), as_of=at(h), counting=TRUE_ONLY)
        .rows["label"]
        .to_pylist()
        for h in (3, 6)
    ]
    assert seen == [[1.0], [0.0]]


def test_a_prediction_that_was_logged_twice_counts_once_and_strangers_are_counted(lake: DeltaLake) -> None:
    lake.append("m", "predictions", predictions(("a", 0), ("a", 0.5)), writer="w", sequence=1)
    lake.append("m", "labels", labels(("a", 1.0, 0, 1), ("ghost", 1.0, 0, 1)), writer="w", sequence=1)
    found = labelled(lake, "m", columns=ANSWERS, start=at(0), end=at(1), as_of=at(2), counting=TRUE_ONLY)
    assert (found.rows.num_rows, found.issued, found.unmatched) == (1, 1, 1)


def test_no_labels_at_all_is_an_empty_answer(lake: DeltaLake) -> None:
    lake.append("m", "predictions", predictions(("a", 0)), writer="w", sequence=1)
    found = labelled(lake, "m", columns=ANSWERS, start=at(0), end=at(1), as_of=at(2), counting=TRUE_ONLY)
    assert (found.rows.num_rows, found.issued) == (0, 1)
    assert "label" in found.rows.column_names


def test_a_model_is_seen_whether_it_answered_or_scored_beside(lake: DeltaLake) -> None:
    rows = pa.concat_tables(
        [predictions(("a", 0), version="1", other="2"), predictions(("b", 1), version="2", other="1")]
    )
    two = answers_of(rows, "2")
    assert two.asked.tolist() == [True, True]
    assert two.scores.tolist() == [0.2, 0.9]
    assert not answers_of(rows, "3").asked.any()


def test_a_version_is_measured_on_what_it_was_asked_for_only(lake: DeltaLake) -> None:
    rows = [predictions(("a", 0), version="1"), predictions(("b", 1), version="2", other="1")]
    lake.append("m", "predictions", pa.concat_tables(rows), writer="w", sequence=1)
    lake.append("m", "labels", labels(("a", 1.0, 0, 1), ("b", 0.0, 1, 2)), writer="w", sequence=1)

    def counted(version: str) -> tuple[int, int, int]:
        found = labelled(
            lake, "m", columns=ANSWERS, start=at(0), end=at(5), as_of=at(9), counting=TRUE_ONLY, version=version
        )
        return found.rows.num_rows, found.issued, found.unmatched

    assert (counted("1"), counted("2"), counted("3")) == ((2, 2, 0), (1, 1, 0), (0, 0, 0))


SPEC = ModelSpec.model_validate(
    {
        "model": "m",
        "task": "binary",
        "code": "m.py",
        "label_delay": "6h",
        "features": {"numerical": ["x"]},
        "training": {"lookback": "10d", "holdout": "2d", "min_rows": 10},
    }
)


def test_a_training_set_ends_before_the_holdout_and_both_before_the_cut(lake: DeltaLake) -> None:
    hours = range(24 * 12)
    lake.append("m", "predictions", predictions(*((f"p{h}", h) for h in hours)), writer="w", sequence=1)
    lake.append("m", "labels", labels(*((f"p{h}", float(h % 2), h, h + 5) for h in hours)), writer="w", sequence=1)
    now = at(24 * 12)
    split = cut_dataset(lake, SPEC, now=now)
    cut = now - timedelta(hours=6)
    assert (split.cut, split.split) == (cut, cut - timedelta(days=2))
    trained, held = split.training["event_time"].to_pylist(), split.holdout["event_time"].to_pylist()
    assert (min(trained), max(trained)) == (cut - timedelta(days=10), split.split - timedelta(hours=1))
    assert (min(held), max(held)) == (split.split, cut - timedelta(hours=1))
    assert split.training.column_names == ["x", "label", "prediction_id", "event_time"]


def test_too_few_rows_say_what_was_found_and_expected(lake: DeltaLake) -> None:
    lake.append("m", "predictions", predictions(("a", 0)), writer="w", sequence=1)
    with pytest.raises(SampleError, match=r"0 labelled rows .* expected at least 10 and 1"):
        cut_dataset(lake, SPEC, now=at(48))
