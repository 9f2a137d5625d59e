"""Shadow policies: what other settings would have done with the same evidence at every check. They never act."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from vernal.decide.policy import rule
from vernal.decide.triggers import judge
from vernal.records import Record, ShadowRuling, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vernal.decide.policy import Situation
    from vernal.records import CheckEvidence, Decision, ModelState, Ruling, TriggerResult
    from vernal.spec import ShadowSpec, TriggersSpec

ACTIVE = "active"
"""Name under which the policy that acts is counted; no shadow may have it."""


def judge_shadows(
    shadows: Sequence[ShadowSpec],
    evidence: CheckEvidence,
    situation: Situation,
    *,
    before: Mapping[str, ShadowRuling],
    every: timedelta,
) -> dict[str, ShadowRuling]:
    """Return what each shadow policy would do now.

    A run that it would have asked for did not happen. So the champion, the training cut and the last run's window are
    those of the runs that did; only its cooldown starts when it would have asked.

    Parameters
    ----------
    before
        What each would have done in the check before; those that are new are left out.
    every
        The time between two checks.
    """
    found = {}
    for spec in shadows:
        memory = before.get(spec.name)
        state = _as_if(situation.state, memory)
        results = judge(spec.triggers, evidence, state, every=every)
        own = situation._replace(state=state, before=None if memory is None else memory.ruling)
        ruling = rule(results, triggers=spec.triggers, policy=spec.policy, situation=own)
        asked = situation.now if ruling.outcome == "requested" else None if memory is None else memory.asked_at
        cron_at = cron_after(spec.triggers, results, ruling, since=state.cron_at, now=situation.now)
        found[spec.name] = ShadowRuling(ruling=ruling, cron_at=cron_at, asked_at=asked)
    return found


def cron_after(
    triggers: TriggersSpec, results: Sequence[TriggerResult], ruling: Ruling, *, since: datetime | None, now: datetime
) -> datetime | None:
    """Move a schedule's cursor, except past a suppressed due time, which stays due until it gets its run."""
    if triggers.schedule is None:
        return None
    fired = any(result.kind == TriggerKind.SCHEDULE and result.fired for result in results)
    return since if fired and ruling.outcome == "suppressed" else now


class Tally(Record, frozen=True, kw_only=True):
    """How often a policy asked for a run, was held back, saw no need, or could not tell, and when it asked last."""

    name: str
    checks: int = 0
    requested: int = 0
    suppressed: int = 0
    healthy: int = 0
    insufficient: int = 0
    last_asked: datetime | None = None


def tally(checks: Iterable[Decision]) -> tuple[Tally, ...]:
    """Count what the active policy did and each shadow policy would have done, the active one first.

    A shadow policy is counted in the checks that evaluated it. Checks that ended with an error count for nobody.
    """
    found = {ACTIVE: Tally(name=ACTIVE)}
    for check in checks:
        evidence = check.evidence or {}
        if "policy" not in evidence:
            continue
        outcomes = {ACTIVE: check.outcome}
        outcomes |= {name: one.ruling.outcome for name, one in shadows_of(evidence).items()}
        for name, outcome in outcomes.items():
            found[name] = _counted(found.get(name, Tally(name=name)), outcome, check.at)
    return tuple(found.values())


def shadows_of(evidence: Mapping[str, Any]) -> dict[str, ShadowRuling]:
    """Return what a check's stored evidence says of shadow policies."""
    return msgspec.convert(evidence.get("shadow", {}), dict[str, ShadowRuling])


def _as_if(state: ModelState, memory: ShadowRuling | None) -> ModelState:
    if memory is None:
        return state.evolve(cron_at=None)
    ends = [moment for moment in (state.last_run_finished_at, memory.asked_at) if moment is not None]
    return state.evolve(cron_at=memory.cron_at, last_run_finished_at=max(ends, default=None))


def _counted(before: Tally, outcome: str, at: datetime) -> Tally:
    more = {"checks": before.checks + 1}
    if outcome in {"requested", "suppressed", "healthy", "insufficient"}:
        more[outcome] = getattr(before, outcome) + 1
    return before.evolve(**more, last_asked=at if outcome == "requested" else before.last_asked)


__all__ = ["ACTIVE", "Tally", "cron_after", "judge_shadows", "shadows_of", "tally"]
