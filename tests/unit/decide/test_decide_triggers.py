from datetime import UTC, datetime, timedelta

import pytest

from vernal.decide.performance import judge_performance
from vernal.decide.triggers import judge_schedule, judge_volume, next_due
from vernal.records import (
    CheckEvidence,
    Measure,
    ModelState,
    PerformanceEvidence,
    TriggerResult,
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

    def judged(self, spec: ScheduleTrigger, *, since: datetime | None, now: datetime) -> TriggerResult:
        return judge_schedule(spec, since=since, now=now, every=timedelta(hours=1))

    def test_several_missed_times_fire_once(self) -> None:
        assert self.judged(self.spec, since=NOW - timedelta(days=30), now=NOW).fired
        assert not self.judged(self.spec, since=NOW, now=NOW + timedelta(days=6)).fired

    def test_the_first_look_does_not_fire(self) -> None:
        assert not self.judged(self.spec, since=None, now=NOW).fired

    @pytest.mark.parametrize(
        ("late", "skip"),
        [
            (timedelta(minutes=0), True),
            (timedelta(minutes=119), True),
            (timedelta(minutes=120), False),
            (timedelta(days=3), False),
        ],
    )
    def test_a_time_that_two_checks_have_missed_is_made_up_for_or_passed_over(
        self, late: timedelta, skip: bool
    ) -> None:
        due = datetime(2013, 6, 3, 7, tzinfo=UTC)
        since, now = due - timedelta(hours=1), due + late
        assert self.judged(self.spec, since=since, now=now).fired
        found = self.judged(self.spec.model_copy(update={"catch_up": "skip"}), since=since, now=now)
        assert (found.fired, "passed over" in found.reason) == (skip, not skip)

    def test_a_time_that_was_passed_over_does_not_hide_the_next(self) -> None:
        spec = ScheduleTrigger(cron="0 * * * *", catch_up="skip")
        found = self.judged(spec, since=NOW - timedelta(hours=9, minutes=30), now=NOW)
        assert found.fired
        assert found.reason.endswith("2013-06-03 03:00 UTC was missed and is passed over")


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@pytest.mark.parametrize(
    ("zone", "cron", "after", "shift", "skip"),
    [
        # Clocks are put forward at 01:00 UTC in Berlin and at 07:00 UTC in New York: 2 o'clock becomes 3.
        (BERLIN, "30 2 * * *", "2024-03-30T12:00", "2024-03-31T01:00", "2024-04-01T00:30"),
        (BERLIN, "0 3 * * *", "2024-03-30T12:00", "2024-03-31T01:00", "2024-03-31T01:00"),
        (BERLIN, "15,45 2 * * *", "2024-03-31T00:30", "2024-03-31T01:00", "2024-04-01T00:15"),
        (BERLIN, "30 * * * *", "2024-03-31T00:30", "2024-03-31T01:30", "2024-03-31T01:30"),
        (NEW_YORK, "30 2 * * *", "2024-03-09T12:00", "2024-03-10T07:00", "2024-03-11T06:30"),
        (NEW_YORK, "0 3 * * *", "2024-03-09T12:00", "2024-03-10T07:00", "2024-03-10T07:00"),
        (NEW_YORK, "30 * * * *", "2024-03-10T06:30", "2024-03-10T07:30", "2024-03-10T07:30"),
        # They are put back at 01:00 UTC in Berlin (3 becomes 2) and at 06:00 UTC in New York (2 becomes 1).
        (BERLIN, "30 2 * * *", "2024-10-26T12:00", "2024-10-27T00:30", "2024-10-27T00:30"),
        (BERLIN, "30 2 * * *", "2024-10-27T00:30", "2024-10-28T01:30", "2024-10-28T01:30"),
        (BERLIN, "30 2 * * *", "2024-10-27T01:15", "2024-10-28T01:30", "2024-10-28T01:30"),
        (BERLIN, "30 * * * *", "2024-10-27T00:30", "2024-10-27T01:30", "2024-10-27T01:30"),
        (NEW_YORK, "30 1 * * *", "2024-11-02T12:00", "2024-11-03T05:30", "2024-11-03T05:30"),
        (NEW_YORK, "30 1 * * *", "2024-11-03T05:30", "2024-11-04T06:30", "2024-11-04T06:30"),
        (NEW_YORK, "30 1 * * *", "2024-11-03T06:15", "2024-11-04T06:30", "2024-11-04T06:30"),
        (NEW_YORK, "30 * * * *", "2024-11-03T05:30", "2024-11-03T06:30", "2024-11-03T06:30"),
        (NEW_YORK, "30 * * * *", "2024-11-03T06:15", "2024-11-03T06:30", "2024-11-03T06:30"),
        (NEW_YORK, "30 * * * *", "2024-11-03T06:30", "2024-11-03T07:30", "2024-11-03T07:30"),
    ],
)
def test_a_local_time_that_does_not_exist_is_moved_or_skipped_and_one_that_comes_twice_is_due_once(
    zone: str, cron: str, after: str, shift: str, skip: str
) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    shifting = ScheduleTrigger(cron=cron, timezone=zone)
    skipping = ScheduleTrigger(cron=cron, timezone=zone, dst="skip")
    assert next_due(shifting, after=moment) == datetime.fromisoformat(shift).replace(tzinfo=UTC)
    assert next_due(skipping, after=moment) == datetime.fromisoformat(skip).replace(tzinfo=UTC)


def test_a_schedule_that_skipping_leaves_without_any_time_is_refused() -> None:
    sunday_of_the_change = "30 2 * 3 0#2"
    assert ScheduleTrigger(cron=sunday_of_the_change, timezone=NEW_YORK).dst == "shift"
    with pytest.raises(ValueError, match="is never due in America/New_York; expected shift"):
        ScheduleTrigger(cron=sunday_of_the_change, timezone=NEW_YORK, dst="skip")


class TestVolume:
    @pytest.mark.parametrize(("labels", "fired"), [(4_999, False), (5_000, True)])
    def test_fires_when_enough_labels_have_come(self, labels: int, fired: bool) -> None:
        evidence = CheckEvidence(model="m", at=NOW, champion="1", new_rows=0, quarantined=0, new_labels=labels)
        assert judge_volume(VolumeTrigger(), evidence).fired is fired
