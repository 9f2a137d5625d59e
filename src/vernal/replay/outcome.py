"""What a replay showed: the same months with and without Vernal, and everything that was decided on the way."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from vernal.records import Decision, Record, Run
from vernal.stats.metrics import metric as metric_named
from vernal.stats.performance import measure_paired

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from numpy.typing import NDArray


CERTAINTY = 0.975
"""One-sided certainty of either end of a two-sided 95 % interval."""


class Month(Record, frozen=True, kw_only=True):
    """One calendar month: the metric of the model that was never retrained and of what production answered."""

    month: str
    static: float | None
    vernal: float | None
    rows: int

    @property
    def gain(self) -> float | None:
        """Points gained over the static model."""
        return None if self.static is None or self.vernal is None else self.vernal - self.static


class RunLine(Record, frozen=True, kw_only=True):
    """A run as a report shows it."""

    id: str
    phase: str
    trigger: str
    reason: str
    requested_at: datetime
    finished_at: datetime
    version: str | None
    improvement: float | None
    lower: float | None
    gates: tuple[str, ...]
    cost_usd: str
    outcome: str


class Outcome(Record, frozen=True, kw_only=True):
    """The result of a replay.

    ``mean_gain`` is the mean over months of the metric of what production answered minus that of the static model, in
    metric points; ``gain_lower`` and ``gain_upper`` are its paired 95 % interval with whole days resampled.
    """

    model: str
    metric: str
    months: tuple[Month, ...]
    mean_gain: float | None
    gain_lower: float | None
    gain_upper: float | None
    runs: tuple[RunLine, ...]
    decisions: tuple[Decision, ...]
    checks: dict[str, int]
    cost_usd: str
    seconds: float
    fault: str | None = None


def monthly(
    metric: str,
    *,
    labels: NDArray[np.float64],
    vernal: NDArray[np.float64],
    static: NDArray[np.float64],
    months: Sequence[str],
    day: NDArray[np.int64],
    seed: int,
) -> tuple[tuple[Month, ...], float | None, float | None, float | None]:
    """Return the months, their mean gain, and the lower and upper end of its paired 95 % interval.

    Within a month whole days are resampled; months count alike and are taken as independent, so their variances add.
    """
    names, asked = np.array(months), metric_named(metric)
    rng = np.random.default_rng(seed)
    lines, halves = [], []
    for name in sorted(set(months)):
        here = names == name
        gain = measure_paired(
            asked, labels[here], static[here], vernal[here], rng=rng, blocks=day[here], certainty=CERTAINTY
        )
        lines.append(Month(month=name, static=gain.champion, vernal=gain.challenger, rows=int(here.sum())))
        if gain.lower is not None and gain.upper is not None:
            halves.append((gain.upper - gain.lower) / 2)
    known = [line.gain for line in lines if line.gain is not None]
    if not known:
        return tuple(lines), None, None, None
    mean = float(np.mean(known))
    if len(halves) != len(lines):
        return tuple(lines), mean, None, None
    half = float(np.sqrt(np.sum(np.square(halves)))) / len(lines)
    return tuple(lines), mean, mean - half, mean + half


def run_line(run: Run) -> RunLine:
    """Return a run as a report shows it."""
    comparison, cost = run.facts.comparison, run.facts.cost
    return RunLine(
        id=run.id,
        phase=str(run.phase),
        trigger=str(run.trigger),
        reason=run.reason,
        requested_at=run.requested_at,
        finished_at=run.phase_since,
        version=run.facts.version,
        improvement=None if comparison is None else comparison.difference,
        lower=None if comparison is None else comparison.lower,
        gates=tuple(f"{gate.gate} {gate.verdict}: {gate.reason}" for gate in run.facts.gates),
        cost_usd=money(None if cost is None else cost.usd),
        outcome=run.outcome,
    )


def money(usd: Decimal | None) -> str:
    """Return an amount with cents."""
    return f"{usd or 0:.2f}"
