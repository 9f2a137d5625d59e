"""Predictions with the labels that were known at a moment."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vernal.observe.columns import first_match, floats, keep, micros, strings_equal, take, to_micros, values
from vernal.observe.sampled import drawn_answers
from vernal.records import Labels, Predictions
from vernal.stats.weighting import RowWeights

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from numpy.typing import NDArray

    from vernal.ports import Lake
    from vernal.spec import LabelsSpec

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
    """Matched rows (predictions' columns plus ``label``), predictions issued, and labels without a prediction.

    ``weights`` say how much each row counts, ``proxy`` which labels only stand in for the truth, ``sampled`` which come
    from a sample and stand for other predictions as well, shape ``(rows,)``. ``unused`` predictions have nothing but a
    proxy, which is left out. ``drawn`` predictions were picked for a sample and have no label but the answer to it, if
    that.
    """

    rows: pa.Table
    issued: int
    unmatched: int
    weights: RowWeights
    proxy: NDArray[np.bool_]
    sampled: NDArray[np.bool_]
    unused: int = 0
    drawn: int = 0

    @property
    def design(self) -> NDArray[np.float64]:
        """How many predictions each row stands for, however far its label is trusted; shape ``(rows,)``."""
        return self.weights.weights / self.weights.information

    def kept(self, mask: NDArray[np.bool_]) -> Labelled:
        """Return some of the rows."""
        return self._replace(
            rows=keep(self.rows, mask),
            weights=self.weights.kept(mask),
            proxy=self.proxy[mask],
            sampled=self.sampled[mask],
        )

    def thinned(self) -> Labelled:
        """Return rows that all count fully: a proxy of weight 0.5 stays with this chance, always the same ones.

        For whatever cannot weigh its rows. Which ones stay depends on their ids alone.
        """
        trust = self.weights.information
        if (trust == 1.0).all():
            return self
        kept = (trust == 1.0) | (_chances(self.rows[Predictions.ID]) < trust)
        found = self.kept(kept)
        return found._replace(weights=RowWeights(found.design, np.ones(int(kept.sum()))))


def labelled(
    lake: Lake,
    model: str,
    *,
    columns: tuple[str, ...],
    start: datetime,
    end: datetime,
    as_of: datetime,
    counting: LabelsSpec,
    version: str | None = None,
) -> Labelled:
    """Return the predictions issued in ``[start, end)`` with the labels that had arrived by ``as_of``.

    A label that was corrected counts with its latest value by then; a prediction that was logged twice counts once.
    A true label wins over a proxy, whichever came later; ``counting`` says what a proxy alone is worth. Answers to a
    sample stand for all predictions that it was drawn from, so where there are such answers proxies do not count.
    Rows come in the order of issue. Labels of the same time range without a prediction are counted, not joined.
    ``version`` keeps the predictions that this version was asked for, whether it answered or scored beside; its
    ``columns`` must hold those of :data:`ANSWERS`.
    """
    predictions = lake.scan(model, "predictions", columns=columns, start=start, end=end)
    label_columns = (Labels.ID, Labels.LABEL, Labels.EVENT_TIME, Labels.ARRIVAL_TIME, Labels.SOURCE)
    labels = lake.scan(model, "labels", columns=label_columns, start=start)
    if not predictions.num_rows or not labels.num_rows:
        empty, issued = predictions.slice(0, 0), _asked(predictions, version).num_rows
        rows = empty.append_column("label", pa.nulls(0))
        none = np.zeros(0, dtype=np.bool_)
        drawn = drawn_answers(lake, model, labels, start=start, end=end).drawn(predictions[Predictions.ID])
        return Labelled(rows, issued, labels.num_rows, RowWeights.ones(0), none, none, drawn=drawn)
    labels = keep(labels, micros(labels[Labels.ARRIVAL_TIME]) <= to_micros(as_of))
    proxy = strings_equal(labels[Labels.SOURCE], Labels.PROXY)
    order = np.lexsort((-micros(labels[Labels.ARRIVAL_TIME]), proxy))  # the truth first, then the latest
    labels, proxy = take(labels, order), proxy[order]
    answers = drawn_answers(lake, model, labels, start=start, end=end)
    predictions = take(predictions, np.argsort(micros(predictions[Predictions.EVENT_TIME]), kind="stable"))
    predictions = keep(predictions, first_of_each(predictions[Predictions.ID]))
    counts = ~proxy | ((counting.proxy_weight > 0) & ~answers.reaches(micros(labels[Labels.EVENT_TIME])))
    in_range = keep(labels, counts & (micros(labels[Labels.EVENT_TIME]) < to_micros(end)))
    unmatched = int(np.count_nonzero(first_match(in_range[Labels.ID], predictions[Predictions.ID]) < 0))
    predictions = _asked(predictions, version)
    found = first_match(predictions[Predictions.ID], labels[Labels.ID])
    used = np.append(counts, False)[found]  # a prediction without a label is at -1
    rows, chosen = keep(predictions, used), found[used]
    design = answers.weights_of(rows[Predictions.ID])
    trust = np.where(proxy[chosen], counting.proxy_weight, 1.0)
    return Labelled(
        rows=rows.append_column("label", take(labels, chosen)[Labels.LABEL]),
        issued=predictions.num_rows,
        unmatched=unmatched,
        weights=RowWeights(design * trust, trust),
        proxy=proxy[chosen],
        sampled=answers.hold(rows[Predictions.ID]),
        unused=int(((found >= 0) & ~used).sum()),
        drawn=answers.drawn(predictions[Predictions.ID]),
    )


def _chances(ids: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each id, always the same one, evenly spread over ids."""
    digests = (hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in ids.to_pylist())
    drawn: NDArray[np.float64] = np.frombuffer(b"".join(digests), dtype=np.uint64) / 2.0**64
    return drawn


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


def first_of_each(ids: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return which rows are the first with their id, shape ``(rows,)``."""
    return np.equal(first_match(ids, ids), np.arange(len(ids)))
