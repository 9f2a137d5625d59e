"""Files of predictions and labels, taken into the lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from commandline import Vernal, document, error_of
from vernal.bootstrap import open_system

PREDICTIONS = """\
prediction_id,event_time,x,noise,c,model_version,prediction,score
007,2024-01-01T00:00:00Z,0.5,0.1,01,1,1,0.8
008,2024-01-01T00:01:00Z,-0.5,0.2,b,1,0,0.3
"""
LABELS = """\
prediction_id,label,event_time
007,1,2024-01-01T00:00:00Z
"""


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    path.write_text(PREDICTIONS)
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    return path


def test_files_are_taken_in(project: Path, predictions: Path, labels: Path, vernal: Vernal) -> None:
    told = document(
        vernal("ingest", "m", "--predictions", predictions, "--labels", labels, "--json", "--project", project)
    )
    assert (told["predictions"]["accepted"], told["predictions"]["quarantined"]) == (2, 0)
    assert (told["labels"]["accepted"], told["labels"]["quarantined"]) == (1, 0)


def test_ids_and_categories_keep_their_zeros(project: Path, predictions: Path, vernal: Vernal) -> None:
    assert vernal("ingest", "m", "--predictions", predictions, "--project", project).exit_code == 0
    with open_system(project, read_only=True) as system:
        rows = system.lake.scan("m", "predictions", columns=("prediction_id", "c"))
    assert sorted(rows.column(0).to_pylist()) == ["007", "008"]
    assert sorted(rows.column(1).to_pylist()) == ["01", "b"]


def test_the_same_file_again_changes_nothing(project: Path, predictions: Path, vernal: Vernal) -> None:
    command = ("ingest", "m", "--predictions", predictions, "--project", project)
    assert vernal(*command).stdout == f"predictions: 2 rows of {predictions} taken in\n"
    assert vernal(*command).stdout == f"predictions: {predictions} was taken in before; nothing has changed\n"
    assert document(vernal(*command, "--json"))["predictions"]["known"] is True
    with open_system(project, read_only=True) as system:
        assert system.lake.scan("m", "predictions", columns=("prediction_id",)).num_rows == 2


def test_a_row_that_cannot_be_used_costs_itself_alone(project: Path, predictions: Path, vernal: Vernal) -> None:
    predictions.write_text(PREDICTIONS.replace("-0.5", "many"))
    told = vernal("ingest", "m", "--predictions", predictions, "--project", project)
    assert told.exit_code == 0
    assert told.stdout == f"predictions: 1 rows of {predictions} taken in, 1 quarantined\n"
    assert told.stderr.startswith("Quarantined predictions: ")


def test_a_file_of_which_nothing_can_be_used_ends_with_1(project: Path, labels: Path, vernal: Vernal) -> None:
    labels.write_text(LABELS.replace("007,1", "007,maybe"))
    told = vernal("ingest", "m", "--labels", labels, "--project", project)
    assert told.exit_code == 1
    assert "1 quarantined" in told.stdout


def test_a_file_that_is_no_table_is_refused_with_what_was_expected(
    project: Path, tmp_path: Path, vernal: Vernal
) -> None:
    path = tmp_path / "labels.parquet"
    path.write_text("no parquet")
    error = error_of(vernal("ingest", "m", "--labels", path, "--json", "--project", project))
    assert error["kind"] == "LakeError"
    assert error["message"].startswith(f"{path}: cannot be read: ")
    assert error["hint"] == "Expected Parquet, or CSV with a header and a name in .csv."


def test_a_call_without_a_file_is_called_wrongly(project: Path, vernal: Vernal) -> None:
    told = vernal("ingest", "m", "--project", project)
    assert told.exit_code == 2
    assert "--predictions" in told.stderr


def test_a_model_that_is_not_there_takes_nothing_in(project: Path, labels: Path, vernal: Vernal) -> None:
    error = error_of(vernal("ingest", "nope", "--labels", labels, "--json", "--project", project))
    assert error["message"] == f'{project}: found no model "nope", expected one of m'


def test_what_was_let_in_all_the_same_is_told(project: Path, predictions: Path, vernal: Vernal) -> None:
    with (project / "m.yaml").open("a") as file:
        file.write("quality: {expectations: [{column: x, min: 0, action: warn}, {column: noise, max: 0.1}]}\n")
    header, *rows = PREDICTIONS.splitlines()
    predictions.write_text("\n".join([f"{header},basket", *(f"{row},1" for row in rows)]))
    command = ("ingest", "m", "--predictions", predictions, "--project", project)
    told = vernal(*command)
    assert told.stdout == f"predictions: 1 rows of {predictions} taken in, 1 quarantined\n"
    assert "Quarantined predictions: noise: expected at most 0.1 (1)\n" in told.stderr
    assert "Note on predictions: predictions have a column basket (int64) that the model does not know" in told.stderr
    assert "came as texts" not in told.stderr
    predictions.write_text(PREDICTIONS.replace("-0.5", "-0.6"))
    found = document(vernal(*command, "--json"))["predictions"]
    assert found["reasons"] == ["noise: expected at most 0.1 (1)"]
    predictions.write_text(PREDICTIONS.replace("0.2,b", "0.1,b"))
    assert "warning: x: expected at least 0 (1)" in document(vernal(*command, "--json"))["predictions"]["remarks"]
