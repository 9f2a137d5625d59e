from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loopworld
from vernal.act.evaluate import evaluate
from vernal.act.ingest import ingest
from vernal.act.labelling import TWICE, UNKNOWN, Drawn, draw_sample, drawn_again, standings, take_answers
from vernal.act.system import System
from vernal.adapters.lake import DeltaLake
from vernal.errors import LakeError, SampleError
from vernal.observe.dataset import WEIGHT, cut_dataset
from vernal.observe.performance import live_performance
from vernal.observe.rollout import rollout_evidence
from vernal.observe.sampling import RULES
from vernal.profile import FeatureKind, build_baseline
from vernal.records import (
    PerformanceEvidence,
    Phase,
    RolloutState,
    Run,
    RunFacts,
    TrainingResult,
    TrainingSet,
    TriggerKind,
)
from vernal.spec import ModelSpec, TrainingSpec

NOW = loopworld.START + timedelta(days=7)
ROWS = 3000
POLICY = """\
model: m
task: binary
code: m.py
label_delay: 0s
features: {numerical: [x], categorical: [c]}
"""


@pytest.fixture
def world(tmp_path: Path) -> Any:  # noqa: ANN401 - closed afterwards
    made = loopworld.build(tmp_path / "project", policy=POLICY, at=NOW)
    made.system.store.sync_models(("m",), now=NOW)
    log_predictions(made.system)
    yield made
    made.close()


def spec_of(system: System) -> ModelSpec:
    return system.project.models["m"]


def truth() -> dict[str, float]:
    rng = np.random.default_rng(7)
    x = rng.uniform(0, 1, ROWS)
    return dict(zip((f"p{n}" for n in range(ROWS)), (rng.random(ROWS) < x).astype(float).tolist(), strict=True))


def log_predictions(system: System) -> None:
    x = np.random.default_rng(7).uniform(0, 1, ROWS)
    when = [loopworld.START + timedelta(minutes=3 * n) for n in range(ROWS)]
    rows = pa.table(
        {
            "prediction_id": [f"p{n}" for n in range(ROWS)],
            "event_time": pa.array(when, pa.timestamp("us", tz="UTC")),
            "model_version": ["1"] * ROWS,
            "prediction": (x > 0.3).astype(float).tolist(),
            "score": x.tolist(),
            "x": x.tolist(),
            "c": np.where(np.arange(ROWS) % 50 == 0, "rare", "usual").tolist(),
        }
    )
    put(system, "predictions", rows)


def put(system: System, kind: str, rows: pa.Table, writer: str = "w") -> None:
    spec = spec_of(system)
    report = ingest(
        system.lake,
        "m",
        kind,
        rows,
        features=spec.features.kinds,
        task=spec.task,
        writer=f"{writer}:{kind}",
        sequence=1,
        now=NOW,
    )
    assert report.quarantined == 0


def draw(system: System, **changes: Any) -> Drawn:  # noqa: ANN401 - the options of a draw
    options = {"picks": 200, "rule": "random", "feature": None, "start": loopworld.START, "end": NOW, "seed": 0}
    return draw_sample(system, spec_of(system), **{**options, **changes})


def answers(drawn: Drawn, *, of: slice = slice(None)) -> pa.Table:
    known = truth()
    ids = drawn.rows["prediction_id"].to_pylist()[of]
    return pa.table({"prediction_id": ids, "label": [known[name] for name in ids]})


def live(system: System) -> PerformanceEvidence:
    return live_performance(system.lake, spec_of(system), version="1", now=NOW)


def accuracy() -> float:
    x = np.random.default_rng(7).uniform(0, 1, ROWS)
    return float(((x > 0.3) == np.array(list(truth().values()))).mean())


@pytest.mark.parametrize("rule", ["random", "score", "uncertainty"])
def test_answers_of_a_sample_measure_all_predictions_whatever_the_rule(world: loopworld.World, rule: str) -> None:
    drawn = draw(world.system, rule=rule, picks=400)
    take_answers(world.system, spec_of(world.system), answers(drawn), writer="a")
    found = live(world.system)

    assert (found.sampled, found.drawn, found.labelled, found.issued) == (400, 400, 400, ROWS)
    assert found.represented == pytest.approx(ROWS, rel=0.1)
    assert found.measure.value == pytest.approx(accuracy(), abs=0.06)
    assert found.measure.lower is not None
    assert found.measure.upper is not None
    assert found.measure.lower < accuracy() < found.measure.upper
    if rule != "random":
        assert found.measure.effective_rows is not None
        assert found.measure.effective_rows < 400


