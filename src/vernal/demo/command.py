"""The demo: a year of flights through the production code, against the model that was never retrained."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.act.serve import Server
from vernal.adapters.costs import ModelledCost
from vernal.adapters.models import load_predictor
from vernal.adapters.user_code import load_features
from vernal.bootstrap import open_system
from vernal.clock import SimulatedClock, monotonic
from vernal.demo.faults import misinstall
from vernal.demo.flights_data import read_flights
from vernal.demo.history import NEW_YORK, Flights, days
from vernal.errors import ProjectError, TrainingError
from vernal.observe.columns import floats, keep, micros, to_micros
from vernal.observe.labelled import labelled
from vernal.ports import TrainingJob
from vernal.records import Phase, Predictions
from vernal.replay.engine import replay
from vernal.replay.outcome import Outcome, money, monthly, run_line
from vernal.replay.report import render

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from vernal.act.system import System
    from vernal.ports import ModelLoader
    from vernal.records import Run
    from vernal.replay.engine import Day

MODEL = "late_arrival"
MARKER = ".vernal-demo"
BEGIN, END = datetime(2013, 1, 1, tzinfo=NEW_YORK), datetime(2014, 1, 1, tzinfo=NEW_YORK)
FIRST_TRAINING = datetime(2013, 2, 1, tzinfo=NEW_YORK)
FAULTS = ("worse-model",)


class Finished(NamedTuple):
    """What the demo leaves: its outcome and where the report and the project are."""

    outcome: Outcome
    report: Path
    project: Path


def run_demo(
    folder: Path,
    *,
    fault: str | None = None,
    until: datetime | None = None,
    on_day: Callable[[Day, int, int], None] = lambda _day, _number, _of: None,
) -> Finished:
    """Replay the year of flights in a fresh project folder and write the report.

    Parameters
    ----------
    folder
        Where the project goes. A folder that an earlier demo made is replaced; any other one that is not empty is
        refused.
    fault
        ``worse-model`` installs the first challenger of the year badly, see :mod:`vernal.demo.faults`.
    until
        Stop early, for a quick look; the whole year by default.
    on_day
        Called after each day with the day, its number from 1 and how many there are.

    Raises
    ------
    ProjectError
        If the folder holds something else, or the fault is unknown.
    """
    if fault is not None and fault not in FAULTS:
        raise ProjectError(f"fault {fault!r}: expected one of {', '.join(FAULTS)}")
    started = monotonic()
    prepare(folder)
    clock = SimulatedClock(BEGIN)
    last = min(until or END, END)
    with open_system(folder, clock=clock, costs=ModelledCost()) as system:
        server = _server(system, fault)
        every = list(days(BEGIN, last))
        numbers = {start: number for number, (start, _) in enumerate(every, 1)}
        replay(
            system,
            clock,
            server,
            Flights(read_flights()),
            model=MODEL,
            days=every,
            first_training=FIRST_TRAINING,
            on_day=lambda day: on_day(day, numbers[day.start], len(every)),
        )
        outcome = summarise(system, last=last, seconds=lambda: monotonic() - started, fault=fault)
    report = folder / "report.html"
    report.write_text(render(outcome), encoding="utf-8")
    return Finished(outcome, report, folder)


def prepare(folder: Path) -> None:
    """Lay out the flights project in an empty folder, replacing what an earlier demo left there."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise ProjectError(
                f"{folder}: not empty, and not made by an earlier demo", hint="Name another folder with --dir."
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    with as_file(files("vernal.demo") / "flights") as source:
        for path in source.iterdir():
            if path.suffix in {".yaml", ".py", ".md"}:
                shutil.copyfile(path, folder / path.name)


def summarise(system: System, *, last: datetime, seconds: Callable[[], float], fault: str | None) -> Outcome:
    """Hold what production answered against the January model, and gather what was decided."""
    spec = system.project.models[MODEL]
    runs = tuple(reversed(system.store.runs(MODEL)))
    decisions = system.store.decisions(MODEL)
    answers = labelled(
        system.lake,
        MODEL,
        columns=(Predictions.ID, Predictions.EVENT_TIME, Predictions.SCORE, *spec.features.names),
        start=BEGIN.astimezone(UTC),
        end=last.astimezone(UTC),
        as_of=last + timedelta(days=30),
        counting=spec.labels,
    ).rows
    issued = micros(answers[Predictions.EVENT_TIME])
    january = keep(answers, issued < to_micros(FIRST_TRAINING))
    after = keep(answers, issued >= to_micros(FIRST_TRAINING))
    after = keep(after, floats(after[Predictions.SCORE]) >= 0.0)
    static = static_scores(system, january, after)
    local = [moment.astimezone(NEW_YORK) for moment in after[Predictions.EVENT_TIME].to_pylist()]
    months, gain, lower, upper = monthly(
        spec.metric,
        labels=floats(after["label"]),
        vernal=floats(after[Predictions.SCORE]),
        static=static,
        months=[f"{moment:%Y-%m}" for moment in local],
        day=_days(local),
        seed=2013,
    )
    spent = system.store.ledger(MODEL)
    return Outcome(
        model=MODEL,
        metric=spec.metric,
        months=months,
        mean_gain=gain,
        gain_lower=lower,
        gain_upper=upper,
        runs=tuple(run_line(run) for run in runs),
        decisions=decisions,
        checks=dict(Counter(decision.outcome for decision in decisions if decision.kind == "check")),
        cost_usd=money(sum((entry.usd for entry in spent), start=type(spent[0].usd)(0)) if spent else None),
        seconds=seconds(),
        fault=fault,
    )


def static_scores(system: System, january: pa.Table, after: pa.Table) -> NDArray[np.float64]:
    """Return what a model trained once on all of January says to every later flight.

    It is trained by the same job as every candidate, with the rest of the year in the place of the holdout.
    """
    spec = system.project.models[MODEL]
    columns = [*spec.features.names, "label", Predictions.ID, Predictions.EVENT_TIME]
    saved = system.datasets.save("never-retrained", training=january.select(columns), holdout=after.select(columns))
    job = TrainingJob(
        name="never-retrained",
        code=system.project.code_path(MODEL),
        training=saved.training,
        holdout=saved.holdout,
        features=spec.features.names,
        categorical=tuple(spec.features.categorical),
        task=spec.task,
        champion=None,
        time_limit_seconds=spec.training.time_limit.total_seconds(),
        memory_limit_bytes=None,
        seed=1,
    )
    system.trainer.submit(job)
    state = system.trainer.wait(job.name, seconds=job.time_limit_seconds)
    if state.result is None:
        raise TrainingError(f"the January model could not be trained: {state.status} {state.message}")
    return floats(system.datasets.read(Path(state.result.scores_path), columns=("score",))["score"])


def _server(system: System, fault: str | None) -> Server:
    spec = system.project.models[MODEL]
    loader: ModelLoader = load_predictor
    if fault == "worse-model":
        loader = misinstall(load_predictor, is_victim=lambda version: version == first_challenger(system))
    features = load_features(system.project.code_path(MODEL))
    return Server(spec, features=features, registry=system.registry, loader=loader)


def first_challenger(system: System) -> str | None:
    """Return the version of the first run that got past the gates to a rollout."""
    rollouts = [run for run in system.store.runs(MODEL) if _rolled_out(run)]
    return min(rollouts, key=lambda run: run.number).facts.version if rollouts else None


def _rolled_out(run: Run) -> bool:
    return run.facts.rollout is not None or run.phase is Phase.ROLLING_OUT


def _days(local: list[datetime]) -> NDArray[np.int64]:
    return np.array([moment.toordinal() for moment in local], dtype=np.int64)
