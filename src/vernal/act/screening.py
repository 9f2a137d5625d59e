"""Which of the rows that arrived may enter the lake, in one canonical form.

Canonical types, whatever was handed in:

==================================  ================================================================
numerical features, scores          float64; NaN and infinities stay, in features, for profiles count them
categorical features, ids, versions  string; whole numbers are written without a decimal point
predictions and labels              float64 for ``binary`` (0 or 1) and ``regression``, string for ``multiclass``
times                               ``timestamp[us, tz=UTC]``; times without a zone are taken to be in UTC
==================================  ================================================================

Columns that are neither Vernal's nor a feature of the model are dropped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.act.refused import Why
from vernal.observe.columns import column_of, first_match, floats, keep, micros, strings_equal, to_micros
from vernal.records import Labels, Predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

FUTURE_TOLERANCE: Final = timedelta(hours=1)
"""How far ahead of ours a client's clock may be."""

REPEATED: Final = f"{Predictions.ID}: occurs twice in this batch"
"""Rule that all but the first prediction of an id break."""

_TIME: Final = pa.timestamp("us", tz="UTC")
_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1000}
"""Microseconds in the units that are coarser."""
_TEXTS: Final = (Predictions.ID, Predictions.VERSION, Predictions.ROLE, Predictions.ENTITY, Predictions.OTHER_VERSION)


class Screened(NamedTuple):
    """Rows in canonical form, and the others as they came: why each was refused, and its place among all."""

    rows: pa.Table
    refused: pa.Table
    whys: tuple[Why, ...]
    places: NDArray[np.int64]


class UnfitError(ValueError):
    """A column is missing or of a type that no row can be read from."""


def screen(kind: str, rows: pa.Table, *, features: Mapping[str, str], task: str, now: datetime) -> Screened:
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

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in {"predictions", "labels"}:
        raise ValueError(f"screening: got kind {kind!r}, expected predictions or labels")
    try:
        if kind == "predictions":
            canonical, objections = _predictions(rows, features, task, now)
        else:
            canonical, objections = _labels(rows, task, now)
    except UnfitError as error:
        why = Why(str(error), str(error))
        return Screened(pa.table({}), rows, (why,) * rows.num_rows, np.arange(rows.num_rows))
    first = np.full(rows.num_rows, -1)
    for number, objection in enumerate(objections):
        first = np.where(objection.flags & (first < 0), number, first)
    bad = first >= 0
    reasons = [Why(objection.reason, objection.reason) for objection in objections]
    whys = tuple(reasons[number] for number in first[bad])
    return Screened(keep(canonical, ~bad), keep(rows, bad), whys, np.flatnonzero(bad))


class _Objection(NamedTuple):
    flags: NDArray[np.bool_]
    reason: str


def _predictions(
    rows: pa.Table, features: Mapping[str, str], task: str, now: datetime
) -> tuple[pa.Table, list[_Objection]]:
    missing = [name for name in (Predictions.ID, Predictions.EVENT_TIME, *features) if name not in rows.column_names]
    if missing:
        raise UnfitError(_missing(missing))
    columns = {name: _text(rows, name) for name in _TEXTS}
    columns[Predictions.EVENT_TIME] = _time(rows, Predictions.EVENT_TIME)
    columns[Predictions.RECEIVED_TIME] = _filled(_time(rows, Predictions.RECEIVED_TIME), now)
    objections = [*_unnamed(columns), *_untimely(columns[Predictions.EVENT_TIME], Predictions.EVENT_TIME, now)]
    # Before a model has its first champion nobody answers: only the features are logged, to train it on.
    silent = _is_null(columns[Predictions.VERSION])
    columns[Predictions.PREDICTION], wrong = _answer(rows, Predictions.PREDICTION, task)
    silent &= _is_null(columns[Predictions.PREDICTION])
    objections += [_Objection(flags & ~silent, reason) for flags, reason in wrong]
    columns[Predictions.SCORE], wrong = _score(rows, Predictions.SCORE, task)
    objections += wrong
    columns |= _beside(rows, task)
    for name, what in features.items():
        if what == "categorical":
            columns[name] = _text(rows, name)
        else:
            columns[name], unreadable = _number(rows, name)
            objections.append(_Objection(unreadable, f"{name}: expected a number"))
    repeated = _repeated(columns[Predictions.ID], ~_any(objections))
    objections.append(_Objection(repeated, REPEATED))
    order = [name for name in (*Predictions.ALL, *features) if name in columns]
    return pa.table({name: columns[name] for name in order}), objections


