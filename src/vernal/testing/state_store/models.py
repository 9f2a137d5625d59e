"""Checks of models: who checks them, and what a check leaves behind."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vernal.errors import LeaseLostError, NotFoundError
from vernal.records import ApprovalKind, HourProfile, Phase, TriggerKind
from vernal.testing.state_store.facts import (
    BRIEF,
    HOUR,
    LEASE,
    MODEL,
    MODELS,
    NOON,
    OTHER,
    check,
    claimed,
    decision,
    expired,
    known,
    message,
    opened,
    refused,
    request,
    step,
    window,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vernal.ports import StateStore
    from vernal.records import Lease, ModelState


def _claim(store: StateStore, *, lease: Lease = LEASE, now: datetime = NOON) -> ModelState:
    state = store.claim_check((MODEL,), lease=lease, now=now)
    assert state is not None, "expected the check to be free and due"
    return state


def a_new_model_is_due_at_once(store: StateStore) -> None:
    """A model made known is due for a check from that moment, with nothing else known of it."""
    known(store)
    state = store.model(MODEL)
    assert state.next_check_at == NOON
    assert (state.champion, state.route, state.trained_until, state.last_run_at) == (None, None, None, None)
    assert [known_model.model for known_model in store.models()] == sorted(MODELS)


def making_models_known_again_changes_nothing(store: StateStore) -> None:
    """What is known of a model survives its being named again, and models not named stay."""
    known(store)
    store.commit_check(_claim(store), check(profiled_version=7))
    before = store.models()
    store.sync_models((MODEL,), now=NOON + 5 * HOUR)
    assert store.models() == before


def an_empty_store_answers_every_question(store: StateStore) -> None:
    """Nothing there is an answer, not an error, unless something is asked for by name."""
    assert store.models() == ()
    assert store.runs() == ()
    assert store.decisions() == ()
    assert store.pending_approvals() == ()
    assert store.ledger() == ()
    assert store.audit() == ()
    assert store.unrouted_messages(limit=10) == ()
    assert store.claim_check(MODELS, lease=LEASE, now=NOON) is None
    assert store.claim_run(MODELS, lease=LEASE, now=NOON) is None
    assert store.next_wake(MODELS) is None
    assert store.spent(None, since=NOON, until=NOON + HOUR) == 0
    assert store.baseline(MODEL, "1") is None
    assert store.approval("fraud-1", ApprovalKind.SPEND) is None
    assert store.windows(MODEL, "running") == store.windows(MODEL, "last_run") == ()
    assert store.hour_profiles(MODEL, "1", start=NOON, end=NOON + HOUR) == ()
    with refused(NotFoundError, MODEL):
        store.model(MODEL)
    with refused(NotFoundError, "fraud-1"):
        store.run("fraud-1")


def the_check_due_longest_is_claimed_first(store: StateStore) -> None:
    """Claims go by how long a check is due, and only to the models named."""
    store.sync_models(("late",), now=NOON)
    store.sync_models(("later",), now=NOON + HOUR)
    names, now = ("later", "late"), NOON + 2 * HOUR
    first = store.claim_check(names, lease=LEASE, now=now)
    second = store.claim_check(names, lease=LEASE, now=now)
    assert [state.model for state in (first, second) if state is not None] == ["late", "later"]
    assert store.claim_check(names, lease=LEASE, now=now) is None
    known(store)
    assert store.claim_check(("unheard-of",), lease=LEASE, now=now) is None


def a_check_not_due_is_not_claimed(store: StateStore) -> None:
    """Due means at or before now."""
    known(store)
    assert store.claim_check(MODELS, lease=LEASE, now=NOON - HOUR) is None
    assert store.claim_check(MODELS, lease=LEASE, now=NOON) is not None


def a_committed_check_leaves_everything(store: StateStore) -> None:
    """Cursors, hours, decisions and messages are there, the attempts are forgotten, and the next check is set."""
    known(store)
    state = _claim(store)
    assert (state.fence, state.attempt) == (1, 1)
    hours = {NOON - HOUR: b"eleven", NOON: b"noon"}
    noted = decision(outcome="fine", evidence={"psi": 0.02, "features": ["amount"]})
    commit = check(
        profiled_version=7,
        cron_at=NOON,
        baseline_version="3",
        hours=hours,
        decisions=(noted,),
        messages=(message("m1"),),
    )
    assert store.commit_check(state, commit) is None
    after = store.model(MODEL)
    assert (after.profiled_version, after.cron_at, after.next_check_at) == (7, NOON, NOON + HOUR)
    assert (after.fence, after.attempt) == (1, 0)
    assert store.decisions(MODEL) == (noted,)
    assert store.unrouted_messages(limit=10) == (message("m1"),)
    stored = store.hour_profiles(MODEL, "3", start=NOON - HOUR, end=NOON)
    assert stored == (HourProfile(hour=NOON - HOUR, data=b"eleven"),)
    assert store.hour_profiles(MODEL, "2", start=NOON - HOUR, end=NOON + HOUR) == ()


def an_hour_written_again_is_replaced(store: StateStore) -> None:
    """The later profile of an hour is the merged one."""
    known(store)
    store.commit_check(_claim(store), check(at=NOON - HOUR, baseline_version="3", hours={NOON: b"some"}))
    store.commit_check(_claim(store), check(baseline_version="3", hours={NOON: b"more", NOON + HOUR: b"new"}))
    stored = store.hour_profiles(MODEL, "3", start=NOON, end=NOON + 2 * HOUR)
    assert [hour.data for hour in stored] == [b"more", b"new"]


def a_check_opens_the_run_it_asks_for(store: StateStore) -> None:
    """The run, the window it was decided on and the moment are written with the check."""
    known(store)
    windows = (window(24), window(168))
    wanted = check(baseline_version="3", windows=windows, request=request(), announcement=message("asked"))
    run = store.commit_check(_claim(store), wanted)
    assert run is not None
    assert (run.id, run.number, run.phase, run.trigger) == ("fraud-1", 1, Phase.REQUESTED, TriggerKind.DRIFT)
    assert store.run(run.id) == run
    assert store.windows(MODEL, "last_run") == windows
    assert store.model(MODEL).last_run_at == NOON
    assert store.unrouted_messages(limit=9) == (message("asked"),)


def the_running_windows_are_those_of_the_newest_check(store: StateStore) -> None:
    """They are replaced as a whole; those of the last run stay as they were."""
    known(store)
    store.commit_check(_claim(store), check(at=NOON - HOUR, windows=(window(168), window(24)), request=request()))
    assert store.windows(MODEL, "running") == (window(24), window(168))
    store.commit_check(_claim(store), check(windows=(window(168, data=b"later"),)))
    assert store.windows(MODEL, "running") == (window(168, data=b"later"),)
    assert store.windows(MODEL, "last_run") == (window(24), window(168))
    store.commit_check(_claim(store, now=NOON + HOUR), check(at=NOON + HOUR))
    assert store.windows(MODEL, "running") == ()


def hours_that_are_out_of_use_are_forgotten(store: StateStore) -> None:
    """Only those before the given moment, and only this model's."""
    known(store)
    hours = {NOON - HOUR: b"eleven", NOON: b"noon"}
    store.commit_check(_claim(store), check(at=NOON - HOUR, baseline_version="3", hours=hours))
    store.commit_check(_claim(store), check(forget_before=NOON))
    stored = store.hour_profiles(MODEL, "3", start=NOON - HOUR, end=NOON + HOUR)
    assert stored == (HourProfile(hour=NOON, data=b"noon"),)


