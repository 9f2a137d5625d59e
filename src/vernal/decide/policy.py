"""From fired triggers to one request, or to a suppression with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vernal.decide.triggers import URGENCY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vernal.records import ModelState, Run, TriggerResult
    from vernal.spec import PolicySpec


class Verdict(NamedTuple):
    """What a check asks for: ``requested``, ``suppressed``, ``healthy`` or ``insufficient``."""

    outcome: str
    reason: str
    trigger: TriggerResult | None = None


def combine(
    results: Sequence[TriggerResult], *, policy: PolicySpec, state: ModelState, open_run: Run | None, now: datetime
) -> Verdict:
    """Return what a check asks for; the most urgent fired trigger speaks for all that fired."""
    fired = sorted((result for result in results if result.fired), key=lambda result: URGENCY.index(result.kind))
    if not fired:
        return _quiet(results)
    story = "; ".join(f"{result.kind}: {result.reason}" for result in fired)
    if open_run is not None:
        return Verdict("suppressed", f"{story}; suppressed: run {open_run.id} is open ({open_run.phase})", fired[0])
    finished = state.last_run_finished_at
    if finished is not None and now < finished + policy.cooldown:
        until = finished + policy.cooldown
        return Verdict("suppressed", f"{story}; suppressed: cooldown until {until:%Y-%m-%d %H:%M} UTC", fired[0])
    return Verdict("requested", story, fired[0])


def _quiet(results: Sequence[TriggerResult]) -> Verdict:
    blind = [result for result in results if not result.sufficient]
    if not results:
        return Verdict("insufficient", "no trigger is switched on, so nothing judges this model")
    story = "; ".join(f"{result.kind}: {result.reason}" for result in results)
    # A schedule or a label count is always answerable; a check is blind only when no trigger that measures the model
    # could see.
    measuring = [result for result in results if result.kind in {"performance", "drift"}]
    if measuring and all(result in blind for result in measuring):
        return Verdict("insufficient", story)
    return Verdict("healthy", story)
