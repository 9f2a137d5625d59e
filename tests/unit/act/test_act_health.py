"""What probes are answered."""

from __future__ import annotations

from pathlib import Path

import loopworld
from vernal.act.health import Health


def test_a_loop_that_comes_round_lives() -> None:
    health = Health()
    health.note_loop()
    alive = health.alive()
    assert alive.well
    assert alive.facts["alive"] is True


def test_a_loop_that_is_stuck_does_not_live() -> None:
    assert not Health(loop_seconds=-1.0).alive().well


def test_it_is_ready_when_nothing_is_wrong(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path)
    health = Health()
    health.watch(world.system)
    assert health.ready() == (True, {"ready": True, "problems": {}})
    world.close()


def test_everything_that_keeps_it_from_working_is_named(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path)
    health = Health()
    health.watch(world.system)
    health.stopping = True
    health.project_problem = "m.yaml:2: task: got 'guess'"
    world.close()
    ready = health.ready()
    assert not ready.well
    assert set(ready.facts["problems"]) == {"stopping", "project", "store"}
    assert ready.facts["problems"]["project"] == "m.yaml:2: task: got 'guess'"
    assert "closed" in ready.facts["problems"]["store"]


def test_it_is_not_ready_while_no_project_is_open() -> None:
    assert Health().ready().facts["problems"] == {"store": "it is not open"}
