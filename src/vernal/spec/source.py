"""Where a model's predictions and labels are read from: the embedded lake, or tables of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from vernal.spec.base import DefaultNote, Delay, Fault, Section
from vernal.spec.features import FeaturesSpec
from vernal.spec.wording import guess, shown

SourceKind = Literal["lake", "parquet", "delta", "sql"]

DEFAULT_LATENESS: Final = timedelta(hours=1)
DEFAULT_ZONE: Final = "UTC"

_FOLDERS: Final = frozenset({"parquet", "delta"})


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f'got {shown(name)}, expected the name of a time zone such as "Europe/Berlin"') from None
    return name


def _url(url: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            f"got {shown(url)}, expected a database URL such as postgresql+psycopg://reader@db.example.org/shop"
        ) from None
    if parsed.password is not None:
        raise ValueError(
            f"got {shown(url)} with a password, expected none in a file: put it into an environment variable and name "
            "that under password_env"
        )
    return url


def _variable(name: str) -> str:
    if not name.replace("_", "a").isalnum() or not name.isascii() or name[0].isdigit():
        raise ValueError(f"got {shown(name)}, expected the name of an environment variable such as SHOP_PASSWORD")
    return name


def _local_folder(path: str) -> str:
    if "://" in path or "\0" in path:
        raise ValueError(f"got {shown(path)}, expected a folder on this machine, relative to the project or absolute")
    return path


Column = Annotated[str, Field(min_length=1, max_length=256)]
ItsName = Annotated[Column | None, DefaultNote("the same name")]
Zone = Annotated[str, AfterValidator(_time_zone)]
Url = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_url)]
Variable = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_variable)]
TableName = Annotated[str, Field(min_length=1, max_length=512)]
Folder = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_local_folder)]


class PredictionColumns(Section):
    """Which of your columns holds what; one that is left out is looked for under Vernal's name."""

    prediction_id: ItsName = Field(
        default=None,
        description="Id by which labels refer to predictions. Needed.",
        examples=["request_id"],
    )
    event_time: ItsName = Field(
        default=None, description="When the prediction was asked for. Needed.", examples=["scored_at"]
    )
    received_time: ItsName = Field(
        default=None,
        description="When the row was written, by which new rows are told from old ones. Without it the event time "
        "stands in, and rows that are written later than `lateness` after their event are missed by the hourly counts.",
        examples=["inserted_at"],
    )
    model_version: ItsName = Field(
        default=None, description="Version that answered, as the registry numbers it.", examples=["version"]
    )
    entity: ItsName = Field(default=None, description="Whom the prediction is about.", examples=["customer_id"])
    prediction: ItsName = Field(default=None, description="What was answered.", examples=["decision"])
    score: ItsName = Field(
        default=None, description="Probability of class 1, or another score.", examples=["fraud_probability"]
    )
    role: ItsName = Field(default=None, description="`champion` or `challenger`, whoever answered.")
    other_version: ItsName = Field(
        default=None, description="Version that scored beside the one that answered, in a paired rollout."
    )
    other_prediction: ItsName = Field(default=None, description="What the other version would have answered.")
    other_score: ItsName = Field(default=None, description="The other version's score.")


class LabelColumns(Section):
    """Which of your columns holds what; one that is left out is looked for under Vernal's name."""

    prediction_id: ItsName = Field(
        default=None, description="Id of the prediction that the label belongs to. Needed.", examples=["request_id"]
    )
    label: ItsName = Field(
        default=None, description="What turned out to be true; rows without it wait. Needed.", examples=["is_fraud"]
    )
    event_time: ItsName = Field(
        default=None,
        description="Event time of the prediction. Without it the arrival time stands in. One of both is needed.",
    )
    arrival_time: ItsName = Field(
        default=None,
        description="When the label became known. Without it that is taken to be `label_delay` after the event.",
        examples=["reported_at"],
    )
    source: ItsName = Field(default=None, description="`true`, or `proxy` for a stand-in for the true label.")


class PredictionConstants(Section):
    """Values that hold for every row, in place of a column."""

    model_version: Column | None = Field(
        default=None, description="The version that answers, as long as there is only one.", examples=["1"]
    )
    role: Column | None = Field(default=None, description="`champion` or `challenger`.")


class LabelConstants(Section):
    """Values that hold for every row, in place of a column."""

    source: Column | None = Field(default=None, description="`true` or `proxy`.", examples=["proxy"])


class PredictionTable(Section):
    """Where predictions are, and what their columns are called there."""

    table: TableName | None = Field(
        default=None,
        description="Table or view, for `sql`: a name, or schema and name with a dot between.",
        examples=["serving.scores"],
    )
    folder: Folder | None = Field(
        default=None,
        description="Folder, for `parquet` and `delta`; relative to the project, or absolute.",
        examples=["exports/scores"],
    )
    columns: PredictionColumns = Field(default=PredictionColumns(), description="Names of the columns.")
    constants: PredictionConstants = Field(default=PredictionConstants(), description="Values for every row.")
    features: Mapping[str, Column] = Field(
        default_factory=dict,
        description="Columns of features that have other names there: `feature: column`.",
        examples=[{"amount": "tx_amount"}],
    )


class LabelTable(Section):
    """Where labels are, and what their columns are called there. It may be the table of the predictions."""

    table: TableName | None = Field(
        default=None,
        description="Table or view, for `sql`: a name, or schema and name with a dot between.",
        examples=["billing.chargebacks"],
    )
    folder: Folder | None = Field(
        default=None,
        description="Folder, for `parquet` and `delta`; relative to the project, or absolute.",
        examples=["exports/labels"],
    )
    columns: LabelColumns = Field(default=LabelColumns(), description="Names of the columns.")
    constants: LabelConstants = Field(default=LabelConstants(), description="Values for every row.")


