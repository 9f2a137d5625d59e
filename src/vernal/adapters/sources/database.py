"""Opening a database of the user's, to read only."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from vernal.adapters.sources.dialects import Dialect, dialect_of
from vernal.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DRIVERS: Final = {"postgresql": "postgres", "duckdb": "duckdb"}
"""Extras that bring drivers."""


class Database:
    """One database, connected to anew for each look; what is read together is of one moment where it can be.

    Parameters
    ----------
    url
        SQLAlchemy URL without a password.
    password_env
        Environment variable with the password, if it needs one.
    """

    def __init__(self, url: str, *, password_env: str | None) -> None:
        self._url = url
        self._password_env = password_env

    @property
    def name(self) -> str:
        """The database in messages."""
        return sa.make_url(self._url).render_as_string(hide_password=True)

    @cached_property
    def dialect(self) -> Dialect:
        """How to talk to it."""
        return dialect_of(sa.make_url(self._url).get_backend_name())

    @contextmanager
    def reading(self, subject: str) -> Iterator[sa.Connection]:
        """Connect, and turn what goes wrong into a :class:`~vernal.errors.LakeError`."""
        try:
            with self._engine.connect() as connection:
                self.dialect.prepare(connection)
                yield connection
        except sa.exc.SQLAlchemyError as error:
            found = " ".join(str(getattr(error, "orig", None) or error).split())
            raise LakeError(f"{subject}: cannot be read from {self.name}: {found}", hint=_hint(error)) from error

    @cached_property
    def _engine(self) -> sa.Engine:
        url = sa.make_url(self._url)
        backend = url.get_backend_name()
        options: dict[str, Any] = {}
        if self._password_env is not None:
            password = os.environ.get(self._password_env)
            if password is None:
                raise LakeError(
                    f"{self.name}: found no environment variable {self._password_env}, expected the password in it",
                    hint="Set it where Vernal runs, or correct source.password_env.",
                )
            url = url.set(password=password)
        if backend == "sqlite" and url.database:
            # By its own means a file that is not there would be made.
            url = url.set(database=f"file:{quote(url.database)}", query={**url.query, "mode": "ro", "uri": "true"})
        elif backend == "duckdb":
            options["connect_args"] = {"read_only": True}
        elif backend == "postgresql" and url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        try:
            return sa.create_engine(url, poolclass=NullPool, **options)
        except (ImportError, sa.exc.NoSuchModuleError) as error:
            extra = _DRIVERS.get(backend)
            install = f"pip install 'vernal[{extra}]'." if extra else "Install the database's SQLAlchemy dialect."
            raise LakeError(f"{self.name}: its driver is not installed: {error}", hint=install) from error


def _hint(error: sa.exc.SQLAlchemyError) -> str:
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return "Check that the database is up, that source.url names it, and that its user may read the table."
    return "Check the table's name and columns with `vernal source`, and that the database's user may read them."


__all__ = ["Database"]
