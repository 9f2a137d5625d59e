"""Estimated performance of a regression whose labels are not there yet, from a model of its errors (direct loss).

A second model learns from labelled rows how large the error is where. Each part of it is judged on rows it has not
seen, which gives its bias, the spread of single errors around it, and how much it owes to the rows it was given.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, check_level, normal_quantile
from vernal.stats.estimation import Estimate
from vernal.stats.metrics import metric
from vernal.stats.trees import Trees

LOSSES = ("mae", "rmse")
"""The metrics that a model of the errors can estimate."""

_LEAST_PER_FOLD = 5
_LEAST = 1e-9


class LossModel(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A model of a regression's errors, absolute for ``mae`` and squared for ``rmse``, and how good it is.

    ``parts`` are trees, each fitted without one fold of the labelled rows, that predict errors up to a factor.
    ``scale`` is that factor on rows which they had not seen, so it corrects their bias; ``scale_error`` is its standard
    error. ``spread`` is how far a single error strays from its prediction, as a multiple of it.
    """

    metric: str
    parts: tuple[Trees, ...]
    scale: float
    scale_error: float
    spread: float
    rows: int
    features: int

    def estimate(self, features: npt.ArrayLike, predictions: npt.ArrayLike, *, certainty: float = 0.95) -> Estimate:
        """Estimate the metric on rows without labels.

        Parameters
        ----------
        features
            Shape ``(n, d)``, as the model was fitted on; NaN where a value is missing.
        predictions
            The regression's predictions, shape ``(n,)``.
        certainty
            One-sided certainty of each bound; 0.5 gives the value itself.

        Returns
        -------
        Estimate
            The calibration error is the larger of two: that of the scale, and the delete-group jackknife of the mean
            predicted error, which grows where these rows lie apart from the labelled ones. It is known from few
            groups, so Student's quantile goes with it. Without rows value and bounds are ``None``, with a note.

        Raises
        ------
        SampleError
            If the shapes differ, a feature is infinite, or a prediction is not finite.
        """
        from scipy.special import stdtrit

        check_level("certainty", certainty)
        table = _table(features, predictions)
        if table.shape[1] != self.features + 1:
            raise SampleError(f"features: found {table.shape[1] - 1} columns, expected {self.features}")
        if not len(table):
            return self._answer(None, (0.0, 0.0), (0.0, 0.0), certainty, 0)
        predicted = self.scale * np.stack([part.predict(table) for part in self.parts])
        means = predicted.mean(axis=1)
        mean, groups = float(means.mean()), len(self.parts)
        sampling = self.spread * math.sqrt(float((predicted.mean(axis=0) ** 2).sum())) / len(table)
        jackknife = math.sqrt((groups - 1) / groups * float(((means - mean) ** 2).sum()))
        learned = max(jackknife, self.scale_error / self.scale * mean if self.scale else 0.0)
        quantiles = normal_quantile(certainty), float(stdtrit(groups - 1, certainty))
        return self._answer(mean, (sampling, learned), quantiles, certainty, len(table))

    def _answer(
        self,
        mean: float | None,
        errors: tuple[float, float],
        quantiles: tuple[float, float],
        certainty: float,
        rows: int,
    ) -> Estimate:
        """Return the estimate from the mean error, bounded before the root is taken."""
        if mean is None:
            value = lower = upper = sampling = learned = None
        else:
            reach = math.copysign(math.hypot(*(e * q for e, q in zip(errors, quantiles, strict=True))), quantiles[0])
            value, lower, upper = mean, max(0.0, mean - reach), max(0.0, mean + reach)
            sampling, learned = errors
            if self.metric == "rmse":
                value, lower, upper = math.sqrt(value), math.sqrt(lower), math.sqrt(upper)
                sampling, learned = (e / (2 * value) if value else 0.0 for e in errors)
        return Estimate(
            metric=self.metric,
            value=value,
            lower=lower,
            upper=upper,
            certainty=certainty,
            sampling_error=sampling,
            calibration_error=learned,
            rows=rows,
            method="dle",
            note="" if rows else metric(self.metric).undefined,
        )


