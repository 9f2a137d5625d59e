"""Moments as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, overload

import typer

_EXPECTED: Final = "expected a date or time from 1970 to 2199 such as 2026-03-01 or 2026-03-01T14:00+02:00"
_YEARS: Final = range(1970, 2200)


@overload
def moment_of(text: str, *, option: str, end_of_day: bool) -> datetime: ...
@overload
def moment_of(text: None, *, option: str, end_of_day: bool) -> None: ...
@overload
def moment_of(text: str | None, *, option: str, end_of_day: bool) -> datetime | None: ...
def moment_of(text: str | None, *, option: str, end_of_day: bool) -> datetime | None:
    """Return the moment that an option names, in UTC; a day alone stands for its end, or for its beginning.

    Raises
    ------
    typer.BadParameter
        If the text is no date and no time of these centuries.

    Examples
    --------
    >>> moment_of("2026-03-01T14:00+02:00", option="--at", end_of_day=True)
    datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"found {text!r}, {_EXPECTED}", param_hint=option) from None
    if found.year not in _YEARS:
        raise typer.BadParameter(f"found {text!r}, {_EXPECTED}", param_hint=option)
    if len(text) <= len("2026-03-01") and end_of_day:
        found += timedelta(days=1, microseconds=-1)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
