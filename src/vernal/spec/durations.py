"""Durations as people write them: ``90d``, ``12h``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from vernal.spec.wording import shown

LONGEST: Final = timedelta(days=36_500)
"""No duration of a policy is longer than a century; it keeps dates computable."""

PATTERN: Final = r"^([0-9]{1,10}d)?([0-9]{1,10}h)?([0-9]{1,10}m)?([0-9]{1,10}s)?$"
EXPECTED: Final = 'a duration such as "90d", "12h", "30m" or "1d12h" (units d, h, m, s, in this order)'

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as ``1d12h`` stands for.

    Parameters
    ----------
    text
        Whole numbers with the units ``d``, ``h``, ``m`` and ``s``, each at most once and in this order.

    Returns
    -------
    timedelta
        From zero to 36,500 days.

    Raises
    ------
    ValueError
        If the text is anything else, or the duration is longer than 36,500 days.

    Examples
    --------
    >>> parse_duration("1d12h")
    datetime.timedelta(days=1, seconds=43200)
    """
    match = re.fullmatch(PATTERN, text, flags=re.ASCII)
    if match is None or not text:
        raise ValueError(f"got {shown(text)}, expected {EXPECTED}")
    seconds = sum(int(part[:-1]) * unit for part, (_, unit) in zip(match.groups(), _UNITS, strict=True) if part)
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"got {shown(text)}, expected at most {format_duration(LONGEST)}")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return a non-negative duration as :func:`parse_duration` reads it; parts of a second are dropped.

    Examples
    --------
    >>> format_duration(timedelta(hours=36))
    '1d12h'
    >>> format_duration(timedelta(0))
    '0s'
    """
    rest = int(duration.total_seconds())
    parts = []
    for unit, seconds in _UNITS:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
