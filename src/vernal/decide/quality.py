"""What a check may still say when much of what arrived was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vernal.records import QualityEvidence, Ruling


def held_against(ruling: Ruling, quality: QualityEvidence, *, max_refused_share: float) -> Ruling:
    """Return ``insufficient`` in the place of ``healthy`` when a larger share of the arriving rows was refused.

    The rows that did enter need not speak for the rest. A trigger that fired on them has fired all the same.
    """
    if ruling.outcome != "healthy" or quality.refused_share <= max_refused_share:
        return ruling
    most = f", most often {quality.refused_by[0].rule}" if quality.refused_by else ""
    limit = f"refused share {quality.refused_share:.3g} > max_refused_share {max_refused_share:g}"
    reason = f"{quality.refused} of {quality.rows} arriving rows were refused ({limit}){most}; {ruling.reason}"
    return ruling.evolve(outcome="insufficient", reason=reason)
