"""Stores that an older Vernal has left."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from vernal.adapters.state import open_store
from vernal.adapters.state.opening import MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def older(path: Path, revision: str, *rows: str) -> str:
    """Make a store as a revision left it, with some rows, and return its URL."""
    url = f"sqlite:///{path}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(
            sa.text(
                "INSERT INTO vernal_store (id, project, created_at, audit_seq, audit_hash) "
                "VALUES (1, 'p', '2026-01-01 00:00:00.000000', 0, '')"
            )
        )
        for row in rows:
            connection.execute(sa.text(row))
    engine.dispose()
    return url


def test_the_last_runs_window_of_the_first_tables_is_that_of_a_week(tmp_path: Path) -> None:
    model = (
        "INSERT INTO vernal_model (model, next_check_at, fence, attempt, last_run_at) "
        "VALUES ('fraud', '2026-03-01 12:00:00.000000', 0, 0, '2026-03-01 12:00:00.000000')"
    )
    window = "INSERT INTO vernal_last_run_window (model, baseline_version, data) VALUES ('fraud', '3', x'0102')"
    store = open_store(older(tmp_path / "state.db", "0001", model, window), project="p")
    try:
        (kept,) = store.windows("fraud", "last_run")
        assert (kept.hours, kept.baseline_version, kept.data, kept.until) == (168, "3", b"\x01\x02", NOON)
        assert store.windows("fraud", "running") == ()
    finally:
        store.close()


def test_what_the_first_outbox_had_not_sent_is_routed_and_what_it_had_is_not_sent_again(tmp_path: Path) -> None:
    message = (
        "INSERT INTO vernal_message (id, at, model, kind, severity, title, body, sent_at) VALUES "
        "('{}', '2026-03-01 12:00:00.000000', 'fraud', 'failed', 'error', 't', 'b', {})"
    )
    rows = (message.format("old", "'2026-03-01 12:00:00.000000'"), message.format("new", "NULL"))
    store = open_store(older(tmp_path / "state.db", "0002", *rows), project="p")
    try:
        assert [waiting.id for waiting in store.unrouted_messages(limit=9)] == ["new"]
        assert store.deliveries() == ()
    finally:
        store.close()
