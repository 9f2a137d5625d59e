"""Which conditions of a model a check tells of, and which of them begin, go on or are over.

Everything is read from the stored decisions of checks, so nothing has to be remembered besides them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vernal.decide.performance import ESTIMATE
from vernal.records import Message, MessageState, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vernal.records import Decision

CHECK_ERROR: Final = "check-error"
INSUFFICIENT: Final = "insufficient"
SUPPRESSED: Final = "performance-suppressed"
QUARANTINE: Final = "quarantine"
WARNINGS: Final = {TriggerKind.PERFORMANCE.value: "performance-warning", ESTIMATE: "estimate-warning"}
"""Kind of the message about what a trigger warns of, by the trigger's kind."""

CONDITIONS: Final = (CHECK_ERROR, INSUFFICIENT, SUPPRESSED, QUARANTINE, *WARNINGS.values())
"""Kinds of messages that tell of a condition, and that a ``resolved`` message follows."""

MANY_ATTEMPTS: Final = 5
"""Failed checks in a row after which nobody watches the model, and that is critical."""


class Condition(NamedTuple):
    """Something that is wrong with a model for as long as checks say so."""

    severity: str
    title: str
    body: str


def messages_about(
    decision: Decision, earlier: Sequence[Decision], *, attempt: int, told: Sequence[str] = ()
) -> tuple[Message, ...]:
    """Return the messages about a model's conditions after a check.

    Parameters
    ----------
    decision
        What the check decided.
    earlier
        Decisions of the model's checks before it, oldest first. At least back to the last one that came to an end.
    attempt
        How often this check was tried, this time included.
    told
        Kinds of conditions that are told of already, in better words; only their end is added here.
    """
    now, before = conditions_of(decision, attempt=attempt), _before(earlier)
    # A check that failed saw nothing: what it did not look at goes on as it was.
    looked_at = (CHECK_ERROR,) if decision.outcome == "error" else CONDITIONS
    messages = []
    for kind in looked_at:
        if kind in now and kind not in told:
            state = MessageState.ONGOING if kind in before else MessageState.RAISED
            messages.append(_message(decision, kind, now[kind], state))
        elif kind in before and kind not in now:
            over = Condition("info", f"{decision.model}: {_OVER[kind]}", f"It was: {before[kind].body}")
            messages.append(_message(decision, kind, over, MessageState.RESOLVED))
    return tuple(messages)


def conditions_of(decision: Decision, *, attempt: int = 1) -> Mapping[str, Condition]:
    """Return what is wrong with a model by the decision of one check, by kind."""
    model, reason = decision.model, decision.reason
    if decision.outcome == "error":
        severity = "critical" if attempt >= MANY_ATTEMPTS else "error"
        tried = f"\nTried {attempt} times in a row; nobody watches this model." if attempt > 1 else ""
        return {CHECK_ERROR: Condition(severity, f"{model}: the check failed", f"{reason}{tried}")}
    found = {}
    evidence: Mapping[str, Any] = (decision.evidence or {}).get("evidence") or {}
    # Before its first champion nothing can be measured, and that is as it should be.
    if decision.outcome == "insufficient" and evidence.get("champion") is not None:
        found[INSUFFICIENT] = Condition("warning", f"{model}: not enough data to judge it", reason)
    if decision.outcome == "suppressed" and _performance_fired(decision):
        found[SUPPRESSED] = Condition(
            "warning", f"{model}: performance is too bad, and retraining is held back", reason
        )
    for trigger in (decision.evidence or {}).get("triggers") or ():
        if trigger["kind"] in WARNINGS and trigger.get("warning"):
            early = "the estimate is" if trigger["kind"] == ESTIMATE else "the live metric is"
            title = f"{model}: {early} on the bad side of its limit"
            found[WARNINGS[trigger["kind"]]] = Condition("warning", title, trigger["reason"])
    if evidence.get("quarantined"):
        rows = evidence["quarantined"]
        found[QUARANTINE] = Condition("warning", f"{model}: rows quarantined", f"{rows} rows refused")
    return found


_OVER: Final = {
    CHECK_ERROR: "the check works again",
    INSUFFICIENT: "there is enough data to judge it again",
    SUPPRESSED: "performance no longer asks for a retraining that is held back",
    QUARANTINE: "no rows are refused any more",
    "performance-warning": "the warning is over: the live metric holds again, or is surely too bad by now",
    "estimate-warning": "the early warning is over: the estimate holds again, or labels have come",
}


def _before(earlier: Sequence[Decision]) -> Mapping[str, Condition]:
    """Return the conditions that stood before: those of the last check, and below its errors those of the last look."""
    last = earlier[-1] if earlier else None
    if last is None:
        return {}
    looked = next((decision for decision in reversed(earlier) if decision.outcome != "error"), None)
    standing = dict(conditions_of(looked)) if looked is not None else {}
    return standing | (dict(conditions_of(last)) if last.outcome == "error" else {})


def _performance_fired(decision: Decision) -> bool:
    triggers = (decision.evidence or {}).get("triggers") or ()
    return any(trigger["kind"] == TriggerKind.PERFORMANCE and trigger["fired"] for trigger in triggers)


def _message(decision: Decision, kind: str, condition: Condition, state: MessageState) -> Message:
    over = ":resolved" if state is MessageState.RESOLVED else ""
    return Message(
        id=f"{decision.model}:{kind}{over}:{decision.at.isoformat()}",
        at=decision.at,
        model=decision.model,
        kind=kind,
        severity=condition.severity,
        title=condition.title,
        body=condition.body,
        state=state,
    )
