"""Counting what arrives, batch by batch, into the evidence of one check."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vernal.act.refused import UNREADABLE
from vernal.records import NewColumn, NullShare, QualityEvidence, RuleCount

if TYPE_CHECKING:
    from vernal.act.screening import Screened


class IngestReport(NamedTuple):
    """How many rows entered the lake, how many were quarantined, and why: ``rule (rows)``, the most frequent first.

    A segment that cannot be read at all counts as one quarantined row.
    """

    accepted: int
    quarantined: int
    reasons: tuple[str, ...]
    quality: QualityEvidence = QualityEvidence()


class Tally:
    """Counts of several batches."""

    def __init__(self) -> None:
        self._accepted = 0
        self._refused = Counter[str]()
        self._warned = Counter[str]()
        self._new = Counter[tuple[str, str, str]]()
        self._nulls = Counter[tuple[str, float]]()
        self._null_rows = Counter[tuple[str, float]]()
        self._late = self._out_of_order = self._repeated = 0

    def add(self, kind: str, screened: Screened) -> None:
        """Count one batch."""
        rows = screened.rows.num_rows + len(screened.whys)
        findings = screened.findings
        self._accepted += screened.rows.num_rows
        self._refused.update(why.rule for why in screened.whys)
        self._warned.update(findings.warned)
        self._new.update({(kind, name, found): rows for name, found in findings.new_columns.items()})
        for nulls in findings.nulls:
            self._nulls[nulls.column, nulls.limit] += nulls.missing
            self._null_rows[nulls.column, nulls.limit] += rows
        self._late += findings.late
        self._out_of_order += findings.out_of_order
        self._repeated += findings.repeated

    def unreadable(self) -> None:
        """Count a segment that cannot be read."""
        self._refused[UNREADABLE] += 1

    def report(self) -> IngestReport:
        """Return the counts."""
        told = tuple(f"{rule} ({count})" for rule, count in self._refused.most_common())
        return IngestReport(self._accepted, self._refused.total(), told, self._evidence())

    def _evidence(self) -> QualityEvidence:
        shares = {key: self._nulls[key] / rows for key, rows in self._null_rows.items() if rows}
        return QualityEvidence(
            rows=self._accepted + self._refused.total(),
            accepted=self._accepted,
            refused=self._refused.total(),
            refused_by=_counted(self._refused),
            warned=_counted(self._warned),
            new_columns=tuple(
                NewColumn(table=table, column=column, type=found, rows=rows)
                for (table, column, found), rows in sorted(self._new.items())
            ),
            late=self._late,
            out_of_order=self._out_of_order,
            repeated=self._repeated,
            null_shares=tuple(
                NullShare(column=column, share=share, limit=limit, rows=self._null_rows[column, limit])
                for (column, limit), share in sorted(shares.items())
                if share > limit
            ),
        )


def _counted(counts: Counter[str]) -> tuple[RuleCount, ...]:
    return tuple(RuleCount(rule=rule, rows=rows) for rule, rows in counts.most_common())
