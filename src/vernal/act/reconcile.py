"""One tick of the controller: look at what is desired and what is observed, and do the next right thing.

A tick goes on until nothing is due. Nothing here remembers anything: kill the process at any line and the next tick, of
this or another process, goes on from the store.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from vernal.act.check import check_model
from vernal.act.conditions import conditions_after, with_conditions
from vernal.act.deliver import deliver
from vernal.act.phases import fail, step
from vernal.act.rollout import roll_back
from vernal.clock import monotonic
from vernal.errors import (
    DigestMismatchError,
    LakeError,
    LeaseLostError,
    RegistryError,
    StoreError,
    VernalError,
    WorkerError,
)
from vernal.records import Decision, Phase, Run
from vernal.tracing import span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from vernal.act.system import System
    from vernal.records import ModelState

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
"""Attempts at one phase before the run fails (or, while it serves, is rolled back)."""

_PASSING = (LakeError, RegistryError, StoreError, WorkerError, OSError)
"""Deliberate errors that may be over when we look again: a full disk, a lost race, a database that restarts.

So may one that nobody foresaw, such as a lack of memory: it is tried again as well.
"""


class TickReport(NamedTuple):
    """What one tick did: decisions of checks, runs that took steps, messages sent, and errors it met.

    ``taken_over`` counts steps that somebody else had taken over before they could be committed.
    """

    checks: tuple[Decision, ...]
    steps: tuple[Run, ...]
    sent: int
    errors: tuple[str, ...]
    taken_over: int = 0

    @classmethod
    def of(cls, parts: Iterable[TickReport]) -> TickReport:
        """Return what several parts of a tick did together."""
        parts = tuple(parts)
        return cls(
            tuple(decision for part in parts for decision in part.checks),
            tuple(run for part in parts for run in part.steps),
            sum(part.sent for part in parts),
            tuple(error for part in parts for error in part.errors),
            sum(part.taken_over for part in parts),
        )


def tick(system: System, models: Sequence[str] | None = None) -> TickReport:
    """Do everything that is due now for the named models (default: all of the project), then return."""
    names = tuple(models or system.project.models)
    with span("tick"):
        system.store.sync_models(names, now=system.clock.now())
        done: list[TickReport] = []
        while (state := _due_check(system, names)) is not None:
            done.append(work(system, state))
        while (run := _due_run(system, names)) is not None:
            done.append(work(system, run))
        done.append(send_waiting(system))
        return TickReport.of(done)


def claim(system: System, names: Sequence[str]) -> ModelState | Run | None:
    """Claim one thing of the named models that is due and that nobody holds: a check, else the next step of a run."""
    return _due_check(system, names) or _due_run(system, names)


def work(system: System, held: ModelState | Run) -> TickReport:
    """Do what was claimed, commit it and give the claim back; whatever goes wrong is told and tried again later."""
    errors: list[str] = []
    checks: list[Decision] = []
    steps: list[Run] = []
    if isinstance(held, Run):
        kept = _guarded(held.id, errors, partial(_advance, system, held, steps, errors))
    else:
        kept = _guarded(held.model, errors, partial(_check, system, held, checks, errors))
    return TickReport(tuple(checks), tuple(steps), 0, tuple(errors), taken_over=int(not kept))


def give_up(system: System, held: ModelState | Run, error: WorkerError) -> TickReport:
    """Give back a claim whose worker is gone; a check waits for its next time, a run takes up its step again later."""
    errors: list[str] = []
    checks: list[Decision] = []
    steps: list[Run] = []

    def end() -> None:
        if isinstance(held, Run):
            steps.append(_stumble(system, held, error, errors))
        else:
            spec = system.project.model(held.model)
            checks.append(_put_off(system, held, error, wait=spec.monitoring.every, errors=errors))

    kept = _guarded(held.id if isinstance(held, Run) else held.model, errors, end)
    return TickReport(tuple(checks), tuple(steps), 0, tuple(errors), taken_over=int(not kept))


def send_waiting(system: System) -> TickReport:
    """Send what waits in the outbox."""
    errors: list[str] = []
    with span("deliver") as current:
        sent = deliver(system, errors)
        current.set(sent=sent)
    return TickReport((), (), sent, tuple(errors))


def _due_check(system: System, names: Sequence[str]) -> ModelState | None:
    return system.store.claim_check(names, lease=system.claim(), now=system.clock.now())


def _due_run(system: System, names: Sequence[str]) -> Run | None:
    return system.store.claim_run(names, lease=system.claim(), now=system.clock.now())


def _check(system: System, state: ModelState, checks: list[Decision], errors: list[str]) -> None:
    started = monotonic()
    with span("check", model=state.model, attempt=state.attempt) as current:
        try:
            commit = with_conditions(system, state, check_model(system, state))
            with span("commit"):
                system.store.commit_check(state, commit)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault in one model's check must not stop the others
            current.fail(error)
            _trace_unexpected(state.model, error)
            retry = min(_backoff(state.model, state.attempt), system.project.models[state.model].monitoring.every)
            checks.append(_put_off(system, state, error, wait=retry, errors=errors))
        else:
            checks.extend(commit.decisions)
            current.set(outcome=commit.decisions[0].outcome)
        _log_check(checks[-1], seconds=monotonic() - started)


def _log_check(decision: Decision, *, seconds: float) -> None:
    level = logging.WARNING if decision.outcome == "error" else logging.INFO
    facts = {"event": "check", "outcome": decision.outcome, "seconds": round(seconds, 3)}
    log.log(level, "check %s: %s", decision.outcome, decision.reason, extra=facts)


def _put_off(system: System, state: ModelState, error: Exception, *, wait: timedelta, errors: list[str]) -> Decision:
    """Give up a check that failed, and look again later."""
    now = system.clock.now()
    decision = Decision(model=state.model, at=now, kind="check", outcome="error", reason=_said(error))
    errors.append(f"{state.model}: {_said(error)}")
    messages = conditions_after(system, state, decision)
    system.store.release_check(state, next_check_at=now + wait, decision=decision, messages=messages)
    return decision


def _advance(system: System, run: Run, steps: list[Run], errors: list[str]) -> None:
    if run.attempt > MAX_ATTEMPTS:
        steps.append(_end(system, run, f"{run.phase}: abandoned {run.attempt - 1} times without a result"))
        return
    started = monotonic()
    with span(str(run.phase), model=run.model, run=run.id, attempt=run.attempt) as current:
        try:
            transition = step(system, run)
            with span("commit"):
                after = system.store.commit_run(run, transition)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - as in _check
            current.fail(error)
            _trace_unexpected(run.id, error)
            after = _stumble(system, run, error, errors)
        current.set(phase=str(after.phase))
        steps.append(after)
        facts = {"event": "step", "phase": str(after.phase), "seconds": round(monotonic() - started, 3)}
        if errors:
            log.warning("step failed: %s", errors[-1], extra=facts)
        else:
            log.info("%s -> %s", run.phase, after.phase, extra=facts)


def _stumble(system: System, run: Run, error: Exception, errors: list[str]) -> Run:
    """Try again later what may pass; end what will not."""
    now = system.clock.now()
    errors.append(f"{run.id}: {_said(error)}")
    deliberate = isinstance(error, VernalError) and not isinstance(error, _PASSING)
    permanent = deliberate or isinstance(error, DigestMismatchError)
    if not permanent and run.attempt < MAX_ATTEMPTS:
        reason = f"attempt {run.attempt} of {MAX_ATTEMPTS} in {run.phase}: {_said(error)}"
        decision = Decision(model=run.model, run_id=run.id, at=now, kind="run", outcome="retry", reason=reason)
        system.store.release_run(run, wake_at=now + _backoff(run.id, run.attempt), decision=decision)
        return run
    return _end(system, run, f"{run.phase}: {_said(error)}")


def _said(error: Exception) -> str:
    """Return what an error says; one that nobody raised on purpose says little without its type."""
    return str(error) if isinstance(error, (VernalError, OSError)) else f"{type(error).__name__}: {error}"


def _trace_unexpected(subject: str, error: Exception) -> None:
    if not isinstance(error, (VernalError, OSError)):
        log.error("%s: a fault of Vernal itself", subject, exc_info=error)


def _end(system: System, run: Run, reason: str) -> Run:
    """End a run that cannot go on: whoever served before it serves on."""
    now = system.clock.now()
    serving = run.phase in {Phase.ROLLING_OUT, Phase.SOAKING}
    transition = roll_back(run, now, reason, actor="vernal") if serving else fail(run, now, reason)
    return system.store.commit_run(run, transition)


def _guarded(subject: str, errors: list[str], work: Callable[[], None]) -> bool:
    """Do some work on a claim; tell whether the claim held."""
    try:
        work()
    except LeaseLostError as error:
        # Somebody else has taken over and does the same work: nothing was written, nothing is lost.
        log.info("%s: %s", subject, error)
        errors.append(f"{subject}: {error.message}")
        return False
    return True


def _backoff(name: str, attempt: int) -> timedelta:
    """Return 1, 2, 4 and so on minutes, at most an hour.

    It is spread by up to a quarter, so that many models do not return together.
    """
    base = min(60.0 * 2 ** max(attempt - 1, 0), 3600.0)
    digest = blake2b(f"{name}:{attempt}".encode(), digest_size=2).digest()
    return timedelta(seconds=base * (1 + int.from_bytes(digest, "big") / 2**18))


def next_wake(system: System, models: Sequence[str] | None = None) -> datetime | None:
    """Return when the next check or run is due."""
    return system.store.next_wake(tuple(models or system.project.models))
