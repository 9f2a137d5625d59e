"""Several processes on one store: nothing is done twice, nothing is lost, and the dead are replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import sqlalchemy as sa

import store_worker
from store_worker import PROJECT
from vernal.adapters.state import open_store, schema
from vernal.clock import pause
from vernal.records import Phase
from vernal.testing.state_store.facts import HOUR, LEASE, NOON, OTHER, claimed, expired, opened, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vernal.adapters.state import SqlStateStore

WORKER = Path(store_worker.__file__)
BRIEF = LEASE.evolve(duration=timedelta(seconds=0.5))


class Process:
    """A worker process that answers one order at a time."""

    def __init__(self, owner: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), owner, str(BRIEF.duration.total_seconds())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, **order: object) -> Self:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self

    def hear(self) -> Any:  # noqa: ANN401 - whatever the order's answer is
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the worker ended without an answer"
        return json.loads(line)

    def ask(self, **order: object) -> Any:  # noqa: ANN401 - as above
        return self.tell(**order).hear()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def workers(count: int, url: str | None = None) -> Iterator[list[Process]]:
    """Start workers; they are gone afterwards, whatever happens."""
    processes = [Process(f"worker-{number}") for number in range(count)]
    try:
        assert [process.hear() for process in processes] == ["ready"] * count
        if url is not None:
            assert [process.ask(open=url) for process in processes] == ["open"] * count
        yield processes
    finally:
        for process in processes:
            process.kill()


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStateStore]:
    with closing(open_store(store_url, project=PROJECT)) as opened_store:
        yield opened_store
        assert opened_store.verify_audit() is None


@pytest.mark.slow
def test_two_processes_drive_500_runs_and_take_every_step_once(store: SqlStateStore, store_url: str) -> None:
    names = [f"model-{number:03}" for number in range(500)]
    for name in names:
        opened(store, name)
    with workers(2, store_url) as both:
        for process in both:
            process.tell(drive=names)
        shares = [process.hear() for process in both]
    assert all(shares), "both processes took part"
    steps = Counter((run, phase) for share in shares for run, phase, _ in share)
    expected = {(f"{name}-1", phase) for name in names for phase in ("requested", "building", "training")}
    assert set(steps) == expected
    assert max(steps.values()) == 1
    assert Counter(fence for share in shares for _, _, fence in share) == {1: 500, 2: 500, 3: 500}
    assert {run.phase for run in store.runs()} == {Phase.REJECTED}
    assert Counter(entry.subject for entry in store.audit()) == {f"{name}-1": 4 for name in names}
    assert Counter(noted.run_id for noted in store.decisions()) == {f"{name}-1": 4 for name in names}
    assert store.spent(None, since=NOON, until=NOON + HOUR) == 1500
    assert len(store.unrouted_messages(limit=10_000)) == 1500


@pytest.mark.chaos
def test_a_killed_workers_run_is_taken_over_when_its_lease_is_over(store: SqlStateStore, store_url: str) -> None:
    run = opened(store)
    with workers(1, store_url) as (victim,):
        assert victim.ask(claim=[run.model]) == 1
        victim.kill()
    with store._database.read() as connection:
        lease_until = connection.execute(sa.select(schema.run.c.lease_until)).scalar_one()
    while (taken := store.claim_run([run.model], lease=OTHER, now=NOON)) is None:
        pause(0.02)
    assert store.machine_now() >= lease_until
    assert (taken.fence, taken.attempt, taken.phase) == (2, 2, Phase.REQUESTED)
    assert store.commit_run(taken, step()).phase is Phase.BUILDING


@pytest.mark.chaos
def test_a_worker_that_was_stopped_and_comes_back_cannot_write(store: SqlStateStore, store_url: str) -> None:
    run = opened(store)
    with workers(1, store_url) as (zombie,):
        assert zombie.ask(claim=[run.model]) == 1
        zombie.signal(signal.SIGSTOP)
        expired(store, BRIEF)
        after = store.commit_run(claimed(store, lease=OTHER), step(Phase.EVALUATING))
        before = (store.decisions(), store.audit(), store.ledger())
        zombie.signal(signal.SIGCONT)
        assert zombie.ask(commit=True) == "LeaseLostError"
    assert store.run(run.id) == after
    assert (store.decisions(), store.audit(), store.ledger()) == before


@pytest.mark.chaos
def test_what_a_kill_in_the_middle_of_work_leaves_is_whole_steps(store: SqlStateStore, store_url: str) -> None:
    run = opened(store)
    heard = steps = 0
    for patience in (1, 7, 20):
        with workers(1, store_url) as (victim,):
            victim.tell(step=[run.model])
            for _ in range(patience):
                heard = victim.hear()
            victim.kill()
        steps = store.run(run.id).facts.trainer_attempt
        assert steps >= heard, "a step that was answered for is never lost"
        assert len(store.ledger()) == steps
        assert len(store.decisions(run_id=run.id)) == steps + 1
        assert len(store.audit()) == steps + 1
        assert store.verify_audit() is None
        expired(store, BRIEF)
    assert len(store.unrouted_messages(limit=10_000)) == steps


def test_processes_that_open_a_fresh_store_at_once_all_get_it(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{number}/state.db" for number in range(5)]
    _open_at_once(urls)


@pytest.mark.postgres
def test_processes_that_open_a_fresh_database_at_once_all_get_it(postgres_url: str) -> None:
    _open_at_once([postgres_url])


def _open_at_once(urls: list[str]) -> None:
    with workers(4) as processes:
        for url in urls:
            for process in processes:
                process.tell(open=url)
            assert [process.hear() for process in processes] == ["open"] * len(processes)
            with closing(open_store(url, project=PROJECT)) as store:
                assert opened(store).id == "fraud-1"


def test_of_two_simultaneous_requests_for_one_model_one_is_refused(store: SqlStateStore, store_url: str) -> None:
    names = [f"model-{number}" for number in range(25)]
    store.sync_models(names, now=NOON)
    with workers(2, store_url) as both:
        for name in names:
            for process in both:
                process.tell(request=name)
            assert sorted(process.hear() for process in both) == ["OpenRunError", f"{name}-1"]
    assert sorted(run.id for run in store.runs()) == sorted(f"{name}-1" for name in names)
