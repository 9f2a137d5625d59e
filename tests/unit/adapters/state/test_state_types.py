"""How evidence is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from vernal.adapters.state import open_store
from vernal.records import CheckCommit, Decision, Lease

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG = {"features": [{"feature": f"f{n}", "score": n / 7, "text": "ä\u0000"} for n in range(300)]}


@pytest.mark.parametrize(("evidence", "compressed"), [({"psi": 0.1}, False), (LONG, True)])
def test_long_evidence_is_stored_compressed_and_comes_back_as_it_was(
    tmp_path: Path, evidence: dict[str, Any], compressed: bool
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    store = open_store(url, project="p")
    store.sync_models(["m"], now=NOON)
    state = store.claim_check(["m"], lease=Lease(owner="t", duration=NOON - NOON.replace(hour=11)), now=NOON)
    assert state is not None
    decision = Decision(model="m", at=NOON, kind="check", outcome="healthy", reason="", evidence=evidence)
    commit = CheckCommit(at=NOON, next_check_at=NOON, profiled_version=None, cron_at=None, baseline_version=None)
    store.commit_check(state, commit.evolve(decisions=(decision,)))
    assert store.decisions("m") == (decision,)
    store.close()
    with sa.create_engine(url).connect() as connection:
        text = connection.execute(sa.text("SELECT evidence FROM vernal_decision")).scalar_one()
    assert text.startswith("zlib:") is compressed
    assert not compressed or len(text) < len(str(evidence)) / 3
