"""The SQL store does on PostgreSQL what every state store must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vernal.adapters.state import open_store
from vernal.testing.state_store import STATE_STORE_CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vernal.adapters.state import SqlStateStore
    from vernal.ports import StateStore

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlStateStore]:
    opened = open_store(postgres_url, project="test")
    yield opened
    assert opened.verify_audit() is None
    opened.close()


@pytest.mark.parametrize("check", STATE_STORE_CHECKS, ids=lambda check: check.__name__)
def test_store_conforms_on_postgresql(check: Callable[[StateStore], None], store: SqlStateStore) -> None:
    check(store)
