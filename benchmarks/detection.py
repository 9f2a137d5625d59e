"""How often drift is found and how often it is imagined: Vernal's default policy beside simpler rules and NannyML.

    python -m benchmarks.detection                     # everything, about half an hour
    python -m benchmarks.detection --quick             # one model and few days: shows that all of it works
    python -m benchmarks.detection --no-nannyml

Each model has 50 features and about 1,000 rows an hour, and is checked every hour by the code that a tick runs. A
champion has been trained on four weeks; the days after them either go on as before, or change at one moment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks import environments, streams
from benchmarks.environments import BENCH, ROOT, python_of

from vernal.act.check import check_model
from vernal.act.system import System
from vernal.adapters.state import open_store
from vernal.clock import SimulatedClock
from vernal.observe.reference import build_reference
from vernal.ports import NewRows
from vernal.profile import Profile, Reference, compare
from vernal.records import Champion, Lease, Phase, Run, RunRequest, Transition, TriggerKind
from vernal.spec import load_project

PAGE: Final = ROOT / "docs" / "explanation" / "detection.md"
RESULTS: Final = BENCH / "detection.json"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

TRAINING_DAYS: Final = 28
LEASE: Final = Lease(owner="benchmark", duration=timedelta(hours=1))
PLAIN_LIMIT, PLAIN_ROWS = 0.15, 1000
"""The plain rule: PSI above 0.15 in a window of at least so many rows."""

Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Scenario:
    """Days after the training, and what happens in them. ``change_day`` is ``None`` where nothing does."""

    name: str
    title: str
    days: int
    change_day: int | None = None
    weather: float = 0.0


SCENARIOS: Final = (
    Scenario("quiet", "nothing but daily and weekly seasons", days=30),
    Scenario("weather", "the same with slow changes that come and go (0.2 sd)", days=30, weather=0.2),
    Scenario("shift", "0.5 standard deviations in one important feature", days=12, change_day=8),
    Scenario("swap", "two differently distributed columns swapped", days=12, change_day=8),
)


@dataclass
class Found:
    """What one rule said of one model: alarms as the first and the last hour that each was on."""

    alarms: list[tuple[int, int]] = field(default_factory=list)

    def add(self, hour: int, *, on: bool, was_on: bool) -> None:
        """Take in one check; an alarm that goes on is one alarm."""
        if on and was_on:
            self.alarms[-1] = (self.alarms[-1][0], hour)
        elif on:
            self.alarms.append((hour, hour))


class MemoryLake:
    """Rows as they come in, without files."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Take in rows; the version rises by one."""
        nothing = {name: pa.nulls(rows.num_rows, pa.string()) for name in ("model_version", "other_version")}
        numbers = ("prediction", "score", "other_prediction", "other_score")
        nothing |= {name: pa.nulls(rows.num_rows, pa.float64()) for name in numbers}
        for name, column in nothing.items():
            rows = rows.append_column(name, column)
        self._parts.append(rows)

    def version(self, _model: str, _kind: str) -> int:
        """Return how often rows came in."""
        return len(self._parts)

    def since(self, _model: str, _kind: str, version: int | None, *, columns: Sequence[str]) -> NewRows:
        """Return the rows after a version."""
        parts = [part.select(list(columns)) for part in self._parts[version or 0 :]]
        return NewRows(pa.concat_tables(parts), len(self._parts))

    def scan(self, _model: str, _kind: str, *, columns: Sequence[str] | None = None, **_: object) -> pa.Table:
        """Return no labels, and no predictions of before the champion."""
        time, text = pa.timestamp("us", tz="UTC"), pa.string()
        kinds = {"event_time": time, "arrival_time": time, "prediction_id": text, "source": text, "model_version": text}
        names = columns or ("prediction_id", "event_time")
        return pa.table({name: pa.nulls(0, kinds.get(name, pa.float64())) for name in names})

    def __getattr__(self, name: str) -> Callable[..., tuple[()] | None]:
        """Answer every other question with nothing: no inbox, no counts of its own."""
        return lambda *_args, **_more: () if name.startswith(("inbox", "set_aside")) else None


