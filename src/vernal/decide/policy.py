"""From fired triggers to one request, or to a suppression with its reason.

First each trigger may be held back by itself (it has not fired often enough in a row, or the champion is too new). Then
enough of them have to be left (``combine``). At last the model may hold all of them back: a cooldown, an open circuit,
an open run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from vernal.decide.breaker import tripped
from vernal.decide.money import EMERGENCIES
from vernal.decide.streaks import acts_at, apart, go_on, window_hours
from vernal.decide.triggers import URGENCY
from vernal.records import UNRELEASED_PHASES, ModelState, Ruling, Run, Suppression, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.records import Streak, TriggerResult
    from vernal.spec import PolicySpec, TriggersSpec

MEASURING: Final = frozenset({TriggerKind.PERFORMANCE, TriggerKind.DRIFT})
"""Triggers that look at the model; a schedule or a number of labels can always be answered."""


_SHOWN = 3
"""Runs that are named in a reason."""


class Situation(NamedTuple):
    """What policies look at beside the answers.

    ``runs`` are the model's latest, the newest first; ``before`` is what the check before made of its answers.
    """

    state: ModelState
    runs: tuple[Run, ...]
    before: Ruling | None
    now: datetime

    @property
    def open_run(self) -> Run | None:
        """The model's open run."""
        return next((run for run in self.runs if not run.phase.terminal), None)

    @property
    def champion(self) -> str | None:
        """The version that serves."""
        return None if self.state.champion is None else self.state.champion.version


def rule(
    results: Sequence[TriggerResult], *, triggers: TriggersSpec, policy: PolicySpec, situation: Situation
) -> Ruling:
    """Return what a check asks for; the most urgent trigger that is not held back by itself speaks for all.

    Parameters
    ----------
    results
        The answers of all triggers that are switched on, one each; warnings by an estimate beside them do not count.
    triggers, policy
        What the model's file says.
    """
    results = [result for result in results if result.kind in URGENCY]  # what only warns is no trigger to count
    streaks = _streaks(results, triggers, policy, situation)
    fired = sorted((result for result in results if result.fired), key=lambda result: URGENCY.index(result.kind))
    if not fired:
        outcome, reason = _quiet(results)
        return Ruling(outcome=outcome, reason=reason, streaks=streaks)
    held = [one for result in fired for one in _held(result, triggers, policy, streaks, situation)]
    kept = {kind for one in held for kind in one.triggers}
    acting = [result for result in fired if result.kind not in kept]
    if acting:
        stopped = _too_few(acting, len(results), policy) or list(_stopped(acting, policy, situation))
        if not stopped:
            return Ruling(
                outcome="requested",
                reason=_story(acting),
                trigger=acting[0].kind,
                suppressions=tuple(held),
                supersedes=_superseded(acting[0], policy, situation),
            )
        held += stopped
    return Ruling(
        outcome="suppressed",
        reason=f"{_story(fired)}; suppressed: {'; '.join(one.reason for one in held)}",
        trigger=(acting or fired)[0].kind,
        suppressions=tuple(held),
        streaks=streaks,
    )


def _streaks(
    results: Sequence[TriggerResult], triggers: TriggersSpec, policy: PolicySpec, situation: Situation
) -> tuple[Streak, ...]:
    before = {} if situation.before is None else {streak.trigger: streak for streak in situation.before.streaks}
    found = [
        go_on(
            before.get(result.kind),
            result,
            window=_window(result, triggers),
            champion=situation.champion,
            now=situation.now,
        )
        for result in results
        if _needed(result, policy) > 1
    ]
    return tuple(streak for streak in found if streak is not None)


