"""The conditions of a model that a check tells of: looked up before, told after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vernal.decide.conditions import QUARANTINE, messages_about
from vernal.records import MessageState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.act.system import System
    from vernal.records import CheckCommit, Decision, Message, ModelState

MOST_ERRORS: Final = 500
"""Failed checks in a row behind which the last one that came to an end is looked for."""


def with_conditions(system: System, state: ModelState, commit: CheckCommit) -> CheckCommit:
    """Return what a check leaves behind, with the messages about conditions that it saw begin, go on or end."""
    checks = [decision for decision in commit.decisions if decision.kind == "check"]
    if not checks:
        return commit
    told = tuple(
        message.evolve(state=MessageState.RAISED) if message.kind == QUARANTINE else message
        for message in commit.messages
    )
    kinds = [message.kind for message in told]
    return commit.evolve(messages=(*told, *conditions_after(system, state, checks[-1], told=kinds)))


def conditions_after(
    system: System, state: ModelState, decision: Decision, *, told: Sequence[str] = ()
) -> tuple[Message, ...]:
    """Return the messages about a model's conditions after a check, besides the kinds that are told of already."""
    earlier = system.store.decisions(state.model, kind="check", limit=1)
    if earlier and earlier[-1].outcome == "error":
        earlier = system.store.decisions(state.model, kind="check", limit=MOST_ERRORS)
    return messages_about(decision, earlier, attempt=state.attempt, told=told)
