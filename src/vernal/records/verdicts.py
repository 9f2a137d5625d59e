"""Verdicts, ordered so that the worst one wins."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(StrEnum):
    """The outcome of one measurement held against its limit.

    ``WARN`` passes but is worth a look; ``INCONCLUSIVE`` means that the evidence does not suffice, and does not pass.
    """

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """Position in the order pass < warn < inconclusive < error < fail."""
        return _ORDER.index(self)

    @property
    def passes(self) -> bool:
        """Whether work may go on."""
        return self in {Verdict.PASS, Verdict.WARN}


_ORDER = tuple(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts; silence is ``INCONCLUSIVE``, never a pass.

    Examples
    --------
    >>> worst([Verdict.PASS, Verdict.FAIL, Verdict.ERROR])
    <Verdict.FAIL: 'fail'>
    >>> worst([])
    <Verdict.INCONCLUSIVE: 'inconclusive'>
    """
    return max(verdicts, default=Verdict.INCONCLUSIVE, key=lambda verdict: verdict.severity)