class SourceDefaults(Section):
    """What the sources of all models share; a model's own `source` goes before it."""

    kind: Annotated[SourceKind | None, DefaultNote("`lake`")] = Field(
        default=None,
        description="`lake` (embedded, filled by clients), `parquet` or `delta` (folders of your own) or `sql`.",
        examples=["sql"],
    )
    url: Url | None = Field(
        default=None,
        description="SQLAlchemy URL of the database, for `sql`, without a password. A relative SQLite or DuckDB path "
        "is relative to the project. It is only read.",
        examples=["postgresql+psycopg://reader@db.example.org/shop"],
    )
    password_env: Variable | None = Field(
        default=None, description="Environment variable that holds the password.", examples=["SHOP_PASSWORD"]
    )
    time_zone: Annotated[Zone | None, DefaultNote("`UTC`")] = Field(
        default=None,
        description="Zone of times that do not say theirs; of an hour that the clock repeats the first one is meant.",
        examples=["Europe/Berlin"],
    )
    lateness: Annotated[Delay | None, DefaultNote("`1h`")] = Field(
        default=None,
        description="How long after its time of receipt a row may become visible (long transactions, copied files). So "
        "far back every check looks again; hours that have got rows are counted anew, so none is counted twice.",
        examples=["15m"],
    )


class SourceSpec(SourceDefaults):
    """Where predictions and labels are read from. What is not named stays in the embedded lake."""

    predictions: PredictionTable | None = Field(
        default=None, description="The predictions; none: they are in the embedded lake."
    )
    labels: LabelTable | None = Field(default=None, description="The labels; none: they are in the embedded lake.")


class SourceTable(NamedTuple):
    """A table or folder: where it is, and which of its columns and constants stand for Vernal's columns."""

    place: str
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    features: Mapping[str, str]


class Source(NamedTuple):
    """A model's source with the project's defaults filled in."""

    kind: SourceKind
    url: str | None
    password_env: str | None
    zone: str
    lateness: timedelta
    tables: Mapping[str, SourceTable]
    """By kind of row, ``predictions`` and ``labels``; those in the embedded lake are left out."""


def source_of(spec: SourceSpec, defaults: SourceDefaults) -> Source:
    """Return a model's source; the specs must have no :func:`source_faults`."""
    kind = spec.kind or defaults.kind or "lake"
    tables = {}
    if kind != "lake":
        for name, table in (("predictions", spec.predictions), ("labels", spec.labels)):
            if table is not None:
                tables[name] = _table(table, kind)
    return Source(
        kind=kind,
        url=spec.url or defaults.url,
        password_env=spec.password_env or defaults.password_env,
        zone=spec.time_zone or defaults.time_zone or DEFAULT_ZONE,
        lateness=next((one for one in (spec.lateness, defaults.lateness) if one is not None), DEFAULT_LATENESS),
        tables=MappingProxyType(tables),
    )


def source_faults(spec: SourceSpec, defaults: SourceDefaults, features: FeaturesSpec) -> Iterator[Fault]:
    """Yield what is wrong with a model's source once the project's defaults are filled in."""
    kind = spec.kind or defaults.kind or "lake"
    tables = (("predictions", spec.predictions), ("labels", spec.labels))
    named = [(name, table) for name, table in tables if table is not None]
    if kind == "lake":
        yield from (
            Fault((name,), "found tables of your own, but kind is lake; expected kind parquet, delta or sql")
            for name, _ in named
        )
    elif not named and spec.kind is not None:
        yield Fault((), f"kind {kind} needs predictions, labels or both")
    if kind != "sql":
        yield from (
            Fault((key,), f"belongs to kind sql, but kind is {kind}")
            for key in ("url", "password_env")
            if getattr(spec, key) is not None
        )
    elif named and (spec.url or defaults.url) is None:
        yield Fault((), "kind sql needs a url such as postgresql+psycopg://reader@db.example.org/shop")
    for name, table in named:
        yield from (Fault((name, *fault.at), fault.message) for fault in _table_faults(table, kind, features))


def _table_faults(table: PredictionTable | LabelTable, kind: SourceKind, features: FeaturesSpec) -> Iterator[Fault]:
    if kind != "lake":
        wanted, other = ("folder", "table") if kind in _FOLDERS else ("table", "folder")
        if getattr(table, wanted) is None:
            yield Fault((), f"kind {kind} needs a {wanted}")
        if getattr(table, other) is not None:
            yield Fault((other,), f"kind {kind} has a {wanted}, not a {other}")
    for name in table.constants.model_fields_set & table.columns.model_fields_set:
        yield Fault(("constants", name), "has a column already; expected one or the other")
    if isinstance(table, PredictionTable):
        for name in table.features:
            if name not in features.names:
                yield Fault(("features", name), f"got {shown(name)}, which is no feature{guess(name, features.names)}")


def _table(table: PredictionTable | LabelTable, kind: SourceKind) -> SourceTable:
    place = table.folder if kind in _FOLDERS else table.table
    return SourceTable(
        place=place or "",
        columns=MappingProxyType(table.columns.model_dump(exclude_none=True)),
        constants=MappingProxyType(table.constants.model_dump(exclude_none=True)),
        features=MappingProxyType(dict(table.features) if isinstance(table, PredictionTable) else {}),
    )
