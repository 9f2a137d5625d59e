from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from vernal.records import Labels, Predictions
from vernal.spec import METRICS, RESERVED_COLUMNS, DriftTrigger, ModelSpec, PerformanceTrigger
from vernal.spec.metrics import Task, default_metric
from vernal.stats.metrics import METRICS as COMPUTED

SMALLEST: dict[str, Any] = {
    "model": "fraud",
    "task": "binary",
    "code": "fraud.py",
    "features": {"numerical": ["amount"]},
}


def model(**changes: Any) -> ModelSpec:  # noqa: ANN401 - values of a file
    return ModelSpec.model_validate({**SMALLEST, **changes})


def refused(**changes: Any) -> str:  # noqa: ANN401 - values of a file
    with pytest.raises(ValidationError) as caught:
        model(**changes)
    return str(caught.value)


def test_four_keys_make_a_model_with_the_defaults_of_the_product() -> None:
    spec = model()

    assert spec.metric == "accuracy"
    assert spec.label_delay == timedelta(days=1)
    assert spec.monitoring.every == timedelta(hours=1)
    assert spec.triggers.schedule is None
    assert spec.triggers.performance is not None
    assert (spec.triggers.performance.threshold, spec.triggers.performance.certainty) == (0.90, 0.95)
    assert spec.triggers.performance.window == timedelta(days=7)
    assert spec.triggers.drift is not None
    assert (spec.triggers.drift.psi, spec.triggers.drift.js, spec.triggers.drift.min_rows) == (0.15, 0.15, 1000)
    assert spec.triggers.drift.false_discovery == 0.01
    assert spec.triggers.volume is not None
    assert spec.triggers.volume.labels == 5000
    assert (spec.policy.combine, spec.policy.consecutive, spec.policy.consecutive_performance) == ("any", 3, 1)
    assert (spec.policy.cooldown, spec.policy.warm_up) == (timedelta(hours=24), 2)
    assert spec.policy.circuit_breaker is not None
    assert (spec.policy.circuit_breaker.after, spec.policy.circuit_breaker.pause) == (3, timedelta(days=7))
    assert (spec.training.lookback, spec.training.holdout) == (timedelta(days=90), timedelta(days=7))
    assert spec.training.allow_pickle is False
    assert (spec.gates.min_improvement, spec.gates.floor, spec.gates.strict) == (0.01, 0.90, False)
    assert (spec.approval.cost_above_usd, spec.approval.expire_after) == (Decimal(500), timedelta(days=7))
    assert [(step.share, step.duration) for step in spec.rollout.steps] == [
        (0.05, timedelta(days=3)),
        (0.25, timedelta(days=4)),
    ]
    assert (spec.rollout.mode, spec.rollout.margin, spec.rollout.soak) == ("paired", 0.05, timedelta(days=1))


def test_a_spec_cannot_be_changed() -> None:
    spec = model()

    with pytest.raises(ValidationError, match="frozen"):
        spec.gates.floor = 0.0  # type: ignore[misc]


def test_a_spec_can_be_a_key() -> None:
    assert {model(): 1}[model()] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"triggers": {"drift": "off", "volume": False, "performance": None}},
        {"training": {"lookback": "all", "memory_limit_gb": 2}},
        {"metric": "roc_auc", "gates": {"floor": 0.6}, "triggers": {"schedule": {"cron": "0 3 * * 1"}}},
        {"policy": {"combine": {"at_least": 2}, "circuit_breaker": "off"}},
        {"budget": {"monthly_usd": 12.34}, "rollout": {"hold_limit": "9d", "soak": "0s"}},
    ],
)
def test_a_spec_written_as_json_reads_back_the_same(changes: dict[str, Any]) -> None:
    spec = model(**changes)

    assert ModelSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_money_is_exact() -> None:
    assert model(budget={"monthly_usd": 0.1}).budget.monthly_usd == Decimal("0.1")


@pytest.mark.parametrize("word", ["off", False, None])
@pytest.mark.parametrize("trigger", ["schedule", "performance", "drift", "volume"])
def test_every_trigger_can_be_switched_off(trigger: str, word: object) -> None:
    assert getattr(model(triggers={trigger: word}).triggers, trigger) is None


