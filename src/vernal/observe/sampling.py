"""Which predictions could be labelled, and how much each is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.errors import SampleError
from vernal.observe.columns import first_match, floats, keep, micros, strings_equal, take, to_micros, values
from vernal.profile import Reference, surprise
from vernal.records import Labels, Predictions, Samples

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from vernal.ports import Lake
    from vernal.spec import ModelSpec

RULES = {
    "random": "every prediction alike",
    "score": "in proportion to the score",
    "uncertainty": "the more, the nearer the score is to where the answer changes",
    "drift": "the more, the more frequent predictions like it are than in the champion's training data",
    "stratified": "as many of every value of a feature, a numerical one cut into ten parts",
}
"""What each rule wants."""

MOST_WANTED = 10.0
"""How many times as much as a usual one the most unusual prediction is wanted by the rule ``drift``."""

_PARTS = 10


class Frame(NamedTuple):
    """Predictions that a sample is drawn from, in the order of issue, once each."""

    rows: pa.Table
    start: datetime
    end: datetime


def frame(lake: Lake, spec: ModelSpec, *, start: datetime, end: datetime, as_of: datetime) -> Frame:
    """Return the answered predictions of ``[start, end)`` that have no true label and were never drawn."""
    columns = (
        Predictions.ID,
        Predictions.EVENT_TIME,
        Predictions.PREDICTION,
        Predictions.SCORE,
        *spec.features.names,
    )
    rows = lake.scan(spec.model, "predictions", columns=columns, start=start, end=end)
    if not rows.num_rows:
        return Frame(rows, start, end)
    rows = take(rows, np.argsort(micros(rows[Predictions.EVENT_TIME]), kind="stable"))
    ids = rows[Predictions.ID]
    free = np.equal(first_match(ids, ids), np.arange(len(ids))) & ~_silent(rows)
    labels = lake.scan(spec.model, "labels", columns=(Labels.ID, Labels.ARRIVAL_TIME, Labels.SOURCE), start=start)
    if labels.num_rows:
        known = micros(labels[Labels.ARRIVAL_TIME]) <= to_micros(as_of)
        known &= ~strings_equal(labels[Labels.SOURCE], Labels.PROXY)
        free &= first_match(ids, keep(labels, known)[Labels.ID]) < 0
    drawn = lake.scan(spec.model, "samples", columns=(Samples.ID,), start=start, end=end)
    if drawn.num_rows:
        free &= first_match(ids, drawn[Samples.ID]) < 0
    return Frame(keep(rows, free), start, end)


class Wanted(NamedTuple):
    """How much each prediction is wanted, on any scale (NaN where it cannot be said), and its stratum if it has one."""

    sizes: NDArray[np.float64]
    strata: NDArray[np.int64] | None = None


def wanted(rows: pa.Table, spec: ModelSpec, rule: str, *, baseline: bytes | None, feature: str | None) -> Wanted:
    """Return how much each prediction is wanted.

    Parameters
    ----------
    rule
        One of :data:`RULES`.
    baseline
        The champion's, for ``drift``.
    feature
        The one whose values are the strata, for ``stratified``.

    Raises
    ------
    SampleError
        If the rule cannot be applied to this model.
    """
    if rule == "random":
        return Wanted(np.ones(rows.num_rows))
    if rule in {"score", "uncertainty"}:
        scores = floats(rows[Predictions.SCORE])
        if np.isnan(scores).all():
            raise SampleError(f"{spec.model}: its predictions have no score", hint=f"The rule {rule} needs scores.")
        return Wanted(scores if rule == "score" else _nearness(spec, rows, scores))
    if rule == "drift":
        if baseline is None:
            raise SampleError(f"{spec.model}: has no champion with a baseline to compare with")
        return Wanted(np.minimum(surprise(Reference.from_bytes(baseline).features, rows), MOST_WANTED))
    if rule != "stratified":
        raise SampleError(f"rule: found {rule!r}, expected one of {', '.join(RULES)}")
    if feature not in spec.features.names:
        names = ", ".join(spec.features.names)
        raise SampleError(f"{spec.model}: strata of {feature or 'no feature'}, expected one of {names}")
    strata = _strata(rows[feature], numerical=feature in spec.features.numerical)
    return Wanted(1.0 / np.bincount(strata)[strata], strata)


def _nearness(spec: ModelSpec, rows: pa.Table, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 where the answer changes, falling to 0 at the score farthest from there."""
    if spec.task == "multiclass":  # the score is that of the predicted class
        return 1 - scores
    answers = floats(rows[Predictions.PREDICTION])
    below, above = scores[answers == 0.0], scores[answers == 1.0]
    low, high = (np.nanmax(below) if below.size else 0.0), (np.nanmin(above) if above.size else 1.0)
    change = (low + high) / 2 if low <= high else 0.5
    near: NDArray[np.float64] = 1 - np.abs(scores - change) / max(change, 1 - change)
    return near


def _strata(column: pa.ChunkedArray, *, numerical: bool) -> NDArray[np.int64]:
    if not numerical:
        texts = np.array([str(text) for text in column.to_pylist()])
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)
    numbers = floats(column)
    present = np.isfinite(numbers)
    cuts = np.quantile(numbers[present], np.arange(1, _PARTS) / _PARTS) if present.any() else np.empty(0)
    parts = np.where(present, np.searchsorted(np.unique(cuts), numbers), _PARTS)
    return np.unique(parts, return_inverse=True)[1].astype(np.int64)


def _silent(rows: pa.Table) -> NDArray[np.bool_]:
    said = values(rows[Predictions.PREDICTION])
    if said.dtype == object:
        return np.array([value is None for value in said], dtype=np.bool_)
    return np.asarray(np.isnan(said), dtype=np.bool_)
