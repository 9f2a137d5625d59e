"""``vernal source`` says what was found, what is missing and what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commandline import document
from sourcetables import scores, write

if TYPE_CHECKING:
    from pathlib import Path

    from commandline import Vernal

MODEL = """\
model: m
task: binary
code: m.py
features: {numerical: [amount], categorical: [country]}
source:
  kind: parquet
  predictions:
    folder: scores
    columns: {prediction_id: request, event_time: scored_at, model_version: version, prediction: decision}
    features: {amount: tx_amount}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vernal.yaml").write_text("project: p\nmodels: [m.yaml]\n")
    (tmp_path / "m.yaml").write_text(MODEL)
    (tmp_path / "m.py").write_text("def train(X, y): ...\n")
    write(scores(range(2)), tmp_path / "scores" / "a.parquet")
    return tmp_path


def test_it_says_which_column_is_which_and_how_many_rows_can_be_used(folder: Path, vernal: Vernal) -> None:
    told = vernal("source", "m", "--project", folder)
    assert told.exit_code == 0
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert "amount tx_amount double" in lines
    assert "event_time scored_at timestamp[us, tz=UTC]" in lines
    assert "rows 40 of 40 rows that were read can be used" in lines
    assert "labels: in the embedded lake" in lines
    assert any(line.startswith("notes no received_time") for line in lines)


def test_it_says_what_is_missing_and_what_to_write(folder: Path, vernal: Vernal) -> None:
    (folder / "m.yaml").write_text(MODEL.replace("event_time: scored_at, ", "").replace("tx_amount", "tx_amuont"))
    told = vernal("source", "--project", folder)
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    assert "          event_time: ...  # one of: scored_at, inserted_at" in [line[2:] for line in lines]
    assert "          amount: ...  # one of: probability, tx_amount, note" in [line[2:] for line in lines]
    assert "amount: found no column 'tx_amuont'; did you mean \"tx_amount\"?" in told.stdout


def test_json_has_everything(folder: Path, vernal: Vernal) -> None:
    told = document(vernal("source", "m", "--json", "--project", folder))
    (model,) = told["models"]
    (table,) = model["tables"]
    assert (model["kind"], model["embedded"]) == ("parquet", ["labels"])
    assert (table["kind"], table["sampled"], table["refused"], table["problems"]) == ("predictions", 40, 0, [])
    assert {"name": "entity", "column": None, "constant": None, "type": None, "needed": False, "problem": ""} in table[
        "columns"
    ]
    assert table["unused"] == ["inserted_at", "probability", "note"]


def test_rows_that_cannot_be_used_are_counted_by_reason(folder: Path, vernal: Vernal) -> None:
    rows = scores(range(1))
    rows = rows.set_column(rows.column_names.index("decision"), "decision", rows["probability"])
    write(rows, folder / "scores" / "b.parquet")
    told = vernal("source", "m", "--json", "--project", folder)
    assert told.exit_code == 1
    assert "none of 20 rows can be used: prediction: expected 0 or 1 (20)" in told.stdout


def test_a_folder_that_is_not_there_is_a_problem_of_its_table(folder: Path, vernal: Vernal) -> None:
    (folder / "m.yaml").write_text(MODEL.replace("folder: scores", "folder: nowhere"))
    told = vernal("source", "m", "--project", folder)
    assert told.exit_code == 1
    assert "found no folder" in told.stdout


def test_a_model_of_the_embedded_lake_has_nothing_to_open(folder: Path, vernal: Vernal) -> None:
    (folder / "m.yaml").write_text(MODEL.partition("source:")[0])
    told = vernal("source", "--project", folder)
    assert (told.exit_code, told.stdout.splitlines()[0]) == (0, "m: lake")
