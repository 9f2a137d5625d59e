"""Kill -9 before and after every commit of two runs: what resumes ends where an undisturbed loop ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import loopworld
from vernal.adapters.state import SqlStateStore
from vernal.clock import pause
from vernal.records import Phase

UNTIL = loopworld.HISTORY_DAYS + 8
LEASE = timedelta(seconds=0.3)
DRIVER = textwrap.dedent(
    """
    import sys
    from dataclasses import replace
    from datetime import timedelta
    from pathlib import Path
    import loopworld

    root, deadly = Path(sys.argv[1]), sys.argv[2] == "deadly"
    world = loopworld.build(root, url=sys.argv[4], lease=timedelta(seconds=0.3))
    if deadly:
        world.system = replace(world.system, store=loopworld.Deadly(world.system.store, root / "died.txt"))
    loopworld.live_through(world, until=int(sys.argv[3]))
    """
)


EMERGENCY = textwrap.dedent(
    """
    import sys
    from dataclasses import replace
    from datetime import timedelta
    from pathlib import Path
    import loopworld

    root, deadly = Path(sys.argv[1]), sys.argv[2] == "deadly"
    policy = loopworld.emergency_policy()
    world = loopworld.build(root, url=sys.argv[4], policy=policy, lease=timedelta(seconds=0.3))
    world.levels[3] = 0.2
    if deadly:
        world.system = replace(world.system, store=loopworld.Deadly(world.system.store, root / "died.txt"))
    loopworld.live_through_an_emergency(world, until=int(sys.argv[3]))
    """
)


def drive(root: Path, mode: str, url: str, *, script: str = DRIVER, until: int = UNTIL) -> int:
    support = str(Path(loopworld.__file__).parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([support, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", script, str(root), mode, str(until), url]
    return subprocess.run(command, check=False, env=environment, timeout=120).returncode


def ending(root: Path, url: str) -> dict[str, Any]:
    world = loopworld.build(root, url=url)
    store = world.system.store
    assert isinstance(store, SqlStateStore)
    try:
        assert store.verify_audit() is None
        messages = [json.loads(line) for line in (root / "sent.jsonl").read_text().splitlines()]
        return {
            "runs": [(run.id, run.phase, run.facts.version, run.outcome) for run in store.runs("m")],
            "decisions": [(d.at, d.run_id, d.kind, d.outcome, d.reason) for d in store.decisions("m")],
            "champion": store.model("m").champion,
            "route": store.model("m").route,
            "ledger": [(entry.key, entry.usd) for entry in store.ledger()],
            "told": sorted({message["id"] for message in messages}),
            "versions": world.system.registry.versions("m"),
        }
    finally:
        world.close()


@pytest.mark.chaos
@pytest.mark.slow
def test_a_loop_killed_at_every_commit_ends_like_one_that_was_not(tmp_path: Path, store_url: str) -> None:
    calm_url = f"sqlite:///{tmp_path}/calm.db"
    assert drive(tmp_path / "calm", "calm", calm_url) == 0
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        assert len(codes) < 60, "the loop never ends"
        codes.append(drive(tmp_path / "deadly", "deadly", store_url))
        assert codes[-1] in {0, -signal.SIGKILL}
        pause(LEASE.total_seconds())
    died = (tmp_path / "deadly" / "died.txt").read_text().splitlines()
    crossed = {key.split(":")[1].split("->")[0] for key in died if "->" in key}
    assert crossed == {
        Phase.REQUESTED,
        Phase.BUILDING,
        Phase.TRAINING,
        Phase.EVALUATING,
        Phase.ROLLING_OUT,
        Phase.SOAKING,
    }
    calm = ending(tmp_path / "calm", calm_url)
    assert [run[1] for run in calm["runs"]] == [Phase.PROMOTED, Phase.PROMOTED]
    assert ending(tmp_path / "deadly", store_url) == calm


@pytest.mark.chaos
@pytest.mark.slow
def test_an_emergency_takes_the_place_of_a_run_once_whenever_the_loop_is_killed(tmp_path: Path, store_url: str) -> None:
    until = loopworld.HISTORY_DAYS + 5
    calm_url = f"sqlite:///{tmp_path}/calm.db"
    assert drive(tmp_path / "calm", "calm", calm_url, script=EMERGENCY, until=until) == 0
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        assert len(codes) < 60, "the loop never ends"
        codes.append(drive(tmp_path / "deadly", "deadly", store_url, script=EMERGENCY, until=until))
        assert codes[-1] in {0, -signal.SIGKILL}
        pause(LEASE.total_seconds())
    died = (tmp_path / "deadly" / "died.txt").read_text().splitlines()
    assert {"check-superseding-m-2:before", "check-superseding-m-2:after"} <= set(died)
    calm = ending(tmp_path / "calm", calm_url)
    assert [run[1] for run in calm["runs"]] == [Phase.AWAITING_RELEASE, Phase.SUPERSEDED, Phase.PROMOTED]
    assert ending(tmp_path / "deadly", store_url) == calm
