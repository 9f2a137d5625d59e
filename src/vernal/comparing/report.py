"""A comparison as HTML: one document that needs no network and no script, or a fragment for a notebook."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from vernal.comparing.chart import Columns, Rows, Spark, draw, spark
from vernal.comparing.describing import (
    Change,
    bar_scale,
    changes,
    clean,
    headline,
    kind,
    limit,
    name_of,
    not_compared,
    not_judged,
    ranked,
    rows_of,
    shorten,
    visible,
)
from vernal.comparing.figures import Figure, Pair, figures, then_and_now
from vernal.comparing.result import Comparison, FeatureResult, Verdict
from vernal.comparing.scale import points, probability, score, share

_MOST_MOVED = 12
"""Drifted features that the summary shows; the table has all."""


class BarLine(NamedTuple):
    """A bar in words."""

    name: str
    then: str
    now: str
    change: str


class Section(NamedTuple):
    """All that the report says of one feature."""

    anchor: str
    name: str
    verdict: Verdict
    reason: str
    kind: str
    data_type: str
    statistic: str
    score: str
    limit: str
    origin: str
    times: str
    adjusted_p: str
    changes: tuple[Change, ...]
    spark: Spark | None
    columns: Columns | None
    rows: Rows | None
    halved: bool
    pairs: tuple[Pair, ...]
    figures: tuple[Figure, ...]
    bars: tuple[BarLine, ...]


def render(comparison: Comparison) -> str:
    """Return a report as one HTML document."""
    return _rendered("comparison.html.j2", comparison, "vernal")


def fragment(comparison: Comparison) -> str:
    """Return the report to be set into another page: its styles hold under its own root, and the page's stop there."""
    digest = hashlib.sha256(repr(comparison).encode()).hexdigest()
    return _rendered("fragment.html.j2", comparison, f"vernal-{digest[:8]}")


def _rendered(template: str, comparison: Comparison, root: str) -> str:
    environment = Environment(
        loader=PackageLoader("vernal.comparing"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(clean=clean, rows_of=rows_of, shortened=_shortened, visible=visible)
    sections = [_section(one, comparison, f"{root}-{place}") for place, one in enumerate(ranked(comparison), start=1)]
    verdicts = Counter(one.verdict for one in comparison)
    return environment.get_template(template).render(
        root=root,
        comparison=comparison,
        limits=comparison.limits,
        headline=headline(comparison),
        counts=[(str(verdict), verdicts[verdict]) for verdict in Verdict],
        judged=verdicts[Verdict.INSUFFICIENT] < len(comparison),
        moved=[one for one in sections if one.verdict is Verdict.DRIFTED],
        most_moved=_MOST_MOVED,
        not_judged=not_judged(comparison),
        not_compared=not_compared(comparison),
        sections=sections,
    )


def _section(result: FeatureResult, comparison: Comparison, anchor: str) -> Section:
    drawn, scale = draw(result), bar_scale(result)
    value, origin = limit(result)
    highest = max(result.threshold, result.critical or 0.0)
    return Section(
        anchor=anchor,
        name=result.feature,
        verdict=result.verdict,
        reason=result.reason,
        kind=kind(result),
        data_type=result.data_type,
        statistic=result.statistic,
        score=score(result.score),
        limit=value,
        origin=origin,
        times="" if result.score is None else f"{result.score / highest:.2g}",
        adjusted_p=probability(result.adjusted_p),
        changes=tuple(changes(result)[:3]),
        spark=spark(result),
        columns=drawn if isinstance(drawn, Columns) else None,
        rows=drawn if isinstance(drawn, Rows) else None,
        halved=0 < result.measured.reference_rows < comparison.reference.rows,
        pairs=tuple(then_and_now(result)),
        figures=tuple(figures(result, comparison)),
        bars=tuple(
            BarLine(name_of(bar, scale), share(bar.reference), share(bar.current), points(bar.current - bar.reference))
            for bar in result.distribution
        ),
    )


def _shortened(text: str, most: int) -> str:
    return shorten(text, most, gap="\N{HORIZONTAL ELLIPSIS}")
