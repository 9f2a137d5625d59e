"""What `vernal init` writes runs: from made-up payments to a champion that serves, by the commands of its README."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vernal.bootstrap import open_system

pytestmark = pytest.mark.slow

MODEL = "fraud"
SECONDS = 300
OUTCOMES = ["requested", "allowed", "built", "trained", "promoted"]
CHECKED = """\
import sys
from vernal.cli.app import app
app(["check", "--json"], standalone_mode=False)
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


class Ended(NamedTuple):
    """What a process left: its exit status and what it printed."""

    status: int
    out: str
    err: str

    def document(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        assert self.status == 0, self.err
        return json.loads(self.out)


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VERNAL_", "MLFLOW_"))}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def end(process: subprocess.Popen[str]) -> Ended:
    out, err = process.communicate(timeout=SECONDS)
    return Ended(process.returncode, out, err)


def python(folder: Path, *arguments: str) -> Ended:
    # A first project must not begin with warnings.
    return end(start(folder, sys.executable, "-W", "error", *arguments))


def vernal(folder: Path, *arguments: str) -> Ended:
    return end(start(folder, sys.executable, "-m", "vernal.cli", *arguments))


def tree(folder: Path) -> dict[str, tuple[int, bytes] | None]:
    """Return each file's time and content, and each folder without its time: SQLite's locks come and go there."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new project that has logged its history."""
    folder = tmp_path_factory.mktemp("logged") / MODEL
    written = vernal(folder.parent, "init", MODEL, "--json").document()
    assert written["model"] == MODEL
    assert sorted(written["files"]) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    history = python(folder, "sample/history.py")
    assert (history.status, history.err) == (0, "")
    return folder


@pytest.fixture(scope="module")
def served(logged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose first champion has answered requests."""
    folder = tmp_path_factory.mktemp("served") / MODEL
    shutil.copytree(logged, folder)
    told = vernal(folder, "retrain", MODEL, "--wait", "--json").document()
    assert told["run"]["phase"] == "promoted", told["run"]["outcome"]
    assert told["run"]["facts"]["champion"] is None
    assert [decision["outcome"] for decision in told["decisions"]] == OUTCOMES
    answered = python(folder, "sample/serve.py")
    assert (answered.status, answered.err) == (0, "")
    assert answered.out == f"{MODEL}: answered 200 payments: 200 by 1\n"
    return folder


@pytest.fixture(scope="module")
def loaded(logged: Path) -> frozenset[str]:
    """Return the packages that a check has imported when it is over."""
    checked = python(logged, "-c", CHECKED)
    assert checked.status == 0, checked.err
    return frozenset(checked.err.split())


def test_a_history_is_logged_once(logged: Path) -> None:
    again = python(logged, "sample/history.py")
    assert (again.status, again.err) == (1, "There is a history already.\n")


def test_a_check_before_the_first_model_changes_nothing(logged: Path) -> None:
    before = tree(logged)
    judged = vernal(logged, "check", "--json").document()["models"]
    assert [(model["model"], model["outcome"]) for model in judged] == [(MODEL, "insufficient")]
    assert judged[0]["inbox"] == 2
    assert tree(logged) == before


def test_looking_at_a_model_that_serves_changes_nothing(served: Path) -> None:
    before = tree(served)
    for verb in ("check", "status", "runs", "approvals"):
        vernal(served, verb, "--json").document()
    vernal(served, "rollout", MODEL, "--json").document()
    assert tree(served) == before


@pytest.mark.parametrize("library", ["mlflow", "pandas", "sklearn"])
def test_a_check_does_not_load(library: str, loaded: frozenset[str]) -> None:
    assert "vernal" in loaded
    assert library not in loaded


def test_nor_does_a_check_of_a_model_that_serves(served: Path) -> None:
    checked = python(served, "-c", CHECKED)
    assert checked.status == 0, checked.err
    loaded = set(checked.err.split())
    assert "vernal" in loaded
    assert loaded.isdisjoint({"mlflow", "pandas", "sklearn"})


def test_the_verbs_tell_of_the_champion(served: Path) -> None:
    (standing,) = vernal(served, "status", "--json").document()["models"]
    assert standing["champion"]["version"] == "1"
    assert standing["champion"]["run_id"] == f"{MODEL}-1"
    assert standing["open_run"] is None
    (run,) = vernal(served, "runs", "--json").document()["runs"]
    assert (run["id"], run["phase"], run["trigger"]) == (f"{MODEL}-1", "promoted", "manual")
    one = vernal(served, "runs", run["id"], "--json").document()
    assert one["run"] == run
    assert [decision["outcome"] for decision in one["decisions"]] == OUTCOMES
    rollout = vernal(served, "rollout", MODEL, "--json").document()
    assert rollout["run"] is None
    assert rollout["route"] == standing["route"]


def test_a_rollback_without_an_earlier_version_is_refused(served: Path) -> None:
    before = vernal(served, "status", "--json").document()["models"]
    refused = vernal(served, "rollback", MODEL, "--json")
    assert (refused.status, refused.out) == (1, "")
    error = json.loads(refused.err)["error"]
    assert error["message"] == f"{MODEL}: there is no earlier champion to go back to"
    assert error["hint"] == "Name a version with --to."
    assert vernal(served, "status", "--json").document()["models"] == before


def test_a_tick_when_nothing_is_due_decides_nothing(served: Path) -> None:
    told = vernal(served, "tick", "--json").document()
    assert (told["decisions"], told["runs"], told["errors"]) == ([], [], [])
    assert told["next_wake"] > told["at"]


def test_two_ticks_at_the_same_moment_do_no_harm(logged: Path, tmp_path: Path) -> None:
    folder = tmp_path / MODEL
    shutil.copytree(logged, folder)
    command = (sys.executable, "-m", "vernal.cli", "tick", "--json")
    told = [end(process).document() for process in [start(folder, *command), start(folder, *command)]]
    assert [one["errors"] for one in told] == [[], []]
    with open_system(folder, read_only=True) as system:
        (run,) = system.store.runs(MODEL)
        decisions = system.store.decisions(MODEL)
        champion = system.store.model(MODEL).champion
        versions = system.registry.versions(MODEL)
        predictions = system.lake.scan(MODEL, "predictions", columns=("prediction_id",)).column(0).to_pylist()
    assert (run.phase, run.trigger) == ("promoted", "volume")
    assert champion is not None
    assert champion.version == run.facts.version
    assert versions == (champion.version,)
    assert len(predictions) == len(set(predictions)) == 12_200
    assert Counter((one.kind, one.outcome) for one in decisions)["check", "requested"] == 1
    repeated = [found for found, times in Counter((one.kind, one.outcome) for one in decisions).items() if times > 1]
    assert repeated == []


def test_the_schemas_describe_the_files_that_were_written(logged: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("ruamel.yaml").YAML(typ="safe")
    for kind, name in (("project", "vernal.yaml"), ("model", f"{MODEL}.yaml")):
        schema = vernal(logged, "schema", kind).document()
        jsonschema.validate(yaml.load((logged / name).read_text()), schema)
