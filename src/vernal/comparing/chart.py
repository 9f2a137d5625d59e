"""Where the bars of a distribution lie on a drawing, in SVG units; what they look like is the template's business."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vernal.comparing.describing import bar_scale, name_of, shorten
from vernal.comparing.result import FeatureResult
from vernal.comparing.scale import Scale, share, ticks
from vernal.profile import Bar, FeatureKind

WIDTH, HEIGHT = 480, 246
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 4, 10, 44
_GAP, _APART, _SPECIAL = 5, 14, 84
"""Space before the bars beyond the drawn range, before the special ones, and what each of these takes."""

_LETTER = 8.0
"""Width of a letter, as large as phones show it."""

_LABEL, _LABEL_LETTERS, _ROW, _THICK, _VALUES = 158, 17, 27, 9, 104
"""Of rows of categories: the label's width and letters, the height of a row and of a bar, and the place for shares."""

SPARK_WIDTH, SPARK_HEIGHT = 108, 28

_MOST_SHARES = 4


class Slot(NamedTuple):
    """The place of a bar, with the words that a pointer finds there."""

    x: float
    width: float
    words: str


class Special(NamedTuple):
    """A bar that is no value, on a scale of its own that ends at all rows."""

    x: float
    name: str
    shares: str


class Columns(NamedTuple):
    """Upright bars over a line of values: outlines of both sides, and the ticks of both axes."""

    slots: tuple[Slot, ...]
    then: str
    now: str
    shares: tuple[tuple[float, str], ...]
    values: tuple[tuple[float, str], ...]
    specials: tuple[Special, ...]
    right: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    base: int = HEIGHT - _BOTTOM


class Row(NamedTuple):
    """One category: its name, short and in full, and the lengths of its two bars."""

    label: str
    words: str
    y: float
    then: float
    now: float
    shares: str


class Rows(NamedTuple):
    """Lying bars, one pair for each category."""

    rows: tuple[Row, ...]
    height: int
    width: int = WIDTH
    left: int = _LABEL
    thick: int = _THICK


class Spark(NamedTuple):
    """A distribution at the size of a word: outlines of both sides."""

    then: str
    now: str
    width: int = SPARK_WIDTH
    height: int = SPARK_HEIGHT


def draw(result: FeatureResult) -> Columns | Rows | None:
    """Return the drawing of a feature's distribution; ``None`` if it has no bars."""
    bars = [bar for bar in result.distribution if bar.reference or bar.current or bar.low is not None]
    if not bars:
        return None
    return _rows(bars) if result.kind is FeatureKind.CATEGORICAL else _columns(bars, bar_scale(result))


def spark(result: FeatureResult) -> Spark | None:
    """Return the small drawing of a feature's distribution; ``None`` if it has no bars."""
    bars = result.distribution
    if not bars:
        return None
    plain = sum(bar.special is None for bar in bars)
    unit = SPARK_WIDTH / (len(bars) + (plain < len(bars)))
    spans = [(unit * place, unit * (place + 1)) for place in (place + (place >= plain) for place in range(len(bars)))]
    tops = _heights(bars, SPARK_HEIGHT - 2)
    return Spark(
        _outlines(spans, [SPARK_HEIGHT - top for top, _ in tops], SPARK_HEIGHT),
        _outlines(spans, [SPARK_HEIGHT - top for _, top in tops], SPARK_HEIGHT),
    )


def words(bar: Bar, scale: Scale) -> str:
    """Return what a bar stands for and its two shares."""
    return f"{name_of(bar, scale)}: {share(bar.reference)} then, {share(bar.current)} now"


def _columns(bars: Sequence[Bar], scale: Scale) -> Columns:
    ranges, others = [bar for bar in bars if bar.special is None], [bar for bar in bars if bar.special is not None]
    right = WIDTH - _RIGHT - (_APART + _SPECIAL * len(others) if others else 0)
    spans = [*_range_spans(ranges, right), *_special_spans(len(others), right + _APART)]
    base, tall = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    tops = [*_heights(ranges, tall), *((tall * bar.reference, tall * bar.current) for bar in others)]
    sides = [
        _sides(span, paired=bar.special is not None or bar.low == bar.high)
        for bar, span in zip(bars, spans, strict=True)
    ]
    labels = [*_tail_labels(ranges, spans), *_value_labels(ranges, spans, scale)]
    return Columns(
        slots=tuple(
            Slot(round(start, 1), round(end - start, 1), words(bar, scale))
            for bar, (start, end) in zip(bars, spans, strict=True)
        ),
        then=_outlines([then for then, _ in sides], [base - top for top, _ in tops], base),
        now=_outlines([now for _, now in sides], [base - top for _, top in tops], base),
        shares=tuple(_share_ticks(ranges, base, tall)) if ranges else (),
        values=tuple((round(place, 1), label) for place, label in labels),
        specials=tuple(
            Special(
                round(sum(span) / 2, 1),
                str(bar.special),
                f"{_whole(bar.reference)} \N{RIGHTWARDS ARROW} {_whole(bar.current)} %",
            )
            for bar, span in zip(others, spans[len(ranges) :], strict=True)
        ),
        right=right,
    )


