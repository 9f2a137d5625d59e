"""How databases write numbers, texts and times, so that every path gets the same rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from typing_extensions import override

from vernal.adapters.sources.sqltext import bucketed, halved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vernal.adapters.sources.sqltext import Numbers

Expression = sa.ColumnElement[Any]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000


class Holds(StrEnum):
    """What a column of a database holds, as far as its type tells."""

    NUMBERS = "numbers"
    WHOLE_NUMBERS = "whole numbers"
    FLAGS = "flags"
    TEXTS = "texts"
    MOMENTS = "moments"
    WALL_TIMES = "times without a zone"
    DATES = "dates"
    SOMETHING_ELSE = "something else"

    @property
    def is_time(self) -> bool:
        """Whether the column holds times."""
        return self in {Holds.MOMENTS, Holds.WALL_TIMES, Holds.DATES}


_PREFIXES: Final = (
    (("ENUM", "UUID", "UNIQUEIDENTIFIER", "CITEXT", "CLOB", "NAME"), Holds.TEXTS),
    (("STRUCT", "MAP", "UNION", "JSON", "INTERVAL", "POINT", "BIT", "BYTEA", "BLOB"), Holds.SOMETHING_ELSE),
    (("BOOL",), Holds.FLAGS),
    (("TIMESTAMPTZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ", "DATETIMEOFFSET"), Holds.MOMENTS),
    (("TIMESTAMP", "DATETIME"), Holds.WALL_TIMES),
    (("DATE",), Holds.DATES),
    (("DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC", "NUMBER", "DEC"), Holds.NUMBERS),
)
_TEXT_WORDS: Final = ("CHAR", "TEXT", "STRING")
_WHOLE_WORDS: Final = ("INT", "SERIAL")


def holds(type_name: str) -> Holds:
    """Return what a column of a type holds, by the type's name.

    Examples
    --------
    >>> [holds(name).value for name in ("DOUBLE PRECISION", "TIMESTAMP WITH TIME ZONE", "BIGINT", "INTEGER[]")]
    ['numbers', 'moments', 'whole numbers', 'something else']
    """
    name = type_name.upper()
    if name.endswith("[]") or name.startswith("ARRAY"):
        return Holds.SOMETHING_ELSE
    for prefixes, found in _PREFIXES:
        if name.startswith(prefixes):
            zoned = found is Holds.WALL_TIMES and "WITH TIME ZONE" in name
            return Holds.MOMENTS if zoned else found
    if any(word in name for word in _TEXT_WORDS):
        return Holds.TEXTS
    if any(word in name for word in _WHOLE_WORDS):
        return Holds.WHOLE_NUMBERS
    return Holds.SOMETHING_ELSE


class Dialect:
    """A database that Vernal knows nothing special of: columns are fetched as they are and understood here."""

    counts: bool = False
    """Whether hours can be counted in the database."""

    binds_edges: bool = False
    """Whether numbers have to be bound because the database reads their written form inexactly."""

    quotes: bool = False
    """Whether names are to be taken as they are, capitals and reserved words included."""

    times_are_texts: bool = False
    """Whether times are written as texts and columns need no type."""

    def columns(self, connection: sa.Connection, table: str, schema: str | None) -> Mapping[str, str]:
        """Return the columns of a table or view and their types; none if there is no such table."""
        try:
            found = sa.inspect(connection).get_columns(table, schema=schema)
        except sa.exc.NoSuchTableError:
            return {}
        return {column["name"]: _named(column["type"]) for column in found}

    def prepare(self, connection: sa.Connection) -> None:
        """Make all that is read on a connection be of one moment, where the database can."""

    def number(self, column: Expression, _: Holds) -> Expression:
        """Return a column as a number."""
        return column

    def text(self, column: Expression, _: Holds) -> Expression:
        """Return a column as a text."""
        return column

    def ticks(self, column: Expression, _: Holds) -> Expression:
        """Return a column of times as microseconds since the epoch, on the wall's clock if it has no zone."""
        return column

    def slots(self, column: Expression, seconds: int) -> Expression:
        """Return the stretches of so many seconds since the epoch that times lie in."""
        raise NotImplementedError

    def edges_below(self, x: str, edges: Sequence[float], numbers: Numbers) -> str:
        """Return the number of edges, in rising order, that lie below a finite ``x``."""
        return halved(x, edges, numbers)

    def limit(self, column: Expression, moment: datetime, kind: Holds) -> tuple[Expression, object]:
        """Return what to compare to tell on which side of a moment times are, in whole seconds at the coarsest."""
        return column, moment if kind is Holds.MOMENTS else moment.replace(tzinfo=None)