def test_near_the_threshold_means_near_where_the_answer_changes(world: loopworld.World) -> None:
    scores = {rule: np.array(draw(world.system, rule=rule).rows["x"].to_pylist()) for rule in RULES if rule in BY_SCORE}

    assert np.abs(scores["uncertainty"] - 0.3).mean() < np.abs(scores["random"] - 0.3).mean() - 0.05
    assert scores["score"].mean() > scores["random"].mean() + 0.1


BY_SCORE = ("random", "score", "uncertainty")


def test_strata_are_drawn_alike(world: loopworld.World) -> None:
    drawn = draw(world.system, rule="stratified", feature="c", picks=60)
    categories = drawn.rows["c"].to_pylist()
    assert categories.count("rare") in {27, 28}  # a half of the nine tenths that follow the rule
    numbers = np.array(draw(world.system, rule="stratified", feature="x", picks=100).rows["x"].to_pylist())
    assert np.histogram(numbers, bins=10, range=(0, 1))[0].tolist() == pytest.approx([10] * 10, abs=2)


def test_drift_draws_what_has_become_frequent(world: loopworld.World, monkeypatch: pytest.MonkeyPatch) -> None:
    then = np.random.default_rng(1).uniform(0, 0.5, 5000)
    reference = pa.table({"x": then.tolist(), "c": ["usual"] * 5000})
    kinds = {"x": FeatureKind.NUMERICAL, "c": FeatureKind.CATEGORICAL}
    baseline = build_baseline(reference, kinds).to_bytes()
    with pytest.raises(SampleError, match="no champion with a baseline"):
        draw(world.system, rule="drift")
    state = world.system.store.model("m")
    serving = state.evolve(champion=champion())
    monkeypatch.setattr(type(world.system.store), "model", lambda *_: serving)
    monkeypatch.setattr(type(world.system.store), "baseline", lambda *_: baseline)
    drawn = draw(world.system, rule="drift")
    assert np.mean(np.array(drawn.rows["x"].to_pylist()) > 0.5) > 0.7


def champion() -> Any:  # noqa: ANN401 - a record
    from vernal.records import Champion

    return Champion(model="m", version="1", since=loopworld.START, run_id=None)


def test_a_sample_can_be_drawn_again_elsewhere_and_never_twice_here(world: loopworld.World, tmp_path: Path) -> None:
    twin = loopworld.build(tmp_path / "twin", policy=POLICY, at=NOW)
    log_predictions(twin.system)
    first, same, other = draw(world.system), draw(twin.system), draw(world.system)
    twin.close()

    def ids(drawn: Drawn) -> set[str]:
        return set(drawn.rows["prediction_id"].to_pylist())

    assert (len(ids(first)), ids(first)) == (200, ids(same))
    assert ids(first) & ids(other) == set()
    assert (other.draw, other.population) == ("m-sample-2", ROWS - 200)


def test_another_seed_draws_others(world: loopworld.World, tmp_path: Path) -> None:
    twin = loopworld.build(tmp_path / "twin", policy=POLICY, at=NOW)
    log_predictions(twin.system)
    one, two = draw(world.system), draw(twin.system, seed=1)
    twin.close()
    assert one.rows["prediction_id"] != two.rows["prediction_id"]


def test_two_samples_together_measure_all_predictions(world: loopworld.World) -> None:
    for rule, picks in (("uncertainty", 300), ("score", 300)):
        take_answers(
            world.system, spec_of(world.system), answers(draw(world.system, rule=rule, picks=picks)), writer=rule
        )
    found = live(world.system)

    assert found.sampled == 600
    assert found.measure.value == pytest.approx(accuracy(), abs=0.05)
    assert found.represented == pytest.approx(ROWS, rel=0.1)


