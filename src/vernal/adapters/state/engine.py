"""Connections and transactions: one URL, one engine, one meaning of now."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import QueuePool

from vernal.adapters.state.failures import explained, is_busy, shown
from vernal.adapters.state.types import UtcDateTime
from vernal.clock import monotonic, pause
from vernal.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BUSY_SECONDS = 10.0
"""How long a SQLite writer waits for the one before it, and how long PostgreSQL may take to answer at all."""


class Database:
    """An engine whose every transaction either commits as a whole or raises :class:`~vernal.errors.StoreError`.

    Parameters
    ----------
    url
        ``sqlite:///`` with an absolute path, ``sqlite://`` for a store in memory, or ``postgresql://``.
    busy_seconds
        How long to wait for a locked SQLite file and for a connection to PostgreSQL.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = _parse(url)
        self._engine = (
            _sqlite(self.url, busy_seconds) if self.url.drivername == "sqlite" else _postgresql(self.url, busy_seconds)
        )
        self._writer = self._engine.execution_options(vernal_write=True)
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Run a transaction that only reads; on SQLite it waits for nobody."""
        with self._transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Run a transaction that may write; on SQLite it holds the write lock from its beginning."""
        with self._transaction(self._writer) as connection:
            yield connection

    def close(self) -> None:
        """Release all connections."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        if self._closed:
            raise StoreError(f"state store {shown(self.url)}: it was closed", hint="Open it again with open_store().")
        with explained(self.url), engine.begin() as connection:
            yield connection


def machine_time(connection: sa.Connection, *, plus: timedelta = timedelta(0)) -> sa.ColumnElement[datetime]:
    """Return the SQL for the database's own time, read when the statement runs, plus a duration.

    On SQLite, which runs inside each process, that is the machine's clock, in milliseconds; all processes of one file
    share it.
    """
    if connection.dialect.name == "sqlite":
        later = f"{plus.total_seconds():+.3f} seconds"
        return sa.func.strftime("%Y-%m-%d %H:%M:%f000", "now", later, type_=UtcDateTime)
    # clock_timestamp, not now: a transaction may have waited for a lock since it began.
    return sa.type_coerce(sa.func.clock_timestamp() + sa.literal(plus, sa.Interval), UtcDateTime)


def among(connection: sa.Connection, column: sa.Column[str], names: Sequence[str]) -> sa.ColumnElement[bool]:
    """Return the SQL for "one of these names" with all names in one parameter, so that many cost no more to parse."""
    if connection.dialect.name == "sqlite":
        rows = sa.func.json_each(msgspec.json.encode(list(names)).decode()).table_valued("value")
        return column.in_(sa.select(rows.c.value))
    return column == sa.any_(sa.literal(list(names), postgresql.ARRAY(sa.Text)))


def insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return the dialect's INSERT, whose ``on_conflict_do_*`` both databases spell alike."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, replacing those whose primary key is there already."""
    if not rows:
        return
    statement = insert(connection, table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest), rows)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, key: str) -> None:
    """Insert rows, leaving out those whose unique ``key`` is there already."""
    if rows:
        connection.execute(insert(connection, table).on_conflict_do_nothing(index_elements=[key]), rows)


def _parse(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise _unknown(text) from None
    match url.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return url.set(drivername="sqlite")
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return url.set(drivername="postgresql+psycopg")
        case _:
            raise _unknown(shown(url))


def _unknown(found: str) -> StoreError:
    return StoreError(
        f"state store: got the URL {found!r}, expected sqlite:///FILE or postgresql://USER@HOST/DATABASE",
        hint="Correct `state:` in vernal.yaml.",
    )


def _sqlite(url: sa.URL, busy_seconds: float) -> sa.Engine:
    in_memory = url.database in {None, "", ":memory:"}
    if not in_memory and url.database is not None and not url.database.startswith("file:"):
        _make_folder(url, Path(url.database).parent)
    # One connection *is* a store in memory, so threads queue for it instead of getting an empty store each.
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if in_memory else {}
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        # The driver would begin transactions when it thinks fit, and never IMMEDIATE ones; see `begin` below.
        connect_args={"timeout": busy_seconds, "isolation_level": None, "check_same_thread": False},
        **pool,
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        _use_wal(connection, attempts=int(busy_seconds / _WAL_PAUSE_SECONDS) + 1)
        # In WAL mode NORMAL never corrupts the file, and loses nothing when a process is killed; a power cut may lose
        # the last commits, which the next tick does again. FULL would cost one fsync per commit.
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A writer that began by reading would fail at once, without waiting, when another one wrote in between.
        if connection.get_execution_options().get("vernal_write", False):
            _begin_immediate(connection, busy_seconds)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


_WAL_PAUSE_SECONDS = 0.05
_TURN_MILLISECONDS = 50


def _begin_immediate(connection: sa.Connection, busy_seconds: float) -> None:
    """Take the write lock, waiting for it in short turns.

    SQLite asks again after 1, 2, 5, 10 ... milliseconds and, within one long wait, at last only every 100: a writer
    that waits beside a busy one starves for seconds. Turns of 50 milliseconds keep it asking often.
    """
    until = monotonic() + busy_seconds
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {min(_TURN_MILLISECONDS, round(busy_seconds * 1000))}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if not is_busy(error) or monotonic() >= until:
                    raise
            else:
                return
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}")


def _use_wal(connection: sqlite3.Connection, *, attempts: int) -> None:
    """Switch to write-ahead logging; SQLite itself would not wait here for others that open the same new file."""
    for left in reversed(range(attempts)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if left == 0 or not is_busy(error):
                raise
            pause(_WAL_PAUSE_SECONDS)
        else:
            return


def _make_folder(url: sa.URL, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"state store {shown(url)}: its folder {folder} cannot be made: {error.strerror}",
            hint="Check the `state:` URL in vernal.yaml and the permissions.",
        ) from error


def _postgresql(url: sa.URL, busy_seconds: float) -> sa.Engine:
    seconds = str(max(1, round(busy_seconds)))
    try:
        return sa.create_engine(
            url.update_query_dict({"connect_timeout": url.query.get("connect_timeout", seconds)}),
            # A controller sleeps for an hour between checks; firewalls and restarts end idle connections meanwhile.
            pool_pre_ping=True,
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"state store {shown(url)}: PostgreSQL needs the package psycopg, which is not installed",
            hint="Install it with: pip install 'vernal[postgres]'",
        ) from error


__all__ = ["BUSY_SECONDS", "Database", "among", "insert", "insert_new", "machine_time", "upsert"]