def _labels(rows: pa.Table, task: str, now: datetime) -> tuple[pa.Table, list[_Objection]]:
    missing = [name for name in (Labels.ID, Labels.LABEL, Labels.EVENT_TIME) if name not in rows.column_names]
    if missing:
        raise UnfitError(_missing(missing))
    columns = {
        Labels.ID: _text(rows, Labels.ID),
        Labels.EVENT_TIME: _time(rows, Labels.EVENT_TIME),
        Labels.ARRIVAL_TIME: _filled(_time(rows, Labels.ARRIVAL_TIME), now),
        Labels.SOURCE: _text(rows, Labels.SOURCE),
    }
    columns[Labels.LABEL], wrong = _answer(rows, Labels.LABEL, task)
    event, arrival = micros(columns[Labels.EVENT_TIME]), micros(columns[Labels.ARRIVAL_TIME])
    objections = [
        *_unnamed(columns),
        *_untimely(columns[Labels.EVENT_TIME], Labels.EVENT_TIME, now),
        *_untimely(columns[Labels.ARRIVAL_TIME], Labels.ARRIVAL_TIME, now),
        _Objection(arrival < event, f"{Labels.ARRIVAL_TIME}: before {Labels.EVENT_TIME}"),
        _Objection(_unknown_source(columns[Labels.SOURCE]), f"{Labels.SOURCE}: expected true, proxy or none"),
        *wrong,
    ]
    return pa.table({name: columns[name] for name in Labels.ALL if name in columns}), objections


def _unknown_source(column: pa.Array) -> NDArray[np.bool_]:
    known = [strings_equal(pa.chunked_array([column]), name) for name in (Labels.TRUE, Labels.PROXY)]
    return ~(_is_null(column) | known[0] | known[1])


def _beside(rows: pa.Table, task: str) -> dict[str, pa.Array]:
    """Return what the other model said; nonsense becomes silence, for the answer that was served is good."""
    prediction, wrong = _answer(rows, Predictions.OTHER_PREDICTION, task)
    score, wrong_score = _score(rows, Predictions.OTHER_SCORE, task)
    nonsense = _any([*wrong, *wrong_score])
    return {
        Predictions.OTHER_PREDICTION: _without(prediction, nonsense),
        Predictions.OTHER_SCORE: _without(score, nonsense),
    }


def _unnamed(columns: Mapping[str, pa.Array]) -> Iterator[_Objection]:
    yield _Objection(_is_null(columns[Predictions.ID]), f"{Predictions.ID}: found none, expected an id")


def _untimely(column: pa.Array, name: str, now: datetime) -> Iterator[_Objection]:
    moments, absent = micros(column), _is_null(column)
    yield _Objection(absent, f"{name}: found none, expected a time")
    yield _Objection(~absent & (moments < 0), f"{name}: before 1970")
    yield _Objection(moments > to_micros(now + FUTURE_TOLERANCE), f"{name}: more than an hour in the future")


def _repeated(ids: pa.Array, standing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the rows that stand so far repeat the id of an earlier one."""
    positions = np.flatnonzero(standing)
    kept = keep(pa.table({"id": ids}), standing)["id"]
    repeated = np.zeros(len(ids), dtype=np.bool_)
    repeated[positions] = first_match(kept, kept) != np.arange(len(positions))
    return repeated


def _answer(rows: pa.Table, name: str, task: str) -> tuple[pa.Array, list[_Objection]]:
    """Return a column of predictions or labels, and what is wrong with it (an answer that is missing is wrong)."""
    if task == "multiclass":
        column = _text(rows, name)
        return column, [_Objection(_is_null(column), f"{name}: found none, expected a class")]
    column, unreadable = _number(rows, name)
    numbers = floats(column)
    objections = [_Objection(unreadable | ~np.isfinite(numbers), f"{name}: expected a finite number")]
    if task == "binary":
        objections.append(_Objection((numbers != 0.0) & (numbers != 1.0), f"{name}: expected 0 or 1"))
    return column, objections


def _score(rows: pa.Table, name: str, task: str) -> tuple[pa.Array, list[_Objection]]:
    """Return a column of scores, and what is wrong with it; no score is fine, for not every model gives one."""
    column, unreadable = _number(rows, name)
    numbers, present = floats(column), ~_is_null(column)
    objections = [_Objection(unreadable | (present & ~np.isfinite(numbers)), f"{name}: expected a finite number")]
    if task != "regression":
        outside = present & ((numbers < 0.0) | (numbers > 1.0))
        objections.append(_Objection(outside, f"{name}: expected a probability from 0 to 1"))
    return column, objections


def _number(rows: pa.Table, name: str) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return a column as float64, and where a text is no number."""
    return as_numbers(_column(rows, name), name)


def as_numbers(column: pa.Array, name: str) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return values as float64, and where a text is no number.

    Raises
    ------
    UnfitError
        If they are neither numbers nor texts.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.float64()), np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _parsed(column)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise UnfitError(f"{name}: found a column of {kind}, expected numbers")
    return column.cast(pa.float64(), safe=False), np.zeros(len(column), dtype=np.bool_)


