"""The audit trail: a chain of entries in which each one seals all before it."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from vernal.adapters.state import schema
from vernal.records import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

GENESIS: Final = "0" * 64
"""What stands for the hash before the first entry."""


class Action(NamedTuple):
    """What somebody did, before it becomes a link of the chain."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    before: dict[str, str | None]
    after: dict[str, str | None]


class ChainBreak(NamedTuple):
    """The first entry that does not fit, and why."""

    seq: int
    reason: str


def append(connection: sa.Connection, action: Action) -> None:
    """Append an action to the chain; the last write of a transaction.

    The head row stays locked until the commit, so entries are numbered without gaps in the order of commits. Nothing
    is locked after it, so waiting for it cannot become a deadlock.
    """
    head = connection.execute(sa.select(schema.store.c.audit_seq, schema.store.c.audit_hash).with_for_update()).one()
    entry = sealed(
        AuditEntry(
            seq=head.audit_seq + 1,
            at=action.at.astimezone(UTC),
            actor=action.actor,
            action=action.action,
            subject=action.subject,
            reason=action.reason,
            before=_text(action.before),
            after=_text(action.after),
            previous_hash=head.audit_hash,
            hash="",
        )
    )
    connection.execute(sa.insert(schema.audit).values(msgspec.structs.asdict(entry)))
    connection.execute(sa.update(schema.store).values(audit_seq=entry.seq, audit_hash=entry.hash))


def sealed(entry: AuditEntry) -> AuditEntry:
    """Return the entry with its hash: sha256 over the previous hash and the canonical JSON of everything else.

    Canonical means keys in order, no spaces, times in UTC as ``2013-02-01T00:00:00Z`` (with microseconds if there are
    any).
    """
    content = entry.to_dict()
    del content["hash"]
    canonical = msgspec.json.encode(content, order="sorted")
    return entry.evolve(hash=hashlib.sha256(entry.previous_hash.encode() + canonical).hexdigest())


def verify(entries: Iterable[AuditEntry], *, head: tuple[int, str] | None = None) -> ChainBreak | None:
    """Return the first break of a chain, or ``None`` if every entry is as it was written.

    Parameters
    ----------
    entries
        The whole chain, oldest first.
    head
        Number and hash of the newest entry as the store remembers them; without it a cut-off tail goes unnoticed.

    Examples
    --------
    >>> verify([]) is None
    True
    >>> verify([], head=(3, "abc"))
    ChainBreak(seq=1, reason='entries 1 to 3 are missing')
    """
    seq, previous = 0, GENESIS
    for entry in entries:
        if entry.seq != seq + 1:
            return ChainBreak(seq + 1, f"expected entry {seq + 1}, found {entry.seq}")
        if entry.previous_hash != previous:
            return ChainBreak(entry.seq, "it does not continue the entry before it")
        if sealed(entry).hash != entry.hash:
            return ChainBreak(entry.seq, "its content does not match its hash")
        seq, previous = entry.seq, entry.hash
    if head is not None and head != (seq, previous):
        if head[0] > seq:
            return ChainBreak(seq + 1, f"entries {seq + 1} to {head[0]} are missing")
        return ChainBreak(seq, "the store's head does not name it as the newest")
    return None


def read(connection: sa.Connection, *, limit: int | None = None) -> tuple[AuditEntry, ...]:
    """Return the chain, oldest first; with ``limit`` the newest that many."""
    newest_first = sa.select(schema.audit).order_by(schema.audit.c.seq.desc()).limit(limit)
    rows = connection.execute(newest_first).mappings().all()
    return tuple(AuditEntry(**row) for row in reversed(rows))


def verify_stored(connection: sa.Connection) -> ChainBreak | None:
    """Return the first break of the stored chain, or ``None``."""
    head = connection.execute(sa.select(schema.store.c.audit_seq, schema.store.c.audit_hash)).one()
    return verify(read(connection), head=(head.audit_seq, head.audit_hash))


def _text(facts: dict[str, str | None]) -> str:
    return msgspec.json.encode({key: value for key, value in facts.items() if value is not None}).decode()


__all__ = ["GENESIS", "Action", "ChainBreak", "append", "read", "sealed", "verify", "verify_stored"]
