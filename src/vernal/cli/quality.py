"""What is to be told of arrived rows that were let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vernal.records import QualityEvidence

MOST_COLUMNS = 10
"""New columns that are named."""


def remarks(quality: QualityEvidence) -> Iterator[str]:
    """Yield one line for each thing that somebody who logs the rows should know."""
    for one in quality.warned:
        yield f"warning: {one.rule} ({one.rows})"
    for new in quality.new_columns[:MOST_COLUMNS]:
        yield f"{new.table} have a column {new.column} ({new.type}) that the model does not know; it is dropped"
    if len(quality.new_columns) > MOST_COLUMNS:
        yield f"{len(quality.new_columns) - MOST_COLUMNS} columns more that the model does not know are dropped"
    for nulls in quality.null_shares:
        yield f"{nulls.column}: {nulls.share:.1%} without value, expected at most {nulls.limit:.1%}"
    if quality.late:
        yield f"{quality.late} received late"
    if quality.out_of_order:
        yield f"{quality.out_of_order} out of order"