def _range_spans(ranges: Sequence[Bar], right: float) -> Iterator[tuple[float, float]]:
    """Return where the bars of values lie: touching, but for those beyond the drawn range."""
    tails = sum(bar.low is None or bar.high is None for bar in ranges)
    unit = (right - _LEFT - _GAP * tails) / max(len(ranges), 1)
    start = float(_LEFT)
    for bar in ranges:
        start += _GAP * (bar.high is None)
        yield start, start + unit
        start += unit + _GAP * (bar.low is None)


def _special_spans(number: int, left: float) -> Iterator[tuple[float, float]]:
    pad = 20
    for place in range(number):
        yield left + _SPECIAL * place + pad, left + _SPECIAL * (place + 1) - pad


def _whole(part: float) -> str:
    """Return a share in whole percent, without its sign."""
    least = 0.005
    return "<1" if 0 < part < least else ">99" if 1 - least < part < 1 else f"{100 * part:.0f}"


def _sides(span: tuple[float, float], *, paired: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return where the bars of both sides lie: next to each other, or one over the other as in a histogram."""
    start, end = span
    if not paired:
        return span, span
    pad, middle = min(3.0, (end - start) / 8), (start + end) / 2
    return (start + pad, middle), (middle, end - pad)


def _tail_labels(ranges: Sequence[Bar], spans: Sequence[tuple[float, float]]) -> Iterator[tuple[float, str]]:
    for bar, span in zip(ranges, spans, strict=False):
        if bar.low is None or bar.high is None:
            yield sum(span) / 2, "<" if bar.low is None else ">"


def _value_labels(
    ranges: Sequence[Bar], spans: Sequence[tuple[float, float]], scale: Scale
) -> Iterator[tuple[float, str]]:
    """Return the ticks under the drawn range: round values, or the values themselves where each has a bar."""
    inner = [
        (bar.low, bar.high, span)
        for bar, span in zip(ranges, spans, strict=False)
        if bar.low is not None and bar.high is not None
    ]
    if not inner:
        return
    (low, _, (start, _)), (_, high, (_, end)) = inner[0], inner[-1]
    single = all(bar_low == bar_high for bar_low, bar_high, _ in inner)
    longest = max(len(scale.span(value, value) if single else scale.value(value)) for value in (low, high))
    most = max(2, int((end - start) / (_LETTER * (longest + 1))))
    if single:
        for bar_low, bar_high, span in inner[:: math.ceil(len(inner) / most)]:
            yield sum(span) / 2, scale.span(bar_low, bar_high)
        return
    found = ticks(low, high, scale, most=most)
    unit = found[1] - found[0] if len(found) > 1 else scale.unit
    for value in found:
        yield start + (value - low) / (high - low) * (end - start), scale._replace(unit=unit).value(value)


def _share_ticks(bars: Sequence[Bar], base: int, tall: int) -> Iterator[tuple[float, str]]:
    top = _top(bars)
    yield base, "0 %"
    for value in ticks(0.0, 1.01 * top, Scale(""), most=_MOST_SHARES):
        yield round(base - value / top * tall, 1), f"{100 * value:.3g} %"


def _rows(bars: Sequence[Bar]) -> Rows:
    scale = Scale("")
    long = WIDTH - _LABEL - _VALUES
    top = _top(bars)
    rows = tuple(
        Row(
            label=shorten(name_of(bar, scale), _LABEL_LETTERS, gap="\N{HORIZONTAL ELLIPSIS}"),
            words=words(bar, scale),
            y=place * _ROW + 4,
            then=round(bar.reference / top * long, 1),
            now=round(bar.current / top * long, 1),
            shares=f"{share(bar.reference).removesuffix(' %')} \N{RIGHTWARDS ARROW} {share(bar.current)}",
        )
        for place, bar in enumerate(bars)
    )
    return Rows(rows, height=_ROW * len(rows) + 4)


def _top(bars: Sequence[Bar]) -> float:
    return max((max(bar.reference, bar.current) for bar in bars), default=0.0) or 1.0


def _heights(bars: Sequence[Bar], tall: float) -> list[tuple[float, float]]:
    """Return how high both sides of each bar are; special bars are cut off at the highest of the others."""
    top = _top([bar for bar in bars if bar.special is None] or bars)
    return [(min(1.0, bar.reference / top) * tall, min(1.0, bar.current / top) * tall) for bar in bars]


def _outlines(spans: Sequence[tuple[float, float]], tops: Sequence[float], base: float) -> str:
    """Return the outline of bars: one closed path for each run of bars that touch."""
    path, after = "", None
    for (start, end), top in zip(spans, tops, strict=True):
        if after is None or abs(start - after) > 0.01:  # noqa: PLR2004 - rounding
            path += f"{'' if after is None else f'V{base:.4g}Z'}M{start:.4g} {base:.4g}"
        path += f"V{top:.4g}H{end:.4g}"
        after = end
    return f"{path}V{base:.4g}Z"