def test_predictions_that_come_after_a_draw_are_not_among_those_it_stands_for(world: loopworld.World) -> None:
    """The first draw asks for more time than has passed; the second one has the rest to itself."""
    late = NOW + timedelta(hours=1)
    first = draw(world.system, end=NOW + timedelta(days=1), picks=400)
    assert first.end == NOW
    rows = pa.table(
        {
            "prediction_id": [f"late-{n}" for n in range(1000)],
            "event_time": pa.array([late] * 1000, pa.timestamp("us", tz="UTC")),
            "model_version": ["1"] * 1000,
            "prediction": [1.0] * 1000,
            "score": [0.9] * 1000,
            "x": [0.9] * 1000,
            "c": ["usual"] * 1000,
        }
    )
    world.clock.set(NOW + timedelta(hours=2))
    spec = spec_of(world.system)
    ingest(
        world.system.lake,
        "m",
        "predictions",
        rows,
        features=spec.features.kinds,
        task=spec.task,
        writer="late",
        sequence=1,
        now=world.clock.now(),
    )
    second = draw(world.system, start=NOW, end=NOW + timedelta(days=1), picks=100)
    take_answers(world.system, spec, answers(first), writer="a")
    wrong = pa.table({"prediction_id": second.rows["prediction_id"], "label": [0.0] * 100})
    take_answers(world.system, spec, wrong, writer="b")
    found = live_performance(world.system.lake, spec, version="1", now=world.clock.now())

    assert found.represented == pytest.approx(found.issued, rel=0.02)
    known = accuracy() * (found.issued - 1000) / found.issued
    assert found.measure.value == pytest.approx(known, abs=0.05)


def test_partial_answers_stand_for_the_missing_ones_and_what_is_missing_is_told(world: loopworld.World) -> None:
    drawn = draw(world.system)
    given = answers(drawn)
    labels = [value if row < 150 else None for row, value in enumerate(given["label"].to_pylist())]
    given = given.set_column(1, "label", pa.array(labels, pa.float64()))
    taken = take_answers(world.system, spec_of(world.system), given, writer="a")

    assert (taken.accepted, taken.unanswered, taken.quarantined) == (150, 50, 0)
    found = live(world.system)
    assert (found.sampled, found.drawn) == (150, 200)
    assert found.represented == pytest.approx(ROWS)
    (standing,) = standings(world.system, "m")
    assert (standing.answered, standing.picks) == (150, 200)
    left = drawn_again(world.system, spec_of(world.system), drawn.draw)
    assert set(left.rows["prediction_id"].to_pylist()) == set(given["prediction_id"].to_pylist()[150:])


def test_a_prediction_that_got_its_label_by_itself_stands_for_itself(world: loopworld.World) -> None:
    """Half of the predictions get a label anyway: the sample is drawn from the other half and stands for that alone."""
    known = truth()
    ids = [f"p{n}" for n in range(0, ROWS, 2)]
    when = [loopworld.START + timedelta(minutes=3 * n) for n in range(0, ROWS, 2)]
    rows = {"prediction_id": ids, "label": [known[name] for name in ids]}
    times = pa.array(when, pa.timestamp("us", tz="UTC"))
    put(world.system, "labels", pa.table({**rows, "event_time": times, "arrival_time": times}))
    drawn = draw(world.system)
    take_answers(world.system, spec_of(world.system), answers(drawn), writer="a")
    found = live(world.system)

    assert drawn.population == ROWS / 2
    assert (found.labelled, found.sampled) == (ROWS / 2 + 200, 200)
    assert found.represented == pytest.approx(ROWS)


def test_a_label_that_comes_after_the_draw_makes_its_prediction_one_like_all(world: loopworld.World) -> None:
    drawn = draw(world.system)
    take_answers(world.system, spec_of(world.system), answers(drawn), writer="a")
    before = live(world.system)
    one = drawn.rows.slice(0, 1)
    late = {"prediction_id": one["prediction_id"], "label": [1.0], "event_time": one["event_time"]}
    put(world.system, "labels", pa.table(late), writer="late")
    after = live(world.system)

    assert (before.sampled, after.sampled, after.labelled) == (200, 199, 200)


def test_strangers_doubles_and_nonsense_are_quarantined_each_with_its_reason(world: loopworld.World) -> None:
    given = answers(draw(world.system))
    ids = given["prediction_id"].to_pylist()
    odd = pa.table({"prediction_id": [ids[0], ids[0], "nobody", ids[1]], "label": ["1", "1", "0", "perhaps"]})
    taken = take_answers(world.system, spec_of(world.system), odd, writer="odd")

    assert (taken.accepted, taken.quarantined) == (1, 3)
    assert taken.reasons == (TWICE, UNKNOWN, "label: expected a finite number")
    kept = world.system.lake.scan("m", "quarantine", columns=("prediction_id", "rule"))
    assert sorted(kept["prediction_id"].to_pylist()) == sorted([ids[0], "nobody", ids[1]])


