from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from vernal.adapters.lake import DeltaLake
from vernal.observe.label_count import count_labels
from vernal.spec import ModelSpec

SINCE = datetime(2024, 3, 1, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")


def spec(label_delay: str, proxy: str | float = "exclude") -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "m",
            "task": "binary",
            "code": "m.py",
            "label_delay": label_delay,
            "labels": {"proxy": proxy},
            "features": {"numerical": ["x"]},
        }
    )


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    """Return a lake of five labels; the days of event and arrival count from the last training cut."""
    made = DeltaLake(tmp_path)
    days = {"known before": (-2, -1), "new": (-1, 1), "corrected": (-1, 2), "late": (-20, 3), "not yet": (1, 9)}
    names = [*days, "corrected"]
    made.append(
        "m",
        "labels",
        pa.table(
            {
                "prediction_id": names,
                "label": [1.0] * len(names),
                "event_time": pa.array([SINCE + timedelta(days=days[name][0]) for name in names], TIME),
                "arrival_time": pa.array([SINCE + timedelta(days=days[name][1]) for name in names], TIME),
                "source": ["true"] * len(names),
            }
        ),
        writer="w",
        sequence=1,
    )
    return made


@pytest.mark.parametrize(("label_delay", "found"), [("1d", 2), ("9d", 2), ("10d", 3), ("14d", 3)])
def test_labels_that_arrived_since_count_once_back_to_two_label_delays(
    lake: DeltaLake, label_delay: str, found: int
) -> None:
    assert count_labels(lake, spec(label_delay), since=SINCE, until=SINCE + timedelta(days=5)).counted == found


def test_before_the_first_training_every_label_that_arrived_counts(lake: DeltaLake) -> None:
    assert count_labels(lake, spec("1d"), since=None, until=SINCE + timedelta(days=5)).counted == 4


@pytest.mark.parametrize(("proxy", "counted"), [("exclude", 2), (0.5, 3), ("include", 5)])
def test_new_proxies_count_as_the_file_says_and_never_beside_a_true_label(
    lake: DeltaLake, proxy: str | float, counted: int
) -> None:
    names = ["new", "feedback 1", "feedback 2", "feedback 3", "known before"]
    when = pa.array([SINCE + timedelta(days=1)] * len(names), TIME)
    rows = {"prediction_id": names, "label": [0.0] * len(names), "event_time": when, "arrival_time": when}
    lake.append("m", "labels", pa.table({**rows, "source": ["proxy"] * len(names)}), writer="w", sequence=2)

    found = count_labels(lake, spec("1d", proxy), since=SINCE, until=SINCE + timedelta(days=5))
    assert (found.counted, found.proxies) == (counted, 3)
