"""A comparison as text: the table that Python prints, and the same for Rich."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vernal.comparing.describing import (
    Change,
    changes,
    clean,
    headline,
    kind,
    limit,
    not_compared,
    not_judged,
    ranked,
    rows_of,
    shorten,
    visible,
)
from vernal.comparing.result import Comparison, FeatureResult, Verdict
from vernal.comparing.scale import probability, score

if TYPE_CHECKING:
    from rich.table import Table

MOST_LINES = 20
"""Features shown; of more, only drifted ones are."""

_HEAD = ("feature", "type", "score", "limit", "adj. p", "verdict")
_WIDTH = 100
_LEAST_NAME, _NAME, _LEAST_CHANGE = 16, 24, 32
"""Columns of a name, at least and at most; it gives way to what changed, down to the columns of that."""
_LEAST_SUBJECT = 6
_KINDS = {"number": "num", "category": "cat", "time": "time", "duration": "dur"}
_MOST_NAMES, _LONGEST, _LONGEST_NOTE = 8, 40, 500
_STYLES = {Verdict.DRIFTED: "bold red", Verdict.STABLE: "green", Verdict.INSUFFICIENT: "yellow"}
_LIMITS = "limit: the threshold asked for, or what chance alone gives where that is more"


def plain(comparison: Comparison) -> str:
    """Return a comparison as text of at most 100 columns: what drifted first, what is not known last."""
    shown, left_out = _chosen(comparison)
    found = [(_cells(one), changes(one)[:1]) for one in shown]
    others = [max(map(_width, column)) for column in zip(_HEAD, *(cells for cells, _ in found), strict=True)]
    room = _WIDTH - sum(others[1:]) - 2 * len(others)
    name = max(_LEAST_NAME, min(others[0], _NAME, room - _LEAST_CHANGE))
    rows = [
        (_fit(feature, name), *numbers, _change(what, room - name), verdict)
        for (feature, *numbers, verdict), what in found
    ]
    head = (*_HEAD[:-1], "what changed", _HEAD[-1])
    below = [_wrapped(line) for line in _below(comparison)]
    return "\n".join([_title(comparison), "", *_aligned([head, *rows]), *left_out, *below])


def rich_table(comparison: Comparison) -> Table:
    """Return a comparison as a table of Rich, with what is not known under it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown, left_out = _chosen(comparison)
    title, below = _title(comparison), [*left_out, *_below(comparison)]
    table = Table(
        title=Text(title),
        caption=Text("\n".join(below)),
        title_style="bold",
        caption_style="",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        header_style="bold",
        min_width=_width(title),  # so that the title is not broken where the terminal has room for it
    )
    for column in (*_HEAD[:-1], "what changed", _HEAD[-1]):
        table.add_column(column, overflow="fold", no_wrap=column not in {"feature", "what changed"})
    for one in shown:
        *cells, verdict = _cells(one)
        what = Text(_change(changes(one)[:1], _WIDTH - _LONGEST))
        table.add_row(*map(Text, cells), what, Text(verdict, style=_STYLES[one.verdict]))
    return table


def _title(comparison: Comparison) -> str:
    then, now = (
        f"{shorten(clean(side.name), _NAME)} ({rows_of(side.rows)})"
        for side in (comparison.reference, comparison.current)
    )
    return f"reference {then} against current {now}: {headline(comparison)}"


def _chosen(comparison: Comparison) -> tuple[list[FeatureResult], list[str]]:
    """Return the features to show, and a line for each sort of those left out."""
    features = ranked(comparison)
    drifted = sum(one.has_drifted for one in features)
    most = max(MOST_LINES, drifted)
    left_out = Counter(one.verdict for one in features[most:])
    return features[:most], [f"... and {number} more, {verdict}" for verdict, number in left_out.items()]


def _cells(result: FeatureResult) -> tuple[str, ...]:
    value, origin = limit(result)
    measured = result.score is not None
    return (
        shorten(visible(result.feature), _LONGEST),
        _KINDS[kind(result)],
        f"{result.statistic} {score(result.score)}" if measured else "-",
        f"{value} {origin}" if measured else "-",
        probability(result.adjusted_p),
        str(result.verdict),
    )


def _change(found: Sequence[Change], columns: int) -> str:
    """Return what changed, in at most so many columns: first the remark goes, then the middle of the subject."""
    if not found:
        return "-"
    (change,) = found
    brief = (
        change.read("->")
        if _width(f"{change.what} {change.read('->')}") <= columns
        else change._replace(note="").read("->")
    )
    return _fit(f"{_fit(change.what, max(_LEAST_SUBJECT, columns - _width(brief) - 1))} {brief}", columns)


def _below(comparison: Comparison) -> Iterator[str]:
    """Return what stands under the table, the most of it what is not known."""
    yield _LIMITS
    for reason, features in not_judged(comparison):
        yield f"insufficient: {_names(features)}: {reason}"
    for reason, columns in not_compared(comparison):
        yield f"not compared: {_names(columns)}: {clean(reason)}"
    for note in comparison.notes:
        yield f"note: {shorten(clean(note), _LONGEST_NOTE)}"


def _names(names: Sequence[str]) -> str:
    read = ", ".join(shorten(visible(name), _NAME) for name in names[:_MOST_NAMES])
    return read if len(names) <= _MOST_NAMES else f"{read} and {len(names) - _MOST_NAMES} more"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _wrapped(line: str) -> str:
    from textwrap import fill

    return fill(line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _fit(text: str, columns: int) -> str:
    """Return text cut to a number of columns on a terminal."""
    short = shorten(text, columns)
    while _width(short) > columns:
        short = shorten(text, len(short) - 1)
    return short


def _width(text: str) -> int:
    """Return the columns that text takes on a terminal, where the letters of East Asia and emoji take two."""
    return sum(
        0
        if unicodedata.combining(letter) or letter in "\u200c\u200d"
        else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
