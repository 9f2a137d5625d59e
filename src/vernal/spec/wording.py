"""How messages quote what they found and guess what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

Location = tuple[str | int, ...]
"""Keys and positions in lists that lead to a value."""

_WIDEST: Final = 60


def shown(value: Any) -> str:  # noqa: ANN401 - whatever a file can hold
    """Return a value as a message quotes it: one short line, without passwords.

    Examples
    --------
    >>> shown("postgresql://vernal:secret@db/vernal")
    '"postgresql://***@db/vernal"'
    """
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)[:_WIDEST]
    safe = re.sub(r"://[^/@\s]*:[^/\s]*@", "://***@", value)
    line = safe if safe.isprintable() else safe.encode("unicode_escape").decode("ascii")
    return f'"{line}"' if len(line) <= _WIDEST else f'"{line[: _WIDEST - 3]}..."'


def guess(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean ...?"`` when a known name is close, else nothing.

    Examples
    --------
    >>> guess("treshold", ["threshold", "window"])
    '; did you mean "threshold"?'
    >>> guess("zebra", ["threshold", "window"])
    ''
    """
    import difflib

    close = difflib.get_close_matches(name[:_WIDEST], list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def key_path(location: Location) -> str:
    """Return a location as messages name it, on one line whatever the keys hold.

    Examples
    --------
    >>> key_path(("rollout", "steps", 1, "share"))
    'rollout.steps[1].share'
    """
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            name = step if step.isprintable() else step.encode("unicode_escape").decode("ascii")
            path += f".{name}" if path else name
    return path
