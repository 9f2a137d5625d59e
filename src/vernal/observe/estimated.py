"""The metric of the newest predictions, estimated while their labels are missing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from vernal.errors import SampleError
from vernal.observe.columns import first_match, floats, keep, strings_equal, take, values
from vernal.observe.labelled import ANSWERS, answers_of, first_of_each
from vernal.observe.performance import DEFAULT_CERTAINTY, DEFAULT_WINDOW
from vernal.records import EstimatedPerformance, Measure, Predictions
from vernal.stats.estimator import Estimator, fit_estimator

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from vernal.ports import Lake
    from vernal.records import PerformanceEvidence
    from vernal.spec import ModelSpec
    from vernal.stats.estimation import Estimate

MOST_ROWS = {"cbpe": 20_000, "dle": 4_000}
"""Rows that an estimate looks at, evenly spaced over more; beyond that it gains nothing, and a check must be quick."""

_SPANS = (timedelta(days=1), timedelta(days=3))
"""Whole days, so that nights and days are in it as usual; longer ones are for models with few requests."""

_MOST_CATEGORIES = 100


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a version: its estimator, the features behind it, and the codes of their categories."""

    estimator: Estimator
    features: tuple[str, ...]
    categories: dict[str, tuple[str, ...]] = {}


def fit(spec: ModelSpec, scored: pa.Table, holdout: pa.Table) -> bytes | None:
    """Fit what estimates a version's metric later, on its own holdout; ``None`` where it cannot be estimated.

    Parameters
    ----------
    scored
        How the version answered: ``prediction_id``, ``label``, ``prediction`` and ``score``.
    holdout
        The same rows, in any order: ``prediction_id`` and the features.
    """
    categories: dict[str, tuple[str, ...]] = {}
    features = None
    if spec.task == "regression":
        rows = take(holdout, first_match(scored[Predictions.ID], holdout[Predictions.ID]))
        categories = {name: _frequent(rows[name]) for name in spec.features.categorical}
        features = _matrix(spec, rows, categories)
    try:
        estimator = fit_estimator(
            spec.metric,
            task=spec.task,
            scores=floats(scored[Predictions.SCORE]),
            predictions=values(scored[Predictions.PREDICTION]),
            labels=values(scored["label"]),
            features=features,
            rng=np.random.default_rng(0),
        )
    except SampleError:  # an estimate is a convenience: what cannot be estimated can be promoted all the same
        return None
    if estimator is None:
        return None
    return msgspec.msgpack.encode(Kept(estimator=estimator, features=spec.features.names, categories=categories))


def estimated_performance(
    lake: Lake, spec: ModelSpec, kept: bytes, *, version: str, live: PerformanceEvidence, now: datetime
) -> EstimatedPerformance | None:
    """Estimate a version's metric on the newest predictions that cannot be judged yet.

    Those are the ones issued since ``label_delay`` before ``now``, in whole cohorts; where no label has come at all,
    those of the performance window. ``None`` where there are none (every prediction has had time to get its label, and
    labels come), and where the model's file has got another metric or other features since.
    """
    trigger = spec.triggers.performance
    window = DEFAULT_WINDOW if trigger is None else trigger.window
    start = now - window if live.labelled == 0 else max(now - spec.label_delay, now - window)
    if start >= now:
        return None
    found = msgspec.msgpack.decode(kept, type=Kept)
    if found.estimator.metric != spec.metric or (
        found.estimator.needs_features and found.features != spec.features.names
    ):
        return None
    method = "dle" if found.estimator.needs_features else "cbpe"
    rows, start = _newest(lake, spec, found, version, start, now, enough=MOST_ROWS[method])
    if not rows.num_rows:
        return None
    certainty = DEFAULT_CERTAINTY if trigger is None else trigger.certainty
    answers = answers_of(rows, version)
    features = _matrix(spec, rows, found.categories) if found.estimator.needs_features else None
    estimate = found.estimator.estimate(
        scores=answers.scores, predictions=answers.predictions, features=features, certainty=certainty
    )
    return _evidence(estimate, start, now, fitted_on=found.estimator.rows)


def _evidence(estimate: Estimate, start: datetime, end: datetime, *, fitted_on: int) -> EstimatedPerformance:
    return EstimatedPerformance(
        window_start=start,
        window_end=end,
        measure=Measure(
            metric=estimate.metric,
            value=estimate.value,
            rows=estimate.rows,
            lower=estimate.lower,
            upper=estimate.upper,
            certainty=estimate.certainty,
            note=estimate.note,
        ),
        method=estimate.method,
        sampling_error=estimate.sampling_error,
        calibration_error=estimate.calibration_error,
        fitted_on=fitted_on,
        blind_to=estimate.blind_to,
    )


def _newest(
    lake: Lake, spec: ModelSpec, kept: Kept, version: str, start: datetime, now: datetime, *, enough: int
) -> tuple[pa.Table, datetime]:
    """Return predictions that the version answered, of the shortest span with enough of them, at most ``enough``."""
    columns = (*ANSWERS, *(spec.features.names if kept.estimator.needs_features else ()))
    starts = sorted({max(start, now - span) for span in _SPANS} | {start}, reverse=True)
    rows, begin = None, start
    for begin in starts:
        rows = lake.scan(spec.model, "predictions", columns=columns, start=begin, end=now)
        if rows.num_rows:
            rows = keep(rows, first_of_each(rows[Predictions.ID]) & _usable(rows, kept, version))
        if rows.num_rows >= enough:
            break
    assert rows is not None  # noqa: S101 - there is at least one span
    if rows.num_rows > enough:
        rows = take(rows, np.linspace(0, rows.num_rows - 1, enough).round().astype(np.int64))
    return rows, begin


def _usable(rows: pa.Table, kept: Kept, version: str) -> NDArray[np.bool_]:
    """Tell which rows the version answered with what the estimate needs."""
    answers = answers_of(rows, version)
    if answers.predictions.dtype == object:
        said = np.array([value is not None for value in answers.predictions], dtype=np.bool_)
    else:
        said = np.isfinite(answers.predictions)
    return np.asarray(said if kept.estimator.needs_features else said & np.isfinite(answers.scores), dtype=np.bool_)


def _matrix(spec: ModelSpec, rows: pa.Table, categories: dict[str, tuple[str, ...]]) -> NDArray[np.float64]:
    """Return features as numbers: categories by their code, NaN for what is missing, infinite or was rare."""
    columns: list[NDArray[Any]] = []
    for name in spec.features.names:
        if name in categories:
            column = np.full(rows.num_rows, np.nan)
            for code, category in enumerate(categories[name]):
                column[strings_equal(rows[name], category)] = code
        else:
            column = floats(rows[name])
        columns.append(np.where(np.isfinite(column), column, np.nan))
    return np.column_stack(columns) if columns else np.empty((rows.num_rows, 0))


def _frequent(column: pa.ChunkedArray) -> tuple[str, ...]:
    """Return the most frequent categories, the most frequent first."""
    found, counts = np.unique([str(text) for text in column.to_pylist() if text is not None], return_counts=True)
    return tuple(found[np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]].tolist())
