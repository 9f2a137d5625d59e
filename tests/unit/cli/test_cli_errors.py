"""What goes wrong, as people and as scripts see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commandline import Vernal, document, error_of
from vernal.cli.reporting import described, verb
from vernal.errors import ProjectError, StoreError
from vernal.spec import load_project

ABOUT_A_MODEL = ("check", "status", "runs", "rollout", "tick", "up", "retrain", "rollback")
ABOUT_A_PROJECT = ("check", "status", "runs", "approvals", "tick", "up")
LOOKS = ("check", "status", "runs", "approvals")

BROKEN_PROJECT = """\
project: Broken Name
modelz: [a.yaml]
models: [a.yaml, missing.yaml]
"""
BROKEN_MODEL = """\
model: a
task: binary
metric: rox
code: a.py
label_delay: soon
features: {numerical: [x]}
gates:
  min_improvement: "1%"
"""
PLACES = [
    ("vernal.yaml", 1, "project"),
    ("vernal.yaml", 2, "modelz"),
    ("vernal.yaml", 3, "models[1]"),
    ("a.yaml", 3, "metric"),
    ("a.yaml", 4, "code"),
    ("a.yaml", 5, "label_delay"),
    ("a.yaml", 8, "gates.min_improvement"),
]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "vernal.yaml").write_text(BROKEN_PROJECT)
    (tmp_path / "a.yaml").write_text(BROKEN_MODEL)
    return tmp_path


@pytest.mark.parametrize("name", ABOUT_A_MODEL)
def test_a_model_that_the_project_does_not_have(name: str, project: Path, vernal: Vernal) -> None:
    told = vernal(name, "nope", "--project", project)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == f'Error: {project}: found no model "nope", expected one of m\n'
    error = error_of(vernal(name, "nope", "--json", "--project", project))
    assert error["kind"] == "ProjectError"
    assert error["message"] == f'{project}: found no model "nope", expected one of m'


@pytest.mark.parametrize("name", ABOUT_A_PROJECT)
def test_a_folder_without_a_project(name: str, tmp_path: Path, vernal: Vernal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = vernal(name)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.splitlines() == [
        f"Error: {tmp_path}: found no vernal.yaml here or in any folder above, expected one",
        "Hint: `vernal init` writes a project that runs.",
    ]
    assert error_of(vernal(name, "--json"))["hint"] == "`vernal init` writes a project that runs."


def test_a_project_is_found_from_a_folder_inside_it(
    project: Path, vernal: Vernal, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = project / "notebooks" / "old"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert document(vernal("status", "--json"))["project"] == "loop"


@pytest.mark.parametrize("name", ABOUT_A_PROJECT)
def test_broken_files_report_all_of_their_problems_with_their_lines(name: str, broken: Path, vernal: Vernal) -> None:
    told = vernal(name, "--project", broken)
    assert (told.exit_code, told.stdout) == (1, "")
    lines = told.stderr.removeprefix("Error: ").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [[f"{file}:{line}", key] for file, line, key in PLACES]
    assert "expected a duration such as" in lines[5]


def test_broken_files_report_all_of_their_problems_as_json(broken: Path, vernal: Vernal) -> None:
    error = error_of(vernal("check", "--json", "--project", broken))
    assert error["kind"] == "SpecError"
    assert [(one["file"], one["line"], one["field"]) for one in error["problems"]] == PLACES
    assert all(one["message"] for one in error["problems"])


def test_broken_files_make_no_state(broken: Path, vernal: Vernal) -> None:
    vernal("tick", "--project", broken)
    assert sorted(path.name for path in broken.iterdir()) == ["a.yaml", "vernal.yaml"]


def test_a_file_that_is_no_yaml_names_its_line(project: Path, vernal: Vernal) -> None:
    (project / "m.yaml").write_text("model: m\ntask: [binary\ncode: m.py\n")
    told = vernal("check", "--project", project)
    assert told.exit_code == 1
    assert told.stderr.startswith("Error: m.yaml:")


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_makes_no_state(name: str, project: Path, vernal: Vernal) -> None:
    before = sorted(project.rglob("*"))
    assert vernal(name, "--project", project).exit_code == 0
    assert sorted(project.rglob("*")) == before


def test_a_model_that_cannot_be_judged_does_not_hide_the_others(project: Path, vernal: Vernal) -> None:
    (project / "n.yaml").write_text((project / "m.yaml").read_text().replace("model: m", "model: n"))
    (project / "vernal.yaml").write_text("project: loop\nmodels: [m.yaml, n.yaml]\n")
    log = load_project(project).lake_path / "m" / "labels" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("no json")
    told = vernal("check", "--json", "--project", project)
    assert told.exit_code == 1
    m, n = json.loads(told.stdout)["models"]
    assert (m["model"], m["outcome"], m["error"]["kind"]) == ("m", "error", "LakeError")
    assert (n["model"], "error" in n) == ("n", False)
    assert vernal("check", "--project", project).stdout.startswith("m: error\n")


def test_debug_lets_the_error_through(tmp_path: Path, vernal: Vernal) -> None:
    told = vernal("--debug", "status", "--project", tmp_path)
    assert isinstance(told.exception, ProjectError)
    assert isinstance(vernal("status", "--project", tmp_path).exception, SystemExit)


def test_control_characters_of_a_message_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    def fail() -> None:
        raise StoreError("amount\x1b[2J > 3", hint="look\x07")

    with pytest.raises(typer.Exit):
        verb(fail)()
    assert capsys.readouterr().err == "Error: amount?[2J > 3\nHint: look?\n"


def test_a_fault_of_vernal_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    def fail() -> None:
        raise RuntimeError("surprise")

    with pytest.raises(typer.Exit) as ended:
        verb(fail)()
    assert ended.value.exit_code == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: RuntimeError: surprise\nHint: This is a fault of Vernal itself.")


def test_an_error_of_the_machine_is_no_fault_of_vernal() -> None:
    error = described(PermissionError(13, "Permission denied", "/state.db"))
    assert error == {"kind": "PermissionError", "message": "[Errno 13] Permission denied: '/state.db'", "hint": None}
