"""What every record shares: frozen, comparable, JSON in and out."""

from __future__ import annotations

from typing import Any, Self

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen fact.

    Fields are plain values, other records, or tuples of them, so every record has one JSON form. Times are
    time-zone aware and in UTC; money is :class:`decimal.Decimal` in US dollars.
    """

    def evolve(self, **changes: Any) -> Self:  # noqa: ANN401 - the fields' own types are checked on decoding
        """Return a copy with some fields replaced."""
        return msgspec.structs.replace(self, **changes)

    def to_json(self) -> bytes:
        """Return the record as UTF-8 JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Return the record that :meth:`to_json` wrote.

        Raises
        ------
        msgspec.ValidationError
            If ``data`` does not describe a record of this type.
        """
        return msgspec.json.decode(data, type=cls)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON-compatible builtins (times as ISO strings, money as strings)."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
