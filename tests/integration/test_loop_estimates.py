"""The whole loop of a model whose labels stop coming, and what a check loads to estimate."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import loopworld
from vernal.act.check import judge_model
from vernal.act.ingest import preview_inbox
from vernal.act.reconcile import tick
from vernal.act.serve import Requests
from vernal.profile import Reference
from vernal.records import CheckEvidence

POLICY = loopworld.POLICY.replace(
    "triggers: {drift: off, volume: off}",
    "triggers: {drift: off, volume: off, performance: {threshold: 0.75, max_drop: 0.05, window: 3d}}",
)
DAY = loopworld.HISTORY_DAYS


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> loopworld.World:
    """Return a world with a champion, whose labels then stop coming while its requests become hard ones."""
    world = loopworld.build(tmp_path_factory.mktemp("estimates"), policy=POLICY)
    for day in range(DAY):
        world.log(day)
    world.clock.set(loopworld.START + timedelta(days=DAY))
    world.retrain()
    world.live(DAY)
    for day in range(DAY + 1, DAY + 6):
        _serve_hard_requests(world, day)
    world.clock.set(loopworld.START + timedelta(days=DAY + 6))
    return world


def hard_rows(day: int) -> pd.DataFrame:
    """Return requests on which the first model is unsure, and rightly so."""
    many = pd.concat([loopworld.day_rows(1000 + 10 * day + part) for part in range(8)], ignore_index=True)
    scores = np.array(loopworld.score(many["x"], many["noise"], loopworld.LEVELS[1]))
    rows = many[np.abs(scores - 0.5) < 0.15].reset_index(drop=True)
    at = [loopworld.START + timedelta(days=day, minutes=2 * n) for n in range(len(rows))]
    return rows.assign(at=at, id=[f"hard-{day}-{n}" for n in range(len(rows))])


def _serve_hard_requests(world: loopworld.World, day: int) -> None:
    rows = hard_rows(day)
    requests = Requests(rows, rows["id"].tolist(), rows["entity"].tolist(), rows["at"].tolist())
    answered = world.server.answer(requests, world.system.store.model(loopworld.MODEL).route)
    world.system.lake.append(loopworld.MODEL, "predictions", answered, writer="hard", sequence=day)


def look(world: loopworld.World) -> tuple[CheckEvidence, dict[str, tuple[bool, bool]], str]:
    arrived = preview_inbox(world.system.lake, world.system.project.models[loopworld.MODEL], now=world.clock.now())
    judged = judge_model(world.system, world.system.store.model(loopworld.MODEL), arrived)
    answers = {result.kind: (result.fired, result.warning) for result in judged.results}
    return judged.observation.evidence, answers, judged.ruling.outcome


def test_a_promotion_keeps_the_evaluation_and_the_estimator_beside_the_baseline(promoted: loopworld.World) -> None:
    state = promoted.system.store.model(loopworld.MODEL)
    assert state.champion is not None
    data = promoted.system.store.baseline(loopworld.MODEL, state.champion.version)
    assert data is not None
    reference = Reference.from_bytes(data)

    assert reference.holdout is not None
    assert reference.holdout.metric == "roc_auc"
    assert reference.estimator is not None
    assert len(reference.estimator) < 20_000


def test_without_labels_the_estimate_warns_and_asks_for_no_run(promoted: loopworld.World) -> None:
    evidence, answers, outcome = look(promoted)

    assert evidence.performance is not None
    assert evidence.performance.labelled == 0
    assert evidence.holdout is not None
    assert evidence.estimated is not None
    assert evidence.estimated.measure.value is not None
    assert evidence.holdout.value is not None
    assert evidence.estimated.measure.value < evidence.holdout.value - 0.05
    assert answers["performance"] == (False, False)
    assert answers["estimate"] == (False, True)
    assert outcome in {"healthy", "insufficient"}


def test_people_are_told_of_a_warning_when_it_begins_and_not_at_every_check(promoted: loopworld.World) -> None:
    start = promoted.clock.now()
    for hours in (0, 12):
        promoted.clock.set(start + timedelta(hours=hours))
        tick(promoted.system)
    sent = [json.loads(line) for line in (promoted.root / "sent.jsonl").read_text().splitlines()]
    warnings = [message for message in sent if message["kind"] == "estimate-warning"]

    assert [(message["state"], message["severity"]) for message in warnings] == [("raised", "warning")]
    assert warnings[0]["title"] == "m: the estimate is on the bad side of its limit"
    assert "it asks for nothing by itself" in warnings[0]["body"]


def test_a_check_that_estimates_loads_neither_the_libraries_of_training_nor_of_the_registry(
    promoted: loopworld.World,
) -> None:
    # The registry and the trainer are faked, but a check needs neither.
    script = (
        "import sys, json\n"
        "from datetime import datetime\n"
        "from vernal.bootstrap import open_system\n"
        "from vernal.clock import SimulatedClock\n"
        "from vernal.act.check import judge_model\n"
        "from vernal.act.ingest import preview_inbox\n"
        "from pathlib import Path\n"
        f"clock = SimulatedClock(datetime.fromisoformat({promoted.clock.now().isoformat()!r}))\n"
        f"with open_system(Path({str(promoted.root)!r}), clock=clock, read_only=True) as system:\n"
        f"    arrived = preview_inbox(system.lake, system.project.models[{loopworld.MODEL!r}], now=clock.now())\n"
        f"    judged = judge_model(system, system.store.model({loopworld.MODEL!r}), arrived)\n"
        "assert judged.observation.evidence.estimated is not None\n"
        "print(*sorted({'sklearn', 'pandas', 'mlflow'} & set(sys.modules)))\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.strip() == ""


def test_labels_that_come_after_all_are_judged_and_the_estimate_was_right(promoted: loopworld.World) -> None:
    before, _, _ = look(promoted)
    for day in range(DAY + 1, DAY + 6):
        rows = hard_rows(day)
        times = pa.array(rows["at"].tolist(), pa.timestamp("us", tz="UTC"))
        table = {"prediction_id": rows["id"].tolist(), "label": rows["label"].tolist(), "source": ["true"] * len(rows)}
        table |= {"event_time": times, "arrival_time": times}
        promoted.system.lake.append(loopworld.MODEL, "labels", pa.table(table), writer="late", sequence=day)
    after, answers, _ = look(promoted)

    assert before.estimated is not None
    assert after.performance is not None
    assert before.estimated.measure.lower is not None
    assert before.estimated.measure.upper is not None
    assert after.performance.measure.value is not None
    assert before.estimated.measure.lower < after.performance.measure.value < before.estimated.measure.upper
    assert answers["performance"][0]  # surely below the threshold, and surely dropped
    assert after.estimated is None  # label_delay is 0: nothing waits any more
