"""A worker in a process of its own, for the tests that need several.

It opens stores and does what lines on its standard input say, answering each with one line of JSON, so that a test
decides what happens when, and can kill or stop it in between.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vernal.adapters.state import open_store
from vernal.errors import VernalError
from vernal.records import Decision, Lease, LedgerEntry, Message, Phase, Run, RunFacts, Transition
from vernal.testing.state_store.facts import NOON, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vernal.adapters.state import SqlStateStore

PROJECT = "shared"

PHASES = {
    Phase.REQUESTED: Phase.BUILDING,
    Phase.BUILDING: Phase.TRAINING,
    Phase.TRAINING: Phase.REJECTED,
}
"""A toy life of a run: three transitions."""


def moved(run: Run, to: Phase, *, count: int) -> Transition:
    """Return the step of a run to a phase, with one of everything that is counted afterwards."""
    name = f"{run.id}:{count}"
    return Transition(
        phase=to,
        at=NOON,
        wake_at=NOON,
        facts=RunFacts(trainer_attempt=count),
        decision=Decision(model=run.model, run_id=run.id, at=NOON, kind="run", outcome=str(to), reason=name),
        ledger=(LedgerEntry(key=name, model=run.model, run_id=run.id, at=NOON, usd=Decimal(1), what="step"),),
        messages=(
            Message(
                id=name, at=NOON, model=run.model, kind="step", severity="info", title=name, body="", run_id=run.id
            ),
        ),
    )


def drive(store: SqlStateStore, names: list[str], lease: Lease) -> list[tuple[str, str, int]]:
    """Take steps until no run is left; return what was done: run, phase left, fence."""
    done = []
    while (run := store.claim_run(names, lease=lease, now=NOON)) is not None:
        store.commit_run(run, moved(run, PHASES[run.phase], count=run.facts.trainer_attempt + 1))
        done.append((run.id, str(run.phase), run.fence))
    return done


def step_forever(store: SqlStateStore, names: list[str], lease: Lease) -> Iterator[int]:
    """Take steps that lead nowhere, counting them, until killed."""
    while True:
        run = store.claim_run(names, lease=lease, now=NOON)
        if run is not None:
            phase = Phase.TRAINING if run.phase is Phase.BUILDING else Phase.BUILDING
            store.commit_run(run, moved(run, phase, count=run.facts.trainer_attempt + 1))
            yield run.facts.trainer_attempt + 1


class Worker:
    """What one process can be told to do."""

    def __init__(self, owner: str, lease_seconds: float) -> None:
        self.lease = Lease(owner=owner, duration=timedelta(seconds=lease_seconds))
        self.store: SqlStateStore | None = None
        self.claim: Run | None = None

    def open(self, url: str) -> str:
        """Open a store, releasing the one before."""
        if self.store is not None:
            self.store.close()
        self.store = open_store(url, project=PROJECT)
        return "open"

    def do(self, order: dict[str, Any]) -> object:
        """Carry out one order and return its answer."""
        if "open" in order:
            return self.open(order["open"])
        assert self.store is not None
        if "drive" in order:
            return drive(self.store, order["drive"], self.lease)
        if "request" in order:
            return self.store.request_run(request(order["request"])).id
        if "claim" in order:
            self.claim = self.store.claim_run(order["claim"], lease=self.lease, now=NOON)
            return self.claim is not None and self.claim.fence
        if "step" in order:
            for count in step_forever(self.store, order["step"], self.lease):
                answer(count)
        assert self.claim is not None
        return str(self.store.commit_run(self.claim, moved(self.claim, Phase.BUILDING, count=1)).phase)


def answer(value: object) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer orders until standard input ends."""
    worker = Worker(sys.argv[1], float(sys.argv[2]))
    answer("ready")
    for line in sys.stdin:
        try:
            answer(worker.do(json.loads(line)))
        except VernalError as error:
            sys.stderr.write(f"{error}\n")
            answer(type(error).__name__)


if __name__ == "__main__":
    main()
