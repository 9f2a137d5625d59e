"""A command line to call in this process, and a project to call it on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import loopworld
from commandline import Vernal
from vernal.act.reconcile import tick
from vernal.cli.app import app


@pytest.fixture
def vernal(monkeypatch: pytest.MonkeyPatch) -> Vernal:
    """Return a function that runs a command line as a pipe would see it."""
    monkeypatch.delenv("VERNAL_DEBUG", raising=False)
    runner = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"})

    def run(*arguments: str | Path) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a project with the model ``m`` that nobody has worked on yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "vernal.yaml").write_text(loopworld.PROJECT)
    (folder / "m.yaml").write_text(loopworld.POLICY)
    (folder / "m.py").write_text("def train(X, y):\n    raise AssertionError('no test of the command line trains')\n")
    return folder


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """Return the folder of a project whose run ``m-1`` waits for somebody to agree to its cost."""
    world = loopworld.build(tmp_path / "waiting", policy=loopworld.POLICY + "approval: {cost_above_usd: 0.5}\n")
    world.retrain()
    tick(world.system)
    world.close()
    return world.root