class _Standard(Dialect):
    """Databases that count: tested to give the numbers that counting here gives."""

    counts = True
    quotes = True

    @override
    def number(self, column: Expression, kind: Holds) -> Expression:
        if kind is Holds.FLAGS:
            return sa.case((column, 1.0), (~column, 0.0))
        return sa.cast(column, sa.Double())

    @override
    def text(self, column: Expression, kind: Holds) -> Expression:
        if kind is Holds.FLAGS:
            return sa.case((column, "true"), (~column, "false"))
        return sa.func.nullif(sa.cast(column, sa.Text()), "")

    @override
    def ticks(self, column: Expression, kind: Holds) -> Expression:
        return sa.cast(_epoch(column) * _SECOND, sa.BigInteger())

    @override
    def slots(self, column: Expression, seconds: int) -> Expression:
        return sa.cast(sa.func.floor(_epoch(column) / float(seconds)), sa.BigInteger())


class Postgres(_Standard):
    """PostgreSQL."""

    @override
    def prepare(self, connection: sa.Connection) -> None:
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # Thousands of small conditions are compiled longer than they run.
        connection.execute(sa.text("SET LOCAL jit = off"))

    @override
    def text(self, column: Expression, kind: Holds) -> Expression:
        # Byte by byte: other collations may hold different texts for the same.
        return sa.collate(super().text(column, kind), "C")

    @override
    def edges_below(self, x: str, edges: Sequence[float], numbers: Numbers) -> str:
        return bucketed(x, edges)


class DuckDb(_Standard):
    """DuckDB, a file or attached."""

    @override
    def columns(self, connection: sa.Connection, table: str, schema: str | None) -> Mapping[str, str]:
        # The engine's reflection asks for catalogues that DuckDB does not have.
        found = connection.execute(
            sa.text(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = :name AND table_schema = :schema ORDER BY ordinal_position"
            ),
            {"name": table, "schema": schema or "main"},
        )
        return {row[0]: row[1] for row in found}


class Sqlite(_Standard):
    """SQLite, in which times are texts and any column may hold anything."""

    binds_edges = True
    times_are_texts = True

    @override
    def prepare(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    @override
    def number(self, column: Expression, kind: Holds) -> Expression:
        is_number = sa.func.typeof(column).in_(("integer", "real"))
        return sa.case((is_number, sa.cast(column, sa.Double())))

    @override
    def text(self, column: Expression, kind: Holds) -> Expression:
        return sa.collate(super().text(column, kind), "BINARY")

    @override
    def ticks(self, column: Expression, _: Holds) -> Expression:
        return sa.type_coerce(column, sa.Text())  # its own functions know milliseconds at best

    @override
    def slots(self, column: Expression, seconds: int) -> Expression:
        # Whole numbers are divided as such here, and no row lies before the epoch.
        return sa.cast(_unix_seconds(column), sa.BigInteger()).op("/")(sa.literal_column(str(seconds)))

    @override
    def limit(self, column: Expression, moment: datetime, kind: Holds) -> tuple[Expression, object]:
        return _unix_seconds(column), (moment - EPOCH) // timedelta(seconds=1)


def _epoch(column: Expression) -> Expression:
    """Return seconds since the epoch as a float, which tells microseconds apart until the year 2242.

    EXTRACT says the same in decimals, with which PostgreSQL divides so slowly that counting takes twice as long.
    """
    return sa.func.date_part("epoch", column, type_=sa.Double())


def _unix_seconds(column: Expression) -> Expression:
    """Return whole seconds since the epoch of ISO 8601 texts; SQLite itself would round 59.999999 up to a minute."""
    rest = sa.func.substr(column, 20)
    has_offset = sa.or_(rest.like("%+__:__"), rest.like("%-__:__"))
    offset = sa.case((has_offset, sa.func.substr(column, -6)), else_="")
    return sa.cast(sa.func.strftime("%s", sa.func.substr(column, 1, 19).concat(offset)), sa.BigInteger())


def dialect_of(name: str) -> Dialect:
    """Return how to talk to a database."""
    known: dict[str, type[Dialect]] = {"postgresql": Postgres, "duckdb": DuckDb, "sqlite": Sqlite}
    return known.get(name, Dialect)()


def _named(kind: sa.types.TypeEngine[Any]) -> str:
    """Return a type's name, with what the name alone does not tell."""
    kind = getattr(kind, "data_type", kind)  # a domain is what it is a domain of
    if isinstance(kind, sa.types.NullType):
        return "unknown"
    if isinstance(kind, sa.Enum):
        return "ENUM"
    name = str(kind)
    zoned = getattr(kind, "timezone", False) and "ZONE" not in name.upper()
    return f"{name} WITH TIME ZONE" if zoned else name


__all__ = ["Dialect", "Expression", "Holds", "dialect_of", "holds"]
