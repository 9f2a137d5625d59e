"""A check of the user's own tables must not pay for pandas, which is imported by many a convenience of Arrow."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from deltalake import write_deltalake

from sourcedatabases import filled
from sourcetables import baseline, scores, write

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "project: p\nmodels: [a.yaml, b.yaml, c.yaml]\n"
MODEL = """\
model: {name}
task: binary
code: m.py
features: {{numerical: [amount], categorical: [country]}}
source:
  {kind}
  time_zone: Europe/Berlin
  predictions:
    {place}
    columns: {{prediction_id: request, event_time: scored_at, model_version: version, prediction: decision}}
    features: {{amount: tx_amount}}
"""
CHECKED = """\
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from vernal.adapters.lake import DeltaLake
from vernal.adapters.sources import SourcedLake, open_sources
from vernal.profile import Baseline
from vernal.spec import load_project

root = Path(sys.argv[1])
project, start = load_project(root), datetime(2024, 3, 4, tzinfo=UTC)
baseline = Baseline.from_bytes((root / "baseline").read_bytes())
lake = SourcedLake(DeltaLake(project.lake_path), open_sources(project))
for name in project.models:
    version = lake.version(name, "predictions")
    for since in (None, version - 1 if name != "b" else version):
        found = lake.count_hours(name, baseline, since=since, start=start, end=start + timedelta(hours=4))
    assert lake.scan(name, "predictions").num_rows == 60, name
    lake.left_out(name, since=0)
    print(name, len(found.profiles), "pandas" in sys.modules)
"""


def test_no_table_of_the_users_own_is_read_with_pandas(tmp_path: Path) -> None:
    rows = scores(range(3))
    write(rows, tmp_path / "parquet" / "a.parquet")
    write_deltalake(tmp_path / "delta", rows)
    filled(f"sqlite:///{tmp_path}/users.db", rows)
    places = {
        "a": ("kind: parquet", "folder: parquet"),
        "b": ("kind: delta", "folder: delta"),
        "c": ("kind: sql\n  url: sqlite:///users.db", "table: scores"),
    }
    for name, (kind, place) in places.items():
        (tmp_path / f"{name}.yaml").write_text(MODEL.format(name=name, kind=kind, place=place))
    (tmp_path / "vernal.yaml").write_text(PROJECT)
    (tmp_path / "m.py").write_text("")
    (tmp_path / "baseline").write_bytes(baseline().to_bytes())
    told = subprocess.run(
        [sys.executable, "-c", CHECKED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert told.stderr == ""
    assert [line.split()[2] for line in told.stdout.splitlines()] == ["False"] * 3