def a_request_meeting_an_open_run_is_suppressed(store: StateStore) -> None:
    """A run opened while the check ran wins; what the check wanted is on record, and the rest of it is written."""
    known(store)
    state = _claim(store)
    first = opened(store)
    wanted = check(
        profiled_version=9, windows=(window(168),), request=request(at=NOON + HOUR), announcement=message("asked")
    )
    assert store.commit_check(state, wanted) is None
    assert store.runs(MODEL) == (first,)
    newest = store.decisions(MODEL)[-1]
    assert (newest.outcome, first.id in newest.reason, request().reason in newest.reason) == ("suppressed", True, True)
    after = store.model(MODEL)
    assert (after.profiled_version, after.last_run_at) == (9, NOON)
    assert (store.windows(MODEL, "running"), store.windows(MODEL, "last_run")) == ((window(168),), ())
    assert message("asked") not in store.unrouted_messages(limit=9)


def a_run_by_hand_keeps_the_last_window(store: StateStore) -> None:
    """Only a check knows a window; a run opened without one leaves the last."""
    known(store)
    store.commit_check(_claim(store), check(windows=(window(168),), request=request()))
    store.commit_run(claimed(store), step(Phase.REJECTED))
    opened(store)
    assert store.windows(MODEL, "last_run") == (window(168),)


