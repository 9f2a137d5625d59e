"""What there is to say of a comparison, in words that the text and the report share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vernal.comparing.result import Comparison, FeatureResult, Verdict
from vernal.comparing.scale import Scale, count, score, share
from vernal.profile import Bar, FeatureKind, SpecialBar

_DIGITS = 9
"""Digits of shares that are not rounding: what one category gains, another has lost."""

_JOINERS = "\u200c\u200d"
"""Invisible, yet part of how Persian and many an emoji are written."""


class Change(NamedTuple):
    """One thing about a feature that differs: ``what`` (a user's own word if it is a category), then and now.

    ``weight`` is about the share of rows that would have to differ to cause it, so that changes can be compared.
    """

    what: str
    then: str
    now: str
    note: str
    weight: float

    def read(self, arrow: str) -> str:
        """Return the change without its subject.

        Examples
        --------
        >>> Change("null", "2.0 %", "20.1 %", "", 0.181).read("->")
        '2.0 % -> 20.1 %'
        """
        moved = f"{self.then} {arrow} {self.now}" if self.then else self.now
        return f"{moved} ({self.note})" if self.note else moved


def headline(comparison: Comparison) -> str:
    """Return in a few words how many features drifted."""
    verdicts = [one.verdict for one in comparison]
    drifted, insufficient = verdicts.count(Verdict.DRIFTED), verdicts.count(Verdict.INSUFFICIENT)
    features = "feature" if len(verdicts) == 1 else "features"
    if insufficient == len(verdicts):
        return f"no verdict on any of {len(verdicts)} {features}"
    unsure = f", {insufficient} insufficient" if insufficient else ""
    return f"{drifted or 'none'} of {len(verdicts)} {features} drifted{unsure}"


def ranked(comparison: Comparison) -> list[FeatureResult]:
    """Return the features: drifted ones, those without a verdict, the rest; each farthest above its threshold first."""
    order = (Verdict.DRIFTED, Verdict.INSUFFICIENT, Verdict.STABLE)
    return sorted(comparison, key=lambda one: (order.index(one.verdict), -(one.score or 0.0) / one.threshold))


def limit(result: FeatureResult) -> tuple[str, str]:
    """Return the limit that the score has to exceed, and whether it was ``asked`` for or is what ``chance`` gives."""
    if result.critical is None or result.critical <= result.threshold:
        return f"{result.threshold:.3g}", "asked"
    return score(result.critical), "chance"


def kind(result: FeatureResult) -> str:
    """Return in a word what the values are."""
    if result.kind is FeatureKind.CATEGORICAL:
        return "category"
    if result.data_type.startswith(("timestamp", "date", "time")):
        return "time"
    return "duration" if result.data_type.startswith("duration") else "number"


def scale_of(result: FeatureResult) -> Scale:
    """Return how the values of a feature are written, in steps of about a hundredth of its standard deviation."""
    known = [one for one in (result.measured.reference_deviation, result.measured.deviation) if one]
    return Scale(
        "" if result.kind is FeatureKind.CATEGORICAL else result.data_type, min(known, default=0.0) / 100 or None
    )


def bar_scale(result: FeatureResult) -> Scale:
    """Return how the limits of a feature's bars are written, in steps of a tenth of a bar."""
    widths = (bar.high - bar.low for bar in result.distribution if bar.low is not None and bar.high is not None)
    width = next((width for width in widths if width > 0), 0.0)
    return scale_of(result)._replace(unit=width / 10) if width else scale_of(result)


def changes(result: FeatureResult) -> list[Change]:
    """Return what differs most about a feature, the most telling first; nothing where a side has no rows."""
    if not result.measured.rows or not result.measured.reference_rows:
        return []
    found = [*_shares(result), *_bar(result)]
    if result.kind is FeatureKind.NUMERICAL:
        found = [*_moments(result), *found]
    least = max((one.weight for one in found), default=0.0) / 3
    return sorted((one for one in found if one.weight >= least > 0), key=lambda one: -round(one.weight, _DIGITS))


def name_of(bar: Bar, scale: Scale) -> str:
    """Return what a bar stands for."""
    if bar.special is not None:
        return f"({bar.special})"
    return visible(bar.label) if bar.low is None and bar.high is None else scale.span(bar.low, bar.high)


def visible(text: str) -> str:
    """Return a name or category so that it can be seen: an empty one, or one with spaces around it, in quotes.

    Examples
    --------
    >>> visible("AA"), visible(""), visible(" AA")
    ('AA', '""', '" AA"')
    """
    return clean(text) if text and text == text.strip() else f'"{clean(text, edges=True)}"'


def clean(text: str, *, edges: bool = False) -> str:
    r"""Return text of others on one line, without characters that would rewrite a terminal or reorder what follows.

    Examples
    --------
    >>> clean("amount\x1b[2J\nin USD")
    'amount?[2J in USD'
    """
    words = " ".join(text.split())
    if edges:
        words = " " * (text != text.lstrip()) + words + " " * (text != text.rstrip() and bool(words))
    return "".join(letter if letter.isprintable() or letter in _JOINERS else "?" for letter in words)


def shorten(text: str, most: int, *, gap: str = "...") -> str:
    """Return text of at most ``most`` characters: of a longer one the middle is left out, as names differ at both ends.

    Examples
    --------
    >>> shorten("customer_lifetime_value_90d", 16)
    'customer_...90d'
    """
    if len(text) <= most:
        return text
    kept = most - len(gap)
    if kept <= 0:
        return text[:most]
    tail = kept // 3
    return f"{text[: kept - tail].rstrip()}{gap}{text[len(text) - tail :].lstrip()}"


def not_judged(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return why features have no verdict, each reason with the features it holds for."""
    return _by_reason((one.reason, one.feature) for one in comparison if one.verdict is Verdict.INSUFFICIENT)


def not_compared(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return why columns were not compared, each reason with the columns it holds for."""
    return _by_reason((one.reason, one.feature) for one in comparison.unknown)


def _by_reason(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    reasons: dict[str, list[str]] = {}
    for reason, feature in pairs:
        reasons.setdefault(reason, []).append(feature)
    return list(reasons.items())


def rows_of(number: int) -> str:
    """Return a number of rows.

    Examples
    --------
    >>> rows_of(1), rows_of(27004)
    ('1 row', '27,004 rows')
    """
    return f"{count(number)} row{'s' * (number != 1)}"


def _shares(result: FeatureResult) -> Iterator[Change]:
    then, now = result.measured.reference_null_share, result.measured.null_share
    if then is not None and now is not None:
        yield Change("null", share(then), share(now), "", abs(now - then))
    outside = result.measured.out_of_range_share
    if outside:
        yield Change("out of range", "", share(outside), "", outside)
    for bar in result.distribution:
        if bar.special in {SpecialBar.NOT_FINITE, SpecialBar.NEW}:
            then_read = share(bar.reference) if bar.reference else ""
            yield Change(str(bar.special), then_read, share(bar.current), "", abs(bar.current - bar.reference))


def _moments(result: FeatureResult) -> Iterator[Change]:
    measured, scale = result.measured, scale_of(result)
    mean, spread = (measured.reference_mean, measured.mean), (measured.reference_deviation, measured.deviation)
    if mean[0] is not None and mean[1] is not None:
        moved = abs(mean[1] - mean[0])
        known = spread[0] is not None and spread[0] > 0
        sds = moved / spread[0] if known and spread[0] else math.inf
        # The share of rows by which two normal laws differ whose means lie this far apart.
        weight = math.erf(sds / math.sqrt(8)) if moved else 0.0
        yield Change("mean", scale.value(mean[0]), scale.value(mean[1]), f"{_in_sds(sds)} sd" if known else "", weight)
    if spread[0] and spread[1]:
        # To first order the same for two normal laws of different width: twice the density at one standard deviation.
        weight = min(1.0, 0.484 * abs(math.log(spread[1] / spread[0])))
        yield Change("sd", scale.length(spread[0]), scale.length(spread[1]), "", weight)


def _in_sds(sds: float) -> str:
    return f"{sds:.2f}" if sds < 1 else f"{sds:.1f}" if sds < 100 else f"{sds:.3g}"  # noqa: PLR2004 - three digits


def _bar(result: FeatureResult) -> Iterator[Change]:
    """Return the bar whose share changed most."""
    plain = [bar for bar in result.distribution if bar.special in {None, SpecialBar.RARER}]
    if not plain:
        return
    most = max(plain, key=lambda bar: (round(abs(bar.current - bar.reference), _DIGITS), bar.current > bar.reference))
    moved, what = abs(most.current - most.reference), name_of(most, bar_scale(result))
    if result.kind is FeatureKind.NUMERICAL:
        moved /= 2  # chosen among many for its change, so it tells less than the mean
        what += ":"
    yield Change("rarer categories" if most.special else what, share(most.reference), share(most.current), "", moved)
