"""Column types that bring back exactly what was stored, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from typing_extensions import override

from vernal.errors import StoreError
from vernal.records import Record

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

R = TypeVar("R", bound=Record)

RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A growing row number: SQLite numbers rows by itself only in a column of type INTEGER."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment: ``timestamptz`` on PostgreSQL, text of fixed width in UTC on SQLite, so that text order is time order.

    A datetime without time zone is refused: nobody could say which moment it means.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, without its zone where the database has none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise StoreError(
                f"state store: got the time {value.isoformat()} without a time zone, expected an aware one",
                hint="Build it with tzinfo=datetime.UTC.",
            )
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment, aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(sa.types.TypeDecorator[Decimal]):
    """US dollars, exact: ``NUMERIC`` on PostgreSQL, decimal text on SQLite, whose own NUMERIC is a float."""

    impl = sa.Numeric
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the database keeps exactly."""
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.Numeric())

    @override
    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | str | None:
        """Return the amount in the database's form; NaN and infinities are refused."""
        if value is None:
            return None
        if not value.is_finite():
            raise StoreError(f"state store: got an amount of {value} USD, expected a finite number")
        return format(value, "f") if dialect.name == "sqlite" else value

    @override
    def process_result_value(self, value: Decimal | str | None, dialect: Dialect) -> Decimal | None:
        """Return the amount as it was stored."""
        return None if value is None else Decimal(value)


class RecordText(sa.types.TypeDecorator[R], Generic[R]):
    """One record as JSON text."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, record: type[R]) -> None:
        super().__init__()
        self.record = record

    @override
    def process_bind_param(self, value: R | None, dialect: Dialect) -> str | None:
        """Return the record's JSON."""
        return None if value is None else value.to_json().decode()

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> R | None:
        """Return the record."""
        return None if value is None else self.record.from_json(value)


_LONG = 2_048
"""Characters of JSON from which SQLite stores it compressed; a check's evidence has tens of thousands."""

_COMPRESSED = "zlib:"
"""What compressed JSON begins with, as no JSON does; base64 of a zlib stream follows."""


class JsonText(sa.types.TypeDecorator[dict[str, Any]]):
    """A dictionary as JSON text; times and money come back as strings.

    PostgreSQL compresses long values by itself. On SQLite they are stored compressed, a fifth as long.
    """

    impl = sa.Text
    cache_ok = True

    @override
    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        """Return the dictionary's JSON, on SQLite compressed if it is long."""
        if value is None:
            return None
        text = msgspec.json.encode(value)
        if dialect.name != "sqlite" or len(text) < _LONG:
            return text.decode()
        return _COMPRESSED + base64.b64encode(zlib.compress(text)).decode()

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        """Return the dictionary."""
        if value is None:
            return None
        text: str | bytes = value
        if value.startswith(_COMPRESSED):
            text = zlib.decompress(base64.b64decode(value.removeprefix(_COMPRESSED)))
        return msgspec.json.decode(text, type=dict[str, Any])