def main() -> None:
    """Run the scenarios and write the page."""
    options = _options()
    scenarios = [Scenario(s.name, s.title, min(s.days, 3), s.change_day and 1, s.weather) for s in SCENARIOS]
    scenarios = scenarios if options.quick else list(SCENARIOS)
    models = 1 if options.quick else options.models
    jobs = [(scenario, seed, options.nannyml) for scenario in scenarios for seed in range(models)]
    with ProcessPoolExecutor(options.processes) as pool:
        results = []
        for job, found in zip(jobs, pool.map(_simulate, *zip(*jobs, strict=True)), strict=True):
            print(f"{job[0].name}, model {job[1]}: {json.dumps(found['rules'])[:300]}", file=sys.stderr, flush=True)
            results.append(found)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))
    table = "\n".join(report(results, scenarios))
    print(table)
    if not options.quick:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one model and few days")
    parser.add_argument("--models", type=int, default=10, help="models per scenario")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-nannyml", dest="nannyml", action="store_false", help="leave NannyML out")
    options = parser.parse_args()
    if options.nannyml and environments.make(["nannyml"], lambda text: print(text, file=sys.stderr)):
        options.nannyml = False
    return options


def _simulate(scenario: Scenario, seed: int, with_nannyml: bool) -> dict[str, Any]:  # noqa: FBT001 - mapped over
    """Live through one model's days, and return what each rule said."""
    stream = streams.Stream(seed, weather=scenario.weather)
    training = pa.concat_tables([stream.day(day) for day in range(TRAINING_DAYS)])
    changed_at = None
    if scenario.change_day is not None:
        changed_at = streams.START + timedelta(days=TRAINING_DAYS + scenario.change_day)
    days = [_changed(scenario.name, stream.day(TRAINING_DAYS + day), changed_at) for day in range(scenario.days)]
    rules = _vernal(stream, training, days)
    if with_nannyml:
        rules["nannyml"] = _nannyml(stream, training, days)
    return {
        "scenario": scenario.name,
        "seed": seed,
        "days": scenario.days,
        "change_hour": None if scenario.change_day is None else 24 * scenario.change_day,
        "rules": {name: found.alarms for name, found in rules.items()},
    }


def _changed(name: str, rows: pa.Table, since: datetime | None) -> pa.Table:
    if since is None:
        return rows
    return (streams.shifted if name == "shift" else streams.swapped)(rows, since=since)


def _vernal(stream: streams.Stream, training: pa.Table, days: Sequence[pa.Table]) -> dict[str, Found]:
    """Check every hour as a tick does, and return what Vernal and the plain rules said on the same windows."""
    rules = {name: Found() for name in ("fired", "requested", "plain-24h", "plain-7d")}
    on = dict.fromkeys(rules, False)
    with tempfile.TemporaryDirectory() as folder:
        system, lake = _system(Path(folder), stream)
        _promote(system, stream, training)
        reference = Reference.from_bytes(system.store.baseline("m", "1") or b"")
        for hour, now in _hours(lake, days):
            cast("SimulatedClock", system.clock).set(now)
            state = system.store.claim_check(["m"], lease=LEASE, now=now)
            if state is None:
                raise RuntimeError(f"the check of {now} is not due")
            commit = check_model(system, state)
            run = system.store.commit_check(state, commit)
            (decision, *_) = commit.decisions
            stored = decision.evidence or {}
            said = {
                "fired": any(one["kind"] == "drift" and one["fired"] for one in stored.get("triggers", ())),
                "requested": run is not None,
            }
            for window in commit.windows:
                said["plain-24h" if window.hours == streams.DAY_HOURS else "plain-7d"] = _plain(reference, window.data)
            for name, now_on in said.items():
                rules[name].add(hour, on=now_on, was_on=on[name])
                on[name] = now_on
            if run is not None:
                _reject(system, now)
        system.store.close()
    return rules


