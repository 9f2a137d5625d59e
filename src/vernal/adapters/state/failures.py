"""What a database's errors mean for the person who reads them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from vernal.errors import StoreError, VernalError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SQLITE = {
    "SQLITE_FULL": ("the disk is full", "Free some space; the work is tried again."),
    "SQLITE_IOERR": ("the disk cannot be read or written", "Check the disk and the system log."),
    "SQLITE_BUSY": (
        "the file stayed locked by another process",
        "See which other program holds it open; many workers at once want PostgreSQL.",
    ),
    "SQLITE_LOCKED": (
        "the file stayed locked by another process",
        "See which other program holds it open; many workers at once want PostgreSQL.",
    ),
    "SQLITE_NOTADB": (
        "the file is not a SQLite database",
        "Move that file away or name another one under `state:` in vernal.yaml.",
    ),
    "SQLITE_CORRUPT": ("the file is damaged", "Restore it from a backup, or rescue it with `sqlite3 FILE .recover`."),
    "SQLITE_CANTOPEN": ("the file cannot be opened", "Check that the folder exists and may be written."),
    "SQLITE_READONLY": ("the file may not be written", "Check the permissions of the file and of its folder."),
    "SQLITE_PERM": ("the file may not be read", "Check the permissions of the file and of its folder."),
}

# By the first characters of SQLSTATE, longest first: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = {
    "53100": ("the server's disk is full", "Free some space on the server; the work is tried again."),
    "53": ("the server is out of resources", "Raise its limits (max_connections, memory) or run fewer workers."),
    "42501": ("the user may not do this", "Grant the user CREATE on the schema and all rights on the vernal_ tables."),
    "28": ("the server refuses the user", "Check user and password in the `state:` URL."),
    "3D000": ("the database does not exist", "Create it (`createdb NAME`) or correct the `state:` URL."),
    "40": ("the transaction was rolled back to resolve a conflict", "Nothing was written; the work is tried again."),
    "55P03": ("a lock was not granted in time", "Nothing was written; the work is tried again."),
    "57": ("the server is shutting down or cancelled the statement", "Nothing was written; the work is tried again."),
}


@contextmanager
def explained(url: sa.URL) -> Iterator[None]:
    """Turn whatever the database raises inside the block into a :class:`~vernal.errors.StoreError` with advice."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, VernalError):  # a column type refused a value
            raise error.orig from None
        raise store_error(url, error) from error
    except SQLAlchemyError as error:
        raise store_error(url, error) from error
    except msgspec.DecodeError as error:
        raise StoreError(
            f"state store {shown(url)}: a stored record cannot be read: {error}",
            hint="It was written by another version of Vernal, or changed by hand.",
        ) from error


def store_error(url: sa.URL, error: SQLAlchemyError) -> StoreError:
    """Return the error that says what happened to the store at ``url`` and what to do."""
    if isinstance(error, PoolTimeoutError):
        return StoreError(
            f"state store {shown(url)}: no connection became free in time",
            hint="A transaction hangs in another thread of this process.",
        )
    original = error.orig if isinstance(error, DBAPIError) else None
    what, hint = _meaning(error, original)
    detail = " ".join(str(original or error).split())
    return StoreError(f"state store {shown(url)}: {what}: {detail}", hint=hint)


def shown(url: sa.URL) -> str:
    """Return the URL as a message may show it, without its password."""
    return url.render_as_string(hide_password=True)


def is_busy(error: Exception) -> bool:
    """Tell whether SQLite refused because another connection holds the file."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def _meaning(error: SQLAlchemyError, original: BaseException | None) -> tuple[str, str | None]:
    name = str(getattr(original, "sqlite_errorname", None) or "")
    for prefix, meaning in _SQLITE.items():
        if name.startswith(prefix):
            return meaning
    state = str(getattr(original, "sqlstate", None) or "")
    for prefix, meaning in _POSTGRESQL.items():
        if state.startswith(prefix):
            return meaning
    if isinstance(error, IntegrityError):
        return "refused, nothing was written", None
    if isinstance(error, (OperationalError, InterfaceError)):
        return "cannot be reached", "Check that the server is up and that the `state:` URL names it."
    return "the database refused", None
