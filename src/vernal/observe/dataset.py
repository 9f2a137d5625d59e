"""Training sets cut from what serving logged: nothing that was not known at the cut, the holdout never trained on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vernal.errors import SampleError
from vernal.observe.columns import column_of, keep, micros, to_micros
from vernal.observe.labelled import labelled
from vernal.records import Predictions

if TYPE_CHECKING:
    import pyarrow as pa

    from vernal.ports import Lake
    from vernal.spec import ModelSpec

WEIGHT = "__weight__"
"""Column of a holdout that says how many predictions each row stands for."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Split(NamedTuple):
    """Training and holdout rows with the moments that separate them: ``[start, split)`` and ``[split, cut)``.

    ``proxies`` of the rows in both have a label that only stands in for the truth. Where labels were sampled, the
    holdout has a column ``__weight__``: how many predictions each row stands for.
    """

    training: pa.Table
    holdout: pa.Table
    start: datetime
    split: datetime
    cut: datetime
    proxies: int


def cut_dataset(lake: Lake, spec: ModelSpec, *, now: datetime) -> Split:
    """Cut a training set.

    The cut lies ``label_delay`` before ``now``, so that whole cohorts of predictions have had time to get their
    labels. The last ``holdout`` before the cut is for evaluation; training rows end where it starts. Training code and
    the gates' intervals take rows as equal, so a proxy of weight 0.5 is in the set with this chance.

    Raises
    ------
    SampleError
        If either part has fewer rows than ``training.min_rows`` (the holdout: than one).
    """
    cut = now - spec.label_delay
    split = cut - spec.training.holdout
    start = BEGINNING if spec.training.lookback is None else cut - spec.training.lookback
    columns = (Predictions.ID, Predictions.EVENT_TIME, *spec.features.names)
    found = labelled(lake, spec.model, columns=columns, start=start, end=cut, as_of=now, counting=spec.labels).thinned()
    weighted = bool(found.sampled.any())
    rows = found.rows.append_column(WEIGHT, column_of(found.design))
    rows = rows.select([*spec.features.names, "label", Predictions.ID, Predictions.EVENT_TIME, WEIGHT])
    issued = micros(rows[Predictions.EVENT_TIME])
    training = keep(rows, issued < to_micros(split)).drop_columns([WEIGHT])
    holdout = keep(rows, issued >= to_micros(split))
    if training.num_rows < spec.training.min_rows or not holdout.num_rows:
        held = f"{holdout.num_rows} in the holdout until {_day(cut)}"
        left_out = f"; {found.unused} have only a proxy label, which is left out" if found.unused else ""
        told = f"{training.num_rows} labelled rows before {_day(split)}, {held}{left_out}"
        message = f"{spec.model}: {told}; expected at least {spec.training.min_rows} and 1"
        raise SampleError(
            message, hint="Log more predictions and labels, or lower training.min_rows or training.holdout."
        )
    first = timedelta(microseconds=int(issued.min()))
    holdout = holdout if weighted else holdout.drop_columns([WEIGHT])
    return Split(training, holdout, BEGINNING + first, split, cut, int(found.proxy.sum()))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