def a_released_check_keeps_its_attempts(store: StateStore) -> None:
    """An error counts: the next claim is the second attempt, and why is on record."""
    known(store)
    noted = decision(outcome="error")
    store.release_check(_claim(store), next_check_at=NOON, decision=noted, messages=(message("m1"),))
    assert store.unrouted_messages(limit=9) == (message("m1"),)
    assert store.decisions(MODEL) == (noted,)
    again = _claim(store)
    assert (again.fence, again.attempt) == (2, 2)


def a_zombies_check_is_refused(store: StateStore) -> None:
    """After the lease is over and another worker has taken the check, the first one can no longer write any of it."""
    known(store)
    late = _claim(store, lease=BRIEF)
    expired(store, BRIEF)
    current = _claim(store, lease=OTHER)
    commit = check(decisions=(decision(),), messages=(message("m1"),), request=request())
    with refused(LeaseLostError, MODEL):
        store.commit_check(late, commit)
    with refused(LeaseLostError, MODEL):
        store.release_check(late, next_check_at=NOON, decision=decision())
    with refused(LeaseLostError, MODEL):
        store.renew(late, lease=LEASE)
    assert (store.decisions(), store.runs(), store.unrouted_messages(limit=9)) == ((), (), ())
    store.commit_check(current, check())


def a_check_is_committed_once(store: StateStore) -> None:
    """A commit releases the claim, so the same claim cannot write again."""
    known(store)
    state = _claim(store)
    store.commit_check(state, check(decisions=(decision(),)))
    with refused(LeaseLostError, MODEL):
        store.commit_check(state, check(decisions=(decision(),)))
    assert len(store.decisions(MODEL)) == 1


def the_next_wake_is_the_earliest_of_checks_and_runs(store: StateStore) -> None:
    """Only models named and runs not over count."""
    known(store)
    assert store.next_wake((MODEL,)) == NOON
    store.commit_check(_claim(store), check(at=NOON + HOUR))
    assert store.next_wake((MODEL,)) == NOON + 2 * HOUR
    opened(store, at=NOON + HOUR)
    assert store.next_wake((MODEL,)) == NOON + HOUR
    assert store.next_wake(MODELS) == NOON
    store.commit_run(claimed(store, now=NOON + HOUR), step(Phase.REJECTED, at=NOON + HOUR))
    assert store.next_wake((MODEL,)) == NOON + 2 * HOUR


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    a_new_model_is_due_at_once,
    making_models_known_again_changes_nothing,
    an_empty_store_answers_every_question,
    the_check_due_longest_is_claimed_first,
    a_check_not_due_is_not_claimed,
    a_committed_check_leaves_everything,
    an_hour_written_again_is_replaced,
    hours_that_are_out_of_use_are_forgotten,
    a_check_opens_the_run_it_asks_for,
    the_running_windows_are_those_of_the_newest_check,
    a_request_meeting_an_open_run_is_suppressed,
    a_run_by_hand_keeps_the_last_window,
    a_released_check_keeps_its_attempts,
    a_zombies_check_is_refused,
    a_check_is_committed_once,
    the_next_wake_is_the_earliest_of_checks_and_runs,
)
