from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from vernal.decide.performance import judge_estimate, judge_performance
from vernal.decide.policy import Situation, rule
from vernal.decide.triggers import judge
from vernal.records import CheckEvidence, EstimatedPerformance, Measure, ModelState, PerformanceEvidence
from vernal.spec import PerformanceTrigger, PolicySpec, TriggersSpec

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
START = NOW - timedelta(days=7)


def measure(value: float | None, lower: float, upper: float, *, rows: int = 5000, metric: str = "accuracy") -> Measure:
    return Measure(metric=metric, value=value, lower=lower, upper=upper, certainty=0.95, rows=rows)


def live(found: Measure, *, issued: int = 5000, **changes: object) -> PerformanceEvidence:
    made = PerformanceEvidence(window_start=START, window_end=NOW, measure=found, issued=issued, labelled=found.rows)
    return made.evolve(**changes)


def estimated(found: Measure) -> EstimatedPerformance:
    return EstimatedPerformance(
        window_start=START,
        window_end=NOW,
        measure=found,
        method="cbpe",
        sampling_error=0.01,
        calibration_error=0.01,
        fitted_on=1000,
        blind_to="concept drift",
    )


HOLDOUT = measure(0.92, 0.91, 0.93)


STATE = ModelState(model="m", fence=0, attempt=0, next_check_at=NOW)
SITUATION = Situation(state=STATE, runs=(), before=None, now=NOW)


class TestWarning:
    spec = PerformanceTrigger(threshold=0.90)
    triggers = TriggersSpec(performance=spec, drift=None, volume=None)

    @pytest.mark.parametrize(
        ("found", "fired", "warning"),
        [
            (measure(0.91, 0.90, 0.92), False, False),
            (measure(0.89, 0.87, 0.91), False, True),
            (measure(0.88, 0.87, 0.89), True, False),
        ],
    )
    def test_a_metric_below_its_threshold_warns_until_it_is_surely_there(
        self, found: Measure, fired: bool, warning: bool
    ) -> None:
        result = judge_performance(self.spec, live(found))
        assert (result.fired, result.warning, result.sufficient) == (fired, warning, True)

    def test_an_error_warns_above_its_threshold(self) -> None:
        spec = PerformanceTrigger(threshold=4.0)
        assert judge_performance(spec, live(measure(4.1, 3.9, 4.3, metric="mae"))).warning
        assert not judge_performance(spec, live(measure(3.9, 3.7, 4.1, metric="mae"))).warning

    def test_a_warning_asks_for_nothing(self) -> None:
        result = judge_performance(self.spec, live(measure(0.89, 0.87, 0.91)))
        assert rule([result], triggers=self.triggers, policy=PolicySpec(), situation=SITUATION).outcome == "healthy"


class TestDrop:
    spec = PerformanceTrigger(max_drop=0.03)

    @pytest.mark.parametrize(
        ("found", "fired", "warning"),
        [
            (measure(0.91, 0.90, 0.92), False, False),
            (measure(0.885, 0.88, 0.89), False, True),
            (measure(0.87, 0.86, 0.88), True, False),
        ],
    )
    def test_fires_when_the_metric_has_surely_dropped_further_than_allowed(
        self, found: Measure, fired: bool, warning: bool
    ) -> None:
        result = judge_performance(self.spec, live(found), holdout=HOLDOUT)
        assert (result.fired, result.warning) == (fired, warning)

    def test_the_error_of_the_evaluation_counts_too(self) -> None:
        found, vague = live(measure(0.87, 0.865, 0.875)), HOLDOUT.evolve(lower=0.85, upper=0.96)
        assert judge_performance(self.spec, found, holdout=HOLDOUT).fired
        result = judge_performance(self.spec, found, holdout=vague)
        assert (result.fired, result.warning) == (False, True)

    def test_an_evaluation_of_another_certainty_is_taken_to_the_asked_one(self) -> None:
        found = live(measure(0.872, 0.867, 0.877))
        assert judge_performance(self.spec, found, holdout=HOLDOUT).fired
        assert not judge_performance(self.spec, found, holdout=HOLDOUT.evolve(certainty=0.75)).fired

    def test_an_error_drops_when_it_rises(self) -> None:
        spec, then = PerformanceTrigger(max_drop=1.0), measure(5.0, 4.9, 5.1, metric="mae")
        assert judge_performance(spec, live(measure(6.5, 6.3, 6.7, metric="mae")), holdout=then).fired
        assert not judge_performance(spec, live(measure(3.5, 3.3, 3.7, metric="mae")), holdout=then).fired

    def test_beside_a_threshold_either_suffices(self) -> None:
        both = PerformanceTrigger(threshold=0.80, max_drop=0.03)
        dropped, low = live(measure(0.87, 0.86, 0.88)), live(measure(0.79, 0.78, 0.795))
        assert judge_performance(both, dropped, holdout=HOLDOUT).fired
        assert not judge_performance(PerformanceTrigger(threshold=0.80), dropped, holdout=HOLDOUT).fired
        assert judge_performance(both, low, holdout=HOLDOUT.evolve(value=0.80, lower=0.7)).fired

    def test_without_an_evaluation_there_is_nothing_to_drop_from(self) -> None:
        result = judge_performance(self.spec, live(measure(0.5, 0.4, 0.6)))
        assert (result.fired, result.sufficient) == (False, False)
        assert "no evaluation on record" in result.reason
        assert judge_performance(PerformanceTrigger(threshold=0.9, max_drop=0.03), live(measure(0.5, 0.4, 0.6))).fired

    def test_the_reason_says_what_it_was_and_is(self) -> None:
        reason = judge_performance(self.spec, live(measure(0.87, 0.86, 0.88)), holdout=HOLDOUT).reason
        assert reason == (
            "accuracy 0.870 [0.860, 0.880] 0.050 worse than its own evaluation (0.920), surely more than 0.03 "
            "with certainty 0.95 (n=5000)"
        )


