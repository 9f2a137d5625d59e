"""When a model is checked next: on its own cadence, beside the other models and not all at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SPREAD: Final = 0.1
"""Share of ``monitoring.every`` over which the checks of a running system are spread."""


def next_check(model: str, *, every: timedelta, now: datetime, spread: float) -> datetime:
    """Return when a model that is checked now is checked next: after ``now``, at most ``every`` later.

    Parameters
    ----------
    model
        Name of the model; its place in the spread is a function of it alone.
    every
        Time between two checks.
    now
        When the model is being checked.
    spread
        Share of ``every`` over which models are spread, from 0 to below 1. The checks of a model lie at its place
        after the multiples of ``every`` since midnight UTC, 1 January 1970: with ``every`` an hour and a spread of
        0.1, at the same minute, from 0 to 5, of each hour. A check that comes late does not move those after it. With
        0 the next check is ``every`` after this one.

    Examples
    --------
    >>> at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    >>> [next_check(name, every=timedelta(hours=1), now=at, spread=0.1).strftime("%H:%M:%S") for name in ("a", "b")]
    ['13:01:31', '13:03:06']
    """
    latest = now + every
    if not spread:
        return latest
    digest = blake2b(model.encode(), digest_size=8).digest()
    place = every * (spread * int.from_bytes(digest, "big") / 2**64)
    return latest - (latest - EPOCH - place) % every
