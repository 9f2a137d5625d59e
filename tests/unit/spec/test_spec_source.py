"""Where rows are read from: what a project says for all models, what a model says, and what does not go together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from vernal.errors import SpecError
from vernal.spec import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from vernal.spec import Source

MODEL = "model: m\ntask: binary\ncode: m.py\nfeatures: {numerical: [amount]}\n"
TABLE = "{table: scores}"


def source(root: Path, model: str, project: str = "") -> Source:
    (root / "vernal.yaml").write_text(f"project: p\nmodels: [m.yaml]\n{project}")
    (root / "m.yaml").write_text(MODEL + model)
    (root / "m.py").write_text("")
    return load_project(root).source("m")


def problems(root: Path, model: str, project: str = "") -> list[str]:
    with pytest.raises(SpecError) as caught:
        source(root, model, project)
    return [str(problem) for problem in caught.value.problems]


def test_rows_are_in_the_embedded_lake_unless_something_is_said(tmp_path: Path) -> None:
    found = source(tmp_path, "")
    assert (found.kind, dict(found.tables)) == ("lake", {})


def test_a_model_takes_from_the_project_what_it_does_not_say(tmp_path: Path) -> None:
    project = "source: {kind: sql, url: 'postgresql://r@db/shop', password_env: PW, time_zone: Asia/Kolkata}\n"
    found = source(tmp_path, f"source: {{lateness: 5m, predictions: {TABLE}}}\n", project)
    assert (found.kind, found.url, found.password_env) == ("sql", "postgresql://r@db/shop", "PW")
    assert (found.zone, found.lateness) == ("Asia/Kolkata", timedelta(minutes=5))
    assert found.tables["predictions"].place == "scores"


def test_a_model_has_its_way_against_the_project(tmp_path: Path) -> None:
    project = "source: {kind: sql, url: 'postgresql://r@db/shop', time_zone: Asia/Kolkata, lateness: 1d}\n"
    model = "source: {kind: parquet, time_zone: UTC, lateness: 0s, labels: {folder: labels}}\n"
    found = source(tmp_path, model, project)
    assert (found.kind, found.zone, found.lateness) == ("parquet", "UTC", timedelta(0))
    assert found.tables["labels"].place == str(tmp_path / "labels")


def test_a_model_without_tables_stays_in_the_lake_whatever_the_project_says(tmp_path: Path) -> None:
    assert not source(tmp_path, "", "source: {kind: parquet}\n").tables


def test_files_of_databases_are_relative_to_the_project(tmp_path: Path) -> None:
    for scheme in ("sqlite", "duckdb"):
        found = source(tmp_path, f"source: {{kind: sql, url: '{scheme}:///a/b.db', labels: {TABLE}}}\n")
        assert found.url == f"{scheme}:///{tmp_path}/a/b.db"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (f"source: {{predictions: {TABLE}}}", "source.predictions: found tables of your own, but kind is lake"),
        ("source: {kind: sql}", "source: kind sql needs predictions, labels or both"),
        (f"source: {{kind: sql, labels: {TABLE}}}", "source: kind sql needs a url such as"),
        ("source: {kind: parquet, labels: {table: t}}", "source.labels: kind parquet needs a folder"),
        ("source: {kind: parquet, labels: {table: t}}", "source.labels.table: kind parquet has a folder, not a table"),
        ("source: {kind: delta, url: 'sqlite:///x', labels: {folder: f}}", "source.url: belongs to kind sql"),
        ("source: {kind: parquet, labels: {folder: 's3://x/y'}}", "expected a folder on this machine"),
        ("source: {time_zone: Mars/Olympus}", 'expected the name of a time zone such as "Europe/Berlin"'),
        ("source: {url: 'postgresql://me:secret@db/x'}", "with a password, expected none in a file"),
        ("source: {url: nonsense}", "expected a database URL"),
        ("source: {password_env: 'a b'}", "expected the name of an environment variable"),
        (
            "source: {kind: parquet, predictions: {folder: f, features: {amuont: x}}}",
            'source.predictions.features.amuont: got "amuont", which is no feature; did you mean "amount"?',
        ),
        (
            "source: {kind: parquet, predictions: {folder: f, columns: {role: v}, constants: {role: champion}}}",
            "source.predictions.constants.role: has a column already",
        ),
        (
            "source: {kind: parquet, predictions: {folder: f, columns: {id: v}}}",
            "source.predictions.columns.id: unknown",
        ),
    ],
)
def test_what_does_not_go_together_is_told_with_its_place(tmp_path: Path, model: str, told: str) -> None:
    found = problems(tmp_path, model)
    assert any(told in one for one in found), found
    assert all("secret" not in one for one in found)
    assert all(one.startswith("m.yaml:5") for one in found)