@pytest.mark.parametrize("word", ["on", True, "no", "Off", 0])
def test_no_other_word_switches_a_trigger(word: object) -> None:
    assert "triggers.drift" in refused(triggers={"drift": word})


def test_a_metric_without_default_leaves_the_performance_trigger_off() -> None:
    assert model(metric="roc_auc", gates={"floor": 0.6}).triggers.performance is None


def test_a_performance_trigger_that_is_asked_for_needs_a_threshold_of_its_own() -> None:
    message = refused(metric="roc_auc", gates={"floor": 0.6}, triggers={"performance": {"window": "3d"}})

    assert "triggers.performance.threshold" in message


def test_a_performance_trigger_for_accuracy_keeps_its_default_threshold() -> None:
    performance = model(triggers={"performance": {"window": "3d"}}).triggers.performance

    assert performance is not None
    assert (performance.threshold, performance.window) == (0.90, timedelta(days=3))


def test_a_metric_without_default_needs_a_floor_of_its_own() -> None:
    assert "gates.floor" in refused(metric="roc_auc")


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_a_metric_in_the_unit_of_the_labels_needs_every_level(metric: str) -> None:
    message = refused(task="regression", metric=metric)

    for key in ("gates.floor", "gates.min_improvement", "rollout.margin"):
        assert key in message


def test_levels_in_the_unit_of_the_labels_may_be_large() -> None:
    spec = model(task="regression", gates={"floor": 120, "min_improvement": 5}, rollout={"margin": 20})

    assert (spec.metric, spec.gates.floor, spec.gates.min_improvement, spec.rollout.margin) == ("mae", 120, 5, 20)


@pytest.mark.parametrize(
    ("metric", "level"),
    [
        ("accuracy", 0),
        ("accuracy", 1),
        ("accuracy", 90),
        ("roc_auc", 0.5),
        ("roc_auc", 0.3),
        ("log_loss", 0),
        ("brier", 1),
    ],
)
def test_a_level_that_separates_nothing_is_refused(metric: str, level: float) -> None:
    message = refused(metric=metric, gates={"floor": level}, triggers={"performance": {"threshold": level}})

    assert f"got {level:g}, expected a {metric}" in message


@pytest.mark.parametrize("key", ["gates.min_improvement", "rollout.margin"])
def test_a_whole_point_as_improvement_or_margin_is_taken_for_a_percentage(key: str) -> None:
    section, name = key.split(".")

    assert "percentages are written as fractions" in refused(**{section: {name: 1}})


@pytest.mark.parametrize(("task", "metric"), [("regression", "accuracy"), ("multiclass", "roc_auc"), ("binary", "mae")])
def test_a_metric_that_does_not_fit_the_task_is_refused_with_those_that_do(task: Task, metric: str) -> None:
    message = refused(task=task, metric=metric)

    assert f'got "{metric}", which does not fit the task "{task}"; expected one of ' in message
    assert default_metric(task) in message


def test_a_wrong_metric_is_the_only_problem_that_it_makes() -> None:
    assert "1 validation error" in refused(metric="acuracy")


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classifiers_are_judged_by_accuracy_unless_the_file_says_otherwise(task: str) -> None:
    assert model(task=task).metric == "accuracy"


@pytest.mark.parametrize("name", ["", "Fraud", "1st", "fraud-model", "fraud\n", "f" * 64, "fräud", "a/b", "."])
def test_a_model_name_that_could_not_be_a_folder_and_a_table_is_refused(name: str) -> None:
    assert "model" in refused(model=name)


@pytest.mark.parametrize("features", [{}, {"numerical": []}, {"numerical": [], "categorical": []}])
def test_a_model_without_features_is_refused(features: dict[str, list[str]]) -> None:
    assert "expected at least one under numerical or categorical" in refused(features=features)


