"""What an interval is, the exact interval of a proportion, and bounds that respect a quantity's range.

``certainty`` is one-sided for each bound: at 0.95 the upper bound alone is exceeded by the truth in 5 % of samples, and
so is the lower bound from below. At 0.5 both bounds are the point estimate.
"""

from __future__ import annotations

import math

import msgspec

from vernal.errors import SampleError
from vernal.stats.arrays import check_level
from vernal.stats.special import beta_quantile


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with a lower and an upper bound, each at the one-sided ``certainty``.

    ``value`` is ``None`` when the quantity is undefined on these rows, and the bounds are ``None`` when nothing can be
    said of its error; ``note`` then says why. ``effective_rows`` is given where rows count unequally.
    """

    value: float | None
    lower: float | None
    upper: float | None
    certainty: float
    rows: int
    method: str
    note: str = ""
    effective_rows: float | None = None


class PairedInterval(msgspec.Struct, frozen=True, kw_only=True):
    """Challenger against champion on the same rows; a positive difference favours the challenger.

    ``p_value`` is two-sided for "no difference". ``blocks`` counts the units taken as independent (rows, or days).
    Difference, bounds and p-value are ``None`` when the quantity is undefined for a model or nothing can be said of its
    error; ``note`` then says why.
    """

    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    p_value: float | None
    certainty: float
    rows: int
    blocks: int
    method: str
    note: str = ""


def clopper_pearson(successes: int, rows: int, *, certainty: float = 0.95) -> Interval:
    """Return the exact interval of a proportion: each bound holds at least as often as stated, whatever the share.

    The lower bound is the share at which so many successes or more have the probability ``1 - certainty``, the upper
    one that at which so many or fewer have.

    Parameters
    ----------
    successes, rows
        Counts; ``0 <= successes <= rows`` and ``rows >= 1``.
    certainty
        One-sided certainty of each bound; 0.5 gives the share itself.

    Raises
    ------
    SampleError
        If the counts contradict each other, there are no rows, or ``certainty`` is not between 0 and 1.

    References
    ----------
    C. J. Clopper, E. S. Pearson (1934). The use of confidence or fiducial limits illustrated in the case of the
    binomial. Biometrika 26.

    Examples
    --------
    >>> interval = clopper_pearson(90, 100)
    >>> round(interval.lower, 4), round(interval.upper, 4)
    (0.8363, 0.9447)
    """
    check_level("certainty", certainty)
    if rows < 1 or not 0 <= successes <= rows:
        raise SampleError(f"proportion: found {successes} of {rows}, expected at least 1 row and no more successes")
    lower, upper = exact_bounds(successes, rows, certainty)
    return Interval(
        value=successes / rows, lower=lower, upper=upper, certainty=certainty, rows=rows, method="clopper-pearson"
    )


_EVEN = 0.5
"""Certainty at which a bound is the estimate itself."""


def exact_bounds(successes: float, rows: float, certainty: float) -> tuple[float, float]:
    """Return the exact bounds of a proportion; counts need not be whole, where rows stand for more or less than one."""
    if certainty == _EVEN:
        return successes / rows, successes / rows
    miss = min(certainty, 1 - certainty)
    lower, upper = _least_share(successes, rows, miss), 1 - _least_share(rows - successes, rows, miss)
    return (lower, upper) if certainty > _EVEN else (upper, lower)


def _least_share(successes: float, rows: float, miss: float) -> float:
    """Return the share with which at least so many successes have the probability ``miss``."""
    return beta_quantile(successes, rows - successes + 1, miss) if successes else 0.0


def largest_unseen(rows: float, certainty: float) -> float:
    """Return the largest share that ``rows`` rows without a single case leave possible, 0 at a certainty of 0.5.

    Examples
    --------
    >>> round(largest_unseen(100, 0.95), 4)  # about three in a hundred
    0.0295
    """
    return 1 - (1 - certainty) ** (1 / rows) if certainty > _EVEN else 0.0


def wilson_bounds(share: float, rows: float, z: float) -> tuple[float, float]:
    """Return Wilson's bounds of a share of ``rows`` rows, ``z`` standard errors away.

    They hold for the mean of any quantity within 0..1, whose variance is at most that of a proportion with this mean.
    """
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    # At a share of 0 or 1 one bound is the share itself, which rounding would miss by a hair.
    lower = 0.0 if share == 0.0 and z >= 0 else max(0.0, centre - half)
    upper = 1.0 if share == 1.0 and z >= 0 else min(1.0, centre + half)
    return lower, upper


def bounds_within(limits: tuple[float, float], value: float, reach: float) -> tuple[float, float]:
    """Return ``value - reach`` and ``value + reach``, taken on the scale that suits the range of the quantity.

    Between two limits that is the logit scale, above a lower one the logarithm, without limits the plain scale. The
    bounds then stay in the range, and lean to the side to which such an estimate is skewed.

    Parameters
    ----------
    limits
        Lowest and highest possible value; infinite where there is none. A highest needs a lowest.
    value
        Strictly between the limits, unless ``reach`` is 0.
    reach
        Quantile times standard error, on the plain scale.

    Examples
    --------
    >>> bounds_within((-math.inf, math.inf), 0.5, 0.25)
    (0.25, 0.75)
    >>> [round(bound, 3) for bound in bounds_within((0.0, 1.0), 0.9, 0.2)]
    [0.494, 0.988]
    """
    lowest, highest = limits
    if reach == 0.0 or math.isinf(lowest):
        return value - reach, value + reach
    if math.isinf(highest):
        above = value - lowest
        factor = math.exp(min(max(reach / above, -_LARGEST_EXPONENT), _LARGEST_EXPONENT))
        return lowest + above / factor, lowest + above * factor
    width = highest - lowest
    share = (value - lowest) / width
    logit, far = math.log(share / (1 - share)), reach / (width * share * (1 - share))
    return lowest + width * _expit(logit - far), lowest + width * _expit(logit + far)


_LARGEST_EXPONENT = 700.0
"""``exp`` overflows at 709.8; a bound this far away says nothing either way."""


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
