"""The gates that a candidate must pass before anybody is served by it.

All are evaluated, also when the first one fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernal.decide.directions import sign, worse
from vernal.records import GateResult, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.records import Measure, PairedMeasure
    from vernal.spec import GatesSpec

MIN_BLOCKS = 14
"""Days of holdout below which the improvement gate warns: day-to-day swings are hardly seen in less."""


def judge(spec: GatesSpec, *, comparison: PairedMeasure | None, measure: Measure) -> tuple[GateResult, ...]:
    """Return the result of every gate; ``comparison`` is ``None`` while there is no champion to compare with."""
    floor = judge_floor(spec, measure)
    return (floor,) if comparison is None else (judge_improvement(spec, comparison), floor)


def overall(results: Sequence[GateResult]) -> Verdict:
    """Return the worst verdict; no gates at all is inconclusive."""
    return worst(result.verdict for result in results)


def judge_improvement(spec: GatesSpec, comparison: PairedMeasure) -> GateResult:
    """Pass when the challenger is better by the required points and surely not equal.

    With ``strict`` it must be surely better by the required points.
    """
    name = f"improvement in {comparison.metric}"
    if comparison.difference is None or comparison.lower is None:
        reason = f"{name} is undefined: {comparison.note}"
        return GateResult(gate="improvement", verdict=Verdict.INCONCLUSIVE, reason=reason, rows=comparison.rows)
    needed = spec.min_improvement if spec.strict else 0.0
    enough, sure = comparison.difference >= spec.min_improvement, comparison.lower > needed
    size = f"(n={comparison.rows}, {comparison.blocks} days)"
    parts = [f"{name} {comparison.difference:+.4f} {'>=' if enough else '<'} {spec.min_improvement:+.4f}"]
    parts.append(
        f"{comparison.certainty:.0%} lower bound {comparison.lower:+.4f} {'>' if sure else '<='} {needed:+.4f} {size}"
    )
    verdict = Verdict.PASS if enough and sure else Verdict.FAIL
    if verdict is Verdict.PASS and comparison.blocks < MIN_BLOCKS:
        verdict = Verdict.WARN
        parts.append(f"only {comparison.blocks} days of holdout < {MIN_BLOCKS}")
    return GateResult(
        gate="improvement",
        verdict=verdict,
        reason="; ".join(parts),
        measured=comparison.difference,
        lower=comparison.lower,
        limit=spec.min_improvement,
        rows=comparison.rows,
    )


def judge_floor(spec: GatesSpec, measure: Measure) -> GateResult:
    """Pass when the candidate reaches the absolute floor."""
    if measure.value is None:
        reason = f"{measure.metric} is undefined: {measure.note}"
        return GateResult(gate="floor", verdict=Verdict.INCONCLUSIVE, reason=reason, rows=measure.rows)
    bad = worse(measure.metric, measure.value, spec.floor)
    found = f"{measure.metric} {measure.value:.4f}"
    reason = f"{found} {sign(measure.metric, bad=bad)} floor {spec.floor:.4f} (n={measure.rows})"
    return GateResult(
        gate="floor",
        verdict=Verdict.FAIL if bad else Verdict.PASS,
        reason=reason,
        measured=measure.value,
        lower=measure.lower,
        limit=spec.floor,
        rows=measure.rows,
    )
