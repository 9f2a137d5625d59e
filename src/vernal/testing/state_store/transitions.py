"""Checks of transitions: what leaves with a step, and what people may do to a run."""
# ruff: noqa: D401, S101 - a check states a rule in its docstring, and asserts it

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from vernal.errors import LeaseLostError, NotFoundError, PhaseError
from vernal.records import ApprovalKind, ApprovalStatus, Champion, Cost, Phase, RolloutState, Route, RunFacts
from vernal.testing.state_store.facts import (
    HOUR,
    LEASE,
    MODEL,
    MODELS,
    NOON,
    booking,
    claimed,
    decision,
    known,
    message,
    opened,
    pending,
    refused,
    step,
    training,
    training_set,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore

CHAMPION: Final = Champion(model=MODEL, version="4", since=NOON, run_id="fraud-1", previous="3")
ROUTE: Final = Route(
    model=MODEL, champion="3", challenger="4", share=0.05, salt="fraud-1", paired=True, updated_at=NOON
)


def a_step_leaves_everything(store: StateStore) -> None:
    """Phase, facts, decision, audit, champion, route, baseline, approval, money and messages leave together."""
    opened(store)
    run = claimed(store)
    facts = RunFacts(
        cost=Cost(usd=Decimal("0.123456789"), wall_seconds=1.5),
        version="4",
        rollout=RolloutState(started_at=(NOON, NOON + HOUR), salt="s"),
    )
    noted = decision(run, outcome="advance", evidence={"lower": -0.01})
    later = NOON + HOUR
    after = store.commit_run(
        run,
        step(
            Phase.ROLLING_OUT,
            at=later,
            wake_at=later + HOUR,
            facts=facts,
            decision=noted,
            champion=CHAMPION,
            route=ROUTE,
            baseline=b"baseline",
            baseline_version="4",
            approval=pending(run),
            ledger=(booking(run, "fraud-1:training", "0.123456789"),),
            messages=(message("m1"), message("m2")),
        ),
    )
    assert after == store.run(run.id)
    assert (after.phase, after.phase_since, after.wake_at) == (Phase.ROLLING_OUT, later, later + HOUR)
    assert after.facts == facts
    assert store.decisions(run_id=run.id)[-1] == noted
    state = store.model(MODEL)
    assert (state.champion, state.route) == (CHAMPION, ROUTE)
    assert store.baseline(MODEL, "4") == b"baseline"
    assert store.approval(run.id, ApprovalKind.RELEASE) == pending(run)
    assert store.ledger(MODEL) == (booking(run, "fraud-1:training", "0.123456789"),)
    assert {sent.id for sent in store.unrouted_messages(limit=9)} == {"m1", "m2"}
    entry = store.audit()[-1]
    assert (entry.actor, entry.subject, entry.at, entry.reason) == ("vernal", run.id, later, noted.reason)
    assert ("requested" in entry.before, "rolling_out" in entry.after) == (True, True)


def waiting_in_a_phase_keeps_its_beginning(store: StateStore) -> None:
    """A look that changes nothing is no act: the phase began when it began, and the audit trail stays as it is."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.TRAINING))
    before = store.audit()
    later = NOON + HOUR
    after = store.commit_run(claimed(store, now=later), step(Phase.TRAINING, at=later))
    assert (after.phase_since, after.wake_at) == (NOON, later)
    assert store.audit() == before


def what_a_step_does_not_name_stays(store: StateStore) -> None:
    """A step without champion, route or baseline leaves the model's."""
    opened(store)
    run = claimed(store)
    named = step(Phase.SOAKING, champion=CHAMPION, route=ROUTE, baseline=b"four", baseline_version="4")
    store.commit_run(run, named)
    store.commit_run(claimed(store), step(Phase.SOAKING))
    state = store.model(MODEL)
    assert (state.champion, state.route, store.baseline(MODEL, "4")) == (CHAMPION, ROUTE, b"four")
    assert state.last_run_finished_at is None


def the_training_cut_is_remembered_whatever_becomes_of_the_run(store: StateStore) -> None:
    """New labels are counted from the last cut, accepted or not."""
    opened(store)
    cut = NOON - timedelta(days=1)
    store.commit_run(claimed(store), step(Phase.TRAINING, facts=RunFacts(training_set=training_set(cut))))
    assert store.model(MODEL).trained_until == cut
    store.commit_run(claimed(store), step(Phase.FAILED))
    assert store.model(MODEL).trained_until == cut


def a_run_that_ends_is_remembered_by_the_model(store: StateStore) -> None:
    """The end of a run starts its cooldown."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.PROMOTED, at=NOON + HOUR, outcome="auc +0.02"))
    state = store.model(MODEL)
    assert (state.last_run_at, state.last_run_finished_at) == (NOON, NOON + HOUR)
    assert store.run("fraud-1").outcome == "auc +0.02"


def a_run_that_ends_asks_nobody_any_more(store: StateStore) -> None:
    """Its pending approval is cancelled, or expired when that is how the run ended."""
    for phase, status in ((Phase.CANCELLED, ApprovalStatus.CANCELLED), (Phase.EXPIRED, ApprovalStatus.EXPIRED)):
        opened(store)
        run = claimed(store)
        store.commit_run(run, step(Phase.AWAITING_RELEASE, approval=pending(run)))
        store.commit_run(claimed(store), step(phase))
        approval = store.approval(run.id, ApprovalKind.RELEASE)
        assert approval is not None
        assert approval.status is status
        assert store.pending_approvals() == ()


def a_cost_is_booked_once(store: StateStore) -> None:
    """A key booked again is the same cost, also in a later step."""
    opened(store)
    for _ in range(2):
        run = claimed(store)
        store.commit_run(run, step(Phase.TRAINING, ledger=(booking(run, "fraud-1:training", "10.10"),)))
    assert store.spent(None, since=NOON, until=NOON + HOUR) == Decimal("10.10")


def a_message_is_sent_once(store: StateStore) -> None:
    """A message with an id that is there already is the same message."""
    opened(store)
    for _ in range(2):
        store.commit_run(claimed(store), step(Phase.TRAINING, messages=(message("m1"), message("m1"))))
    assert store.unrouted_messages(limit=9) == (message("m1"),)


def a_person_overrules_whoever_holds_the_run(store: StateStore) -> None:
    """An intervention is written at once; the worker that held the run can no longer write."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.ROLLING_OUT, route=ROUTE))
    held = claimed(store)
    back = Route(model=MODEL, champion="3", updated_at=NOON + HOUR)
    stop = step(Phase.ROLLED_BACK, at=NOON + HOUR, route=back, decision=decision(held, outcome="rolled back"))
    after = store.intervene(held.id, stop, actor="ada", expected=(Phase.ROLLING_OUT, Phase.SOAKING))
    assert (after.phase, after.fence) == (Phase.ROLLED_BACK, held.fence + 1)
    assert store.model(MODEL).route == back
    assert store.audit()[-1].actor == "ada"
    with refused(LeaseLostError, held.id):
        store.commit_run(held, step(Phase.SOAKING, route=ROUTE))
    assert store.model(MODEL).route == back


def an_intervention_in_another_phase_is_refused(store: StateStore) -> None:
    """The person saw a phase; if it is over, what they asked for no longer makes sense, and the holder goes on."""
    opened(store)
    held = claimed(store)
    with refused(PhaseError, held.id, "requested", "rolling_out"):
        store.intervene(held.id, step(Phase.ROLLED_BACK), actor="ada", expected=(Phase.ROLLING_OUT,))
    with refused(NotFoundError, "fraud-9"):
        store.intervene("fraud-9", step(Phase.ROLLED_BACK), actor="ada", expected=tuple(Phase))
    assert store.commit_run(held, step()).phase is Phase.BUILDING


def a_champion_set_by_hand_gets_all_traffic(store: StateStore) -> None:
    """Champion and route change together, with decision, audit entry and alert."""
    opened(store)
    store.commit_run(claimed(store), step(Phase.PROMOTED, champion=CHAMPION, route=ROUTE))
    later = NOON + HOUR
    state = store.set_champion(MODEL, "3", actor="ada", reason="4 is slow", now=later)
    assert state == store.model(MODEL)
    assert state.champion == Champion(model=MODEL, version="3", since=later, run_id=None, previous="4")
    assert state.route == Route(model=MODEL, champion="3", updated_at=later)
    noted = store.decisions(MODEL)[-1]
    assert (noted.kind, "4 is slow" in noted.reason, "ada" in noted.reason) == ("champion", True, True)
    entry = store.audit()[-1]
    assert (entry.actor, entry.subject, entry.reason) == ("ada", MODEL, "4 is slow")
    (alert,) = store.unrouted_messages(limit=9)
    assert (alert.model, alert.kind) == (MODEL, "champion")


def a_champion_set_by_hand_keeps_what_its_run_has_measured(store: StateStore) -> None:
    """The importances of a version's features come back with the version; those of a stranger are not known."""
    shares = {"amount": 0.75, "country": 0.25}
    for version, importances in (("3", shares), ("4", None)):
        opened(store)
        facts = RunFacts(version=version, training=training(importances))
        champion = Champion(model=MODEL, version=version, since=NOON, run_id=None, importances=importances)
        store.commit_run(claimed(store), step(Phase.PROMOTED, facts=facts, champion=champion))
    restored = store.set_champion(MODEL, "3", actor="ada", reason="4 is slow", now=NOON + HOUR).champion
    unknown = store.set_champion(MODEL, "9", actor="ada", reason="why not", now=NOON + HOUR).champion
    assert restored is not None
    assert unknown is not None
    assert (restored.importances, unknown.importances) == (shares, None)


def a_champion_set_again_keeps_the_one_before(store: StateStore) -> None:
    """Naming the current version does not make it its own predecessor."""
    known(store)
    assert store.set_champion(MODEL, "3", actor="ada", reason="first", now=NOON).champion is not None
    store.set_champion(MODEL, "4", actor="ada", reason="better", now=NOON)
    champion = store.set_champion(MODEL, "4", actor="ada", reason="again", now=NOON + HOUR).champion
    assert champion is not None
    assert (champion.version, champion.previous) == ("4", "3")


def a_champion_is_not_set_under_an_open_run(store: StateStore) -> None:
    """A run compares with the champion; it must end first."""
    opened(store)
    before = (store.model(MODEL), store.decisions(), store.audit())
    with refused(PhaseError, "fraud-1", "requested"):
        store.set_champion(MODEL, "3", actor="ada", reason="now", now=NOON)
    assert (store.model(MODEL), store.decisions(), store.audit()) == before
    with refused(NotFoundError, "unheard-of"):
        store.set_champion("unheard-of", "3", actor="ada", reason="now", now=NOON)
    assert store.claim_run(MODELS, lease=LEASE, now=NOON) is not None


CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    a_step_leaves_everything,
    waiting_in_a_phase_keeps_its_beginning,
    what_a_step_does_not_name_stays,
    the_training_cut_is_remembered_whatever_becomes_of_the_run,
    a_run_that_ends_is_remembered_by_the_model,
    a_run_that_ends_asks_nobody_any_more,
    a_cost_is_booked_once,
    a_message_is_sent_once,
    a_person_overrules_whoever_holds_the_run,
    an_intervention_in_another_phase_is_refused,
    a_champion_set_by_hand_gets_all_traffic,
    a_champion_set_by_hand_keeps_what_its_run_has_measured,
    a_champion_set_again_keeps_the_one_before,
    a_champion_is_not_set_under_an_open_run,
)
