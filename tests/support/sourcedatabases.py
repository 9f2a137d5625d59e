"""Databases as users have them, to be filled by a test and read by Vernal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from vernal.adapters.sources.database import Database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES: Mapping[str, sa.types.TypeEngine[Any]] = {
    "request": sa.Text(),
    "scored_at": sa.DateTime(timezone=True),
    "inserted_at": sa.DateTime(timezone=True),
    "version": sa.Text(),
    "decision": sa.Integer(),
    "probability": sa.Double(),
    "tx_amount": sa.Double(),
    "country": sa.Text(),
    "note": sa.Text(),
    "fraud": sa.Integer(),
    "reported_at": sa.DateTime(timezone=True),
}


class UsersDatabase:
    """A database that the user's own programs write to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=NullPool)
        self.backend = self.engine.dialect.name

    def create(self, name: str, types: Mapping[str, sa.types.TypeEngine[Any]]) -> sa.Table:
        """Make a table, in place of one that there was."""
        table = sa.Table(
            name,
            sa.MetaData(),
            *[sa.Column(sa.quoted_name(column, quote=True), kind) for column, kind in types.items()],
        )
        with self.engine.begin() as connection:
            connection.execute(sa.text(f"DROP TABLE IF EXISTS {name}"))
            connection.execute(sa.schema.CreateTable(table))
        return table

    def add(self, table: sa.Table, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        """Insert rows."""
        listed: Sequence[Mapping[str, Any]] = rows.to_pylist() if isinstance(rows, pa.Table) else rows
        if listed:
            with self.engine.begin() as connection:
                connection.execute(table.insert(), [dict(row) for row in listed])

    def run(self, statement: str) -> None:
        """Execute a statement."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement))

    def opened(self) -> Database:
        """Return the database as Vernal opens it."""
        return Database(self.url, password_env=None)


def filled(url: str, rows: pa.Table, name: str = "scores") -> tuple[UsersDatabase, sa.Table]:
    """Return a database with one table of rows."""
    database = UsersDatabase(url)
    table = database.create(name, {column: TYPES[column] for column in rows.column_names})
    database.add(table, rows)
    return database, table
