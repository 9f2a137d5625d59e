"""What runs cost: measured seconds at the rates of the machine, or a model of them for replays."""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vernal.records import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.records import TrainingResult

RECENT: Final = 5
"""How many past runs an estimate looks at."""

_HOUR: Final = Decimal(3600)
_MICRO_USD: Final = Decimal("0.000001")


class Rates(Protocol):
    """What an hour costs."""

    @property
    def cpu_hour_usd(self) -> Decimal:
        """US dollars for one hour of one processor core."""
        ...

    @property
    def wall_hour_usd(self) -> Decimal:
        """US dollars for one hour of elapsed time."""
        ...


class HourlyRates(NamedTuple):
    """Rates as plain numbers; the defaults are those of a project file that states none."""

    cpu_hour_usd: Decimal = Decimal("0.05")
    wall_hour_usd: Decimal = Decimal("0.02")


class Effort(NamedTuple):
    """How long a training takes, as a straight line in the number of training rows.

    The defaults are gradient-boosted trees on twenty columns on two cores, both of them busy: 100,000
    rows take 5 s.
    """

    seconds: float = 2.0
    seconds_per_million_rows: float = 30.0
    cores: float = 2.0

    def wall_seconds(self, rows: int) -> float:
        """Return the elapsed seconds of a training on so many rows."""
        return self.seconds + self.seconds_per_million_rows * rows / 1e6


class MeteredCost:
    """Measured processor and elapsed seconds at hourly rates.

    Parameters
    ----------
    rates
        What an hour costs.
    prior
        How long the first run is thought to take, before anything has been measured.

    Examples
    --------
    >>> costs = MeteredCost(HourlyRates(cpu_hour_usd=Decimal("0.36"), wall_hour_usd=Decimal(0)))
    >>> costs.estimate("fraud", [], rows=1_000_000).usd
    Decimal('0.006400')
    """

    def __init__(self, rates: Rates | None = None, *, prior: Effort | None = None) -> None:
        self._rates = rates or HourlyRates()
        self._prior = prior or Effort()

    def estimate(self, model: str, past: Sequence[Cost], *, rows: int) -> Cost:  # noqa: ARG002 - the port's signature
        """Return the expected cost of the next run.

        It is the median of the last five runs, which one odd run does not move, at the price of lagging two runs behind
        a growing training set. The first run is estimated from its rows and the prior.

        Parameters
        ----------
        past
            What finished runs cost, newest first.
        rows
            Training rows, 0 if unknown.
        """
        recent = past[:RECENT]
        if not recent:
            wall = self._prior.wall_seconds(rows)
            return self._cost(wall, wall * self._prior.cores, source="estimated from the number of rows")
        return Cost(
            usd=median(cost.usd for cost in recent).quantize(_MICRO_USD),
            wall_seconds=median(cost.wall_seconds for cost in recent),
            cpu_seconds=median(cost.cpu_seconds for cost in recent),
            source=f"median of the last {len(recent)} runs" if len(recent) > 1 else "as the last run",
        )

    def charge(self, result: TrainingResult, *, rows: int) -> Cost:  # noqa: ARG002 - the port's signature
        """Return what a finished training cost, from the seconds that were measured."""
        return self._cost(result.wall_seconds, result.cpu_seconds, source="metered")

    def _cost(self, wall_seconds: float, cpu_seconds: float, *, source: str) -> Cost:
        rates = self._rates
        wall, cpu = Decimal(repr(wall_seconds)), Decimal(repr(cpu_seconds))
        usd = (wall * rates.wall_hour_usd + cpu * rates.cpu_hour_usd) / _HOUR
        return Cost(usd=usd.quantize(_MICRO_USD), wall_seconds=wall_seconds, cpu_seconds=cpu_seconds, source=source)


class ModelledCost:
    """What a training would cost by the number of its rows, whatever this machine happened to need.

    A replay uses it, so that its money is the same on every machine.

    Parameters
    ----------
    rates
        What an hour costs.
    effort
        How long a training takes.

    Examples
    --------
    >>> ModelledCost().estimate("late_arrival", [], rows=250_000).wall_seconds
    9.5
    """

    def __init__(self, rates: Rates | None = None, *, effort: Effort | None = None) -> None:
        self._metered = MeteredCost(rates, prior=effort)

    def estimate(self, model: str, past: Sequence[Cost], *, rows: int) -> Cost:
        """Return the expected cost of the next run: from past runs, newest first, else from the number of rows."""
        return self._metered.estimate(model, past, rows=rows)

    def charge(self, result: TrainingResult, *, rows: int) -> Cost:  # noqa: ARG002 - the port's signature
        """Return what a training on so many rows costs; what was measured does not matter."""
        return self._metered.estimate("", [], rows=rows).evolve(source="modelled")
