"""Which of the rows that arrived may enter the lake, in the one form of :mod:`vernal.act.canonical`.

Columns that are neither Vernal's nor a feature of the model are dropped, and told of unless the model's file ignores
them.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from vernal.act.canonical import UnfitError, filled, is_null, missing, number, text, time, without
from vernal.act.expectations import SMALLEST_BATCH, Nulls, Objection, null_counts, objections
from vernal.act.refused import Why
from vernal.observe.columns import first_match, floats, keep, micros, strings_equal, take, to_micros
from vernal.records import Labels, Predictions
from vernal.spec import QualitySpec, format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

FUTURE_TOLERANCE: Final = timedelta(hours=1)
"""How far ahead of ours a client's clock may be."""

REPEATED: Final = f"{Predictions.ID}: occurs twice in this batch"
"""Rule that all but the first prediction of an id break."""

NOTHING_EXPECTED: Final = QualitySpec()

_TEXTS: Final = (Predictions.ID, Predictions.VERSION, Predictions.ROLE, Predictions.ENTITY, Predictions.OTHER_VERSION)
_ANSWERS: Final = (Predictions.PREDICTION, Predictions.SCORE)


class Findings(NamedTuple):
    """What is to be told of a batch beside its refused rows.

    ``warned`` counts rows by rule that entered all the same, ``new_columns`` holds the types of columns that the model
    does not know, ``nulls`` the nulls of the columns of which a largest share is expected.
    """

    warned: dict[str, int]
    new_columns: dict[str, str]
    nulls: tuple[Nulls, ...] = ()
    late: int = 0
    out_of_order: int = 0
    repeated: int = 0


class Screened(NamedTuple):
    """Rows in canonical form, and the others as they came: why each was refused, and its place among all."""

    rows: pa.Table
    refused: pa.Table
    whys: tuple[Why, ...]
    places: NDArray[np.int64]
    findings: Findings


