"""How a model's metric falls with its age: a curve fitted to its loss since training.

The loss is in points of the metric as fractions (0.01 is a point), positive where the model is worse than right after
its training.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, check_level

_DISTINCT_AGES = 5
"""Ages needed for a fit: with fewer, noise and a curve of two parameters look alike."""

_CLEARLY = 2.0
"""By how much the information criterion of a curve has to be below that of a simpler one."""

_TAUS = 200


class DecayKind(StrEnum):
    """The shape of a decay curve."""

    NOT_FITTED = "not fitted"
    NONE = "none"
    LINE = "line"
    SATURATING = "saturating"


class DecayCurve(msgspec.Struct, frozen=True, kw_only=True):
    """The loss ``f(t)`` at an age of ``t`` days.

    ``none`` is 0, ``line`` is ``rate * t`` and ``saturating`` is ``ceiling * (1 - exp(-t / tau))``, whose rate is the
    one at age 0, ``ceiling / tau``. ``rate`` is in points per day, ``ceiling`` in points, ``tau`` in days. ``lower``
    and ``upper`` bound the rate, each at the one-sided ``certainty``. ``residual`` is the standard deviation around the
    curve of a loss of weight 1. What a kind does not have is ``None``, and so is everything where nothing was fitted.
    """

    kind: DecayKind
    points: int
    certainty: float
    rate: float | None = None
    rate_error: float | None = None
    lower: float | None = None
    upper: float | None = None
    ceiling: float | None = None
    ceiling_error: float | None = None
    tau: float | None = None
    tau_error: float | None = None
    residual: float | None = None
    note: str = ""

    def loss(self, age_days: npt.ArrayLike) -> Floats:
        """Return the loss at an age, in points; NaN where nothing was fitted, so that no comparison holds.

        Parameters
        ----------
        age_days
            Days since training, any shape, at least 0.

        Returns
        -------
        Floats
            The same shape.
        """
        t = np.asarray(age_days, dtype=np.float64)
        if self.rate is None:
            return np.full_like(t, np.nan)
        if self.tau is None:
            return self.rate * t
        return self.rate * self.tau * -np.expm1(-t / self.tau)

    def accumulated(self, age_days: npt.ArrayLike) -> Floats:
        """Return the loss added up from training to an age, in point-days; NaN where nothing was fitted.

        Parameters
        ----------
        age_days
            Days since training, any shape, at least 0.

        Returns
        -------
        Floats
            The same shape: the integral of :meth:`loss` from 0.
        """
        t = np.asarray(age_days, dtype=np.float64)
        if self.rate is None:
            return np.full_like(t, np.nan)
        if self.tau is None:
            return self.rate * t**2 / 2
        return self.rate * self.tau * (t + self.tau * np.expm1(-t / self.tau))


def fit_decay(
    age_days: npt.ArrayLike, loss: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, certainty: float = 0.95
) -> DecayCurve:
    """Fit how the loss of a metric grows with the age of the model.

    No decay, a line through the origin and a saturating curve are fitted by weighted least squares. A curve is taken
    only if its corrected Akaike criterion is lower by 2 than that of the best simpler one, and its loss is positive: no
    model gets better by ageing.

    Parameters
    ----------
    age_days
        Days since training, shape ``(n,)``, at least 0.
    loss
        By how much the metric is worse than right after training, in points as fractions, shape ``(n,)``.
    weights
        Precision of each loss up to a common factor (its number of rows, say), positive, shape ``(n,)``; by default all
        alike.
    certainty
        One-sided certainty of each bound of the rate.

    Returns
    -------
    DecayCurve
        Not fitted, with a note, where the losses have fewer than 5 distinct ages above 0.

    Raises
    ------
    SampleError
        If shapes differ, a number is not finite, an age is negative, or a weight is not positive.

    Notes
    -----
    Losses count as independent around the curve. Those that share a measurement right after training, or their days,
    are not, and the standard errors are too small then.

    References
    ----------
    C. M. Hurvich, C.-L. Tsai (1989). Regression and time series model selection in small samples. Biometrika 76.
    K. P. Burnham, D. R. Anderson (2002). Model selection and multimodel inference. Springer.

    Examples
    --------
    >>> curve = fit_decay([10, 20, 30, 40, 50, 60], [0.011, 0.019, 0.031, 0.039, 0.051, 0.059])
    >>> curve.kind.value, round(curve.rate, 5), round(float(curve.accumulated(30)), 3)
    ('line', 0.001, 0.449)
    """
    check_level("certainty", certainty)
    t, y, w = _columns(age_days, loss, weights)
    ages = int(np.unique(t[t > 0]).size)
    if ages < _DISTINCT_AGES:
        return DecayCurve(
            kind=DecayKind.NOT_FITTED,
            points=t.size,
            certainty=certainty,
            note=f"{ages} distinct ages above 0, a fit needs {_DISTINCT_AGES}",
        )
    best = _none(t, y, w)
    for fit in (_line, _saturating):
        found = fit(t, y, w)
        if found is not None and _criterion(found, y, w) < _criterion(best, y, w) - _CLEARLY:
            best = found
    return _curve(best, t, w, certainty)


class _Fit(msgspec.Struct, frozen=True, kw_only=True):
    kind: DecayKind
    squares: float
    rate: float = 0.0
    tau: float = math.inf

    @property
    def parameters(self) -> int:
        return {DecayKind.LINE: 1, DecayKind.SATURATING: 2}.get(self.kind, 0)


def _columns(
    age_days: npt.ArrayLike, loss: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    t, y = np.asarray(age_days, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    if t.ndim != 1 or t.shape != y.shape or t.shape != w.shape:
        raise SampleError(f"decay: found shapes {t.shape}, {y.shape} and {w.shape}, expected equal rows")
    for subject, values in (("age_days", t), ("loss", y), ("weights", w)):
        if not np.isfinite(values).all():
            raise SampleError(f"{subject}: found NaN or infinite values, expected finite numbers")
    if t.size and t.min() < 0:
        raise SampleError(f"age_days: found {t.min()}, expected days since training, at least 0")
    if w.size and w.min() <= 0:
        raise SampleError(f"weights: found {w.min()}, expected positive numbers")
    return t, y, w


def _none(_: Floats, y: Floats, w: Floats) -> _Fit:
    return _Fit(kind=DecayKind.NONE, squares=float(w @ y**2))


def _line(t: Floats, y: Floats, w: Floats) -> _Fit | None:
    rate = float((w * t) @ y / ((w * t) @ t))
    return _Fit(kind=DecayKind.LINE, rate=rate, squares=float(w @ (y - rate * t) ** 2)) if rate > 0 else None


def _saturating(t: Floats, y: Floats, w: Floats) -> _Fit | None:
    """Return the best saturating curve: for each ``tau`` the ceiling is linear, so only ``tau`` is searched.

    ``tau`` stays between half the least age, below which every loss is the ceiling already and says nothing of the
    rate, and three times the greatest, above which the curve is a line.
    """
    low, high = math.log(t[t > 0].min() / 2), math.log(3 * t.max())

    def at(log_tau: Floats) -> tuple[Floats, Floats]:
        shape = -np.expm1(-t / np.exp(log_tau)[:, None])
        ceiling = (shape * w) @ y / ((shape**2) @ w)
        return ceiling, ((y - ceiling[:, None] * shape) ** 2) @ w

    grid = np.linspace(low, high, _TAUS)
    for _ in range(4):  # each pass searches between the neighbours of the last one's best, a hundredth as wide
        least = int(np.argmin(at(grid)[1]))
        grid = np.linspace(grid[max(0, least - 1)], grid[min(_TAUS - 1, least + 1)], _TAUS)
    ceilings, squares = at(grid)
    least = int(np.argmin(squares))
    tau = math.exp(grid[least])
    if ceilings[least] <= 0:
        return None
    return _Fit(kind=DecayKind.SATURATING, rate=float(ceilings[least]) / tau, tau=tau, squares=float(squares[least]))


def _criterion(fit: _Fit, y: Floats, w: Floats) -> float:
    """Return the corrected Akaike criterion, up to what all fits of the same losses share."""
    n, k = y.size, fit.parameters + 1  # the residual spread is a parameter too
    if n - k - 1 <= 0:
        return math.inf
    # A perfect fit is worth no more than rounding lets one tell.
    squares = max(fit.squares, float(w @ y**2) * np.finfo(np.float64).eps ** 2)
    return (n * math.log(squares) if squares else 0.0) + 2 * k * n / (n - k - 1)


def _curve(fit: _Fit, t: Floats, w: Floats, certainty: float) -> DecayCurve:
    from scipy.special import stdtrit

    free = t.size - fit.parameters
    residual = math.sqrt(fit.squares / free)
    if fit.kind is DecayKind.NONE:
        return DecayCurve(
            kind=fit.kind,
            points=t.size,
            certainty=certainty,
            rate=0.0,
            residual=residual,
            note="no decay that stands out from the noise",
        )
    saturates = fit.kind is DecayKind.SATURATING
    ceiling = fit.rate * fit.tau if saturates else None
    slopes = _slopes(fit, t)
    # In (rate, tau); columns are scaled so that days and points a day do not spoil the inverse.
    scale = np.sqrt(w @ slopes**2)
    covariance = np.linalg.inv((slopes / scale).T @ ((slopes / scale) * w[:, None])) / np.outer(scale, scale)
    covariance *= residual**2
    rate_error = math.sqrt(covariance[0, 0])
    reach = float(stdtrit(free, certainty)) * rate_error
    return DecayCurve(
        kind=fit.kind,
        points=t.size,
        certainty=certainty,
        rate=fit.rate,
        rate_error=rate_error,
        lower=fit.rate - reach,
        upper=fit.rate + reach,
        ceiling=ceiling,
        ceiling_error=_spread(covariance, np.array([fit.tau, fit.rate])) if saturates else None,
        tau=fit.tau if saturates else None,
        tau_error=math.sqrt(covariance[1, 1]) if saturates else None,
        residual=residual,
    )


def _slopes(fit: _Fit, t: Floats) -> Floats:
    """Return the derivatives of the curve by its rate and, if it saturates, by ``tau``, a column each."""
    if fit.kind is DecayKind.LINE:
        return t[:, None]
    kept = np.exp(-t / fit.tau)
    return np.column_stack((fit.tau * (1 - kept), fit.rate * (1 - kept - t / fit.tau * kept)))


def _spread(covariance: Floats, gradient: Floats) -> float:
    return math.sqrt(float(gradient @ covariance @ gradient))
