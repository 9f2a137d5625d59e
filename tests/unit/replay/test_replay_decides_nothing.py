"""A replay drives the production code; if it decided anything itself, it would show something else."""

import ast
from pathlib import Path

import pytest

import vernal.demo
import vernal.replay

FILES = sorted(
    path
    for package in (vernal.replay, vernal.demo)
    for path in Path(package.__path__[0]).glob("*.py")
    if path.stat().st_size
)
DECIDING = {
    "Approval",
    "Champion",
    "CheckCommit",
    "Decision",
    "GateResult",
    "Route",
    "RolloutState",
    "Run",
    "RunRequest",
}
DECIDING |= {"Transition", "TriggerResult", "Verdict"}
WRITING = {"claim_check", "claim_run", "commit_check", "commit_run", "decide_approval", "intervene", "release_check"}
WRITING |= {"release_run", "request_run", "set_champion"}


def problems(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f"line {node.lineno}: imports {name}" for name in names if name.startswith("vernal.decide")]
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in DECIDING | WRITING:
                found.append(f"line {node.lineno}: calls {name}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_replay_defines_no_decision_of_its_own(path: Path) -> None:
    assert problems(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "from vernal.decide.gates import judge",
        "import vernal.decide.rollout",
        "Decision(model='m')",
        "system.store.commit_run(run, transition)",
    ],
)
def test_the_check_sees_what_it_is_there_to_see(source: str) -> None:
    assert len(problems(source)) == 1


def test_there_is_something_to_check() -> None:
    assert {"engine.py", "outcome.py", "command.py", "history.py", "faults.py"} <= {path.name for path in FILES}
