"""Open a store: make it, bring it up to date, and see that it belongs to the project."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.adapters.state.audit import GENESIS
from vernal.adapters.state.engine import BUSY_SECONDS, Database, insert_new, machine_time
from vernal.adapters.state.failures import shown
from vernal.adapters.state.store import SqlStateStore
from vernal.errors import StoreError

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_version = sa.table(schema.VERSION_TABLE, sa.column("version_num", sa.Text))

# Two opening processes take turns at this number on PostgreSQL; it means nothing beyond being ours ("vernal").
_TURN: Final = 0x7665726E616C

# Alembic keeps the migration it runs in module globals, so threads take turns too.
_one_at_a_time = Lock()


class _Found(NamedTuple):
    version: str | None
    project: str | None


def open_store(url: str, *, project: str, busy_seconds: float = BUSY_SECONDS) -> SqlStateStore:
    """Open the state store at ``url``, making or upgrading it first if need be.

    Parameters
    ----------
    url
        ``sqlite:///`` and an absolute path (its folder is made), ``sqlite://`` for a store in memory that ends with
        this object, or ``postgresql://user@host/database``.
    project
        Name of the project; a new store is bound to it.
    busy_seconds
        How long to wait for a locked SQLite file, or for PostgreSQL to answer.

    Raises
    ------
    StoreError
        If the store belongs to another project, was written by a newer Vernal, or cannot be opened.
    """
    database = Database(url, busy_seconds=busy_seconds)
    try:
        found = _look(database)
        _refuse_stranger(database, found, project)
        if found.version != schema.SCHEMA_VERSION:
            _bring_up_to_date(database, project)
            _refuse_stranger(database, _look(database), project)
    except BaseException:
        database.close()
        raise
    return SqlStateStore(database, project=project)


def _look(database: Database) -> _Found:
    with database.read() as connection:
        return _read_version(connection)


def _read_version(connection: sa.Connection) -> _Found:
    if not sa.inspect(connection).has_table(schema.VERSION_TABLE):
        return _Found(None, None)
    version = connection.scalar(sa.select(_version.c.version_num))
    project = connection.scalar(sa.select(schema.store.c.project)) if version is not None else None
    return _Found(version, project)


def _refuse_stranger(database: Database, found: _Found, project: str) -> None:
    if found.version is not None and int(found.version) > int(schema.SCHEMA_VERSION):
        raise StoreError(
            f"state store {shown(database.url)}: its tables are of version {found.version}, "
            f"expected at most {schema.SCHEMA_VERSION}",
            hint="A newer Vernal has used this store: upgrade this one (pip install --upgrade vernal).",
        )
    if found.project is not None and found.project != project:
        raise StoreError(
            f"state store {shown(database.url)}: it belongs to the project {found.project!r}, not to {project!r}",
            hint="Give this project a store of its own: name another URL under `state:` in vernal.yaml.",
        )


def _bring_up_to_date(database: Database, project: str) -> None:
    # Imported here: it costs a third of a second, and an up-to-date store does not need it.
    from alembic import command
    from alembic.config import Config

    with _one_at_a_time, database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))
        _refuse_stranger(database, _read_version(connection), project)  # another process may have been first, and newer
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        row = {
            "id": 1,
            "project": project,
            "created_at": connection.scalar(sa.select(machine_time(connection))),
            "audit_seq": 0,
            "audit_hash": GENESIS,
            "event_seq": 0,
        }
        insert_new(connection, schema.store, [row], key="id")


__all__ = ["MIGRATIONS", "open_store"]
