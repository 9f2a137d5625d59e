"""Numbers and edges written as SQL."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST: Final = sys.float_info.max
"""The largest number; what is not between it and its negative is infinite or none."""


class Numbers:
    """How numbers are written into a statement: as they are, or bound where their written form is read inexactly."""

    def __init__(self, prefix: str | None) -> None:
        self._prefix = prefix
        self._bound: dict[str, float] = {}

    def written(self, number: float) -> str:
        """Return a number as SQL, every digit of it; the exponent keeps databases from taking it for a decimal."""
        if self._prefix is None:
            return f"{number:.16e}"
        name = f"{self._prefix}_{len(self._bound)}"
        self._bound[name] = number
        return f":{name}"

    def bound(self, text: str) -> sa.TextClause:
        """Return a text as a part of a statement, with the numbers that it refers to."""
        words = set(text.replace(")", " ").split())
        return sa.text(text).bindparams(**{name: one for name, one in self._bound.items() if f":{name}" in words})


def halved(x: str, edges: Sequence[float], numbers: Numbers) -> str:
    """Return the number of edges that lie below a finite ``x``, by halving: nine comparisons for 340 edges."""
    below = sum(edge < -LARGEST for edge in edges)  # minus infinity is an edge that every number is above

    def between(first: int, last: int) -> str:
        if first == last:
            return str(first)
        middle = (first + last) // 2
        left, right = between(first, middle), between(middle + 1, last)
        return f"CASE WHEN {x} <= {numbers.written(edges[middle])} THEN {left} ELSE {right} END"

    return between(below, len(edges))


def bucketed(x: str, edges: Sequence[float]) -> str:
    """Return the number of edges that lie below a finite ``x``, by PostgreSQL's own search.

    It counts the edges up to and with ``x``: so each is moved to the next number.
    """
    moved = [math.nextafter(edge, math.inf) for edge in edges]
    listed = ",".join(f"{edge:.16e}" for edge in moved if edge <= LARGEST)
    return f"width_bucket({x}, CAST('{{{listed}}}' AS double precision[]))"


__all__ = ["LARGEST", "Numbers", "bucketed", "halved"]
