"""Checks of approvals, decisions, money and the audit trail."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from vernal.errors import LeaseLostError, NotFoundError
from vernal.records import ApprovalKind, ApprovalStatus, Phase
from vernal.testing.state_store.facts import (
    HOUR,
    LEASE,
    MODEL,
    MODELS,
    NOON,
    booking,
    check,
    claimed,
    decision,
    known,
    opened,
    pending,
    refused,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore
    from vernal.records import Run


def _asked(store: StateStore, model: str = MODEL, *, kind: ApprovalKind = ApprovalKind.RELEASE) -> Run:
    opened(store, model)
    run = claimed(store, model)
    return store.commit_run(run, step(Phase.AWAITING_RELEASE, approval=pending(run, kind), wake_at=NOON + 4 * HOUR))


def an_answer_is_kept_and_wakes_the_run(store: StateStore) -> None:
    """The run sleeps until its request expires; the answer makes it due."""
    run = _asked(store)
    now = NOON + HOUR
    assert store.claim_run(MODELS, lease=LEASE, now=now) is None
    answer = store.decide_approval(run.id, approved=True, actor="ada", note="looks good", now=now)
    assert answer == store.approval(run.id, ApprovalKind.RELEASE)
    assert (answer.status, answer.decided_by, answer.decided_at) == (ApprovalStatus.APPROVED, "ada", now)
    assert answer.note == "looks good"
    assert store.run(run.id).wake_at == now
    assert claimed(store, now=now).id == run.id
    entry = store.audit()[-1]
    assert (entry.actor, entry.action, entry.reason) == ("ada", "approve", "looks good")


def an_answer_is_not_slept_over(store: StateStore) -> None:
    """A worker that decided to go on waiting, a moment before the answer, cannot put the run back to sleep."""
    run = _asked(store)
    now = NOON + 4 * HOUR
    held = claimed(store, now=now)
    store.decide_approval(run.id, approved=False, actor="ada", note="no", now=now)
    with refused(LeaseLostError, run.id):
        store.commit_run(held, step(Phase.AWAITING_RELEASE, wake_at=now + HOUR))
    assert claimed(store, now=now).phase is Phase.AWAITING_RELEASE
    approval = store.approval(run.id, ApprovalKind.RELEASE)
    assert approval is not None
    assert approval.status is ApprovalStatus.REJECTED


def an_answer_is_given_once(store: StateStore) -> None:
    """The second answer finds nothing pending and says who gave the first."""
    run = _asked(store)
    first = store.decide_approval(run.id, approved=True, actor="ada", note="", now=NOON)
    with refused(NotFoundError, run.id, "ada"):
        store.decide_approval(run.id, approved=False, actor="bob", note="", now=NOON)
    assert store.approval(run.id, ApprovalKind.RELEASE) == first


def an_answer_to_nothing_is_refused(store: StateStore) -> None:
    """Neither an unknown run nor one that waits for nobody can be approved."""
    with refused(NotFoundError, "fraud-1"):
        store.decide_approval("fraud-1", approved=True, actor="ada", note="", now=NOON)
    opened(store)
    with refused(NotFoundError, "fraud-1"):
        store.decide_approval("fraud-1", approved=True, actor="ada", note="", now=NOON)


def pending_approvals_are_listed_oldest_first(store: StateStore) -> None:
    """Only what still waits is listed."""
    first = _asked(store, kind=ApprovalKind.SPEND)
    opened(store, "churn", at=NOON)
    second = claimed(store, "churn")
    store.commit_run(second, step(Phase.AWAITING_APPROVAL, approval=pending(second, at=NOON - HOUR)))
    assert [approval.run_id for approval in store.pending_approvals()] == [second.id, first.id]
    store.decide_approval(second.id, approved=True, actor="ada", note="", now=NOON)
    assert store.pending_approvals() == (pending(first, ApprovalKind.SPEND),)


def decisions_are_found_in_order(store: StateStore) -> None:
    """Oldest first, by model, run, kind and time; a limit keeps the newest."""
    run = opened(store)
    opened(store, "churn")
    for hours in (2, 1):
        at = NOON + hours * HOUR
        store.commit_run(claimed(store, now=at), step(Phase.TRAINING, decision=decision(run, at=at), wake_at=NOON))
    times = [noted.at for noted in store.decisions(MODEL)]
    assert times == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert [noted.at for noted in store.decisions(MODEL, limit=2)] == times[1:]
    assert [noted.at for noted in store.decisions(MODEL, since=NOON + HOUR)] == times[1:]
    assert [noted.at for noted in store.decisions(MODEL, until=NOON + HOUR)] == times[:1]
    assert [noted.at for noted in store.decisions(MODEL, until=NOON + 2 * HOUR, limit=1)] == [NOON + HOUR]
    kinds = {noted.kind for noted in store.decisions(MODEL)}
    assert [noted for kind in sorted(kinds) for noted in store.decisions(MODEL, kind=kind)] == sorted(
        store.decisions(MODEL), key=lambda noted: noted.kind
    )
    assert store.decisions(MODEL, kind="no such kind") == ()
    assert store.decisions(run_id=run.id) == store.decisions(MODEL)
    assert len(store.decisions()) == len(times) + 1


def evidence_comes_back_as_it_was(store: StateStore) -> None:
    """Numbers exactly, text in any script, nothing there as nothing there."""
    known(store)
    evidence: dict[str, Any] = {
        "psi": 0.1 + 0.2,
        "rows": 2**53,
        "names": ["größe", "金額"],
        "p": None,
        "deep": {"a": [1]},
    }
    for facts in (evidence, None):
        state = store.claim_check((MODEL,), lease=LEASE, now=NOON)
        assert state is not None
        store.commit_check(state, check(at=NOON - HOUR, decisions=(decision(evidence=facts),)))
    assert [noted.evidence for noted in store.decisions(MODEL)] == [evidence, None]


def money_is_exact(store: StateStore) -> None:
    """Sums of decimals are decimal, whatever the number of places; a span includes its start and excludes its end."""
    opened(store)
    opened(store, "churn")
    amounts = ("0.1", "0.2", "1234567890123.000000001")
    for hours, usd in enumerate(amounts):
        run = claimed(store)
        booked = booking(run, f"k{hours}", usd, at=NOON + hours * HOUR)
        store.commit_run(run, step(Phase.TRAINING, ledger=(booked,)))
    other = claimed(store, "churn")
    store.commit_run(other, step(Phase.TRAINING, ledger=(booking(other, "k9", "5"),)))
    assert store.spent(MODEL, since=NOON, until=NOON + 2 * HOUR) == Decimal("0.3")
    assert store.spent(MODEL, since=NOON, until=NOON + 3 * HOUR) == Decimal("1234567890123.300000001")
    assert store.spent(None, since=NOON, until=NOON + HOUR) == Decimal("5.1")
    assert [entry.usd for entry in store.ledger(MODEL)] == [Decimal(usd) for usd in amounts]
    assert {entry.model for entry in store.ledger()} == set(MODELS)


def what_was_done_outside_is_a_link_of_the_audit_trail(store: StateStore) -> None:
    """An action on the lake is kept with who, why and how much, and continues the chain."""
    known(store)
    facts = {"rows": "12"}
    for _ in range(2):
        store.record_action("discard", subject=MODEL, actor="ada", reason="a load test", facts=facts, now=NOON)
    before, entry = store.audit()[-2:]
    assert (entry.action, entry.subject, entry.actor, entry.reason) == ("discard", MODEL, "ada", "a load test")
    assert (entry.at, entry.before, entry.after) == (NOON, "{}", '{"rows":"12"}')
    assert (entry.seq, entry.previous_hash) == (before.seq + 1, before.hash)


def the_audit_trail_is_a_chain(store: StateStore) -> None:
    """Every act adds an entry that names the hash of the one before; a limit keeps the newest."""
    run = opened(store)
    store.commit_run(claimed(store), step(Phase.AWAITING_RELEASE, approval=pending(run)))
    store.decide_approval(run.id, approved=False, actor="ada", note="no", now=NOON + timedelta(microseconds=1))
    store.commit_run(claimed(store, now=NOON + HOUR), step(Phase.REJECTED, decision=decision(run, outcome="rejected")))
    entries = store.audit()
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.actor for entry in entries] == ["vernal", "vernal", "ada", "vernal"]
    assert [entry.previous_hash for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
    assert len({entry.hash for entry in entries}) == len(entries)
    assert store.audit(limit=2) == entries[2:]


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    an_answer_is_kept_and_wakes_the_run,
    an_answer_is_not_slept_over,
    an_answer_is_given_once,
    an_answer_to_nothing_is_refused,
    pending_approvals_are_listed_oldest_first,
    decisions_are_found_in_order,
    evidence_comes_back_as_it_was,
    money_is_exact,
    what_was_done_outside_is_a_link_of_the_audit_trail,
    the_audit_trail_is_a_chain,
)
