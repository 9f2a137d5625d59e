"""Checks of emergencies: what becomes of the run whose place a more urgent one takes."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vernal.errors import LeaseLostError, NotFoundError
from vernal.records import UNRELEASED_PHASES, ApprovalKind, ApprovalStatus, Phase, RunFacts, TriggerKind
from vernal.testing.state_store.facts import (
    HOUR,
    LEASE,
    MODEL,
    NOON,
    check,
    claimed,
    opened,
    pending,
    refused,
    request,
    step,
    training_set,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore
    from vernal.records import Run

LATER: Final = NOON + HOUR


def _emergency(store: StateStore, supersedes: str | None, **more: Any) -> Run | None:  # noqa: ANN401 - fields
    state = store.claim_check((MODEL,), lease=LEASE, now=LATER)
    assert state is not None, "expected the check to be free and due"
    wanted = request(at=LATER, kind=TriggerKind.PERFORMANCE)
    return store.commit_check(state, check(at=LATER, request=wanted, supersedes=supersedes, **more))


def an_emergency_takes_the_place_of_the_run_it_names(store: StateStore) -> None:
    """One run ends, with decision, audit entry, alert and the end of its request for approval, and the other opens."""
    opened(store)
    run = claimed(store)
    store.commit_run(run, step(Phase.AWAITING_APPROVAL, approval=pending(run, ApprovalKind.SPEND)))
    new = _emergency(store, run.id)
    old = store.run(run.id)
    assert new is not None
    assert (new.id, new.phase, new.trigger) == ("fraud-2", Phase.REQUESTED, TriggerKind.PERFORMANCE)
    assert (old.phase, old.phase_since) == (Phase.SUPERSEDED, LATER)
    assert ("awaiting_approval" in old.outcome, request().reason in old.outcome) == (True, True)
    assert store.runs(MODEL, open_only=True) == (new,)
    noted = store.decisions(run_id=run.id)[-1]
    assert (noted.outcome, noted.at, noted.reason) == ("superseded", LATER, old.outcome)
    approval = store.approval(run.id, ApprovalKind.SPEND)
    assert approval is not None
    assert approval.status is ApprovalStatus.CANCELLED
    actions = [(entry.action, entry.subject) for entry in store.audit()[-2:]]
    assert actions == [("supersede", run.id), ("request", new.id)]
    told = store.decisions(MODEL, kind="run")
    assert [(one.run_id, one.outcome) for one in told[-2:]] == [(run.id, "superseded"), (new.id, "requested")]


def whoever_holds_a_superseded_run_writes_no_more(store: StateStore) -> None:
    """Its training may just have ended: too late."""
    opened(store)
    held = claimed(store)
    _emergency(store, held.id)
    with refused(LeaseLostError, held.id):
        store.renew(held, lease=LEASE)
    with refused(LeaseLostError, held.id):
        store.commit_run(held, step(Phase.TRAINING))
    assert store.run(held.id).phase is Phase.SUPERSEDED


def a_superseded_run_keeps_what_it_has_learned(store: StateStore) -> None:
    """Also what it learned between the check's look and its commit."""
    opened(store)
    facts = RunFacts(training_set=training_set(NOON - HOUR))
    store.commit_run(claimed(store), step(Phase.TRAINING, facts=facts))
    _emergency(store, "fraud-1")
    assert store.run("fraud-1").facts == facts
    assert store.model(MODEL).trained_until == NOON - HOUR


def every_run_that_serves_nobody_can_be_superseded_and_no_other(store: StateStore) -> None:
    """A run that has gone on to serve, or ended and made room for another, is left alone."""
    for phase in sorted(UNRELEASED_PHASES):
        run = opened(store)
        if phase is not Phase.REQUESTED:
            store.commit_run(claimed(store), step(phase))
        new = _emergency(store, run.id)
        assert new is not None
        assert (store.run(run.id).phase, new.number) == (Phase.SUPERSEDED, run.number + 1)
        store.commit_run(claimed(store, now=LATER), step(Phase.CANCELLED, at=LATER))
        state = store.claim_check((MODEL,), lease=LEASE, now=LATER + HOUR)
        assert state is not None
        store.commit_check(state, check(at=NOON - HOUR))
    run = opened(store)
    for phase in (Phase.ROLLING_OUT, Phase.SOAKING):
        store.commit_run(claimed(store), step(phase))
        assert _emergency(store, run.id) is None
        assert store.run(run.id).phase is phase
        newest = store.decisions(MODEL)[-1]
        assert (newest.outcome, run.id in newest.reason) == ("suppressed", True)
        assert newest.evidence is not None
        assert [one["policy"] for one in newest.evidence["suppressions"]] == ["open_run"]
        state = store.claim_check((MODEL,), lease=LEASE, now=LATER + HOUR)
        assert state is not None
        store.commit_check(state, check(at=NOON - HOUR))


def only_the_run_that_is_named_is_superseded(store: StateStore) -> None:
    """If that one is over and another open, the other one goes on."""
    first = opened(store)
    store.commit_run(claimed(store), step(Phase.FAILED))
    second = opened(store)
    assert _emergency(store, first.id) is None
    assert (store.run(first.id).phase, store.run(second.id).phase) == (Phase.FAILED, Phase.REQUESTED)


def nothing_is_superseded_by_a_check_that_may_not_write(store: StateStore) -> None:
    """A zombie's check ends nobody's run, and neither does one that names a run that never was."""
    run = opened(store)
    state = store.claim_check((MODEL,), lease=LEASE, now=LATER)
    assert state is not None
    store.commit_check(state, check(at=LATER))
    wanted = check(at=LATER, request=request(at=LATER, kind=TriggerKind.PERFORMANCE), supersedes=run.id)
    before = (store.runs(), store.decisions(), store.audit())
    with refused(LeaseLostError, MODEL):
        store.commit_check(state, wanted)
    assert (store.runs(), store.decisions(), store.audit()) == before
    again = store.claim_check((MODEL,), lease=LEASE, now=LATER + HOUR)
    assert again is not None
    with refused(NotFoundError, "fraud-9"):
        store.commit_check(again, wanted.evolve(supersedes="fraud-9"))
    assert (store.runs(), store.decisions(), store.audit()) == before


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    an_emergency_takes_the_place_of_the_run_it_names,
    whoever_holds_a_superseded_run_writes_no_more,
    a_superseded_run_keeps_what_it_has_learned,
    every_run_that_serves_nobody_can_be_superseded_and_no_other,
    only_the_run_that_is_named_is_superseded,
    nothing_is_superseded_by_a_check_that_may_not_write,
)
