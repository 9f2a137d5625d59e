"""Opening MLflow: quietly, without telemetry, and without waiting for minutes on a server that is not there."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import warnings
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vernal.errors import RegistryError, VernalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.tracking import MlflowClient

_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Vernal tries again by itself and holds a lease meanwhile, which MLflow's own patience would outlast.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
_SERVERS = frozenset({"databricks", "databricks-uc", "http", "https"})


def open_client(tracking_uri: str) -> MlflowClient:
    """Return a client of an MLflow tracking server or database; a SQLite file is made if there is none.

    Raises
    ------
    RegistryError
        If the database or server cannot be opened.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)  # before the import: telemetry starts with it
    file = sqlite_file(tracking_uri)
    with translated(f"registry {without_password(tracking_uri)}"), warnings.catch_warnings():
        # MLflow's own tables use an option that SQLAlchemy 2.1 deprecates; nothing here can change that.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
        if file is None:
            return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
        with _alone(file):  # two processes must not create the tables at the same time
            _require_sqlite(file)
            client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
            client.search_registered_models(max_results=1)  # creates the tables
            return client


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Turn what MLflow and the libraries below it raise into a :class:`~vernal.errors.RegistryError`."""
    try:
        yield
    except VernalError:
        raise
    except Exception as error:  # MLflow lets errors of its database, file and network layers through
        told = str(error).strip().splitlines() or [""]
        message = f"{subject}: {type(error).__name__}: {told[0]}"
        raise RegistryError(message, hint="Check the project's `registry`, and whether it can be reached.") from error


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Keep other processes of this machine out for the duration."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_server(tracking_uri: str) -> bool:
    """Tell whether a tracking URI names a server, which then decides where artefacts are kept."""
    return urlsplit(tracking_uri).scheme in _SERVERS


def sqlite_file(tracking_uri: str) -> Path | None:
    """Return the file behind a SQLite URI, ``None`` for any other."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(tracking_uri)
    except ArgumentError:
        return None
    named = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(url.database or "").absolute() if named else None


def without_password(tracking_uri: str) -> str:
    """Return a URI that can be shown."""
    parts = urlsplit(tracking_uri)
    if parts.password is None:
        return tracking_uri
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")).geturl()


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with locked_file(file.with_name(f"{file.name}.lock")):
        yield


def _require_sqlite(file: Path) -> None:
    """Fail at once where MLflow would try for minutes: on a file that is no database or cannot be opened."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        hint = "Check the file's permissions and whether it is MLflow's."
        raise RegistryError(f"registry {file}: cannot be opened: {error}", hint=hint) from error