def screen(
    kind: str,
    rows: pa.Table,
    *,
    features: Mapping[str, str],
    task: str,
    now: datetime,
    quality: QualitySpec = NOTHING_EXPECTED,
) -> Screened:
    """Sort rows into those that may enter the lake and those that may not.

    A missing or unreadable column refuses every row of the batch.

    Parameters
    ----------
    kind
        ``predictions`` or ``labels``.
    features
        The model's features, each ``"numerical"`` or ``"categorical"``.
    task
        ``binary``, ``regression`` or ``multiclass``.
    now
        Stands in for a missing time of receipt, and bounds what lies in the future.
    quality
        What the model's file expects of the rows.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in {"predictions", "labels"}:
        raise ValueError(f"screening: got kind {kind!r}, expected predictions or labels")
    new = _new_columns(kind, rows, features, quality)
    try:
        batch = _predictions(rows, features, task, now) if kind == "predictions" else _labels(rows, task, now)
        nulls = tuple(null_counts(quality.expectations, batch.columns, excused=batch.silent))
        _refuse_nulls(nulls, rows.num_rows)
    except UnfitError as error:
        whys = (Why(error.rule, str(error)),) * rows.num_rows
        return Screened(pa.table({}), rows, whys, np.arange(rows.num_rows), Findings({}, new))
    refusing, warning = _expected(batch, quality)
    lateness = _lateness(batch.columns)
    if quality.max_lateness is not None:
        limit = f"expected within {format_duration(quality.max_lateness)} of the event"
        too_late = lateness > quality.max_lateness // _MICROSECOND
        refusing.append(Objection(too_late, f"{Predictions.RECEIVED_TIME}: {limit}"))
    raised = [*batch.objections, *refusing]
    if kind == "predictions":
        raised.append(Objection(_repeated(batch.columns[Predictions.ID], ~_any(raised)), REPEATED))
    first = np.full(rows.num_rows, -1, dtype=np.int16)
    for index, objection in enumerate(raised):
        if objection.flags.any():
            first[objection.flags & (first < 0)] = index
    bad = first >= 0
    findings = Findings(
        warned=_counted(warning, ~bad) | _came_as_texts(rows, features, ~bad),
        new_columns=new,
        nulls=nulls,
        late=int(np.count_nonzero(~bad & (lateness > quality.late_after // _MICROSECOND))),
        out_of_order=int(np.count_nonzero(_out_of_order(batch.columns))) if kind == "predictions" else 0,
        repeated=int(np.count_nonzero(raised[-1].flags)) if kind == "predictions" else 0,
    )
    whys = _whys(raised, first[bad], np.flatnonzero(bad))
    return Screened(keep(pa.table(batch.columns), ~bad), keep(rows, bad), whys, np.flatnonzero(bad), findings)


_MICROSECOND: Final = timedelta(microseconds=1)


class _Batch(NamedTuple):
    """Columns in canonical form, what is wrong with their rows, and the rows that hold features only, no answer."""

    columns: dict[str, pa.Array]
    objections: list[Objection]
    silent: NDArray[np.bool_]


def _predictions(rows: pa.Table, features: Mapping[str, str], task: str, now: datetime) -> _Batch:
    lacking = [name for name in (Predictions.ID, Predictions.EVENT_TIME, *features) if name not in rows.column_names]
    if lacking:
        raise missing(lacking)
    columns = {name: text(rows, name) for name in _TEXTS}
    columns[Predictions.EVENT_TIME] = time(rows, Predictions.EVENT_TIME)
    columns[Predictions.RECEIVED_TIME] = filled(time(rows, Predictions.RECEIVED_TIME), now)
    found = [*_unnamed(columns), *_untimely(columns[Predictions.EVENT_TIME], Predictions.EVENT_TIME, now)]
    # Before a model has its first champion nobody answers: only the features are logged, to train it on.
    silent = is_null(columns[Predictions.VERSION])
    columns[Predictions.PREDICTION], wrong = _answer(rows, Predictions.PREDICTION, task)
    silent &= is_null(columns[Predictions.PREDICTION])
    found += [objection._replace(flags=objection.flags & ~silent) for objection in wrong]
    columns[Predictions.SCORE], wrong = _score(rows, Predictions.SCORE, task)
    found += wrong
    columns |= _beside(rows, task)
    for name, what in features.items():
        if what == "categorical":
            columns[name] = text(rows, name)
        else:
            columns[name], unreadable = number(rows, name)
            found.append(Objection(unreadable, f"{name}: expected a number"))
    order = [name for name in (*Predictions.ALL, *features) if name in columns]
    return _Batch({name: columns[name] for name in order}, found, silent)


def _labels(rows: pa.Table, task: str, now: datetime) -> _Batch:
    lacking = [name for name in (Labels.ID, Labels.LABEL, Labels.EVENT_TIME) if name not in rows.column_names]
    if lacking:
        raise missing(lacking)
    columns = {
        Labels.ID: text(rows, Labels.ID),
        Labels.EVENT_TIME: time(rows, Labels.EVENT_TIME),
        Labels.ARRIVAL_TIME: filled(time(rows, Labels.ARRIVAL_TIME), now),
        Labels.SOURCE: text(rows, Labels.SOURCE),
    }
    columns[Labels.LABEL], wrong = _answer(rows, Labels.LABEL, task)
    event, arrival = micros(columns[Labels.EVENT_TIME]), micros(columns[Labels.ARRIVAL_TIME])
    found = [
        *_unnamed(columns),
        *_untimely(columns[Labels.EVENT_TIME], Labels.EVENT_TIME, now),
        *_untimely(columns[Labels.ARRIVAL_TIME], Labels.ARRIVAL_TIME, now),
        Objection(arrival < event, f"{Labels.ARRIVAL_TIME}: before {Labels.EVENT_TIME}"),
        Objection(_unknown_source(columns[Labels.SOURCE]), f"{Labels.SOURCE}: expected true, proxy or none"),
        *wrong,
    ]
    return _Batch({name: columns[name] for name in Labels.ALL if name in columns}, found, _nowhere(rows))


def _nowhere(rows: pa.Table) -> NDArray[np.bool_]:
    return np.zeros(rows.num_rows, dtype=np.bool_)


def _unknown_source(column: pa.Array) -> NDArray[np.bool_]:
    known = [strings_equal(pa.chunked_array([column]), name) for name in (Labels.TRUE, Labels.PROXY, Labels.SAMPLED)]
    return np.asarray(~np.logical_or.reduce([is_null(column), *known]), dtype=np.bool_)


def _new_columns(kind: str, rows: pa.Table, features: Mapping[str, str], quality: QualitySpec) -> dict[str, str]:
    own = (*Predictions.ALL, *features) if kind == "predictions" else Labels.ALL
    known = {*own, *quality.ignored_columns}
    return {field.name: str(field.type) for field in rows.schema if field.name not in known}


def _refuse_nulls(nulls: Sequence[Nulls], rows: int) -> None:
    for one in nulls:
        if one.refuse and rows >= SMALLEST_BATCH and one.missing > one.limit * rows:
            expected = f"expected at most {one.limit:.3g} of a batch without value"
            found = f"got {one.missing / rows:.3g} of {rows} rows"
            raise UnfitError(f"{one.column}: {found}, {expected}", rule=f"{one.column}: {expected}")


def _expected(batch: _Batch, quality: QualitySpec) -> tuple[list[Objection], list[Objection]]:
    """Return what the expectations object to: what refuses a row, and what only warns."""
    refusing: list[Objection] = []
    warning: list[Objection] = []
    for expectation in quality.expectations:
        if expectation.column not in batch.columns:
            continue
        found = objections(expectation, batch.columns[expectation.column])
        if expectation.column in _ANSWERS and batch.silent.any():
            found = (one._replace(flags=one.flags & ~batch.silent) for one in found)
        (warning if expectation.action == "warn" else refusing).extend(found)
    return refusing, warning


def _counted(warning: Sequence[Objection], entering: NDArray[np.bool_]) -> dict[str, int]:
    counts = Counter[str]()
    for objection in warning:
        counts[objection.rule] += int(np.count_nonzero(objection.flags & entering))
    return {rule: count for rule, count in counts.items() if count}


def _came_as_texts(rows: pa.Table, features: Mapping[str, str], entering: NDArray[np.bool_]) -> dict[str, int]:
    """Count the numbers that came as texts: they are read, but whoever logs them may not know."""
    count = int(np.count_nonzero(entering))
    numerical = [name for name, what in features.items() if what == "numerical" and name in rows.column_names]
    kinds = {name: rows.schema.field(name).type for name in numerical}
    plain = {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in kinds.items()}
    texts = [name for name, kind in plain.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]
    return {f"{name}: numbers that came as texts": count for name in texts if count}


def _lateness(columns: Mapping[str, pa.Array]) -> NDArray[np.int64]:
    """Return how long after its event each prediction was received, in microseconds; labels are never late."""
    event = micros(columns[Predictions.EVENT_TIME])
    if Predictions.RECEIVED_TIME not in columns:
        return np.zeros(len(event), dtype=np.int64)
    return np.where(is_null(columns[Predictions.EVENT_TIME]), 0, micros(columns[Predictions.RECEIVED_TIME]) - event)


def _out_of_order(columns: Mapping[str, pa.Array]) -> NDArray[np.bool_]:
    """Return which rows come after one of a later event."""
    event = micros(columns[Predictions.EVENT_TIME])
    if not len(event):
        return np.zeros(0, dtype=np.bool_)
    return (event < np.maximum.accumulate(event)) & ~is_null(columns[Predictions.EVENT_TIME])


def _whys(raised: Sequence[Objection], numbers: NDArray[np.int16], places: NDArray[np.int64]) -> tuple[Why, ...]:
    """Return why each refused row was refused, with the value where the rule is about one."""
    whys: list[Why] = [Why("", "")] * len(places)
    for index in np.unique(numbers).tolist():
        objection, mine = raised[index], np.flatnonzero(numbers == index)
        if objection.seen is None:
            same = Why(objection.rule, objection.rule)
            for row in mine.tolist():
                whys[row] = same
        else:
            values = take(pa.table({"seen": objection.seen}), places[mine])["seen"].to_pylist()
            for row, value in zip(mine.tolist(), values, strict=True):
                whys[row] = Why(objection.rule, objection.reason(value))
    return tuple(whys)


def _beside(rows: pa.Table, task: str) -> dict[str, pa.Array]:
    """Return what the other model said; nonsense becomes silence, for the answer that was served is good."""
    prediction, wrong = _answer(rows, Predictions.OTHER_PREDICTION, task)
    score, wrong_score = _score(rows, Predictions.OTHER_SCORE, task)
    nonsense = _any([*wrong, *wrong_score])
    return {
        Predictions.OTHER_PREDICTION: without(prediction, nonsense),
        Predictions.OTHER_SCORE: without(score, nonsense),
    }


def _unnamed(columns: Mapping[str, pa.Array]) -> Iterator[Objection]:
    yield Objection(is_null(columns[Predictions.ID]), f"{Predictions.ID}: found none, expected an id")


def _untimely(column: pa.Array, name: str, now: datetime) -> Iterator[Objection]:
    moments, absent = micros(column), is_null(column)
    yield Objection(absent, f"{name}: found none, expected a time")
    yield Objection(~absent & (moments < 0), f"{name}: before 1970")
    yield Objection(moments > to_micros(now + FUTURE_TOLERANCE), f"{name}: more than an hour in the future")


def _repeated(ids: pa.Array, standing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the rows that stand so far repeat the id of an earlier one."""
    positions = np.flatnonzero(standing)
    kept = keep(pa.table({"id": ids}), standing)["id"]
    repeated = np.zeros(len(ids), dtype=np.bool_)
    repeated[positions] = first_match(kept, kept) != np.arange(len(positions))
    return repeated


