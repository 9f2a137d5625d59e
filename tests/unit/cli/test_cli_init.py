"""Writing a project that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from commandline import Vernal, document, error_of
from vernal.spec import load_project

FILES = [
    ".gitignore",
    "README.md",
    "fraud.py",
    "fraud.yaml",
    "sample/history.py",
    "sample/payments.py",
    "sample/serve.py",
    "vernal.yaml",
]


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_project_is_named_after_its_folder(tmp_path: Path, vernal: Vernal) -> None:
    told = document(vernal("init", tmp_path / "fraud", "--json"))
    assert written(tmp_path / "fraud") == FILES == sorted(told["files"])
    assert (told["model"], told["label_delay"]) == ("fraud", "1d")
    project = load_project(tmp_path / "fraud")
    assert project.spec.project == "fraud"
    assert list(project.models) == ["fraud"]


def test_what_is_written_has_no_blank_left_to_fill(tmp_path: Path, vernal: Vernal) -> None:
    vernal("init", tmp_path / "fraud")
    left = [name for name in written(tmp_path / "fraud") if "${" in (tmp_path / "fraud" / name).read_text()]
    assert left == []


def test_the_next_step_is_told(tmp_path: Path, vernal: Vernal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = vernal("init", "fraud").stdout.splitlines()
    assert told[-1] == "Next: cd fraud && python sample/history.py && vernal retrain fraud --wait"


@pytest.mark.parametrize(
    ("folder", "model", "project"),
    [
        ("Card Fraud 2", "card_fraud_2", "card-fraud-2"),
        ("2024", "my_model", "models"),
        ("vernal", "my_model", "vernal"),
        ("null", "my_model", "models"),
        ("true", "my_model", "models"),
        ("on", "on", "on"),
        ("z" * 80, "z" * 63, "z" * 63),
        ("\u00fc", "my_model", "models"),
    ],
)
def test_every_folder_gives_names_that_load(
    folder: str, model: str, project: str, tmp_path: Path, vernal: Vernal
) -> None:
    assert vernal("init", tmp_path / folder).exit_code == 0
    loaded = load_project(tmp_path / folder)
    assert (loaded.spec.project, list(loaded.models)) == (project, [model])


@pytest.mark.parametrize("name", ["Fraud", "9lives", "card-fraud", "", "z" * 64, "vernal", "null", "true"])
def test_a_model_name_that_would_not_load_is_refused(name: str, tmp_path: Path, vernal: Vernal) -> None:
    told = vernal("init", tmp_path / "new", "--model", name)
    assert told.exit_code == 2
    assert repr(name)[:20] in told.stderr
    assert not (tmp_path / "new").exists()


def test_the_label_delay_is_taken_over(tmp_path: Path, vernal: Vernal) -> None:
    assert document(vernal("init", tmp_path / "fraud", "--label-delay", "36h", "--json"))["label_delay"] == "1d12h"
    delay = load_project(tmp_path / "fraud").model("fraud").label_delay
    assert delay.total_seconds() == 36 * 3600


def test_a_label_delay_that_is_no_duration_is_refused(tmp_path: Path, vernal: Vernal) -> None:
    assert vernal("init", tmp_path / "fraud", "--label-delay", "soon").exit_code == 2
    assert not (tmp_path / "fraud").exists()


@pytest.mark.parametrize("there", ["vernal.yaml", "fraud.yaml", "README.md", "sample/serve.py"])
def test_nothing_is_ever_overwritten(there: str, tmp_path: Path, vernal: Vernal) -> None:
    folder = tmp_path / "fraud"
    (folder / there).parent.mkdir(parents=True)
    (folder / there).write_text("mine")
    told = vernal("init", folder)
    assert told.exit_code == 1
    assert told.stderr.splitlines() == [
        f"Error: {folder}: found {there}, expected none: nothing is overwritten",
        "Hint: Name another folder, or another model with --model.",
    ]
    assert error_of(vernal("init", folder, "--json"))["kind"] == "ProjectError"
    assert written(folder) == [there]
    assert (folder / there).read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, vernal: Vernal) -> None:
    (tmp_path / "file").write_text("")
    told = vernal("init", tmp_path / "file" / "fraud")
    assert told.exit_code == 1
    assert f"{tmp_path}/file/fraud" in told.stderr
    assert "fault of Vernal" not in told.stderr
