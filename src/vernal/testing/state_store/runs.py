"""Checks of runs: opening, claiming, renewing, losing."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vernal.errors import LeaseLostError, NotFoundError, OpenRunError
from vernal.records import Phase
from vernal.testing.state_store.facts import (
    BRIEF,
    HOUR,
    LEASE,
    MODEL,
    MODELS,
    NOON,
    OTHER,
    claimed,
    decision,
    expired,
    known,
    message,
    opened,
    refused,
    request,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore


def runs_are_numbered_per_model(store: StateStore) -> None:
    """Ids are readable and follow from the model's history alone."""
    first = opened(store)
    assert opened(store, "churn").id == "churn-1"
    store.commit_run(claimed(store), step(Phase.REJECTED))
    second = opened(store, at=NOON + HOUR)
    assert [(run.id, run.number) for run in (first, second)] == [("fraud-1", 1), ("fraud-2", 2)]
    assert [run.id for run in store.runs(MODEL)] == ["fraud-2", "fraud-1"]


def a_new_run_is_due_and_untouched(store: StateStore) -> None:
    """Everything the request said is kept; the opening is a decision and an audit entry."""
    run = opened(store)
    assert store.run(run.id) == run
    assert (run.phase, run.fence, run.attempt, run.outcome) == (Phase.REQUESTED, 0, 0, "")
    assert {run.requested_at, run.phase_since, run.wake_at} == {NOON}
    assert (run.reason, run.requested_by) == (request().reason, "vernal")
    (noted,) = store.decisions(run_id=run.id)
    assert (noted.outcome, noted.reason) == ("requested", run.reason)
    (entry,) = store.audit()
    assert (entry.subject, entry.actor) == (run.id, "vernal")


def a_model_has_one_open_run(store: StateStore) -> None:
    """The second request is refused with the name of the first; nothing is written, and other models do not mind."""
    first = opened(store)
    before = (store.model(MODEL), store.decisions(), store.audit())
    with refused(OpenRunError, first.id, "requested"):
        store.request_run(request(at=NOON + HOUR))
    assert (store.model(MODEL), store.decisions(), store.audit()) == before
    assert opened(store, "churn").number == 1


def a_run_of_an_unknown_model_is_refused(store: StateStore) -> None:
    """A run belongs to a known model."""
    with refused(NotFoundError, "unheard-of"):
        store.request_run(request("unheard-of"))


def the_run_due_longest_is_claimed_first(store: StateStore) -> None:
    """Claims go by ``wake_at``, to the models named, and to nobody twice."""
    opened(store, at=NOON + HOUR)
    opened(store, "churn")
    names, now = MODELS, NOON + HOUR
    first, second = (store.claim_run(names, lease=LEASE, now=now) for _ in range(2))
    assert [run.id for run in (first, second) if run is not None] == ["churn-1", "fraud-1"]
    assert store.claim_run(names, lease=OTHER, now=now) is None