def test_the_same_file_twice_changes_nothing_and_a_correction_counts(world: loopworld.World) -> None:
    drawn = draw(world.system)
    given = answers(drawn)
    for _ in range(2):
        take_answers(world.system, spec_of(world.system), given, writer="a")
    assert world.system.lake.scan("m", "labels", columns=("prediction_id",)).num_rows == 200
    flipped = pa.table({"prediction_id": given["prediction_id"], "label": [1 - y for y in given["label"].to_pylist()]})
    world.clock.advance(timedelta(hours=1))
    before = live(world.system).measure.value
    take_answers(world.system, spec_of(world.system), flipped, writer="b")
    after = live_performance(world.system.lake, spec_of(world.system), version="1", now=NOW + timedelta(hours=1))
    assert before is not None
    assert after.measure.value == pytest.approx(1 - before, abs=0.02)


def test_a_file_without_labels_says_what_to_do(world: loopworld.World) -> None:
    with pytest.raises(LakeError, match="expected label too"):
        take_answers(world.system, spec_of(world.system), pa.table({"prediction_id": ["a"]}), writer="a")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"end": loopworld.START}, "found no answered prediction"),
        ({"rule": "stratified", "feature": "z"}, "strata of z, expected one of x, c"),
        ({"rule": "guess"}, "rule: found 'guess'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_not_recorded(
    world: loopworld.World, options: dict[str, object], problem: str
) -> None:
    with pytest.raises(SampleError, match=problem):
        draw(world.system, **options)
    assert standings(world.system, "m") == ()


def test_a_sample_that_was_never_drawn_cannot_be_written_again(world: loopworld.World) -> None:
    draw(world.system)
    with pytest.raises(SampleError, match="found no sample x, expected one of m-sample-1"):
        drawn_again(world.system, spec_of(world.system), "x")


def test_proxies_do_not_count_where_a_sample_speaks_for_all(world: loopworld.World, tmp_path: Path) -> None:
    both = loopworld.build(tmp_path / "both", policy=POLICY + "labels: {proxy: include}\n", at=NOW)
    log_predictions(both.system)
    ids = [f"p{n}" for n in range(ROWS)]
    times = pa.array([loopworld.START + timedelta(minutes=3 * n) for n in range(ROWS)], pa.timestamp("us", tz="UTC"))
    rows = {"prediction_id": ids, "label": [1.0] * ROWS, "event_time": times, "source": ["proxy"] * ROWS}
    put(both.system, "labels", pa.table(rows))
    assert live(both.system).proxies == ROWS
    take_answers(both.system, spec_of(both.system), answers(draw(both.system)), writer="a")
    found = live(both.system)
    both.close()
    assert (found.proxies, found.sampled, found.unused_proxies) == (0, 200, ROWS - 200)


