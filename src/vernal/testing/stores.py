"""State stores for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vernal.adapters.state import SqlStateStore


def memory_store(project: str = "test") -> SqlStateStore:
    """Return an empty state store in memory, with the tables and rules of the real one.

    It is gone when it is closed, and belongs to this process alone.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> store = memory_store()
    >>> store.sync_models(["fraud"], now=datetime(2026, 1, 1, tzinfo=UTC))
    >>> [state.model for state in store.models()]
    ['fraud']
    >>> store.close()
    """
    from vernal.adapters.state import open_store

    return open_store("sqlite://", project=project)


__all__ = ["memory_store"]
