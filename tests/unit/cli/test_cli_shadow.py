"""``vernal shadow``, and what `check` and `why` say of shadow policies, over what a loop has recorded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import loopworld
from commandline import Vernal, document
from vernal.act.reconcile import tick

SHADOW = """\
shadow:
  - {name: eager, triggers: {volume: {labels: 100}}, policy: {cooldown: 2d}}
  - {name: idle, triggers: {volume: {labels: 1000000}}}
"""


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """Return the folder of a project that was checked on four days, and whose active policy asks for nothing."""
    world = loopworld.build(tmp_path / "watched", policy=loopworld.POLICY + SHADOW)
    world.system.store.sync_models(("m",), now=loopworld.START)
    for day in range(4):
        world.live(day)
    assert world.system.store.runs("m") == ()
    world.close()
    return world.root


def test_what_each_policy_asked_for_is_counted_side_by_side(vernal: Vernal, watched: Path) -> None:
    found = document(vernal("shadow", "m", "--since", "2024-01-01", "--json", "--project", watched))
    counted = {one["name"]: one for one in found["policies"]}
    assert list(counted) == ["active", "eager", "idle"]
    assert {name: (one["checks"], one["requested"], one["suppressed"]) for name, one in counted.items()} == {
        "active": (4, 0, 0),
        "eager": (4, 2, 2),
        "idle": (4, 0, 0),
    }
    assert counted["eager"]["last_asked"] == "2024-01-04T00:00:00Z"
    assert found["since"] == "2024-01-01T00:00:00Z"


def test_people_get_a_table(vernal: Vernal, watched: Path) -> None:
    told = vernal("shadow", "m", "--since", "2024-01-01", "--project", watched).stdout
    rows = [line.split() for line in told.splitlines()]
    assert ["eager", "4", "2", "2", "0", "0", "2024-01-04", "00:00"] in rows


def test_only_the_last_month_is_counted_unless_told_otherwise(vernal: Vernal, watched: Path) -> None:
    told = vernal("shadow", "m", "--project", watched).stdout
    assert "active  0" in told
    assert "list some under `shadow`" in told


def test_a_check_made_now_says_what_each_shadow_would_do(vernal: Vernal, watched: Path) -> None:
    (judged,) = document(vernal("check", "m", "--json", "--project", watched))["models"]
    assert set(judged["shadow"]) == {"eager", "idle"}
    assert judged["shadow"]["eager"]["ruling"]["outcome"] == "requested"
    assert "Shadow policy eager: requested (volume: " in vernal("check", "m", "--project", watched).stdout


def test_why_tells_what_the_shadows_would_have_done(vernal: Vernal, watched: Path) -> None:
    story = document(vernal("why", "m", "--at", "2024-01-03T00:00", "--json", "--project", watched))
    assert story["check"]["evidence"]["shadow"]["eager"]["ruling"]["suppressions"][0]["policy"] == "cooldown"
    told = vernal("why", "m", "--at", "2024-01-03T00:00", "--project", watched).stdout
    assert "eager would have held volume back: cooldown until 2024-01-04 00:00 UTC." in told
    assert "idle" in told


def test_a_shadow_never_opens_a_run(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path / "w", policy=loopworld.POLICY + SHADOW)
    world.system.store.sync_models(("m",), now=loopworld.START)
    for day in range(3):
        world.log(day)
        world.clock.set(loopworld.START + timedelta(days=day + 1))
        assert tick(world.system).steps == ()
    world.close()
