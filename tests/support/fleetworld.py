"""A project of several models for the service: real workers, and models that hang for as long as the test likes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import loopworld
from vernal.act.crew import Crew
from vernal.act.service import Service, Step
from vernal.act.system import System
from vernal.bootstrap import open_system
from vernal.clock import monotonic

SECONDS = 120.0
"""Longest wait for anything, on a busy machine."""


def write(folder: Path, *names: str, state: str | None = None) -> Path:
    """Write a project with models of these names."""
    folder.mkdir(exist_ok=True)
    lines = ["project: fleet", "models: ['*.yaml']"] + ([f"state: {state}"] if state else [])
    (folder / "vernal.yaml").write_text("\n".join(lines) + "\n")
    for name in names:
        (folder / f"{name}.yaml").write_text(loopworld.POLICY.replace("model: m", f"model: {name}"))
    (folder / "m.py").write_text("def train(X, y):\n    raise AssertionError('no test of the service trains')\n")
    return folder


def hang(folder: Path, model: str) -> Path:
    """Leave a segment in the model's inbox that whoever reads it waits for: a pipe that nobody writes to."""
    inbox = folder / ".vernal" / "inbox" / model / "predictions"
    inbox.mkdir(parents=True, exist_ok=True)
    pipe = inbox / "0.parquet"
    os.mkfifo(pipe)
    return pipe


def release(pipe: Path) -> None:
    """Let go of who waits for the pipe: it reads nothing, and the segment is refused."""
    os.close(os.open(pipe, os.O_WRONLY))


@dataclass
class Fleet:
    """A service at work, and what it has told."""

    system: System
    crew: Crew
    service: Service
    steps: list[Step] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def until(self, reached: Callable[[], bool]) -> None:
        """Let the service look until something is so."""
        started = monotonic()
        while not reached():
            assert monotonic() - started < SECONDS, (self.steps, self.complaints)
            self.service.look()

    def outcomes(self, model: str) -> list[str]:
        """Return what the checks of a model came to."""
        return [decision.outcome for decision in self.system.store.decisions(model, kind="check")]

    def in_hand(self) -> set[str | None]:
        """Return the models that are being worked on."""
        return {job.model for job, _ in self.crew.in_hand}


@contextmanager
def at_work(
    folder: Path, *, workers: int = 2, step_seconds: float = SECONDS, lease: timedelta = timedelta(seconds=60)
) -> Iterator[Fleet]:
    """Run the service of a project until the block ends; workers are killed then."""
    with open_system(folder, patience_seconds=0.0) as opened:
        system = System(**{**vars(opened), "lease": lease})
        opener = partial(open_system, patience_seconds=0.0, project=system.project, owner=system.owner)
        crew = Crew(opener, size=workers, step_seconds=step_seconds)
        steps: list[Step] = []
        complaints: list[str] = []
        service = Service(
            system,
            tuple(system.project.models),
            crew,
            longest=timedelta(seconds=1),
            tell=steps.append,
            complain=complaints.append,
        )
        try:
            yield Fleet(system, crew, service, steps, complaints)
        finally:
            crew.close()
