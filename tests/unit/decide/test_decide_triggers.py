from datetime import UTC, datetime, timedelta

import pytest

from vernal.decide.performance import judge_performance
from vernal.decide.triggers import judge_schedule, judge_volume, next_due
from vernal.records import (
    CheckEvidence,
    Measure,
    ModelState,
    PerformanceEvidence,
)
from vernal.spec import PerformanceTrigger, ScheduleTrigger, VolumeTrigger

NOW = datetime(2013, 6, 3, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def performance(
    value: float | None, lower: float = 0.0, upper: float = 0.0, *, rows: int = 5_000, metric: str = "accuracy"
) -> PerformanceEvidence:
    measure = Measure(
        metric=metric,
        value=value,
        rows=rows,
        lower=None if value is None else lower,
        upper=None if value is None else upper,
        note="one class only" if value is None else "",
    )
    return PerformanceEvidence(window_start=NOW - WEEK, window_end=NOW, measure=measure, issued=rows, labelled=rows)


def state(**changes: object) -> ModelState:
    return ModelState(model="m", fence=1, attempt=1, next_check_at=NOW).evolve(**changes)


class TestPerformance:
    spec = PerformanceTrigger(threshold=0.90)

    @pytest.mark.parametrize(
        ("found", "fired"),
        [
            (performance(0.88, 0.87, 0.899), True),
            (performance(0.88, 0.85, 0.901), False),
            (performance(0.95, 0.94, 0.96), False),
        ],
    )
    def test_fires_only_when_the_whole_band_is_below_the_threshold(
        self, found: PerformanceEvidence, fired: bool
    ) -> None:
        result = judge_performance(self.spec, found)
        assert (result.fired, result.sufficient) == (fired, True)

    def test_an_error_metric_fires_above_its_threshold(self) -> None:
        spec = PerformanceTrigger(threshold=4.0)
        assert judge_performance(spec, performance(5.0, 4.5, 5.5, metric="mae")).fired
        assert not judge_performance(spec, performance(3.0, 2.5, 3.5, metric="mae")).fired

    @pytest.mark.parametrize("found", [None, performance(None), performance(0.5, 0.4, 0.6, rows=50)])
    def test_too_little_evidence_is_insufficient_not_fine(self, found: PerformanceEvidence | None) -> None:
        result = judge_performance(self.spec, found)
        assert (result.fired, result.sufficient) == (False, False)


class TestSchedule:
    spec = ScheduleTrigger(cron="0 3 * * 1", timezone="America/New_York")

    def test_several_missed_times_fire_once(self) -> None:
        assert judge_schedule(self.spec, since=NOW - timedelta(days=30), now=NOW).fired
        assert not judge_schedule(self.spec, since=NOW, now=NOW + timedelta(days=6)).fired

    def test_the_first_look_does_not_fire(self) -> None:
        assert not judge_schedule(self.spec, since=None, now=NOW).fired

    def test_an_hour_that_daylight_saving_skips_is_due_when_the_clocks_have_moved(self) -> None:
        spec = ScheduleTrigger(cron="30 2 * * *", timezone="America/New_York")
        due = next_due(spec, after=datetime(2013, 3, 10, 5, 0, tzinfo=UTC))
        assert datetime(2013, 3, 10, 7, 0, tzinfo=UTC) <= due < datetime(2013, 3, 10, 8, 0, tzinfo=UTC)

    def test_an_hour_that_comes_twice_is_due_once(self) -> None:
        spec = ScheduleTrigger(cron="30 1 * * *", timezone="America/New_York")
        first = next_due(spec, after=datetime(2013, 11, 3, 4, 0, tzinfo=UTC))
        second = next_due(spec, after=first)
        assert second - first >= timedelta(hours=24)


class TestVolume:
    @pytest.mark.parametrize(("labels", "fired"), [(4_999, False), (5_000, True)])
    def test_fires_when_enough_labels_have_come(self, labels: int, fired: bool) -> None:
        evidence = CheckEvidence(model="m", at=NOW, champion="1", new_rows=0, quarantined=0, new_labels=labels)
        assert judge_volume(VolumeTrigger(), evidence).fired is fired
