"""Reading a table of the user's under Vernal's names: which column is which, in what form, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vernal.act.canonical import UnfitError, as_numbers, as_texts
from vernal.act.screening import screen
from vernal.adapters.sources.times import FOREVER, as_times, shifted, utc_micros
from vernal.errors import LakeError
from vernal.records import Labels, Predictions
from vernal.spec.wording import guess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from vernal.spec import SourceTable

TIMES: Final = {
    "predictions": (Predictions.EVENT_TIME, Predictions.RECEIVED_TIME),
    "labels": (Labels.EVENT_TIME, Labels.ARRIVAL_TIME),
}
"""The moments of each kind of row: when it was about, and when it came."""

_NEEDED: Final = {
    "predictions": (Predictions.ID, Predictions.EVENT_TIME),
    "labels": (Labels.ID, Labels.LABEL),
}
_ALL: Final = {"predictions": Predictions.ALL, "labels": Labels.ALL}
_ANSWERS: Final = (Predictions.VERSION, Predictions.PREDICTION, Predictions.SCORE)


class Place(NamedTuple):
    """One of Vernal's columns: the user's column or constant that stands for it, or what to do without."""

    name: str
    column: str | None
    constant: str | None
    needed: bool
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the rows of one table are to be read.

    Parameters
    ----------
    subject
        The table in messages.
    kind
        ``predictions`` or ``labels``.
    features
        The model's features and their kinds; none for labels.
    zone
        Zone of times that do not say theirs.
    label_delay
        How long after its event a label without arrival time is known.
    """

    subject: str
    kind: str
    table: SourceTable
    features: Mapping[str, str]
    task: str
    zone: str
    label_delay: timedelta

    @property
    def texts(self) -> frozenset[str]:
        """Vernal's names of the columns that hold texts, whatever they hold there."""
        answers = (Predictions.PREDICTION, Predictions.OTHER_PREDICTION, Labels.LABEL)
        return _TEXTS | frozenset(answers if self.task == "multiclass" else ())

    @property
    def event_time(self) -> str:
        """Vernal's name for when a row was about."""
        return TIMES[self.kind][0]

    @property
    def came_time(self) -> str:
        """Vernal's name for when a row came."""
        return TIMES[self.kind][1]

    def places(self, found: Iterable[str]) -> tuple[Place, ...]:
        """Return where each of Vernal's columns is among the columns that were found, with what is wrong."""
        names = tuple(found)
        places = [self._place(name, names) for name in _ALL[self.kind] if name != Predictions.DAY]
        places += [self._place(name, names) for name in self.features]
        if self.kind == "labels" and not any(place.column for place in places if place.name in TIMES["labels"]):
            problem = "found neither event_time nor arrival_time, expected a column for at least one of them"
            places = [p._replace(problem=p.problem or problem) if p.name == Labels.ARRIVAL_TIME else p for p in places]
        return tuple(places)

    def located(self, found: Iterable[str], *, older: bool = False) -> dict[str, str]:
        """Return the user's column for each of Vernal's that has one.

        Parameters
        ----------
        older
            The columns are those of a file that is not the newest: only what is needed has to be there.

        Raises
        ------
        LakeError
            If a column is missing that has to be there; names all of them.
        """
        places = self.places(found)
        wrong = [place for place in places if place.problem and (place.needed or not older)]
        problems = [f"{place.name}: {place.problem}" for place in wrong]
        if problems:
            raise LakeError(
                f"{self.subject}: {'; '.join(problems)}",
                hint="Name the columns under `source` in the model file; `vernal source check` shows what was found.",
            )
        return {place.name: place.column for place in places if place.column is not None}

    def needed_for(self, columns: Sequence[str] | None, located: Iterable[str]) -> list[str]:
        """Return which of Vernal's columns have to be read to give these, of those that there are."""
        wanted = self.all_columns if columns is None else tuple(columns)
        always = {*_NEEDED[self.kind], *TIMES[self.kind], *(_ANSWERS if self.kind == "predictions" else ())}
        return [name for name in located if name in wanted or name in always]

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column of the kind, as the embedded lake has them."""
        return (*_ALL[self.kind], *self.features)

    def canonical(self, raw: pa.Table) -> pa.Table:
        """Return rows, their columns named as Vernal's, as the embedded lake would hold them; unfit rows are left out.

        Raises
        ------
        LakeError
            If a column has a type that no row can be read from.
        """
        rows = self._filled(raw)
        features = {name: kind for name, kind in self.features.items() if name in rows.column_names}
        screened = screen(self.kind, rows, features=features, task=self.task, now=FOREVER)
        if rows.num_rows and not screened.rows.num_columns:
            raise LakeError(f"{self.subject}: {screened.whys[0].reason}")
        return screened.rows

    def refused(self, raw: pa.Table) -> tuple[str, ...]:
        """Return for every row that is left out the rule that it breaks."""
        rows = self._filled(raw)
        features = {name: kind for name, kind in self.features.items() if name in rows.column_names}
        screened = screen(self.kind, rows, features=features, task=self.task, now=FOREVER)
        return tuple(why.rule for why in screened.whys)

    def selected(self, rows: pa.Table, columns: Sequence[str] | None) -> pa.Table:
        """Return some columns of canonical rows; those that the user does not have are null, the day is derived."""
        wanted = self.all_columns if columns is None else columns
        unknown = [name for name in wanted if name not in self.all_columns]
        if unknown:
            raise LakeError(
                f"{self.subject}: asked for {', '.join(unknown)}, expected some of {', '.join(self.all_columns)}"
            )
        made = [self._column(rows, name) for name in wanted]
        return pa.Table.from_arrays(made, names=list(wanted))

    def countable(self, raw: pa.Table, features: Sequence[str]) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return features in canonical form and the event times (microseconds) of the rows that have one.

        Rows are counted whatever was answered on them: what they were asked with is what drifts.
        """
        moments, valid = utc_micros(_whole(raw[self.event_time]), self.zone, subject=self._of(self.event_time))
        columns = [self._feature(_whole(raw[name]), name) for name in features]
        rows = pa.Table.from_arrays(columns, names=list(features))
        if valid.all():
            return rows, moments
        from vernal.observe.columns import keep

        return keep(rows, valid), moments[valid]

    def _feature(self, column: pa.Array, name: str) -> pa.Array:
        try:
            return as_texts(column, name) if self.features[name] == "categorical" else as_numbers(column, name)[0]
        except UnfitError as error:
            raise LakeError(f"{self.subject}: {error}") from None

    def _filled(self, raw: pa.Table) -> pa.Table:
        """Return rows with times in UTC and constants, and with the times that stand in for missing ones."""
        if self.kind == "labels":
            raw = raw.filter(pc.is_valid(raw[Labels.LABEL]))
        columns = {name: _whole(raw[name]) for name in raw.column_names}
        for name in TIMES[self.kind]:
            if name in columns:
                columns[name] = as_times(columns[name], self.zone, subject=self._of(name))
        about, came = TIMES[self.kind]
        if about not in columns:
            columns[about] = columns[came]
        instead = shifted(columns[about], self.label_delay) if self.kind == "labels" else columns[about]
        columns[came] = pc.coalesce(columns[came], instead) if came in columns else instead
        for name, value in self.table.constants.items():
            columns[name] = _repeated(value, raw.num_rows)
        return pa.Table.from_arrays(list(columns.values()), names=list(columns))

    def _column(self, rows: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
        if name == Predictions.DAY:
            return rows[self.event_time].cast(pa.date32())
        if name in rows.column_names:
            return rows[name]
        return pa.nulls(rows.num_rows, pa.string() if name in self.texts else pa.float64())

    def _place(self, name: str, found: Sequence[str]) -> Place:
        is_feature = name in self.features
        needed = is_feature or name in _NEEDED[self.kind]
        constant = self.table.constants.get(name)
        if constant is not None:
            return Place(name, None, constant, needed)
        said = (self.table.features if is_feature else self.table.columns).get(name)
        column = said or name
        if column in found:
            return Place(name, column, None, needed)
        if said is None and not needed:
            return Place(name, None, None, needed)
        where = f"{self.kind}.features.{name}" if is_feature else f"{self.kind}.columns.{name}"
        problem = f"found no column {column!r}{guess(column, found)}"
        todo = f"name one of yours under source.{where}" if said is None else f"correct source.{where}"
        return Place(name, None, None, needed, f"{problem}; {todo}")

    def _of(self, name: str) -> str:
        return f"{self.subject}: {name}"


_TEXTS: Final = frozenset(
    {
        Predictions.ID,
        Predictions.VERSION,
        Predictions.ROLE,
        Predictions.ENTITY,
        Predictions.OTHER_VERSION,
        Labels.SOURCE,
    }
)


def hours_in(moments: NDArray[np.int64]) -> Iterator[int]:
    """Yield the hours (since the epoch) that moments in microseconds lie in, each once, in order."""
    from vernal.observe.columns import HOUR

    yield from np.unique(moments // HOUR).tolist()


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column in one piece."""
    if isinstance(column, pa.Array):
        return column
    if not column.num_chunks:  # combining nothing would import pandas when it is installed
        return pa.nulls(0, column.type)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _repeated(text: str, rows: int) -> pa.Array:
    """Return a text for every row; ``pa.array`` would import pandas when it is installed."""
    encoded = text.encode()
    offsets = np.arange(rows + 1, dtype=np.int64) * len(encoded)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(encoded * rows)]
    return pa.Array.from_buffers(pa.large_string(), rows, buffers).cast(pa.string())


__all__ = ["TIMES", "Layout", "Place", "hours_in"]
