"""What people ask for by hand: a run, a champion moved back, an answer to an approval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernal.act import quarantine
from vernal.act.replaying import replay
from vernal.act.rollout import roll_back
from vernal.errors import NotFoundError
from vernal.records import Phase, RunRequest, TriggerKind

if TYPE_CHECKING:
    from vernal.act.quarantine import Chosen
    from vernal.act.replaying import Replay
    from vernal.act.system import System
    from vernal.records import Approval, ModelState, Run

SERVING = (Phase.ROLLING_OUT, Phase.SOAKING)
"""Phases in which part of the traffic goes to the challenger."""


def retrain(system: System, model: str, *, actor: str, reason: str) -> Run:
    """Ask for a run by hand; :class:`~vernal.errors.OpenRunError` if the model has an open one."""
    now = system.clock.now()
    system.store.sync_models((model,), now=now)
    request = RunRequest(model=model, trigger=TriggerKind.MANUAL, reason=reason, requested_by=actor, at=now)
    return system.store.request_run(request)


def answer_approval(system: System, run_id: str, *, approved: bool, actor: str, note: str) -> Approval:
    """Answer a run's pending request for approval."""
    return system.store.decide_approval(run_id, approved=approved, actor=actor, note=note, now=system.clock.now())


def rollback(system: System, model: str, *, actor: str, reason: str, to: str | None = None) -> Run | ModelState:
    """Take traffic away from the newest model at once.

    During a rollout the challenger is rolled back, for good, and its run is returned. Otherwise the champion goes
    back to the version before it, or to ``to``, and the model's new state is returned.

    Only a version that has been the champion can be one again: what the gates, a person or a rollout refused would
    otherwise get to everybody without having been judged.

    Raises
    ------
    NotFoundError
        If there is no earlier version, or ``to`` has never been the champion.
    """
    now = system.clock.now()
    current = next((run for run in system.store.runs(model, open_only=True) if run.phase in SERVING), None)
    if current is not None and to is None:
        return system.store.intervene(
            current.id, roll_back(current, now, reason, actor=actor), actor=actor, expected=SERVING
        )
    champion = system.store.model(model).champion
    target = to or (champion.previous if champion else None)
    if target is None:
        raise NotFoundError(f"{model}: there is no earlier champion to go back to", hint="Name a version with --to.")
    served = [
        run.facts.version for run in system.store.runs(model) if run.phase is Phase.PROMOTED and run.facts.version
    ]
    if target not in served:
        message = f"{model}: version {target} has never been the champion; these have: {', '.join(served) or 'none'}"
        raise NotFoundError(message, hint=f"Train and judge a candidate instead: vernal retrain {model}")
    system.registry.fetch(model, target)
    return system.store.set_champion(model, target, actor=actor, reason=reason, now=now)


def replay_refused(system: System, model: str, chosen: Chosen, *, actor: str) -> Replay:
    """Bring refused rows that are fit now into the lake; in the audit trail, when there were any."""
    now = system.clock.now()
    done = replay(system.lake, system.project.models[model], chosen, actor=actor, now=now)
    if done.replayed or done.present:
        facts = {"replayed": str(done.replayed), "present": str(done.present)}
        reason = chosen.reason or ""
        system.store.record_action("replay_refused", subject=model, actor=actor, reason=reason, facts=facts, now=now)
    return done


def discard_refused(system: System, model: str, chosen: Chosen, *, actor: str, note: str) -> int:
    """Give up refused rows; in the audit trail, when there were any."""
    now = system.clock.now()
    count = quarantine.discard(system.lake, model, chosen, actor=actor, note=note, now=now)
    if count:
        facts = {"rows": str(count), "reason": chosen.reason or ""}
        system.store.record_action("discard_refused", subject=model, actor=actor, reason=note, facts=facts, now=now)
    return count