def _system(folder: Path, stream: streams.Stream) -> tuple[System, MemoryLake]:
    (folder / "vernal.yaml").write_text("project: p\n")
    (folder / "m.py").write_text("def train(X, y):\n    raise NotImplementedError\n")
    (folder / "m.yaml").write_text(
        "model: m\ntask: binary\ncode: m.py\nlabel_delay: 1d\n"
        f"features:\n  numerical: [{', '.join(stream.numerical)}]\n  categorical: [{', '.join(stream.categorical)}]\n"
        "triggers: {volume: off, performance: off}\n"
    )
    project = load_project(folder)
    lake = MemoryLake()
    nothing = cast("Any", None)
    system = System(
        project=project,
        clock=SimulatedClock(streams.START),
        store=open_store("sqlite://", project="p"),
        lake=cast("Any", lake),
        datasets=nothing,
        registry=nothing,
        trainer=nothing,
        costs=nothing,
        notifier=nothing,
        owner="benchmark",
    )
    system.store.sync_models(["m"], now=streams.START)
    return system, lake


def _promote(system: System, stream: streams.Stream, training: pa.Table) -> None:
    """Make a champion of version 1, trained on these rows, as a run that ends in promotion does."""
    at = streams.START + timedelta(days=TRAINING_DAYS)
    spec = system.project.models["m"]
    silent = pa.table({"prediction": pa.nulls(1, pa.float64()), "score": pa.nulls(1, pa.float64())})
    reference = build_reference(spec, training, silent)
    system.store.request_run(_request(at - timedelta(days=30)))
    run = _claimed(system, at)
    champion = Champion(model="m", version="1", since=at, run_id=run.id, importances=stream.importances())
    system.store.commit_run(
        run,
        Transition(
            phase=Phase.PROMOTED,
            wake_at=at,
            at=at - timedelta(days=30),
            facts=run.facts,
            champion=champion,
            baseline=reference.to_bytes(),
            baseline_version="1",
        ),
    )


def _claimed(system: System, now: datetime) -> Run:
    run = system.store.claim_run(["m"], lease=LEASE, now=now)
    if run is None:
        raise RuntimeError(f"no run is due at {now}")
    return run


def _request(at: datetime) -> RunRequest:
    return RunRequest(model="m", trigger=TriggerKind.MANUAL, reason="first", requested_by="benchmark", at=at)


def _hours(lake: MemoryLake, days: Sequence[pa.Table]) -> Iterator[tuple[int, datetime]]:
    """Let each hour's rows arrive, and yield the hour after the training and the moment of its check."""
    for day, rows in enumerate(days):
        hours = streams.hour_of(rows) - streams.DAY_HOURS * (TRAINING_DAYS + day)
        ends = np.searchsorted(hours, np.arange(streams.DAY_HOURS), side="right")
        for hour, (begin, end) in enumerate(zip(np.r_[0, ends[:-1]].tolist(), ends.tolist(), strict=True)):
            lake.add(rows.slice(begin, end - begin))
            after = streams.DAY_HOURS * day + hour + 1
            yield after, streams.START + timedelta(days=TRAINING_DAYS, hours=after)


def _plain(reference: Reference, window: bytes) -> bool:
    """Whether any feature's PSI in a window, against all the training data, is above the limit."""
    features, _ = reference.parted(Profile.from_bytes(window))
    found = compare(reference.features, features, min_rows=1)
    return features.rows >= PLAIN_ROWS and any(one.psi is not None and one.psi.score > PLAIN_LIMIT for one in found)


def _reject(system: System, now: datetime) -> None:
    """End the run that a check has opened: its candidate was not better."""
    run = _claimed(system, now)
    rejected = Transition(phase=Phase.REJECTED, wake_at=now, at=now, facts=run.facts, outcome="not better")
    system.store.commit_run(run, rejected)


