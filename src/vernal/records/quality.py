"""What the rows were like that a check took in."""

from __future__ import annotations

from vernal.records.base import Record


class RuleCount(Record, frozen=True, kw_only=True):
    """How many rows broke one rule."""

    rule: str
    rows: int


class NewColumn(Record, frozen=True, kw_only=True):
    """A column of ``predictions`` or ``labels`` that the model does not know, with its Arrow type and its rows."""

    table: str
    column: str
    type: str
    rows: int


class NullShare(Record, frozen=True, kw_only=True):
    """A column that had more nulls than is expected, over all rows that a check took in."""

    column: str
    share: float
    limit: float
    rows: int


class QualityEvidence(Record, frozen=True, kw_only=True):
    """What arrived and what was wrong with it.

    ``refused`` rows went to quarantine, counted by the first rule they broke (``refused_by``, the most rows first); a
    segment that cannot be read counts as one row. ``warned`` counts what was let in all the same. ``late``,
    ``out_of_order`` (after a row of a later event, in its batch) and ``repeated`` (of an id that its batch had before)
    count rows of the predictions; the repeated ones are among the refused.
    """

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    refused_by: tuple[RuleCount, ...] = ()
    warned: tuple[RuleCount, ...] = ()
    new_columns: tuple[NewColumn, ...] = ()
    late: int = 0
    out_of_order: int = 0
    repeated: int = 0
    null_shares: tuple[NullShare, ...] = ()

    @property
    def refused_share(self) -> float:
        """Share of the rows that were refused; 0 when nothing arrived."""
        return self.refused / self.rows if self.rows else 0.0
