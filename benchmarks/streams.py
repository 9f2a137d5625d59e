"""Production as it might be: rows by the hour with daily and weekly seasons, and changes from a moment on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""

HOUR: Final = timedelta(hours=1)
DAY_HOURS, WEEK_HOURS = 24, 168
NUMERICAL, CATEGORICAL = 40, 10
IMPORTANT, SWAPPED = "n00", ("n01", "n02")
"""The feature that shifts, and the two that are swapped."""

Floats = npt.NDArray[np.float64]

_SHAPES: Final[tuple[Callable[[Floats], Floats], ...]] = (
    lambda z: z,
    np.exp,
    lambda z: 1.0 / (1.0 + np.exp(-1.7 * z)),
    lambda z: np.maximum(z, 0.0),
    np.floor,
    lambda z: z + 0.3 * z**3,
)
"""From a normal latent value to a feature: normal, log-normal, bounded, many zeros, whole numbers, heavy tails."""


@dataclass
class Stream:
    """One model's traffic: 40 numerical and 10 categorical features, each with seasons of its own.

    ``weather`` is the standard deviation of slow changes that last for days and come and go, in standard deviations of
    a feature; without it the stream is stationary but for its seasons.
    """

    seed: int
    rows_per_hour: int = 1000
    weather: float = 0.0
    _days: dict[int, Floats] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Draw the seasons."""
        rng = np.random.default_rng([self.seed, 1])
        count = NUMERICAL + CATEGORICAL
        self._daily = rng.uniform(0.0, 0.5, count) * (rng.random(count) < 0.5)  # noqa: PLR2004 - half of them
        self._weekly = rng.uniform(0.0, 0.7, count) * (rng.random(count) < 0.5)  # noqa: PLR2004 - half of them
        self._phase = rng.uniform(0.0, 2 * np.pi, count)
        self._levels = rng.integers(3, 40, CATEGORICAL)

    @property
    def numerical(self) -> tuple[str, ...]:
        """Names of the numerical features."""
        return tuple(f"n{place:02d}" for place in range(NUMERICAL))

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the categorical features."""
        return tuple(f"c{place:02d}" for place in range(CATEGORICAL))

    def importances(self) -> dict[str, float]:
        """Return what a training would have measured: one feature at 0.3, the swapped ones at 0.1, the rest even."""
        rest = 0.5 / (NUMERICAL + CATEGORICAL - 3)
        return dict.fromkeys((*self.numerical, *self.categorical), rest) | {
            IMPORTANT: 0.3,
            **dict.fromkeys(SWAPPED, 0.1),
        }

    def day(self, day: int) -> pa.Table:
        """Return the rows of a day in order of time: ``event_time``, the features and a ``label``."""
        rng = np.random.default_rng([self.seed, 2, day])
        hours = day * DAY_HOURS + np.arange(DAY_HOURS)
        busy = 1.0 + 0.5 * np.sin(2 * np.pi * (hours % DAY_HOURS) / DAY_HOURS)
        when = np.repeat(hours, rng.poisson(self.rows_per_hour * busy))
        latent = rng.standard_normal((NUMERICAL + CATEGORICAL, when.size))
        latent += self._season(when) + self.weather * self._weather(day)[:, None]
        columns: dict[str, pa.Array] = {"event_time": _times(when, rng)}
        for place, name in enumerate(self.numerical):
            columns[name] = pa.array(_SHAPES[place % len(_SHAPES)](latent[place]))
        for place, name in enumerate(self.categorical):
            columns[name] = _categories(latent[NUMERICAL + place], int(self._levels[place]))
        columns["label"] = pa.array((rng.random(when.size) < 0.3).astype(np.float64))  # noqa: PLR2004 - a base rate
        return pa.table(columns)

    def _season(self, when: npt.NDArray[np.int64]) -> Floats:
        daily = np.sin(2 * np.pi * when[None, :] / DAY_HOURS + self._phase[:, None])
        weekend = (when // DAY_HOURS % 7 >= 5).astype(np.float64)  # noqa: PLR2004 - Saturday and Sunday
        return self._daily[:, None] * daily + self._weekly[:, None] * weekend[None, :]

    def _weather(self, day: int) -> Floats:
        """Return each feature's slow change: a stationary AR(1) with a memory of about three days."""
        if day not in self._days:
            noise = np.random.default_rng([self.seed, 3, day]).standard_normal(NUMERICAL + CATEGORICAL)
            memory = 0.7
            self._days[day] = noise if day == 0 else memory * self._weather(day - 1) + np.sqrt(1 - memory**2) * noise
        return self._days[day]


def shifted(rows: pa.Table, *, since: datetime, sigmas: float = 0.5) -> pa.Table:
    """Return rows of which the important feature is higher by so many standard deviations from a moment on."""
    after = _after(rows, since)
    moved = np.asarray(rows[IMPORTANT]) + sigmas * after
    return rows.set_column(rows.column_names.index(IMPORTANT), IMPORTANT, pa.array(moved))


def swapped(rows: pa.Table, *, since: datetime) -> pa.Table:
    """Return rows of which two features have changed places from a moment on."""
    after = _after(rows, since)
    one, other = (np.asarray(rows[name]) for name in SWAPPED)
    for name, mine, theirs in ((SWAPPED[0], one, other), (SWAPPED[1], other, one)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(np.where(after, theirs, mine)))
    return rows


def hour_of(rows: pa.Table) -> npt.NDArray[np.int64]:
    """Return each row's hour since :data:`START`."""
    return (np.asarray(rows["event_time"]).astype("datetime64[us]").astype(np.int64) - _micros(START)) // 3_600_000_000


def _after(rows: pa.Table, since: datetime) -> npt.NDArray[np.bool_]:
    return np.asarray(rows["event_time"]).astype("datetime64[us]").astype(np.int64) >= _micros(since)


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _times(when: npt.NDArray[np.int64], rng: np.random.Generator) -> pa.Array:
    inside = rng.integers(0, 3_600_000_000, when.size)
    order = np.sort(when * 3_600_000_000 + inside)  # hours stay in order, so sorting keeps each row in its hour
    return pa.array(_micros(START) + order, pa.timestamp("us", tz="UTC"))


def _categories(latent: Floats, levels: int) -> pa.Array:
    """Return texts: the more likely, the lower the latent value."""
    codes = np.clip(np.floor((latent + 3.0) / 6.0 * levels), 0, levels - 1).astype(np.int32)
    texts = pa.array([f"v{level}" for level in range(levels)])
    return pa.DictionaryArray.from_arrays(pa.array(codes), texts).cast(pa.string())