def _nannyml(stream: streams.Stream, training: pa.Table, days: Sequence[pa.Table]) -> Found:
    """Let NannyML judge each day as a chunk, with its own methods and thresholds."""
    with tempfile.TemporaryDirectory() as folder:
        reference, current = Path(folder) / "reference.parquet", Path(folder) / "current.parquet"
        pq.write_table(training, reference)
        pq.write_table(pa.concat_tables(list(days)), current)
        tool = Path(__file__).parent / "tools" / "peer_nannyml_detection.py"
        command = [python_of("nannyml"), str(tool), str(reference), str(current), ",".join(stream.categorical)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"NannyML failed: {done.stderr[-2000:]}")
        alerts: list[bool] = json.loads(done.stdout.splitlines()[-1])
    found, before = Found(), False
    for day, alert in enumerate(alerts):  # a chunk is judged when it is complete
        found.add(streams.DAY_HOURS * (day + 1), on=alert, was_on=before)
        before = alert
    return found


TITLES: Final = {
    "requested": "Vernal, default policy: retraining requested",
    "fired": "Vernal, drift trigger fires (recorded, not yet acted on)",
    "plain-24h": "PSI > 0.15 on any feature, last 24 h",
    "plain-7d": "PSI > 0.15 on any feature, last 7 d",
    "nannyml": "NannyML, defaults, one chunk a day, any feature",
}


def report(results: Sequence[dict[str, Any]], scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Yield the tables, line by line."""
    quiet = [scenario for scenario in scenarios if scenario.change_day is None]
    yield "| false alarms per model and 30 days: median (worst) | " + " | ".join(one.title for one in quiet) + " |"
    yield "|---|" + "---|" * len(quiet)
    for rule, title in TITLES.items():
        cells = [_false_alarms(_of(results, scenario, rule)) for scenario in quiet]
        if any(cells):
            yield f"| {title} | " + " | ".join(cells) + " |"
    changing = [scenario for scenario in scenarios if scenario.change_day is not None]
    yield ""
    yield "| hours until found: median (worst); false alarms before | " + " | ".join(o.title for o in changing) + " |"
    yield "|---|" + "---|" * len(changing)
    for rule, title in TITLES.items():
        cells = [_hours_to_find(_of(results, scenario, rule)) for scenario in changing]
        if any(cells):
            yield f"| {title} | " + " | ".join(cells) + " |"
    yield ""
    yield f"{len(results) // len(scenarios)} models in each scenario."


def _of(results: Sequence[dict[str, Any]], scenario: Scenario, rule: str) -> list[dict[str, Any]]:
    return [
        {**one, "alarms": one["rules"][rule]}
        for one in results
        if one["scenario"] == scenario.name and rule in one["rules"]
    ]


def _false_alarms(found: Sequence[dict[str, Any]]) -> str:
    if not found:
        return ""
    counts = [len(one["alarms"]) * 30 / one["days"] for one in found]
    return f"{statistics.median(counts):g} ({max(counts):g})"


def _hours_to_find(found: Sequence[dict[str, Any]]) -> str:
    """Return how long it took from the change to an alarm that began after it, and what there was before."""
    if not found:
        return ""
    changes = [one["change_hour"] for one in found]
    before = sum(sum(first <= change for first, _ in one["alarms"]) for one, change in zip(found, changes, strict=True))
    waits = [
        min((first - change for first, _ in one["alarms"] if first > change), default=None)
        for one, change in zip(found, changes, strict=True)
    ]
    known = [wait for wait in waits if wait is not None]
    missed = f", {len(waits) - len(known)} of {len(waits)} never" if len(known) < len(waits) else ""
    told = f"{statistics.median(known):g} ({max(known):g}{missed})" if known else "never"
    return f"{told}; {before / len(found):.2g}"


if __name__ == "__main__":
    main()
