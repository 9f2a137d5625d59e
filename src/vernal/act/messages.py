"""Alerts as they leave: one per event, with an id that receivers can deduplicate on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernal.records import Message

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.records import Run

PROMOTED = "promoted"
"""Kind of the message about a candidate that has become the champion."""

CHAMPION_KINDS = frozenset({PROMOTED, "champion"})
"""Kinds of messages after which the registry's ``champion`` alias follows the store."""


def about_run(run: Run, kind: str, *, at: datetime, severity: str, title: str, body: str) -> Message:
    """Return the message about one event of a run; the same event always has the same id."""
    return Message(
        id=f"{run.id}:{kind}",
        at=at,
        model=run.model,
        run_id=run.id,
        kind=kind,
        severity=severity,
        title=title,
        body=body,
    )


def about_model(model: str, kind: str, *, at: datetime, severity: str, title: str, body: str) -> Message:
    """Return the message about one event of a model that belongs to no run."""
    return Message(
        id=f"{model}:{kind}:{at.isoformat()}", at=at, model=model, kind=kind, severity=severity, title=title, body=body
    )
