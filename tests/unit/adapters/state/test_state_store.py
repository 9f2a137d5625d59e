"""The SQL store does what every state store must do, on a file and in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vernal.adapters.state import open_store
from vernal.testing.state_store import STATE_STORE_CHECKS
from vernal.testing.stores import memory_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vernal.adapters.state import SqlStateStore
    from vernal.ports import StateStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStateStore]:
    opened = (
        memory_store() if request.param == "memory" else open_store(f"sqlite:///{tmp_path}/state.db", project="test")
    )
    yield opened
    assert opened.verify_audit() is None
    opened.close()


@pytest.mark.parametrize("check", STATE_STORE_CHECKS, ids=lambda check: check.__name__)
def test_store_conforms(check: Callable[[StateStore], None], store: SqlStateStore) -> None:
    check(store)
