"""How values read: moments, durations, shares, versions and whatever users have named."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from vernal.records import Decision, Measure, Route, Run

NOTHING = "-"

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def clean(text: str) -> str:
    r"""Return text of others without control characters, which could rewrite the reader's terminal.

    Examples
    --------
    >>> clean("amount\x1b[2J > 3")
    'amount?[2J > 3'
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text.replace("\t", " "))


def one_line(text: str) -> str:
    """Return text without line breaks, for a table or a log."""
    return " ".join(clean(text).split())


def moment(when: datetime | None) -> str:
    """Return a moment in UTC, to the minute; tables say once that it is UTC."""
    return NOTHING if when is None else f"{when:%Y-%m-%d %H:%M}"


def span(duration: timedelta) -> str:
    """Return a duration in its largest unit.

    Examples
    --------
    >>> span(timedelta(hours=30)), span(timedelta(hours=2)), span(timedelta(seconds=7))
    ('1.2 d', '2 h', '7 s')
    """
    seconds = abs(duration.total_seconds())
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds < 100 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def relative(when: datetime | None, now: datetime) -> str:
    """Return a moment as seen from now."""
    if when is None:
        return NOTHING
    away = when - now
    if abs(away) < timedelta(seconds=1):
        return "now"
    return f"in {span(away)}" if away > timedelta(0) else f"{span(away)} ago"


def due(when: datetime | None, now: datetime) -> str:
    """Return when something is due; what is late is due now."""
    if when is None:
        return NOTHING
    return "due now" if when <= now else relative(when, now)


def traffic(route: Route | None) -> str:
    """Return who answers how much.

    Examples
    --------
    >>> traffic(None)
    'nobody answers yet'
    """
    if route is None:
        return "nobody answers yet"
    if route.challenger is None or route.share == 0.0:
        return f"100% version {route.champion}"
    return f"{1 - route.share:.0%} version {route.champion}, {route.share:.0%} version {route.challenger}"


def measured(measure: Measure) -> str:
    """Return a metric with its interval."""
    if measure.value is None:
        return f"{measure.metric} undefined: {measure.note}"
    if measure.lower is None or measure.upper is None:
        return f"{measure.metric} {measure.value:.4f}"
    return f"{measure.metric} {measure.value:.4f} [{measure.lower:.4f}, {measure.upper:.4f}]"


def number(value: float | None, form: str = ".4f") -> str:
    """Return a number, or a dash where there is none."""
    return NOTHING if value is None else f"{value:{form}}"


def dollars(usd: Decimal | None) -> str:
    """Return an amount; small ones keep the digits that matter."""
    if usd is None:
        return NOTHING
    return f"{usd:.2f} USD" if usd >= 1 or not usd else f"{usd:.4f} USD"


def standing(run: Run) -> str:
    """Return a run with its phase."""
    return f"{run.id} {run.phase}"


def event(decision: Decision) -> str:
    """Return a decision as one line of a log."""
    subject = decision.run_id or decision.model
    return one_line(f"{decision.at:%Y-%m-%d %H:%M:%S} {subject} {decision.kind} {decision.outcome}: {decision.reason}")
