"""``vernal metrics``, and the metrics that a tick leaves."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from commandline import Vernal, document


def names(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def test_it_prints_the_text_format(vernal: Vernal, waiting: Path) -> None:
    told = vernal("metrics", "--project", waiting)
    assert told.exit_code == 0
    assert {"vernal_store_up", "vernal_approvals_pending", "vernal_run_phase"} <= names(told.stdout)
    assert 'vernal_approvals_pending{model="m"} 1.0' in told.stdout


def test_machines_that_read_json_get_it(vernal: Vernal, waiting: Path) -> None:
    found = document(vernal("metrics", "--json", "--project", waiting))["metrics"]
    assert {"name": "vernal_run_phase", "labels": {"model": "m", "phase": "awaiting_approval"}, "value": 1} in found


def test_it_writes_a_file_instead(vernal: Vernal, waiting: Path, tmp_path: Path) -> None:
    told = vernal("metrics", "--file", tmp_path / "vernal.prom", "--project", waiting)
    assert (told.exit_code, told.stdout) == (0, "")
    assert "vernal_store_up" in names((tmp_path / "vernal.prom").read_text())


def test_it_makes_no_store(vernal: Vernal, project: Path) -> None:
    assert vernal("metrics", "--project", project).exit_code == 0
    assert not (project / ".vernal").exists()


def test_a_tick_leaves_a_file_with_what_it_did(vernal: Vernal, project: Path, tmp_path: Path) -> None:
    path = tmp_path / "vernal.prom"
    assert vernal("tick", "--metrics-file", path, "--project", project).exit_code == 0
    assert "vernal_check_last_timestamp_seconds" in names(path.read_text())


def test_a_file_that_cannot_be_written_is_an_error(vernal: Vernal, project: Path, tmp_path: Path) -> None:
    told = vernal("metrics", "--file", tmp_path / "missing" / "vernal.prom", "--project", project)
    assert told.exit_code == 1
    assert "No such file" in told.stderr
