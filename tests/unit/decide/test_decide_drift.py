"""The drift trigger, on evidence made up for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from vernal.decide.drift import judge_drift
from vernal.records import CheckEvidence, DriftEvidence, FeatureDrift
from vernal.spec import DriftTrigger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vernal.records import TriggerResult

NOW = datetime(2013, 6, 3, 12, tzinfo=UTC)
ANY = DriftTrigger(rule="any")


def feature(name: str, score: float | None = 0.01, **changes: Any) -> FeatureDrift:  # noqa: ANN401 - fields
    usual: dict[str, Any] = {
        "feature": name,
        "statistic": "psi",
        "score": score,
        "critical": 0.01,
        "p_value": 0.0,
        "adjusted_p": 0.0,
        "rows": 6_000,
        "reference_rows": 20_000,
        "null_share": 0.0,
        "reference_null_share": 0.0,
    }
    return FeatureDrift(**(usual | changes))


def drift(*features: FeatureDrift, rows: int = 6_000, **more: Any) -> DriftEvidence:  # noqa: ANN401 - fields
    return DriftEvidence(window_start=NOW - timedelta(days=7), window_end=NOW, rows=rows, features=features, **more)


def judge(
    spec: DriftTrigger,
    long: DriftEvidence | None,
    short: DriftEvidence | None = None,
    *,
    importances: Mapping[str, float] | None = None,
) -> TriggerResult:
    evidence = CheckEvidence(model="m", at=NOW, champion="1", new_rows=0, quarantined=0, drift=long, short_drift=short)
    return judge_drift(spec, evidence, importances=importances)


def test_fires_on_a_feature_that_moved_relevantly_and_surely() -> None:
    result = judge(ANY, drift(feature("a", 0.30), feature("b", 0.02)))
    assert result.fired
    assert result.reason == "7 d: 1 of 2 features drifted: a psi 0.300 > 0.15 (n=6000)"
    assert result.window_hours == 168


def test_a_large_score_that_chance_explains_does_not_fire() -> None:
    assert not judge(ANY, drift(feature("a", 0.30, critical=0.5))).fired
    assert not judge(ANY, drift(feature("a", 0.30, adjusted_p=0.2))).fired


def test_a_sure_but_tiny_move_does_not_fire() -> None:
    assert not judge(ANY, drift(feature("a", 0.10))).fired


@pytest.mark.parametrize(
    ("spec", "statistic"),
    [(DriftTrigger(rule="any", psi=0.4), "psi"), (DriftTrigger(rule="any", js=0.4), "js")],
)
def test_each_statistic_has_a_threshold_of_its_own(spec: DriftTrigger, statistic: str) -> None:
    found = drift(feature("a", 0.30, statistic=statistic))
    assert judge(ANY, found).fired
    assert not judge(spec, found).fired


def test_the_false_discovery_level_decides_how_sure_is_sure() -> None:
    found = drift(feature("a", 0.30, adjusted_p=0.03))
    assert not judge(ANY, found).fired
    assert judge(DriftTrigger(rule="any", false_discovery=0.05), found).fired


def test_does_not_fire_again_while_nothing_moved_since_the_last_run() -> None:
    moved, calm = feature("a", 0.30), feature("a", 0.01)
    result = judge(ANY, drift(moved, since_last_run=(calm,)))
    assert not result.fired
    assert "none also from the window of the last run" in result.reason
    assert judge(ANY, drift(moved, since_last_run=(moved,))).fired


def test_a_share_of_the_number_of_features_can_be_required() -> None:
    spec = DriftTrigger(rule="share", share=0.5)
    one, two = feature("a", 0.3), feature("b")
    assert judge(spec, drift(one, two)).fired
    result = judge(spec, drift(one, two, feature("c")))
    assert not result.fired
    assert "1 of 3 features drifted, less than the share 0.5" in result.reason


def test_what_moved_since_the_last_run_must_reach_the_share_as_well() -> None:
    spec = DriftTrigger(rule="share", share=0.5)
    a, b, c, calm = feature("a", 0.3), feature("b", 0.3), feature("c"), feature("b")
    assert judge(spec, drift(a, b, c, since_last_run=(a, b, c))).fired
    result = judge(spec, drift(a, b, c, since_last_run=(a, calm, c)))
    assert not result.fired
    assert "only 1 also from the window of the last run" in result.reason


class TestWeighted:
    moved, calm = feature("a", 0.3), feature("b")

    @pytest.mark.parametrize(("weight", "fired"), [(0.19, False), (0.2, True), (1.0, True)])
    def test_fires_from_a_share_of_the_importance(self, weight: float, fired: bool) -> None:
        result = judge(DriftTrigger(), drift(self.moved, self.calm), importances={"a": weight, "b": 1 - weight})
        assert result.fired is fired
        assert f"1 of 2 features with {weight:.0%} of the importance drifted" in result.reason

    def test_any_feature_fires_while_importances_are_unknown(self) -> None:
        found = drift(self.moved, *(feature(name) for name in "bcdefghij"))
        assert judge(DriftTrigger(), found).fired
        assert judge(DriftTrigger(), found, importances=dict.fromkeys("abcdefghij", 0.0)).fired
        assert not judge(DriftTrigger(), found, importances=dict.fromkeys("abcdefghij", 0.1)).fired

    def test_only_the_importance_of_watched_features_counts(self) -> None:
        found, importances = drift(self.moved, self.calm, feature("c")), {"a": 0.1, "b": 0.1, "c": 0.8}
        assert not judge(DriftTrigger(), found, importances=importances).fired
        assert judge(DriftTrigger(features=("a", "b")), found, importances=importances).fired

    def test_the_share_is_that_which_was_asked_for(self) -> None:
        found, importances = drift(self.moved, self.calm), {"a": 0.3, "b": 0.7}
        assert judge(DriftTrigger(share=0.3), found, importances=importances).fired
        assert not judge(DriftTrigger(share=0.31), found, importances=importances).fired


class TestWindows:
    moved, calm = drift(feature("a", 0.3)), drift(feature("a"))

    def test_either_window_fires_and_the_shorter_one_gives_its_name(self) -> None:
        assert judge(ANY, self.calm, self.moved).window_hours == 24
        assert judge(ANY, self.moved, self.calm).window_hours == 168
        both = judge(ANY, self.moved, self.moved)
        assert both.window_hours == 24
        assert both.reason.startswith("24 h: 1 of 1 features drifted: a psi 0.300 > 0.15 (n=6000); 7 d: ")

    def test_both_are_told_of_when_neither_fires(self) -> None:
        result = judge(ANY, self.calm, self.calm)
        assert (result.fired, result.sufficient, result.window_hours) == (False, True, None)
        assert result.reason == "; ".join(
            f"{window}: none of 1 features drifted; highest a psi 0.010" for window in ("24 h", "7 d")
        )

    def test_the_short_one_can_be_off(self) -> None:
        assert not judge(DriftTrigger(rule="any", short_window=None), self.calm, self.moved).fired

    def test_one_that_sees_enough_is_enough(self) -> None:
        few = drift(feature("a", 0.9), rows=999)
        assert judge(ANY, self.calm, few).sufficient
        assert not judge(ANY, few, few).sufficient


@pytest.mark.parametrize("found", [None, drift(feature("a", 0.9), rows=999)])
def test_too_few_rows_are_insufficient_not_fine(found: DriftEvidence | None) -> None:
    result = judge(ANY, found)
    assert (result.fired, result.sufficient) == (False, False)
    assert found is None or judge(DriftTrigger(rule="any", min_rows=999), found).fired


def test_only_watched_features_count() -> None:
    found = drift(feature("a", 0.9), feature("b"))
    assert not judge(DriftTrigger(rule="any", features=("b",)), found).fired


class TestOtherThanDistances:
    def test_more_missing_values_are_drift(self) -> None:
        found = drift(feature("a", null_share=0.08, reference_null_share=0.01))
        result = judge(ANY, found)
        assert result.fired
        assert "a missing 8.0%, 7.0% more > 5.0%" in result.reason
        assert not judge(DriftTrigger(rule="any", missing=0.1), found).fired
        assert not judge(DriftTrigger(rule="any", missing=None), found).fired

    def test_more_unseen_categories_are_drift(self) -> None:
        found = drift(feature("a", statistic="js", new_share=0.08, reference_new_share=0.01))
        result = judge(ANY, found)
        assert result.fired
        assert "a unseen 8.0%, 7.0% more > 5.0%" in result.reason
        assert not judge(DriftTrigger(rule="any", unseen=0.1), found).fired
        assert not judge(DriftTrigger(rule="any", unseen=None), found).fired

    def test_a_rise_that_chance_explains_is_none(self) -> None:
        few = {"null_share": 0.5, "reference_null_share": 0.4, "rows": 50, "reference_rows": 50}
        assert not judge(ANY, drift(feature("a", **few))).fired

    def test_a_fall_is_none(self) -> None:
        assert not judge(ANY, drift(feature("a", null_share=0.0, reference_null_share=0.5))).fired

    def test_the_kolmogorov_smirnov_distance_counts_when_it_is_asked_for(self) -> None:
        found = drift(feature("a", ks=0.2, ks_critical=0.02))
        assert not judge(ANY, found).fired
        result = judge(DriftTrigger(rule="any", ks=0.1), found)
        assert result.fired
        assert "a ks 0.200 > 0.1" in result.reason
        assert not judge(DriftTrigger(rule="any", ks=0.1), drift(feature("a", ks=0.2, ks_critical=0.3))).fired


class TestBeside:
    calm = feature("a")

    def test_predictions_that_drifted_fire_whatever_the_features_do(self) -> None:
        found = drift(self.calm, answers=(feature("prediction"), feature("score", 0.4)))
        result = judge(DriftTrigger(), found, importances={"a": 1.0})
        assert result.fired
        assert result.reason == "7 d: scores drifted: psi 0.400 > 0.15 (n=6000)"
        assert not judge(DriftTrigger(predictions=False), found).fired

    def test_labels_that_drifted_fire_whatever_the_features_do(self) -> None:
        found = drift(self.calm, labels=feature("label", 0.4, statistic="js"))
        result = judge(DriftTrigger(), found)
        assert result.fired
        assert result.reason == "7 d: labels drifted: js 0.400 > 0.15 (n=6000)"
        assert not judge(DriftTrigger(labels=False), found).fired

    def test_few_of_them_do_not_fire(self) -> None:
        assert not judge(DriftTrigger(), drift(self.calm, labels=feature("label", 0.4, rows=999))).fired

    def test_features_and_predictions_are_told_of_together(self) -> None:
        result = judge(ANY, drift(feature("a", 0.3), answers=(feature("score", 0.4),)))
        assert result.reason == (
            "7 d: 1 of 1 features drifted: a psi 0.300 > 0.15, and scores drifted: psi 0.400 > 0.15 (n=6000)"
        )

    def test_predictions_that_have_not_moved_since_the_last_run_stay_quiet(self) -> None:
        found = drift(self.calm, answers=(feature("score", 0.4),), since_last_run=(self.calm, feature("score")))
        assert not judge(DriftTrigger(), found).fired
        moved = found.evolve(since_last_run=(self.calm, feature("score", 0.4)))
        assert judge(DriftTrigger(), moved).fired
