from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernal.decide.money import month_of, spend_needs_approval, within_budget
from vernal.decide.routing import gets_challenger, position
from vernal.records import Cost, TriggerKind
from vernal.spec import ApprovalSpec, ProjectBudgetSpec

BUDGET = ProjectBudgetSpec()


def allowed(spent: str, estimate: str, trigger: TriggerKind = TriggerKind.VOLUME) -> tuple[bool, bool]:
    found = within_budget(
        BUDGET,
        limit=Decimal(1000),
        spent=Decimal(spent),
        estimate=Cost(usd=Decimal(estimate)),
        trigger=trigger,
        whose="project",
    )
    return found.allowed, found.warn


@pytest.mark.parametrize(
    ("spent", "estimate", "trigger", "expected"),
    [
        ("0", "10", TriggerKind.VOLUME, (True, False)),
        ("795", "5", TriggerKind.VOLUME, (True, True)),
        ("890", "10", TriggerKind.VOLUME, (True, True)),
        ("890", "10.01", TriggerKind.VOLUME, (False, True)),
        ("990", "10", TriggerKind.PERFORMANCE, (True, True)),
        ("990", "10.01", TriggerKind.PERFORMANCE, (False, True)),
    ],
)
def test_the_reserve_is_kept_for_emergencies_and_the_limit_holds_for_all(
    spent: str, estimate: str, trigger: TriggerKind, expected: tuple[bool, bool]
) -> None:
    assert allowed(spent, estimate, trigger) == expected


def test_a_month_ends_where_the_next_begins() -> None:
    start, end = month_of(datetime(2013, 12, 31, 23, 59, tzinfo=UTC))
    assert (start, end) == (datetime(2013, 12, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))


def test_only_an_estimate_above_the_limit_needs_approval() -> None:
    spec = ApprovalSpec(cost_above_usd=Decimal(500))
    assert not spend_needs_approval(spec, Cost(usd=Decimal(500)))
    assert spend_needs_approval(spec, Cost(usd=Decimal("500.01")))


@given(entity=st.text(), salt=st.text(), small=st.floats(0, 1), large=st.floats(0, 1))
def test_whoever_has_the_challenger_keeps_it_at_every_larger_share(
    entity: str, salt: str, small: float, large: float
) -> None:
    small, large = sorted((small, large))
    assert gets_challenger(salt, entity, large) or not gets_challenger(salt, entity, small)


def test_the_share_of_entities_is_the_share_asked_for() -> None:
    served = sum(gets_challenger("m-1", f"N{number}", 0.05) for number in range(20_000))
    # Binomial with p = 0.05: five standard deviations are 154.
    assert abs(served - 1_000) < 154


def test_two_rollouts_assign_independently() -> None:
    both = sum(gets_challenger("m-1", f"N{n}", 0.5) and gets_challenger("m-2", f"N{n}", 0.5) for n in range(20_000))
    assert abs(both - 5_000) < 5 * (20_000 * 0.25 * 0.75) ** 0.5


def test_the_assignment_is_the_same_on_every_machine() -> None:
    assert position("m-1", "N14228") == 0.2731746475042624