def test_a_candidate_is_judged_on_a_holdout_in_which_answers_stand_for_others(
    world: loopworld.World, tmp_path: Path
) -> None:
    """All of one day is labelled, of the next a sample in which uncertain rows are frequent."""
    spec = spec_of(world.system).model_copy(update={"training": TrainingSpec(holdout=timedelta(days=5), min_rows=1)})
    known, first_day = truth(), 480
    times = [loopworld.START + timedelta(minutes=3 * n) for n in range(first_day)]
    rows = {"prediction_id": [f"p{n}" for n in range(first_day)], "label": list(known.values())[:first_day]}
    when = pa.array(times, pa.timestamp("us", tz="UTC"))
    put(world.system, "labels", pa.table({**rows, "event_time": when, "arrival_time": when}))
    take_answers(world.system, spec, answers(draw(world.system, rule="uncertainty", picks=500)), writer="a")
    split = cut_dataset(world.system.lake, spec, now=NOW)
    saved = world.system.datasets.save("m-1", training=split.training, holdout=split.holdout)
    x = np.array(split.holdout["x"].to_pylist())
    scores = tmp_path / "scores.parquet"
    answered = {"prediction": (x > 0.3).astype(float), "score": x, "champion_prediction": x > 2, "champion_score": x}
    columns = {name: split.holdout[name] for name in ("prediction_id", "event_time", "label")}
    columns |= {name: pa.array(np.asarray(values, dtype=float)) for name, values in answered.items()}
    pq.write_table(pa.table(columns).take(list(range(len(x) - 1, -1, -1))), scores)  # in an order of their own
    training_set = TrainingSet(
        training_path=str(saved.training),
        holdout_path=str(saved.holdout),
        training_rows=split.training.num_rows,
        holdout_rows=split.holdout.num_rows,
        training_start=split.start,
        training_end=split.split,
        holdout_end=split.cut,
        cut=split.cut,
        predictions_version=1,
        labels_version=1,
        digest="",
        features=("x", "c"),
        weighted=WEIGHT in split.holdout.column_names,
    )
    result = TrainingResult(
        artefact="",
        artefact_digest="",
        scores_path=str(scores),
        wall_seconds=1.0,
        cpu_seconds=1.0,
        peak_bytes=0,
        code_digest="",
    )
    facts = RunFacts(training_set=training_set, training=result, champion="1")
    run = Run(
        id="m-1",
        model="m",
        number=1,
        phase=Phase.EVALUATING,
        trigger=TriggerKind.MANUAL,
        reason="",
        requested_by="ann",
        requested_at=NOW,
        phase_since=NOW,
        wake_at=NOW,
        fence=1,
        attempt=1,
        facts=facts,
    )
    assert WEIGHT not in split.training.column_names
    found = evaluate(world.system.datasets, spec, run)
    plain = evaluate(
        world.system.datasets, spec, run.evolve(facts=facts.evolve(training_set=training_set.evolve(weighted=False)))
    )
    everything = accuracy()
    assert found.measure.value == pytest.approx(everything, abs=0.05)
    assert plain.measure.value is not None
    assert plain.measure.value < everything - 0.05
    assert found.comparison is not None
    assert found.comparison.challenger == pytest.approx(found.measure.value)


def test_a_rollout_is_judged_as_if_all_predictions_were_labelled(world: loopworld.World, tmp_path: Path) -> None:
    """Where scores are low the challenger is better, where they are high worse, and the sample is of high ones."""
    spec = spec_of(world.system)
    lake = DeltaLake(tmp_path / "lake")
    x = np.random.default_rng(7).uniform(0, 1, ROWS)
    when = pa.array([loopworld.START + timedelta(minutes=3 * n) for n in range(ROWS)], pa.timestamp("us", tz="UTC"))
    rows = {"prediction_id": [f"p{n}" for n in range(ROWS)], "event_time": when, "x": x.tolist(), "c": ["a"] * ROWS}
    rows |= {"model_version": ["1"] * ROWS, "prediction": np.ones(ROWS).tolist(), "score": x.tolist()}
    rows |= {"other_version": ["2"] * ROWS, "other_prediction": np.zeros(ROWS).tolist(), "other_score": x.tolist()}
    lake.append("m", "predictions", pa.table(rows), writer="w", sequence=1)
    system = replace(world.system, lake=lake)
    drawn = draw_sample(system, spec, picks=900, rule="score", feature=None, start=loopworld.START, end=NOW, seed=1)
    take_answers(system, spec, answers(drawn), writer="a")
    run = Run(
        id="m-2",
        model="m",
        number=2,
        phase=Phase.ROLLING_OUT,
        trigger=TriggerKind.MANUAL,
        reason="",
        requested_by="ann",
        requested_at=NOW,
        phase_since=NOW,
        wake_at=NOW,
        fence=1,
        attempt=1,
        facts=RunFacts(champion="1", version="2", rollout=RolloutState(started_at=(loopworld.START,), salt="m-2")),
    )
    found = rollout_evidence(lake, spec, run, now=NOW)
    everything = float(np.mean([1 - 2 * label for label in truth().values()]))
    sampled = float(np.mean([1 - 2 * label for label in answers(drawn)["label"].to_pylist()]))

    assert found.rows == 900
    assert found.difference == pytest.approx(everything, abs=0.08)
    assert sampled < everything - 0.2
    assert found.champion is not None
    assert found.champion.value == pytest.approx(float(np.mean(list(truth().values()))), abs=0.05)


def test_an_empty_lake_has_no_samples(tmp_path: Path) -> None:
    empty = loopworld.build(tmp_path, policy=POLICY, at=datetime(2024, 2, 1, tzinfo=UTC))
    assert standings(empty.system, "m") == ()
    with pytest.raises(SampleError, match="found no answered prediction"):
        draw(empty.system)
    empty.close()
