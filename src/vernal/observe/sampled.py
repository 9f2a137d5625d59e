"""Answers to samples that were drawn: which labels they are, and how many predictions each stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.observe.columns import first_match, floats, keep, micros, strings_equal
from vernal.records import Labels, Samples
from vernal.stats.sampling import Draw, answer_weights

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from vernal.ports import Lake

COLUMNS = (
    Samples.ID,
    Samples.EVENT_TIME,
    Samples.DRAW,
    Samples.DRAWN_AT,
    Samples.INCLUSION,
    Samples.PICKS,
    Samples.START,
    Samples.END,
)


class Answers(NamedTuple):
    """Predictions that were drawn and have no label by themselves; ``weights`` are 0 where the answer is missing.

    ``draws`` are those of which there is any answer.
    """

    ids: pa.ChunkedArray | None
    weights: NDArray[np.float64]
    draws: tuple[Draw, ...]

    def weights_of(self, ids: pa.ChunkedArray) -> NDArray[np.float64]:
        """Return how many predictions each one stands for: itself, unless it was drawn and answered."""
        places = self._places(ids)
        found = np.append(self.weights, 0.0)[places]
        return np.where(found > 0, found, 1.0)

    def hold(self, ids: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Tell which predictions have an answer to a sample."""
        return np.asarray(np.append(self.weights, 0.0)[self._places(ids)] > 0, dtype=np.bool_)

    def drawn(self, ids: pa.ChunkedArray) -> int:
        """Return how many of the predictions were drawn."""
        return int((self._places(ids) >= 0).sum())

    def reaches(self, when: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which moments (microseconds) lie where a sample with answers was drawn from."""
        reached = np.zeros(when.size, dtype=np.bool_)
        for draw in self.draws:
            reached |= (when >= draw.start) & (when < draw.end)
        return reached

    def _places(self, ids: pa.ChunkedArray) -> NDArray[np.int64]:
        return np.full(len(ids), -1, dtype=np.int64) if self.ids is None else first_match(ids, self.ids)


NO_ANSWERS = Answers(None, np.zeros(0), ())


def drawn_answers(lake: Lake, model: str, labels: pa.Table, *, start: datetime, end: datetime) -> Answers:
    """Return what is known of the samples drawn from the predictions of ``[start, end)``.

    Parameters
    ----------
    labels
        Labels known at the moment in question; those with the source ``sampled`` are answers. A drawn prediction that
        also got its label by itself is one like every other: it would have had it without the sample, too.
    """
    if lake.version(model, "samples") is None:
        return NO_ANSWERS
    table = lake.scan(model, "samples", columns=COLUMNS, start=start, end=end)
    if not table.num_rows:
        return NO_ANSWERS
    asked = strings_equal(labels[Labels.SOURCE], Labels.SAMPLED)
    alone = ~asked & ~strings_equal(labels[Labels.SOURCE], Labels.PROXY)
    table = keep(table, first_match(table[Samples.ID], keep(labels, alone)[Labels.ID]) < 0)
    if not table.num_rows:
        return NO_ANSWERS
    answered = first_match(table[Samples.ID], keep(labels, asked)[Labels.ID]) >= 0
    names = table[Samples.DRAW].to_pylist()
    drawn_at, starts, ends = (micros(table[name]) for name in (Samples.DRAWN_AT, Samples.START, Samples.END))
    picks = floats(table[Samples.PICKS])
    first = {name: row for row, name in reversed(list(enumerate(names)))}
    order = sorted(first, key=lambda name: (int(drawn_at[first[name]]), name))
    draws = tuple(Draw(int(starts[first[n]]), int(ends[first[n]]), int(picks[first[n]])) for n in order)
    own = np.array([order.index(name) for name in names], dtype=np.int64)
    weights = answer_weights(draws, own, micros(table[Samples.EVENT_TIME]), floats(table[Samples.INCLUSION]), answered)
    heard = tuple(draw for number, draw in enumerate(draws) if answered[own == number].any())
    return Answers(table[Samples.ID], weights, heard)