@pytest.mark.parametrize("name", sorted({*Predictions.ALL, *Labels.ALL, "Score"}))
def test_a_feature_named_like_a_column_of_the_lake_is_refused(name: str) -> None:
    assert "which is a column that Vernal writes itself" in refused(features={"categorical": [name]})


@pytest.mark.parametrize("name", ["", " amount", "a\tb", "a\nb", "x" * 129])
def test_a_feature_name_that_cannot_be_told_by_eye_is_refused(name: str) -> None:
    assert "expected a printable column name" in refused(features={"numerical": [name]})


@pytest.mark.parametrize("name", ["wind speed (mph)", "größe", "a.b", "x,y"])
def test_a_feature_may_be_named_as_people_name_columns(name: str) -> None:
    assert model(features={"numerical": [name]}).features.names == (name,)


@pytest.mark.parametrize(
    "features",
    [
        {"numerical": ["a", "a"]},
        {"numerical": ["a"], "categorical": ["a"]},
        {"numerical": ["a"], "categorical": ["b", "A"]},
    ],
)
def test_a_feature_listed_twice_is_refused_whatever_its_case(features: dict[str, list[str]]) -> None:
    assert "already (columns are not told apart by upper and lower case)" in refused(features=features)


def test_a_short_window_is_shorter_or_off() -> None:
    day, week = timedelta(hours=24), timedelta(days=7)
    assert DriftTrigger().windows == (day, week)
    assert DriftTrigger(short_window=None).windows == (week,)
    assert DriftTrigger(window=timedelta(hours=12)).windows == (timedelta(hours=12),)
    assert DriftTrigger(window=week, short_window=timedelta(hours=6)).windows == (timedelta(hours=6), week)
    message = refused(triggers={"drift": {"window": "12h", "short_window": "12h"}})
    assert "triggers.drift.short_window" in message
    assert "got 12h, expected less than window (12h)" in message


def test_drift_may_watch_only_features_that_the_model_has() -> None:
    message = refused(features={"numerical": ["amount", "age"]}, triggers={"drift": {"features": ["age", "amonut"]}})

    assert 'got "amonut", expected one of the model\'s features; did you mean "amount"?' in message


def test_features_are_handed_over_numerical_first() -> None:
    features = model(features={"categorical": ["c"], "numerical": ["b", "a"]}).features

    assert features.names == ("b", "a", "c")
    assert features.kinds == {"b": "numerical", "a": "numerical", "c": "categorical"}


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 3 * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 * * * *", "Bad minute"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 */31 * 1#5", "which is never due"),
        ("a b c d e", "expected a cron expression"),
    ],
)
def test_a_cron_expression_that_is_never_due_is_refused(cron: str, words: str) -> None:
    assert words in refused(triggers={"schedule": {"cron": cron}})


@pytest.mark.parametrize(
    "zone", ["Europe/Berln", "", "../etc/passwd", "/etc/localtime", "Europe", "CEST+1", "a\0b", "é"]
)
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    assert "expected a time zone of the IANA database" in refused(
        triggers={"schedule": {"cron": "0 3 * * 1", "timezone": zone}}
    )


@pytest.mark.parametrize("holdout", ["90d", "91d"])
def test_a_holdout_that_leaves_nothing_to_train_on_is_refused(holdout: str) -> None:
    assert f"got {holdout}, expected less than training.lookback (90d)" in refused(training={"holdout": holdout})


def test_any_holdout_is_shorter_than_everything_there_is() -> None:
    training = model(training={"lookback": "all", "holdout": "400d"}).training

    assert training.lookback is None


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.25), (0.1, 0.3, 0.2)])
def test_shares_of_a_rollout_only_rise(shares: tuple[float, ...]) -> None:
    steps = [{"share": share, "duration": "1d"} for share in shares]

    assert "shares only rise" in refused(rollout={"steps": steps})


@pytest.mark.parametrize("share", [0, 1, -0.1, 5, float("nan")])
def test_a_step_serves_more_than_nobody_and_less_than_everybody(share: float) -> None:
    assert "rollout.steps.0.share" in refused(rollout={"steps": [{"share": share, "duration": "1d"}]})


