"""``vernal compare`` on files, as a person, a script and a job would call it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commandline import Vernal, document, error_of
from vernal.cli.compare import _progress


def write(path: Path, seed: int, *, shift: float = 0.0, rows: int = 3000) -> Path:
    rng = np.random.default_rng(seed)
    table = {
        "amount": rng.normal(shift, 1.0, rows),
        "code": rng.integers(0, 5, rows),
        "carrier": rng.choice(["AA", "UA"], rows),
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return write(tmp_path / "ref.parquet", 1)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return write(tmp_path / "cur.parquet", 2, shift=0.7)


def test_two_files_are_compared_without_any_project(vernal: Vernal, older: Path, newer: Path) -> None:
    told = vernal("compare", older, newer)
    assert told.exit_code == 0
    assert "1 of 3" in told.stdout
    line = next(line for line in told.stdout.splitlines() if line.strip().startswith("amount"))
    assert "drifted" in line


def test_json_holds_every_number(vernal: Vernal, older: Path, newer: Path) -> None:
    found = document(vernal("compare", older, newer, "--json"))
    assert found["drifted"] == ["amount"]
    assert found["reference"] == {"name": str(older), "rows": 3000}
    assert {one["feature"]: one["verdict"] for one in found["features"]} == {
        "amount": "drifted",
        "code": "stable",
        "carrier": "stable",
    }


def test_the_report_is_written_where_it_was_asked_for(vernal: Vernal, older: Path, newer: Path, tmp_path: Path) -> None:
    told = vernal("compare", older, newer, "--html", tmp_path / "report.html")
    assert f"Report: {tmp_path / 'report.html'}" in told.stderr
    assert (tmp_path / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_report_that_cannot_be_written_is_an_error(vernal: Vernal, older: Path, newer: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "report.html", tmp_path / "folder"):
        told = vernal("compare", older, newer, "--html", path)
        assert told.exit_code == 1
        assert "cannot be written" in told.stderr


def test_a_folder_that_is_not_there_is_noticed_before_the_work(vernal: Vernal, older: Path, tmp_path: Path) -> None:
    told = vernal("compare", older, tmp_path / "missing.parquet", "--save-baseline", tmp_path / "no" / "ref.baseline")
    assert "there is no folder" in told.stderr
    assert "Hint: Make the folder first." in told.stderr


def test_a_saved_baseline_stands_in_for_its_rows(vernal: Vernal, older: Path, newer: Path, tmp_path: Path) -> None:
    stored = tmp_path / "ref.baseline"
    saved = document(vernal("compare", older, newer, "--save-baseline", stored, "--json"))
    older.unlink()
    again = document(vernal("compare", stored, newer, "--json"))
    assert again == saved
    assert again["drifted"] == ["amount"]


def test_drift_fails_a_job_only_when_it_is_asked_to(vernal: Vernal, older: Path, newer: Path, tmp_path: Path) -> None:
    assert vernal("compare", older, newer).exit_code == 0
    assert vernal("compare", older, newer, "--fail-on-drift").exit_code == 3
    assert vernal("compare", older, write(tmp_path / "same.parquet", 3), "--fail-on-drift").exit_code == 0


@pytest.mark.parametrize(
    ("options", "drifted"),
    [
        ((), ["amount"]),
        (("--psi", "5"), []),
        (("--psi", "5", "--ks", "0.1"), ["amount"]),
        (("--feature", "code", "--feature", "carrier"), []),
        (("--min-rows", "5000"), []),
    ],
)
def test_options_change_the_verdict(
    vernal: Vernal, older: Path, newer: Path, options: tuple[str, ...], drifted: list[str]
) -> None:
    assert document(vernal("compare", older, newer, "--json", *options))["drifted"] == drifted


def test_options_change_how_columns_are_compared(vernal: Vernal, older: Path, newer: Path) -> None:
    def first(*options: str) -> dict[str, Any]:
        return {
            one["feature"]: one for one in document(vernal("compare", older, newer, "--json", *options))["features"]
        }

    plain = first()
    assert plain["code"]["statistic"] == "psi"
    assert first("--kind", "code=categorical")["code"]["statistic"] == "js"
    assert first("--bins", "5")["amount"]["measured"]["chi_square"]["dof"] == 4
    assert first("--js", "0.5")["carrier"]["threshold"] == 0.5
    assert first("--false-discovery", "0.2")["amount"]["critical"] < plain["amount"]["critical"]
    assert first("--threads", "1") == plain


def test_a_kind_that_is_not_named_is_called_wrongly(vernal: Vernal, older: Path, newer: Path) -> None:
    told = vernal("compare", older, newer, "--kind", "code")
    assert told.exit_code == 2
    assert "NAME=numerical or NAME=categorical" in told.stderr


def test_errors_are_json_when_the_result_would_be(vernal: Vernal, older: Path, tmp_path: Path) -> None:
    error = error_of(vernal("compare", older, tmp_path / "missing.parquet", "--json"))
    assert error["kind"] == "DataError"
    assert "found nothing at" in error["message"]


def test_a_file_that_is_no_table_is_refused_with_its_name(vernal: Vernal, older: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("amount,code\n1,2\n")
    told = vernal("compare", older, tmp_path / "notes.txt")
    assert told.exit_code == 1
    assert "notes.txt" in told.stderr
    assert "Expected a Parquet file" in told.stderr


def test_a_person_at_a_terminal_sees_the_columns_go_by_and_a_pipe_does_not(
    vernal: Vernal, older: Path, newer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vernal("compare", older, newer).stderr == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    tell = _progress()
    assert tell is not None
    tell(1, 2)
    tell(2, 2)
    written = capsys.readouterr().err
    assert written.startswith("\r1 of 2 columns read")
    assert written.endswith("\r")
