"""The state store on SQLite or PostgreSQL."""

from vernal.adapters.state.audit import ChainBreak, verify
from vernal.adapters.state.opening import open_store
from vernal.adapters.state.store import SqlStateStore

__all__ = ["ChainBreak", "SqlStateStore", "open_store", "verify"]