def test_a_step_is_held_for_twice_its_duration_and_the_label_delay() -> None:
    spec = model(label_delay="12h")

    assert spec.hold_limit(0) == timedelta(days=6, hours=12)
    assert spec.hold_limit(1) == timedelta(days=8, hours=12)
    assert model(rollout={"hold_limit": "5d"}).hold_limit(1) == timedelta(days=5)


@pytest.mark.parametrize(
    "changes",
    [
        {"monitoring": {"every": "0s"}},
        {"monitoring": {"every": "59s"}},
        {"training": {"holdout": "0d"}},
        {"training": {"lookback": None}},
        {"triggers": {"drift": {"window": "90m"}}},
        {"label_delay": 1},
        {"label_delay": timedelta(days=-1)},
        {"risky": 1},
        {"risky": "yes"},
        {"gates": {"floor": "0.9"}},
        {"gates": {"floor": True}},
        {"gates": {"floor": float("nan")}},
        {"gates": {"certainty": 1}},
        {"triggers": {"volume": {"labels": 5.5}}},
        {"triggers": {"volume": {"labels": 0}}},
        {"budget": {"monthly_usd": -1}},
        {"budget": {"monthly_usd": True}},
        {"budget": {"monthly_usd": "100"}},
        {"approval": {"cost_above_usd": float("inf")}},
        {"features": ["amount"]},
        {"features": {"numerical": "amount"}},
        {"rollout": {"steps": []}},
        {"rollout": {"mode": "split"}},
        {"code": "train.ipynb"},
        {"unknown": 1},
    ],
)
def test_a_value_of_another_kind_or_size_is_refused(changes: dict[str, Any]) -> None:
    assert next(iter(changes)) in refused(**changes)


def test_metrics_of_a_policy_are_those_that_can_be_computed_for_the_same_tasks() -> None:
    assert {name: set(limits.tasks) for name, limits in METRICS.items()} == {
        name: {task.value for task in metric.tasks} for name, metric in COMPUTED.items()
    }


def test_reserved_columns_are_those_of_the_lake() -> None:
    assert {*Predictions.ALL, *Labels.ALL} == RESERVED_COLUMNS


def test_a_drop_from_its_own_evaluation_stands_in_for_a_threshold_or_beside_one() -> None:
    alone = model(triggers={"performance": {"max_drop": 0.03}}).triggers.performance
    beside = model(triggers={"performance": {"max_drop": 0.03, "threshold": 0.85}}).triggers.performance
    other = model(
        metric="roc_auc", gates={"floor": 0.6}, triggers={"performance": {"max_drop": 0.03}}
    ).triggers.performance

    assert alone is not None
    assert beside is not None
    assert other is not None
    assert (alone.threshold, alone.max_drop) == (None, 0.03)
    assert (beside.threshold, beside.max_drop) == (0.85, 0.03)
    assert (other.threshold, other.max_drop) == (None, 0.03)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("max_drop", 3.0, "percentages are written as fractions"),
        ("max_drop", 0.0, "triggers.performance.max_drop"),
        ("min_coverage", 1.5, "triggers.performance.min_coverage"),
    ],
)
def test_a_drop_or_coverage_that_cannot_be_is_refused(key: str, value: float, problem: str) -> None:
    assert problem in refused(triggers={"performance": {key: value}})


def test_a_performance_trigger_without_any_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="neither threshold nor max_drop"):
        PerformanceTrigger()


@pytest.mark.parametrize(("proxy", "weight"), [("exclude", 0.0), ("include", 1.0), (0.25, 0.25)])
def test_proxies_count_as_much_as_is_said(proxy: object, weight: float) -> None:
    assert model(labels={"proxy": proxy}).labels.proxy_weight == weight
    assert model().labels.proxy_weight == 0.0


@pytest.mark.parametrize("proxy", [0, 1, 1.5, -0.5, "sometimes", True, None])
def test_what_no_proxy_can_count_is_refused(proxy: object) -> None:
    message = refused(labels={"proxy": proxy})
    assert "labels.proxy" in message
    assert "expected exclude, include, or a weight between 0 and 1" in message
