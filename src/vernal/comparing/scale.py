"""How the values of a column read: plain numbers, shares, p-values, dates, times of day and durations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1e6
"""Times are counted in microseconds."""

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))

_DAYS, _MINUTES = 2 * 86_400 * _SECOND, 120 * _SECOND
"""Differences from which the date alone, or the time to the minute, says enough."""

_PLAIN_LOW, _PLAIN_HIGH = 1e-4, 1e9
"""Outside of these, numbers are written with a power of ten."""

_FINEST, _MOST_DIGITS = 1e-6, 15
"""The smallest unit written as decimals, and the digits that a float has."""

_SIGNIFICANT = 3

_NOISE, _LEAST = 1e-9, 1e-300
"""Relatively and absolutely, smaller differences are not worth their decimals, or are rounding."""

_ROUND_SECONDS = (1, 5, 15, 60, 300, 900, 3_600, 10_800, 43_200, 86_400, 172_800, 604_800, 1_209_600)
_ROUND_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 6_000)
_MONTH = 28 * 86_400 * _SECOND
"""Steps of an axis of time; where months fit, it is they that are counted."""


class Scale(NamedTuple):
    """How values of one feature are written.

    Parameters
    ----------
    data_type
        Arrow type of the column. Timestamps and dates are given in microseconds since 1970 (UTC), times of day and
        durations in microseconds.
    unit
        A difference that matters, such as a hundredth of a standard deviation: it decides how many decimals are shown.
    """

    data_type: str
    unit: float | None = None

    def value(self, number: float) -> str:
        """Return a value.

        Examples
        --------
        >>> Scale("double", unit=0.02).value(1013.2571), Scale("date32[day]", unit=8.64e12).value(1.3583e15)
        ('1,013.26', '2013-01-16')
        """
        if self.is_moment:
            return self._moment(number)
        if self.data_type.startswith("time"):
            return self._moment(number % (86_400 * _SECOND)).removeprefix("1970-01-01 ")
        return self.length(number)

    def length(self, number: float) -> str:
        """Return a difference between two values, such as a standard deviation.

        Examples
        --------
        >>> Scale("timestamp[us]").length(5.4e9), Scale("double").length(0.51234), Scale("duration[ms]").length(2e6)
        ('1.50 h', '0.512', '2 s')
        """
        if self.data_type.startswith("duration"):
            return f"{_decimal(number / _SECOND, None if self.unit is None else self.unit / _SECOND)} s"
        if self.is_plain:
            return _decimal(number, self.unit)
        size, name = next(((size, name) for size, name in _UNITS if abs(number) >= size * _SECOND), _UNITS[-1])
        return f"{figure(number / size / _SECOND)} {name}"

    def span(self, low: float | None, high: float | None) -> str:
        """Return a range of values, open where a limit is ``None``; one of a single value is that value.

        Examples
        --------
        >>> scale = Scale("double", unit=1)
        >>> scale.span(2, 5), scale.span(None, 2), scale.span(5, None), scale.span(3, 3)
        ('2 to 5', 'below 2', 'above 5', '3')
        """
        if low is None or high is None:
            return (
                f"below {self.value(high)}"
                if high is not None
                else "all"
                if low is None
                else f"above {self.value(low)}"
            )
        if low < high:
            return f"{self.value(low)} to {self.value(high)}"
        return f"{low:,.6g}" if self.is_plain else self.value(low)

    @property
    def is_plain(self) -> bool:
        """Whether values are numbers and no times of any sort."""
        return not self.data_type.startswith(("timestamp", "date", "time", "duration"))

    @property
    def is_moment(self) -> bool:
        """Whether values are points in time."""
        return self.data_type.startswith(("timestamp", "date"))

    def _moment(self, number: float) -> str:
        try:
            when = _EPOCH + timedelta(microseconds=number)
        except (OverflowError, ValueError):
            return figure(number)  # before the year 1 or after 9999
        unit = math.inf if self.unit is None else self.unit * 100
        if self.data_type.startswith("date") or (self.is_moment and unit >= _DAYS):
            return f"{when:%Y-%m-%d}"
        return f"{when:%Y-%m-%d %H:%M}" if unit >= _MINUTES else f"{when:%Y-%m-%d %H:%M:%S}"


def figure(number: float) -> str:
    """Return a number with three significant digits, or all those of a whole one.

    Examples
    --------
    >>> figure(0.0312), figure(12.0), figure(1234567.2), figure(6.02e23), figure(0.0)
    ('0.0312', '12', '1,234,567', '6.02e+23', '0')
    """
    if not math.isfinite(number) or number == 0:
        return f"{number:g}"
    if not _PLAIN_LOW <= abs(number) < _PLAIN_HIGH:
        return f"{number:.3g}"
    if number == round(number):
        return f"{number:,.0f}"
    return f"{number:,.{max(0, _SIGNIFICANT - 1 - math.floor(math.log10(abs(number))))}f}"


def count(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}"


def share(part: float) -> str:
    """Return a share in percent; what is neither nothing nor all does not read as such.

    Examples
    --------
    >>> share(0.201), share(0.0), share(1e-5), share(1.0), share(0.99999)
    ('20.1 %', '0 %', '<0.1 %', '100 %', '>99.9 %')
    """
    least = 0.0005
    if part in {0.0, 1.0}:
        return f"{100 * part:.0f} %"
    if part < least:
        return "<0.1 %"
    return ">99.9 %" if part > 1 - least else f"{100 * part:.1f} %"


def points(difference: float) -> str:
    """Return the difference of two shares, in percentage points.

    Examples
    --------
    >>> points(0.181), points(-0.02), points(0.0), points(0.000123)
    ('+18.1', '-2.0', '0', '+0.01')
    """
    if not difference:
        return "0"
    return f"{100 * difference:+.1f}" if abs(difference) >= 0.0005 else f"{100 * difference:+.1g}"  # noqa: PLR2004 - reads as +0.0 otherwise


def score(value: float | None) -> str:
    """Return a distance.

    Examples
    --------
    >>> score(0.3123), score(0.00002), score(None), score(0), score(10.4537)
    ('0.312', '<0.001', '-', '0', '10.5')
    """
    if value is None:
        return "-"
    if 0 < value < 0.0005:  # noqa: PLR2004 - reads as 0.000 otherwise
        return "<0.001"
    return f"{value:.{max(0, _SIGNIFICANT - max(0, math.floor(math.log10(value)) + 1))}f}" if value else "0"


def probability(value: float | None) -> str:
    """Return a p-value.

    Examples
    --------
    >>> probability(0.01234), probability(1e-30), probability(1.0), probability(None)
    ('0.012', '<0.0001', '1', '-')
    """
    if value is None:
        return "-"
    return "<0.0001" if value < _PLAIN_LOW else f"{value:.2g}"


def ticks(low: float, high: float, scale: Scale, *, most: int) -> list[float]:
    """Return at most ``most`` round values strictly inside a range, evenly apart.

    Examples
    --------
    >>> ticks(0.5, 10.2, Scale("double"), most=5), ticks(5, 5, Scale("double"), most=3)
    ([2.0, 4.0, 6.0, 8.0, 10.0], [])
    """
    width = high - low
    if not _LEAST < width < math.inf or width < _NOISE * max(abs(low), abs(high)):
        return []
    if scale.is_moment and width > _MONTH * most:
        return _months(low, high, most)
    for step in _steps(width / most, scale):
        first, last = math.floor(low / step) + 1, math.ceil(high / step) - 1
        if last - first < most:
            return [place * step for place in range(first, last + 1)]
    return []


def _steps(least: float, scale: Scale) -> Iterator[float]:
    if not scale.is_plain:
        yield from (seconds * _SECOND for seconds in _ROUND_SECONDS if seconds * _SECOND >= least)
    power = 10.0 ** math.floor(math.log10(least))
    yield from (power, 2 * power, 5 * power, 10 * power, 20 * power)


def _months(low: float, high: float, most: int) -> list[float]:
    """Return first days of months, every so many that there are at most ``most``."""
    try:
        start, end = (_EPOCH + timedelta(microseconds=value) for value in (low, high))
    except OverflowError:
        return []
    for step in _ROUND_MONTHS:
        first, last = ((when.year * 12 + when.month - 1) // step for when in (start, end))
        if last - first <= most:
            days = [
                datetime(place * step // 12, place * step % 12 + 1, 1, tzinfo=UTC)
                for place in range(first + 1, last + 1)
            ]
            return [(day - _EPOCH) / timedelta(microseconds=1) for day in days if day < end]
    return []


def _decimal(number: float, unit: float | None) -> str:
    if unit is None or not 0 < unit < math.inf or not math.isfinite(number):
        return figure(number)
    if unit >= _FINEST and abs(number) < _PLAIN_HIGH:
        return f"{number:z,.{max(0, -math.floor(math.log10(unit)))}f}"
    digits = math.log10(abs(number) / unit) if number else 0
    return f"{number:.{min(_MOST_DIGITS, max(_SIGNIFICANT, math.ceil(digits)))}g}"
