"""One self-contained HTML file: what happened, when and why."""

from __future__ import annotations

from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vernal.records import Decision
    from vernal.replay.outcome import Month, Outcome, RunLine

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 260, 56, 34, 14


class Line(NamedTuple):
    """One line of the chart, in SVG units."""

    name: str
    path: str
    points: tuple[tuple[float, float, str], ...]


class Chart(NamedTuple):
    """The months' chart: two lines, ticks of both axes."""

    lines: tuple[Line, ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = BOTTOM


def render(outcome: Outcome) -> str:
    """Return the report as HTML that needs no network and no JavaScript."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("vernal.replay") / "templates" / "report.html.j2").read_text("utf-8"))
    return template.render(
        outcome=outcome,
        chart=chart(outcome.months),
        counts=counts(outcome.runs),
        stories=[(run, decisions_of(run, outcome.decisions)) for run in outcome.runs],
    )


def counts(runs: Sequence[RunLine]) -> dict[str, int]:
    """Return how many runs ended in each phase, the most frequent first."""
    phases = [run.phase for run in runs]
    return dict(sorted(((phase, phases.count(phase)) for phase in set(phases)), key=lambda item: (-item[1], item[0])))


def decisions_of(run: RunLine, decisions: Sequence[Decision]) -> list[Decision]:
    """Return a run's decisions, a stretch of holds folded to its last one."""
    mine = [decision for decision in decisions if decision.run_id == run.id]
    return [
        now for now, after in pairwise([*mine, None]) if now and not (after and now.outcome == after.outcome == "hold")
    ]


def chart(months: Sequence[Month]) -> Chart:
    """Lay out the months' metric, without and with Vernal."""
    seen = [value for month in months for value in (month.static, month.vernal) if value is not None]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    pad = max((high - low) * 0.12, 0.005)
    low, high = low - pad, high + pad
    step = (WIDTH - LEFT - 16) / max(len(months) - 1, 1)

    def x(index: int) -> float:
        return round(LEFT + index * step, 1)

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    grid = tuple((y(low + (high - low) * part / 4), f"{low + (high - low) * part / 4:.3f}") for part in range(5))
    return Chart(
        lines=(
            _line("never retrained", [month.static for month in months], x, y),
            _line("Vernal", [month.vernal for month in months], x, y),
        ),
        rows=grid,
        columns=tuple((x(index), month.month) for index, month in enumerate(months)),
    )


def _line(name: str, values: Sequence[float | None], x: Callable[[int], float], y: Callable[[float], float]) -> Line:
    points = tuple((x(index), y(value), f"{value:.4f}") for index, value in enumerate(values) if value is not None)
    path = " ".join(f"{'M' if index == 0 else 'L'}{px} {py}" for index, (px, py, _) in enumerate(points))
    return Line(name, path, points)