def a_run_is_not_claimed_before_it_wakes(store: StateStore) -> None:
    """``wake_at`` replaces sleeping."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.AWAITING_APPROVAL, wake_at=NOON + HOUR))
    assert store.claim_run(MODELS, lease=LEASE, now=NOON) is None
    assert claimed(store, now=NOON + HOUR).phase is Phase.AWAITING_APPROVAL


def a_run_that_is_over_is_never_claimed(store: StateStore) -> None:
    """Terminal phases are final for claims."""
    for phase in (phase for phase in Phase if phase.terminal):
        opened(store)
        ended = store.commit_run(claimed(store), step(phase, outcome="over"))
        assert (ended.phase, ended.outcome) == (phase, "over")
        assert store.claim_run(MODELS, lease=LEASE, now=NOON + HOUR) is None
    assert store.runs(open_only=True) == ()


def a_claim_raises_fence_and_attempt(store: StateStore) -> None:
    """A commit forgets the attempts and keeps the fence."""
    opened(store)
    run = claimed(store)
    assert (run.fence, run.attempt) == (1, 1)
    assert store.run(run.id) == run
    after = store.commit_run(run, step())
    assert (after.fence, after.attempt) == (1, 0)
    assert claimed(store).fence == 2  # noqa: PLR2004 - the second claim


def a_released_run_keeps_its_attempts(store: StateStore) -> None:
    """An error counts, is on record, and puts the run off."""
    opened(store)
    run = claimed(store)
    noted = decision(run, outcome="retry")
    store.release_run(run, wake_at=NOON + HOUR, decision=noted)
    assert store.decisions(run_id=run.id)[-1] == noted
    assert store.claim_run(MODELS, lease=LEASE, now=NOON) is None
    again = claimed(store, now=NOON + HOUR)
    assert (again.phase, again.fence, again.attempt) == (Phase.REQUESTED, 2, 2)


def a_step_is_committed_once(store: StateStore) -> None:
    """A commit releases the claim, so the same claim cannot write again."""
    opened(store)
    run = claimed(store)
    store.commit_run(run, step(decision=decision(run)))
    with refused(LeaseLostError, run.id):
        store.commit_run(run, step(decision=decision(run)))
    with refused(LeaseLostError, run.id):
        store.release_run(run, wake_at=NOON, decision=decision(run))
    assert [noted.outcome for noted in store.decisions(run_id=run.id)] == ["requested", "noted"]


def a_zombies_step_is_refused(store: StateStore) -> None:
    """After a takeover the first worker can no longer write, whatever it brings."""
    opened(store)
    late = claimed(store, lease=BRIEF)
    expired(store, BRIEF)
    current = claimed(store, lease=OTHER)
    assert (current.fence, current.attempt) == (2, 2)
    before = (store.run(late.id), store.decisions(), store.audit())
    with refused(LeaseLostError, late.id):
        store.commit_run(late, step(decision=decision(late), messages=(message("m1"),)))
    with refused(LeaseLostError, late.id):
        store.release_run(late, wake_at=NOON, decision=decision(late))
    with refused(LeaseLostError, late.id):
        store.renew(late, lease=LEASE)
    assert (store.run(late.id), store.decisions(), store.audit()) == before
    assert store.unrouted_messages(limit=9) == ()
    assert store.commit_run(current, step()).phase is Phase.BUILDING


def an_expired_lease_nobody_took_still_commits(store: StateStore) -> None:
    """Slow is not lost: what counts is whether somebody else has begun."""
    opened(store)
    run = claimed(store, lease=BRIEF)
    expired(store, BRIEF)
    assert store.commit_run(run, step()).phase is Phase.BUILDING


def a_renewed_lease_holds(store: StateStore) -> None:
    """Renewing runs from now, so a worker that keeps renewing is never taken over."""
    opened(store)
    run = claimed(store, lease=BRIEF)
    store.renew(run, lease=LEASE)
    expired(store, BRIEF)
    assert store.claim_run(MODELS, lease=OTHER, now=NOON) is None
    assert store.commit_run(run, step()).phase is Phase.BUILDING


def a_renewed_check_holds(store: StateStore) -> None:
    """The same for a claimed check."""
    known(store)
    state = store.claim_check((MODEL,), lease=BRIEF, now=NOON)
    assert state is not None
    store.renew(state, lease=LEASE)
    expired(store, BRIEF)
    assert store.claim_check((MODEL,), lease=OTHER, now=NOON) is None


def runs_are_found_by_model_and_state(store: StateStore) -> None:
    """Newest first, with a limit."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.REJECTED))
    opened(store, at=NOON + HOUR)
    opened(store, "churn", at=NOON + 2 * HOUR)
    assert [run.id for run in store.runs()] == ["churn-1", "fraud-2", "fraud-1"]
    assert [run.id for run in store.runs(limit=1)] == ["churn-1"]
    assert [run.id for run in store.runs(MODEL, open_only=True)] == ["fraud-2"]


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    runs_are_numbered_per_model,
    a_new_run_is_due_and_untouched,
    a_model_has_one_open_run,
    a_run_of_an_unknown_model_is_refused,
    the_run_due_longest_is_claimed_first,
    a_run_is_not_claimed_before_it_wakes,
    a_run_that_is_over_is_never_claimed,
    a_claim_raises_fence_and_attempt,
    a_released_run_keeps_its_attempts,
    a_step_is_committed_once,
    a_zombies_step_is_refused,
    an_expired_lease_nobody_took_still_commits,
    a_renewed_lease_holds,
    a_renewed_check_holds,
    runs_are_found_by_model_and_state,
)
