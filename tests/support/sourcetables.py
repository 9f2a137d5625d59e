"""Tables as users have them: names, zones and types of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vernal.adapters.sources.layout import Layout
from vernal.profile import Baseline, FeatureKind, build_baseline
from vernal.spec import SourceTable

START = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEATURES = {"amount": "numerical", "country": "categorical"}
PREDICTION_COLUMNS = {
    "prediction_id": "request",
    "event_time": "scored_at",
    "received_time": "inserted_at",
    "model_version": "version",
    "prediction": "decision",
    "score": "probability",
}


def layout(
    place: Path | str,
    kind: str = "predictions",
    *,
    columns: dict[str, str] | None = None,
    constants: dict[str, str] | None = None,
    features: dict[str, str] | None = None,
    kinds: dict[str, str] | None = None,
    zone: str = "UTC",
    task: str = "binary",
) -> Layout:
    default = PREDICTION_COLUMNS if kind == "predictions" else {"prediction_id": "request", "label": "fraud"}
    renamed = {"amount": "tx_amount"} if kind == "predictions" else {}
    table = SourceTable(
        place=str(place),
        columns=MappingProxyType(default if columns is None else columns),
        constants=MappingProxyType(constants or {}),
        features=MappingProxyType(renamed if features is None else features),
    )
    return Layout(
        subject=f"m: {kind} in {place}",
        kind=kind,
        table=table,
        features=MappingProxyType((kinds or FEATURES) if kind == "predictions" else {}),
        task=task,
        zone=zone,
        label_delay=timedelta(days=1),
    )


def scores(hours: range, *, per_hour: int = 20, seed: int = 1, late: timedelta = timedelta(0)) -> pa.Table:
    """Return predictions of some hours after ``START``, under the user's names."""
    parts: dict[str, list[Any]] = {}
    for hour in hours:
        rng = np.random.default_rng([seed, hour])
        for n in range(per_hour):
            at = START + hour * HOUR + timedelta(minutes=float(rng.uniform(0, 59)))
            row = {
                "request": f"{seed}-{hour}-{n}",
                "scored_at": at,
                "inserted_at": at + timedelta(seconds=5) + late,
                "version": "1",
                "decision": int(rng.random() < 0.5),
                "probability": float(rng.random()),
                "tx_amount": None if rng.random() < 0.1 else float(np.round(rng.normal(), 1)),
                "country": None if rng.random() < 0.1 else str(rng.choice(["DE", "FR", "IT", "Åland"])),
                "note": "not Vernal's",
            }
            for name, value in row.items():
                parts.setdefault(name, []).append(value)
    times = pa.timestamp("us", tz="UTC")
    types = {"scored_at": times, "inserted_at": times, "tx_amount": pa.float64(), "country": pa.string()}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in parts.items()})


def baseline() -> Baseline:
    rng = np.random.default_rng(0)
    reference = pa.table(
        {
            "amount": pa.array(np.round(rng.normal(size=2000), 1)),
            "country": pa.array(rng.choice(["DE", "FR", "IT"], size=2000).tolist()),
        }
    )
    return build_baseline(reference, {name: FeatureKind(kind) for name, kind in FEATURES.items()})


def write(rows: pa.Table, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    pq.write_table(rows, aside)
    return aside.rename(path)