def _parsed(column: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    numbers = np.full(len(column), np.nan)
    absent, unreadable = np.zeros(len(column), dtype=np.bool_), np.zeros(len(column), dtype=np.bool_)
    for row, text in enumerate(column.to_pylist()):
        try:
            numbers[row] = float(text or "nan")
            absent[row] = not text
        except ValueError:
            unreadable[row] = True
    return _without(column_of(numbers), absent | unreadable), unreadable


def _text(rows: pa.Table, name: str) -> pa.Array:
    """Return a column as strings; an empty id or class is none."""
    return as_texts(_column(rows, name), name)


def as_texts(column: pa.Array, name: str) -> pa.Array:
    """Return values as strings; an empty one is none.

    Raises
    ------
    UnfitError
        If they cannot be written as strings.
    """
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_floating(column.type):
        # A column of whole numbers with gaps arrives as floats: 3.0 is the category that was 3 in another batch.
        column = column.cast(pa.float64())
        numbers = floats(column)
        whole = np.isfinite(numbers) & (np.floor(numbers) == numbers) & (np.abs(numbers) < 2**53)
        as_integer = column_of(np.where(whole, numbers, 0.0)).cast(pa.int64()).cast(pa.string())
        text = pc.if_else(_mask(whole), as_integer, column.cast(pa.string()))
        return _without(text, np.isnan(numbers))
    try:
        column = column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnfitError(f"{name}: found a column of {column.type}, expected texts") from error
    return _without(column, np.asarray(floats(pc.binary_length(column)) == 0.0, dtype=np.bool_))


def _time(rows: pa.Table, name: str) -> pa.Array:
    column = _column(rows, name)
    try:
        if pa.types.is_integer(column.type):
            raise UnfitError(f"{name}: found a column of {column.type}, expected times")
        return _within_reach(column).cast(_TIME, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnfitError(f"{name}: found a column of {column.type} that are no times: {error}") from error


def _within_reach(column: pa.Array) -> pa.Array:
    """Return times without those that lie too far away to be counted in microseconds: casting would wrap them round."""
    if not pa.types.is_timestamp(column.type) or column.type.unit not in _MICROSECONDS:
        return column
    reach = np.iinfo(np.int64).max // _MICROSECONDS[column.type.unit]
    moments = column.cast(pa.int64())
    return _without(column, np.asarray(floats(pc.greater(pc.abs(moments), reach)) == 1.0, dtype=np.bool_))


def _column(rows: pa.Table, name: str) -> pa.Array:
    """Return a column in one piece, decoded; nulls where there is none."""
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows)
    if rows.column_names.count(name) > 1:
        raise UnfitError(f"{name}: found {rows.column_names.count(name)} columns of this name, expected one")
    column = rows[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _filled(column: pa.Array, now: datetime) -> pa.Array:
    filler = np.full(len(column), to_micros(now), dtype=np.int64)
    return pc.coalesce(column, pa.Array.from_buffers(_TIME, len(column), [None, pa.py_buffer(filler.tobytes())]))


def _without(column: pa.Array, unwanted: NDArray[np.bool_]) -> pa.Array:
    return pc.if_else(_mask(~unwanted), column, pa.nulls(len(column), column.type)) if unwanted.any() else column


def _any(objections: Sequence[_Objection]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_or.reduce([objection.flags for objection in objections]), dtype=np.bool_)


def _is_null(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(floats(pc.is_null(column)) == 1.0, dtype=np.bool_)


def _mask(flags: NDArray[np.bool_]) -> pa.Array:
    bits = np.packbits(flags, bitorder="little").tobytes()
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(bits)])


def _missing(names: list[str]) -> str:
    return f"found no column {', '.join(names)}, expected it in every batch"