def _answer(rows: pa.Table, name: str, task: str) -> tuple[pa.Array, list[Objection]]:
    """Return a column of predictions or labels, and what is wrong with it (an answer that is missing is wrong)."""
    if task == "multiclass":
        column = text(rows, name)
        return column, [Objection(is_null(column), f"{name}: found none, expected a class")]
    column, unreadable = number(rows, name)
    numbers = floats(column)
    objections = [Objection(unreadable | ~np.isfinite(numbers), f"{name}: expected a finite number")]
    if task == "binary":
        objections.append(Objection((numbers != 0.0) & (numbers != 1.0), f"{name}: expected 0 or 1"))
    return column, objections


def _score(rows: pa.Table, name: str, task: str) -> tuple[pa.Array, list[Objection]]:
    """Return a column of scores, and what is wrong with it; no score is fine, for not every model gives one."""
    column, unreadable = number(rows, name)
    numbers, present = floats(column), ~is_null(column)
    objections = [Objection(unreadable | (present & ~np.isfinite(numbers)), f"{name}: expected a finite number")]
    if task != "regression":
        outside = present & ((numbers < 0.0) | (numbers > 1.0))
        objections.append(Objection(outside, f"{name}: expected a probability from 0 to 1"))
    return column, objections


def _any(objections: Sequence[Objection]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_or.reduce([objection.flags for objection in objections]), dtype=np.bool_)