def fit_loss_model(
    features: npt.ArrayLike,
    predictions: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    metric: str,
    rng: np.random.Generator,
    folds: int = 10,
) -> LossModel:
    """Fit a model of a regression's errors by cross-fitting.

    Parameters
    ----------
    features
        Shape ``(n, d)``; NaN where a value is missing.
    predictions, labels
        Of the regression, shape ``(n,)``; of rows that it was not fitted on.
    metric
        ``mae`` (the absolute error is modelled) or ``rmse`` (the squared one).
    rng
        Deals the rows out to folds.
    folds
        Number of folds, at least 2. More leave each part more rows to learn from and cost more fits.

    Returns
    -------
    LossModel
        Its parts are gradient boosting of 40 trees with at most 8 leaves, on a log scale (Poisson loss),
        since errors differ by factors: quiet rows must not inherit the noise of loud ones.

    Raises
    ------
    SampleError
        If the metric is another, shapes differ, a number is not finite (features may be NaN), there are fewer than 5
        rows to a fold, or ``folds`` is below 2.

    References
    ----------
    V. Chernozhukov et al. (2018). Double/debiased machine learning for treatment and structural parameters.
    Econometrics Journal 21, on cross-fitting.
    P. S. Kott (2001). The delete-a-group jackknife. Journal of Official Statistics 17.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(0, 1, (500, 1))
    >>> y = 3 * x[:, 0] + rng.normal(0, 0.5, 500)
    >>> model = fit_loss_model(x, 3 * x[:, 0], y, metric="rmse", rng=rng)
    >>> estimate = model.estimate(x, 3 * x[:, 0])
    >>> estimate.lower < 0.5 < estimate.upper
    True
    """
    if metric not in LOSSES:
        raise SampleError(f"metric: found {metric!r}, expected one of {', '.join(LOSSES)}")
    table, truth = _table(features, predictions), np.asarray(labels, dtype=np.float64)
    if truth.shape != (len(table),) or not np.isfinite(truth).all():
        raise SampleError(f"labels: found shape {truth.shape}, expected ({len(table)},) finite numbers")
    if folds < 2 or truth.size < folds * _LEAST_PER_FOLD:  # noqa: PLR2004 - a fold is judged by the others
        raise SampleError(
            f"folds: found {folds} for {truth.size} rows, expected at least 2 and {_LEAST_PER_FOLD} rows to each"
        )
    error = np.abs(table[:, -1] - truth)
    if metric == "rmse":
        error **= 2
    mean = float(error.mean())
    # In units of their mean, and never quite 0: trees on a log scale can stand neither tiny numbers nor only zeros.
    relative = np.maximum(error / mean, _LEAST) if mean else np.ones_like(error)
    fold = rng.permutation(truth.size) % folds
    parts = tuple(Trees.of(_regressor().fit(table[fold != j], relative[fold != j])) for j in range(folds))
    unseen = np.empty_like(error)
    for j, part in enumerate(parts):
        unseen[fold == j] = part.predict(table[fold == j])
    total = float(unseen.sum())
    scale = float(error.sum()) / total
    residuals = error - scale * unseen
    strayed = math.sqrt(float(residuals @ residuals))
    return LossModel(
        metric=metric,
        parts=parts,
        scale=scale,
        scale_error=strayed / total,
        spread=strayed / (scale * math.sqrt(float(unseen @ unseen))) if scale else 0.0,
        rows=truth.size,
        features=table.shape[1] - 1,
    )


def _table(features: npt.ArrayLike, predictions: npt.ArrayLike) -> Floats:
    """Return the features with the prediction as the last column: an error often grows with it."""
    x, answers = np.asarray(features, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if x.ndim != 2 or answers.shape != (len(x),):  # noqa: PLR2004 - rows and columns
        raise SampleError(f"features: found shapes {x.shape} and {answers.shape}, expected (n, d) and (n,)")
    if np.isinf(x).any() or not np.isfinite(answers).all():
        raise SampleError(
            "features: found infinite values, or predictions that are not finite, expected finite numbers"
        )
    return np.column_stack((x, answers))


def _regressor() -> Any:  # noqa: ANN401 - scikit-learn has no types
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="poisson", max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
