"""Whether a run may spend what it is expected to cost, and whether a person must agree first."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from vernal.records import TriggerKind

if TYPE_CHECKING:
    from vernal.records import Cost
    from vernal.spec import ApprovalSpec, ProjectBudgetSpec

EMERGENCIES = frozenset({TriggerKind.PERFORMANCE})
"""Triggers that may draw on the reserve."""


class Allowance(NamedTuple):
    """Whether the budget allows a run, why, and whether somebody should be warned."""

    allowed: bool
    warn: bool
    reason: str


def within_budget(
    budget: ProjectBudgetSpec, *, limit: Decimal, spent: Decimal, estimate: Cost, trigger: TriggerKind, whose: str
) -> Allowance:
    """Hold what would be spent this month against the limit; the reserve inside the limit is kept for emergencies."""
    available = limit if trigger in EMERGENCIES else limit * (1 - Decimal(str(budget.reserve)))
    after = spent + estimate.usd
    kept = "" if trigger in EMERGENCIES else f" ({budget.reserve:.0%} of {limit:.2f} kept for emergencies)"
    reason = f"{whose} budget this month: {spent:.2f} spent + {estimate.usd:.2f} estimated"
    if after > available:
        return Allowance(allowed=False, warn=True, reason=f"{reason} > {available:.2f} USD{kept}")
    warn = after >= limit * Decimal(str(budget.warn_at))
    return Allowance(allowed=True, warn=warn, reason=f"{reason} <= {available:.2f} USD{kept}")


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return the calendar month (UTC) around a moment as ``[start, end)``."""
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)


def spend_needs_approval(spec: ApprovalSpec, estimate: Cost) -> bool:
    """Whether the estimate is above what may be spent without asking."""
    return estimate.usd > spec.cost_above_usd