class TestCoverage:
    found = measure(0.5, 0.4, 0.6, rows=1000)

    @pytest.mark.parametrize(("least", "sufficient"), [(0.25, False), (0.19, True), (None, True)])
    def test_too_few_labels_for_the_predictions_are_insufficient(self, least: float | None, sufficient: bool) -> None:
        spec = PerformanceTrigger(threshold=0.9, min_coverage=least)
        result = judge_performance(spec, live(self.found))
        assert result.sufficient is sufficient
        assert result.fired is sufficient

    def test_answers_to_a_sample_cover_all_that_they_stand_for(self) -> None:
        spec = PerformanceTrigger(threshold=0.9, min_coverage=0.9)
        assert judge_performance(spec, live(self.found, represented=4900.0)).sufficient
        assert not judge_performance(spec, live(self.found, represented=2000.0)).sufficient

    def test_no_label_at_all_is_told(self) -> None:
        none = live(measure(None, 0, 0, rows=0).evolve(note="no rows"))
        assert judge_performance(PerformanceTrigger(threshold=0.9), none).reason.endswith("no rows; no label has come")


class TestEstimate:
    spec = PerformanceTrigger(threshold=0.90)

    @pytest.mark.parametrize(
        ("found", "warning"),
        [
            (measure(0.95, 0.94, 0.96), False),
            (measure(0.89, 0.85, 0.93), True),
            (measure(0.80, 0.79, 0.81), True),
        ],
    )
    def test_warns_and_never_fires(self, found: Measure, warning: bool) -> None:
        result = judge_estimate(self.spec, estimated(found))
        assert (result.kind, result.fired, result.warning) == ("estimate", False, warning)

    @pytest.mark.parametrize("combine", ["any", "all"])
    def test_an_estimate_alone_never_retrains_and_never_stands_in_the_way(self, combine: Literal["any", "all"]) -> None:
        spec = TriggersSpec(performance=self.spec, drift=None, volume=None)
        policy = PolicySpec(combine=combine, consecutive=1, warm_up=0)

        def ruled(found: Measure) -> tuple[list[str], str, str | None]:
            seen = CheckEvidence(
                model="m",
                at=NOW,
                champion="1",
                new_rows=0,
                quarantined=0,
                performance=live(found),
                estimated=estimated(measure(0.2, 0.19, 0.21)),
            )
            results = judge(spec, seen, STATE, every=timedelta(hours=1))
            assert results[1].warning
            ruling = rule(results, triggers=spec, policy=policy, situation=SITUATION)
            return [result.kind for result in results], ruling.outcome, ruling.trigger

        kinds = ["performance", "estimate"]
        assert ruled(measure(None, 0, 0, rows=0)) == (kinds, "insufficient", None)
        assert ruled(measure(0.5, 0.4, 0.6)) == (kinds, "requested", "performance")

    @pytest.mark.parametrize(
        "found", [measure(None, 0, 0).evolve(lower=None, upper=None, note="no rows"), measure(0.5, 0.4, 0.6, rows=50)]
    )
    def test_too_little_to_estimate_from_is_insufficient(self, found: Measure) -> None:
        result = judge_estimate(self.spec, estimated(found))
        assert (result.sufficient, result.warning) == (False, False)

    def test_a_drop_can_be_estimated_and_needs_an_evaluation(self) -> None:
        spec, found = PerformanceTrigger(max_drop=0.03), estimated(measure(0.85, 0.84, 0.86))
        assert judge_estimate(spec, found, holdout=HOLDOUT).warning
        assert not judge_estimate(spec, found).sufficient
