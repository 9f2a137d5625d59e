"""What a rollout has shown so far, on rows in a real lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vernal.adapters.lake import DeltaLake
from vernal.observe.rollout import rollout_evidence
from vernal.records import Phase, RolloutEvidence, RolloutState, Run, RunFacts, TriggerKind
from vernal.spec import ModelSpec

START = datetime(2024, 1, 1, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
HOURS = 12
SPEC = ModelSpec.model_validate(
    {
        "model": "m",
        "task": "regression",
        "code": "m.py",
        "label_delay": "0s",
        "metric": "mae",
        "features": {"numerical": ["x"]},
        "gates": {"floor": 10.0, "min_improvement": 0.1},
        "triggers": {"performance": "off"},
        "rollout": {"margin": 0.5, "score_margin": 0.5},
    }
)
RUN = Run(
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


def evidence(folder: Path, *, unit: float) -> RolloutEvidence:
    """Return what is known after some hours in which the challenger is wrong by 1 and the champion by about 2 units."""
    lake = DeltaLake(folder)
    when = [START + timedelta(hours=hour) for hour in range(HOURS)]
    ids = [str(hour) for hour in range(HOURS)]
    champion = unit * (2.0 + 0.1 * np.random.default_rng(1).normal(size=HOURS))
    lake.append(
        "m",
        "predictions",
        pa.table(
            {
                "prediction_id": ids,
                "model_version": ["1"] * HOURS,
                "event_time": pa.array(when, TIME),
                "prediction": champion.tolist(),
                "score": pa.nulls(HOURS, pa.float64()),
                "other_version": ["2"] * HOURS,
                "other_prediction": [unit] * HOURS,
                "other_score": pa.nulls(HOURS, pa.float64()),
            }
        ),
        writer="w",
        sequence=1,
    )
    labels = pa.table(
        {
            "prediction_id": ids,
            "label": [0.0] * HOURS,
            "event_time": pa.array(when, TIME),
            "arrival_time": pa.array(when, TIME),
            "source": ["true"] * HOURS,
        }
    )
    lake.append("m", "labels", labels, writer="w", sequence=1)
    return rollout_evidence(lake, SPEC, RUN, now=START + timedelta(hours=HOURS))


def test_the_band_of_an_error_does_not_depend_on_its_unit(tmp_path: Path) -> None:
    metres, millimetres = evidence(tmp_path / "m", unit=1.0), evidence(tmp_path / "mm", unit=1000.0)
    assert metres.difference == pytest.approx(1.0, abs=0.1)
    for small, large in zip(
        (metres.difference, metres.lower, metres.upper),
        (millimetres.difference, millimetres.lower, millimetres.upper),
        strict=True,
    ):
        assert small is not None
        assert large == pytest.approx(1000.0 * small)