def _held(
    result: TriggerResult,
    triggers: TriggersSpec,
    policy: PolicySpec,
    streaks: Sequence[Streak],
    situation: Situation,
) -> Iterator[Suppression]:
    """Yield the policies that hold one fired trigger back."""
    needed = _needed(result, policy)
    streak = next((streak for streak in streaks if streak.trigger == result.kind), None)
    if streak is not None and streak.count < needed:
        every = _hours(apart(streak.window_hours))
        reason = f"{result.kind} has fired in {streak.count} of {needed} checks in a row that lie {every} apart"
        until = acts_at(streak, needed=needed)
        yield Suppression(policy="consecutive", triggers=(result.kind,), reason=reason, until=until)
    champion = situation.state.champion
    # A champion that was set by hand was promoted before, and nothing about its baseline is new.
    if result.kind == TriggerKind.DRIFT and champion is not None and champion.run_id is not None:
        window = timedelta(hours=window_hours(result, _window(result, triggers)))
        until = champion.since + policy.warm_up * window
        if situation.now < until:
            reason = f"version {champion.version} warms up until {_moment(until)}"
            yield Suppression(policy="warm_up", triggers=(result.kind,), reason=reason, until=until)


def _too_few(acting: Sequence[TriggerResult], switched_on: int, policy: PolicySpec) -> list[Suppression]:
    needed = {"any": 1, "all": switched_on}.get(str(policy.combine), policy.combine)
    if len(acting) >= int(needed):
        return []
    kinds = tuple(result.kind for result in acting)
    reason = f"{len(acting)} of {switched_on} triggers ({', '.join(kinds)}) may ask, expected {needed} together"
    return [Suppression(policy="combine", triggers=kinds, reason=reason)]


def _stopped(acting: Sequence[TriggerResult], policy: PolicySpec, situation: Situation) -> Iterator[Suppression]:
    """Yield the policies that hold back whatever trigger asks."""
    kinds = tuple(result.kind for result in acting)
    run = situation.open_run
    if run is not None and _superseded(acting[0], policy, situation) is None:
        yield Suppression(policy="open_run", triggers=kinds, reason=f"run {run.id} is open ({run.phase})")
    finished = situation.state.last_run_finished_at
    if finished is not None and situation.now < finished + policy.cooldown:
        until = finished + policy.cooldown
        yield Suppression(policy="cooldown", triggers=kinds, reason=f"cooldown until {_moment(until)}", until=until)
    circuit = tripped(policy.circuit_breaker, situation.runs)
    if circuit is not None and situation.now < circuit.until:
        ends = ", ".join(f"{run.id} {run.phase}" for run in circuit.runs[:_SHOWN])
        reason = f"the circuit is open until {_moment(circuit.until)} after {len(circuit.runs)} runs in vain ({ends})"
        yield Suppression(policy="circuit_breaker", triggers=kinds, reason=reason, until=circuit.until)


def _superseded(speaker: TriggerResult, policy: PolicySpec, situation: Situation) -> str | None:
    """Return the open run that gives way to what the most urgent trigger asks for, if it is an emergency."""
    run = situation.open_run
    if run is None or not policy.supersede or speaker.kind not in EMERGENCIES:
        return None
    gives_way = run.phase in UNRELEASED_PHASES and run.trigger not in {*EMERGENCIES, TriggerKind.MANUAL}
    return run.id if gives_way else None


def _quiet(results: Sequence[TriggerResult]) -> tuple[str, str]:
    if not results:
        return "insufficient", "no trigger is switched on, so nothing judges this model"
    # A check is blind only when no trigger that measures the model could see.
    measuring = [result for result in results if result.kind in MEASURING]
    blind = measuring and not any(result.sufficient for result in measuring)
    return "insufficient" if blind else "healthy", _story(results)


def _needed(result: TriggerResult, policy: PolicySpec) -> int:
    counted = {TriggerKind.DRIFT: policy.consecutive, TriggerKind.PERFORMANCE: policy.consecutive_performance}
    return counted.get(TriggerKind(result.kind), 1)


def _window(result: TriggerResult, triggers: TriggersSpec) -> timedelta:
    asked = {TriggerKind.DRIFT: triggers.drift, TriggerKind.PERFORMANCE: triggers.performance}
    section = asked.get(TriggerKind(result.kind))
    return timedelta(0) if section is None else section.window


def _story(results: Sequence[TriggerResult]) -> str:
    return "; ".join(f"{result.kind}: {result.reason}" for result in results)


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _hours(duration: timedelta) -> str:
    return f"{duration / timedelta(hours=1):g} h"


__all__ = ["Situation", "rule"]
