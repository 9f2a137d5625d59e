"""The project file, ``vernal.yaml``: what all models of a project share."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from vernal.spec.base import Fraction, ListOf, LocalPath, Money, Section
from vernal.spec.events import EventsSpec
from vernal.spec.notifications import NotificationsSpec
from vernal.spec.source import SourceDefaults
from vernal.spec.wording import shown

DEFAULT_MODELS: Final = ("*.yaml", "models/*.yaml")

_SQLITE_FILE: Final = re.compile(r"sqlite(\+\w+)?:///(?P<path>[^?]*)(?P<query>\?.*)?", re.DOTALL)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S+")


def _database_url(url: str) -> str:
    if not _URL.fullmatch(url):
        raise ValueError(
            f"got {shown(url)}, expected a database URL such as sqlite:///.vernal/state.db or postgresql+psycopg://user@host/name"
        )
    return _not_in_memory(url)


def _tracking_uri(uri: str) -> str:
    if not _URL.fullmatch(uri):
        raise ValueError(
            f"got {shown(uri)}, expected an MLflow tracking URI such as sqlite:///.vernal/mlflow.db or https://mlflow.example.org"
        )
    return _not_in_memory(uri)


def _not_in_memory(url: str) -> str:
    if url.startswith("sqlite"):
        match = _SQLITE_FILE.fullmatch(url)
        if match is None or match["path"] in {"", ":memory:"} or match["path"].startswith("file:"):
            raise ValueError(
                f"got {shown(url)}, expected a file, as in sqlite:///.vernal/state.db (memory is forgotten)"
            )
    return url


class ProjectBudgetSpec(Section):
    """What all models of the project may spend together."""

    monthly_usd: Money = Field(default=Decimal(10_000), description="Limit per calendar month (UTC), in USD.")
    warn_at: Fraction = Field(default=0.8, description="Share of a monthly limit at which a warning goes out.")
    reserve: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1,
        description="Share of a monthly limit kept for runs asked for by the performance trigger; all others stop "
        "before it.",
    )


class RatesSpec(Section):
    """What computing costs, to turn seconds into money."""

    cpu_hour_usd: Money = Field(default=Decimal("0.05"), description="USD for one hour of one processor core.")
    wall_hour_usd: Money = Field(
        default=Decimal("0.02"),
        description="USD for one hour of elapsed time, whatever the cores do (memory, disk, licences).",
    )


class ProjectSpec(Section):
    """The project file, ``vernal.yaml``."""

    project: str = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="Name of the project: lower-case letters, digits, `_` and `-`, at most 63, starting with a letter.",
        examples=["flights"],
    )
    state: Annotated[str, AfterValidator(_database_url)] = Field(
        default="sqlite:///.vernal/state.db",
        description="SQLAlchemy URL of the state store: SQLite, or PostgreSQL for several workers. A relative SQLite "
        "path is relative to the project. Keep passwords out of the file: PostgreSQL reads them from PGPASSWORD or "
        "~/.pgpass.",
        examples=["postgresql+psycopg://vernal@db.example.org/vernal"],
    )
    lake: LocalPath = Field(
        default=".vernal/lake",
        description="Folder of the prediction and label tables (Delta), relative to the project.",
    )
    source: SourceDefaults = Field(
        default=SourceDefaults(),
        description="What models share whose predictions and labels are in tables of your own; see there.",
    )
    registry: Annotated[str, AfterValidator(_tracking_uri)] = Field(
        default="sqlite:///.vernal/mlflow.db",
        description="MLflow tracking URI of the model registry. A relative SQLite path is relative to the project.",
        examples=["https://mlflow.example.org"],
    )
    models: Annotated[tuple[LocalPath, ...], ListOf, Field(min_length=1)] = Field(
        default=DEFAULT_MODELS,
        description="Model files, as paths or glob patterns relative to the project. `vernal.yaml` itself and hidden "
        "files are never model files.",
        examples=[["models/*.yaml"]],
    )
    budget: ProjectBudgetSpec = Field(default=ProjectBudgetSpec(), description="What all models may spend together.")
    rates: RatesSpec = Field(default=RatesSpec(), description="What computing costs.")
    notifications: NotificationsSpec = Field(default=NotificationsSpec(), description="Where alerts go.")
    events: EventsSpec = Field(default=EventsSpec(), description="Where events for other systems go.")
