"""A table or view in a database of the user's, counted there where the database can."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from vernal.adapters.sources.dialects import Holds, holds
from vernal.adapters.sources.fetching import Form, as_arrow, utc_array
from vernal.adapters.sources.layout import TIMES
from vernal.adapters.sources.ordering import between, in_order, with_order
from vernal.adapters.sources.sqlcounting import can_count, counted_in_database
from vernal.adapters.sources.table import moment, profiled
from vernal.adapters.sources.times import offsets
from vernal.clock import SystemClock
from vernal.errors import LakeError
from vernal.observe.columns import HOUR, keep, micros
from vernal.ports import NewRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vernal.adapters.sources.database import Database
    from vernal.adapters.sources.dialects import Expression
    from vernal.adapters.sources.layout import Layout
    from vernal.profile import Baseline, Profile

_AHEAD: Final = timedelta(hours=1)
"""How far the database's clock may be ahead of ours; a row from farther in the future must not move the mark there."""

_ZONES: Final = timedelta(hours=3)
"""By how much a change of clocks may set a wall's time apart from the moment it was cut at."""

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
_FETCHED: Final = 50_000
"""Rows fetched together."""


class _Column(NamedTuple):
    column: Expression
    holds: Holds
    type: str


class SqlTable:
    """A table whose version is the time of receipt (of the event, without one) of its newest row, in microseconds.

    A version says which rows had come by then, not what they looked like: the database keeps no history.
    """

    def __init__(self, layout: Layout, database: Database, *, lateness: timedelta) -> None:
        self.layout = layout
        self.database = database
        self._lateness = lateness
        schema, _, name = layout.table.place.rpartition(".")
        self._name, self._schema = name, schema or None
        said = self._quoted(schema) if schema else None
        self._from = sa.table(self._quoted(name), schema=said)
        self._types: dict[str, str] | None = None

    def version(self) -> int | None:
        """Return when the newest row came; rows from the future do not count."""
        columns = self._located()
        came = columns.get(self.layout.came_time) or columns[self.layout.event_time]
        newest = sa.func.max(came.column)
        statement = sa.select(self.database.dialect.ticks(newest, came.holds)).select_from(self._from)
        statement = statement.where(*self._range(came, _FIRST, self._horizon()))
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        moments, valid = utc_array(rows, 0, zone=self._zone(came))
        return int(moments[0]) if len(moments) and valid[0] else None

    def scan(
        self,
        *,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return rows in canonical form by event time; with a version, those that had come by then."""
        located = self._located()
        conditions = self._event_range(located, start, end)
        if version is not None:
            conditions.append(self._came(located, None, version))
        raw = self._fetch(located, self.layout.needed_for(columns, located), conditions)
        return self._canonical(raw, columns, start, end, until=version)

    def since(self, version: int | None, *, columns: Sequence[str] | None = None) -> NewRows | None:
        """Return the rows that came after a version, by their time of receipt."""
        reached = self.version()
        if reached is None:
            return None
        located = self._located()
        conditions = [*self._event_range(located, None, None), self._came(located, version, reached)]
        raw = self._fetch(located, self.layout.needed_for(columns, located), conditions)
        rows = self._canonical(raw, columns, None, None, after=version, until=reached)
        return NewRows(rows, max(reached, version or reached))

    def arrived(self, since: int) -> Iterator[pa.Table]:
        """Yield the rows that came after a version, as they are."""
        located = self._located()
        yield self._fetch(located, self.layout.needed_for((), located), [self._came(located, since, None)])

    def touched(self, since: int, until: int) -> Iterable[int] | None:  # noqa: ARG002 - rows newer than that are no harm
        """Return the hours of the rows that came since a version, and of those that came up to ``lateness`` before."""
        located = self._located()
        looked = since - self._lateness // _MICROSECOND
        conditions = [*self._event_range(located, None, None), self._came(located, looked, None)]
        if not self.database.dialect.counts:
            raw = self._fetch(located, [self.layout.event_time], conditions)
            _, moments = self.layout.countable(raw, ())
            return set((moments // HOUR).tolist())
        with self._reading() as connection:
            statement = sa.select(self.slot()).select_from(self._from).where(*conditions).distinct()
            found = [int(slot) for (slot,) in connection.execute(statement)]
        return set(self.hours_of(found).values())

    def hours(self, baseline: Baseline, first: int, end: int) -> dict[int, Profile]:
        """Return the profile of every hour in ``[first, end)`` that has rows, counted in the database if it can."""
        located = self._located()
        start, stop = moment(first), moment(end)
        conditions = self._event_range(located, start, stop)
        if self.database.dialect.counts and can_count(baseline):
            with self._reading() as connection:
                counted = counted_in_database(self, connection, baseline, conditions)
            return {hour: profile for hour, profile in counted.items() if first <= hour < end}
        raw = self._fetch(located, [self.layout.event_time, *baseline.features], conditions)
        return profiled(self.layout, raw, baseline, first, end)

    def sample(self, rows: int) -> pa.Table:
        """Return some rows of the newest day as they are, under Vernal's names."""
        located = self._located()
        newest = self.version()
        names = self.layout.needed_for(None, located)
        conditions = [] if newest is None else [self._came(located, newest - _DAY // _MICROSECOND, None)]
        return self._fetch(located, names, conditions, limit=rows)

    def columns_found(self) -> dict[str, str]:
        """Return the table's columns and their types."""
        return dict(self._found_types())

    # What counting in the database needs
    @property
    def rows(self) -> sa.TableClause:
        """The table, to select from."""
        return self._from

    def slot(self) -> Expression:
        """Return the stretch of time that each row's event lies in, to be turned into hours by :meth:`hours_of`."""
        event = self._located()[self.layout.event_time]
        return self.database.dialect.slots(event.column, self._slot_seconds(event))

    def feature(self, name: str) -> Expression:
        """Return a feature's column in canonical form."""
        return self._expression(name, self._located()[name])

    def is_text(self, name: str) -> bool:
        """Tell whether a categorical feature is compared as the text that the database makes of it."""
        return self._form(name, self._located()[name]) is Form.TEXT

    def hours_of(self, slots: Sequence[int]) -> dict[int, int]:
        """Return the hour of each stretch of time on the clock that the event times are on."""
        event = self._located()[self.layout.event_time]
        walls = np.array(slots, dtype=np.int64) * (self._slot_seconds(event) * 1_000_000)
        return dict(zip(slots, ((walls - offsets(walls, self._zone(event))) // HOUR).tolist(), strict=True))

    def _slot_seconds(self, column: _Column) -> int:
        """Return an hour; a quarter of it where clocks are not UTC's, for some differ by that."""
        return 3600 if self._zone(column) == "UTC" else 900

    def _canonical(
        self,
        raw: pa.Table,
        columns: Sequence[str] | None,
        start: datetime | None,
        end: datetime | None,
        *,
        after: int | None = None,
        until: int | None = None,
    ) -> pa.Table:
        """Return fetched rows in canonical form, cut exactly where the database may have been generous."""
        rows = self.layout.canonical(raw)
        if after is not None or until is not None:
            came = micros(rows[self.layout.came_time])
            inside = came > after if after is not None else np.ones(len(came), dtype=np.bool_)
            rows = keep(rows, inside if until is None else inside & (came <= until))
        rows = self.layout.selected(rows, with_order(self.layout, columns))
        return in_order(between(rows, self.layout, start, end), self.layout, columns)

    def _fetch(
        self,
        located: dict[str, _Column],
        names: Sequence[str],
        conditions: Sequence[Expression],
        *,
        limit: int | None = None,
    ) -> pa.Table:
        forms = {name: (self._form(name, located[name]), self._zone(located[name])) for name in names}
        chosen = [self._expression(name, located[name]).label(f"c{place}") for place, name in enumerate(names)]
        statement = sa.select(*chosen).select_from(self._from).where(*conditions).limit(limit)
        with self._reading() as connection:
            found = connection.execution_options(yield_per=_FETCHED).execute(statement)
            parts = [as_arrow(rows, forms) for rows in found.partitions()]
        return pa.concat_tables(parts or [as_arrow([], forms)])

    def _expression(self, name: str, column: _Column) -> Expression:
        form, dialect = self._form(name, column), self.database.dialect
        if form is Form.TIME:
            return dialect.ticks(column.column, column.holds)
        write = dialect.number if form is Form.NUMBER else dialect.text
        return write(column.column, column.holds)

    def _form(self, name: str, column: _Column) -> Form:
        """Return what a column is fetched as; refuse one that holds something else than is needed."""
        layout, kind = self.layout, column.holds
        feature = layout.features.get(name)
        if name in TIMES[layout.kind]:
            form = Form.TIME if kind.is_time else None
        elif kind in {Holds.NUMBERS, Holds.WHOLE_NUMBERS, Holds.FLAGS}:
            as_text = (feature == "categorical" or name in layout.texts) and kind is not Holds.NUMBERS
            form = Form.TEXT if as_text else Form.NUMBER
        else:
            form = Form.TEXT if kind in {Holds.TEXTS, Holds.DATES} and feature != "numerical" else None
        if form is not None:
            return form
        self._types = None
        wanted = "times" if name in TIMES[layout.kind] else "numbers" if feature == "numerical" else "numbers or texts"
        raise LakeError(
            f"{layout.subject}: {name}: found a column of type {column.type}, expected {wanted}",
            hint="Convert it in a view, and name the view as the table.",
        )

    def _event_range(
        self, located: dict[str, _Column], start: datetime | None, end: datetime | None
    ) -> list[Expression]:
        """Return conditions that keep at least the rows of ``[start, end)``, and none whose time is beyond reason."""
        column = located.get(self.layout.event_time) or located[self.layout.came_time]
        latest = self._horizon() if end is None else min(end, self._horizon())
        return self._range(column, max(start or _FIRST, _FIRST), latest)

    def _range(self, column: _Column, start: datetime, end: datetime) -> list[Expression]:
        zone = self._zone(column)
        if zone != "UTC":
            start, end = (self._wall(one, zone) for one in (start - _ZONES, end + _ZONES))
        dialect = self.database.dialect
        low, least = dialect.limit(column.column, start, column.holds)
        high, most = dialect.limit(column.column, end, column.holds)
        return [low >= least, high <= most] if start <= end else [sa.false()]

    def _came(self, located: dict[str, _Column], after: int | None, until: int | None) -> Expression:
        """Return a condition that keeps at least the rows that came after one version and up to another."""
        start = _FIRST if after is None else max(_FIRST, _FIRST + timedelta(microseconds=after))
        end = self._horizon() if until is None else _FIRST + timedelta(microseconds=until)
        came, event = located.get(self.layout.came_time), located.get(self.layout.event_time)
        if came is None or event is None:
            column = came or event
            return sa.and_(*self._range(column, start, end)) if column is not None else sa.true()
        instead = sa.and_(came.column.is_(None), *self._range(event, start, end))
        return sa.or_(sa.and_(*self._range(came, start, end)), instead)

    def _wall(self, when: datetime, zone: str) -> datetime:
        """Return what a clock on the wall shows, as if it were UTC."""
        return when.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)

    def _zone(self, column: _Column) -> str:
        return "UTC" if column.holds is Holds.MOMENTS else self.layout.zone

    def _horizon(self) -> datetime:
        return SystemClock().now() + _AHEAD

    def _located(self) -> dict[str, _Column]:
        """Return the column and what it holds for each of Vernal's columns that has one."""
        types = self._found_types()
        try:
            places = self.layout.located(types)
        except LakeError:
            self._types = None
            raise
        return {name: self._column(name, column, types[column]) for name, column in places.items()}

    def _column(self, name: str, column: str, type_name: str) -> _Column:
        kind = holds(type_name)
        if self.database.dialect.times_are_texts:
            if name in TIMES[self.layout.kind] and kind is Holds.TEXTS:
                kind = Holds.WALL_TIMES
            elif kind is Holds.SOMETHING_ELSE:  # a column without a type, which may hold anything
                kind = Holds.NUMBERS if self.layout.features.get(name) == "numerical" else Holds.TEXTS
        return _Column(sa.column(self._quoted(column)), kind, type_name)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """Connect; after an error the columns are looked at anew, for they may have changed."""
        try:
            with self.database.reading(self.layout.subject) as connection:
                yield connection
        except LakeError:
            self._types = None
            raise

    def _quoted(self, name: str) -> str:
        """Return a name that may be a reserved word; other databases have their own ways with quotes and capitals."""
        return sa.quoted_name(name, quote=True) if self.database.dialect.quotes else name

    def _found_types(self) -> dict[str, str]:
        if self._types is None:
            with self._reading() as connection:
                found = dict(self.database.dialect.columns(connection, self._name, self._schema))
            if not found:
                raise LakeError(
                    f"{self.layout.subject}: found no table of this name in {self.database.name}",
                    hint=f"Correct source.{self.layout.kind}.table (schema.table, if it is not in the default schema), "
                    "or let the database's user see it.",
                )
            self._types = found
        return self._types


__all__ = ["SqlTable"]
