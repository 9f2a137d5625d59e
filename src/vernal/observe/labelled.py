"""Predictions with the labels that were known at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vernal.observe.columns import first_match, floats, keep, micros, strings_equal, take, to_micros, values
from vernal.records import Labels, Predictions

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from numpy.typing import NDArray

    from vernal.ports import Lake

ANSWERS = (
    Predictions.ID,
    Predictions.EVENT_TIME,
    Predictions.VERSION,
    Predictions.PREDICTION,
    Predictions.SCORE,
    Predictions.OTHER_VERSION,
    Predictions.OTHER_PREDICTION,
    Predictions.OTHER_SCORE,
)
"""The columns of a prediction that say who answered what."""


class Labelled(NamedTuple):
    """Matched rows (predictions' columns plus ``label``), predictions issued, and labels without a prediction."""

    rows: pa.Table
    issued: int
    unmatched: int


def labelled(
    lake: Lake,
    model: str,
    *,
    columns: tuple[str, ...],
    start: datetime,
    end: datetime,
    as_of: datetime,
    version: str | None = None,
) -> Labelled:
    """Return the predictions issued in ``[start, end)`` with the labels that had arrived by ``as_of``.

    A label that was corrected counts with its latest value by then; a prediction that was logged twice counts once.
    Rows come in the order of issue. Labels of the same time range without a prediction are counted, not joined.
    ``version`` keeps the predictions that this version was asked for, whether it answered or scored beside; its
    ``columns`` must hold those of :data:`ANSWERS`.
    """
    predictions = lake.scan(model, "predictions", columns=columns, start=start, end=end)
    label_columns = (Labels.ID, Labels.LABEL, Labels.EVENT_TIME, Labels.ARRIVAL_TIME)
    labels = lake.scan(model, "labels", columns=label_columns, start=start)
    if not predictions.num_rows or not labels.num_rows:
        empty, issued = predictions.slice(0, 0), _asked(predictions, version).num_rows
        return Labelled(empty.append_column("label", pa.nulls(0)), issued, labels.num_rows)
    labels = keep(labels, micros(labels[Labels.ARRIVAL_TIME]) <= to_micros(as_of))
    labels = take(labels, np.argsort(-micros(labels[Labels.ARRIVAL_TIME]), kind="stable"))
    predictions = take(predictions, np.argsort(micros(predictions[Predictions.EVENT_TIME]), kind="stable"))
    predictions = keep(predictions, _first_of_each(predictions[Predictions.ID]))
    in_range = keep(labels, micros(labels[Labels.EVENT_TIME]) < to_micros(end))
    unmatched = int(np.count_nonzero(first_match(in_range[Labels.ID], predictions[Predictions.ID]) < 0))
    predictions = _asked(predictions, version)
    found = first_match(predictions[Predictions.ID], labels[Labels.ID])
    rows = keep(predictions, found >= 0)
    matched = take(labels, found[found >= 0])
    return Labelled(rows.append_column("label", matched[Labels.LABEL]), predictions.num_rows, unmatched)


class Answers(NamedTuple):
    """What one model version said, whether or not it answered; NaN or ``None`` where it said nothing."""

    predictions: NDArray[Any]
    scores: NDArray[np.float64]
    asked: NDArray[np.bool_]


def answers_of(rows: pa.Table, version: str) -> Answers:
    """Return a version's predictions and scores on every row, served or given beside the served one."""
    served = strings_equal(rows[Predictions.VERSION], version)
    beside = strings_equal(rows[Predictions.OTHER_VERSION], version)
    predictions = np.where(served, values(rows[Predictions.PREDICTION]), values(rows[Predictions.OTHER_PREDICTION]))
    scores = np.where(served, floats(rows[Predictions.SCORE]), floats(rows[Predictions.OTHER_SCORE]))
    asked = served | beside
    blank = np.full(len(asked), np.nan if predictions.dtype != object else None, dtype=predictions.dtype)
    return Answers(np.where(asked, predictions, blank), np.where(asked, scores, np.nan), asked)


def _asked(predictions: pa.Table, version: str | None) -> pa.Table:
    if version is None or not predictions.num_rows:
        return predictions
    return keep(predictions, answers_of(predictions, version).asked)


def _first_of_each(ids: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.equal(first_match(ids, ids), np.arange(len(ids)))
