"""What becomes of triggers that fired: each policy with what it holds back, until when, and what it lets through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vernal.decide.policy import Situation, rule
from vernal.records import Champion, ModelState, Phase, Ruling, Run, RunFacts, Streak, TriggerKind, TriggerResult
from vernal.spec import CircuitBreakerSpec, DriftTrigger, PerformanceTrigger, PolicySpec, ScheduleTrigger, TriggersSpec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TRIGGERS = TriggersSpec(
    drift=DriftTrigger(window=timedelta(days=2)),
    performance=PerformanceTrigger(threshold=0.9),
    schedule=ScheduleTrigger(cron="0 3 * * 1"),
)
PLAIN = PolicySpec(consecutive=1, warm_up=0)


def says(kind: str, *, fired: bool = True, sufficient: bool = True, window_hours: int | None = None) -> TriggerResult:
    return TriggerResult(kind=kind, fired=fired, sufficient=sufficient, reason="so", window_hours=window_hours)


def quiet(kind: str) -> TriggerResult:
    return says(kind, fired=False)


def blind(kind: str) -> TriggerResult:
    return says(kind, fired=False, sufficient=False)


def run(
    number: int, phase: Phase, *, trigger: TriggerKind = TriggerKind.DRIFT, ended: datetime = NOON - 2 * DAY
) -> Run:
    return Run(
        id=f"m-{number}",
        model="m",
        number=number,
        phase=phase,
        trigger=trigger,
        reason="so",
        requested_by="vernal",
        requested_at=ended,
        phase_since=ended,
        wake_at=ended,
        fence=0,
        attempt=0,
        facts=RunFacts(),
    )


def situation(
    *runs: Run,
    before: Ruling | None = None,
    now: datetime = NOON,
    version: str = "1",
    promoted: datetime | None = None,
    **changes: Any,  # noqa: ANN401 - any field's type
) -> Situation:
    champion = None
    if promoted is not None:
        champion = Champion(model="m", version=version, since=promoted, run_id="m-1")
    state = ModelState(model="m", fence=1, attempt=1, next_check_at=now, champion=champion).evolve(**changes)
    return Situation(state=state, runs=runs, before=before, now=now)


def ruled(*results: TriggerResult, policy: PolicySpec = PLAIN, at: Situation | None = None) -> Ruling:
    return rule(results, triggers=TRIGGERS, policy=policy, situation=at or situation())


def held(ruling: Ruling) -> list[tuple[str, tuple[str, ...], datetime | None]]:
    return [(one.policy, one.triggers, one.until) for one in ruling.suppressions]


class TestAsking:
    def test_a_fired_trigger_asks_for_a_run(self) -> None:
        found = ruled(says("volume"), quiet("drift"))
        assert (found.outcome, found.trigger, found.reason) == ("requested", "volume", "volume: so")

    def test_the_most_urgent_trigger_speaks_for_all_that_fired(self) -> None:
        found = ruled(says("schedule"), says("volume"), says("performance"), says("drift"))
        assert found.trigger == "performance"
        assert found.reason == "performance: so; drift: so; volume: so; schedule: so"

    def test_nothing_fired_is_healthy_unless_nobody_could_see(self) -> None:
        assert ruled(quiet("drift")).outcome == "healthy"
        assert ruled(blind("drift")).outcome == "insufficient"
        assert ruled(blind("drift"), quiet("performance")).outcome == "healthy"
        assert ruled(blind("drift"), quiet("volume")).outcome == "insufficient"

    def test_a_model_that_nothing_judges_is_insufficient_not_healthy(self) -> None:
        assert ruled().outcome == "insufficient"


class TestCombine:
    @pytest.mark.parametrize(
        ("combine", "fired", "outcome"),
        [
            ("any", 1, "requested"),
            ("all", 2, "suppressed"),
            ("all", 3, "requested"),
            ({"at_least": 2}, 1, "suppressed"),
            ({"at_least": 2}, 2, "requested"),
        ],
    )
    def test_so_many_triggers_have_to_fire_together(self, combine: object, fired: int, outcome: str) -> None:
        policy = PolicySpec(consecutive=1, warm_up=0, combine=combine)  # type: ignore[arg-type]
        kinds = ("drift", "volume", "schedule")
        found = ruled(*(says(kind, fired=place < fired) for place, kind in enumerate(kinds)), policy=policy)
        assert found.outcome == outcome
        assert [one.policy for one in found.suppressions] == ([] if outcome == "requested" else ["combine"])

    def test_the_reason_says_how_many_were_needed(self) -> None:
        policy = PolicySpec(consecutive=1, combine={"at_least": 2})  # type: ignore[arg-type]
        found = ruled(says("volume"), quiet("drift"), quiet("schedule"), policy=policy)
        assert found.reason.endswith("suppressed: 1 of 3 triggers (volume) may ask, expected 2 together")
        assert held(found) == [("combine", ("volume",), None)]

    def test_a_trigger_that_is_held_back_itself_or_could_not_tell_does_not_count(self) -> None:
        policy = PolicySpec(consecutive=2, combine="all")
        found = ruled(says("drift"), says("volume"), policy=policy)
        assert [one.policy for one in found.suppressions] == ["consecutive", "combine"]
        assert ruled(blind("drift"), says("volume"), policy=policy).outcome == "suppressed"


class TestConsecutive:
    """A window of two days: checks count when they are twelve hours apart."""

    policy = PolicySpec(consecutive=3, warm_up=0)

    def live(self, *checks: tuple[float, TriggerResult], policy: PolicySpec | None = None) -> list[Ruling]:
        rulings: list[Ruling] = []
        for hours, result in checks:
            at = situation(before=rulings[-1] if rulings else None, now=NOON + hours * HOUR)
            rulings.append(ruled(result, policy=policy or self.policy, at=at))
        return rulings

    def outcomes(self, *checks: tuple[float, TriggerResult], policy: PolicySpec | None = None) -> list[str]:
        return [ruling.outcome[:3] for ruling in self.live(*checks, policy=policy)]

    def test_drift_acts_in_the_third_check_that_counts(self) -> None:
        found = self.live((0, says("drift")), (12, says("drift")), (24, says("drift")))
        assert [ruling.outcome for ruling in found] == ["suppressed", "suppressed", "requested"]
        assert held(found[0]) == [("consecutive", ("drift",), NOON + 24 * HOUR)]
        assert found[1].suppressions[0].reason == "drift has fired in 2 of 3 checks in a row that lie 12 h apart"

    def test_checks_in_between_do_not_count(self) -> None:
        hourly = self.outcomes(*((hour, says("drift")) for hour in range(25)))
        assert hourly == ["sup"] * 24 + ["req"]

    def test_a_quiet_check_that_counts_starts_again_and_one_in_between_does_not(self) -> None:
        assert self.outcomes((0, says("drift")), (6, quiet("drift")), (12, says("drift")), (24, says("drift"))) == [
            "sup",
            "hea",
            "sup",
            "req",
        ]
        assert self.outcomes((0, says("drift")), (12, quiet("drift")), (24, says("drift")), (36, says("drift"))) == [
            "sup",
            "hea",
            "sup",
            "sup",
        ]

    def test_a_check_that_could_not_tell_neither_counts_nor_starts_again(self) -> None:
        checks = ((0, says("drift")), (12, blind("drift")), (24, says("drift")), (36, says("drift")))
        assert self.outcomes(*checks) == ["sup", "ins", "sup", "req"]

    def test_the_first_check_that_fires_counts_at_once_however_close_the_quiet_ones_are(self) -> None:
        assert self.live((0, quiet("drift")), (1, says("drift")))[-1].streaks[0].counted_at == NOON + HOUR

    def test_a_shorter_window_that_fired_counts_sooner(self) -> None:
        short = says("drift", window_hours=24)
        assert self.outcomes((0, short), (6, short), (12, short)) == ["sup", "sup", "req"]

    def test_a_longer_window_that_fires_after_a_shorter_one_waits_for_its_own_quarter(self) -> None:
        short, long = says("drift", window_hours=24), says("drift", window_hours=168)
        assert self.outcomes((0, short), (6, long), (42, long), (84, long)) == ["sup", "sup", "sup", "req"]

    def test_after_a_request_counting_starts_again(self) -> None:
        fired = says("drift")
        found = self.live((0, fired), (12, fired), (24, fired), (36, fired))
        assert (found[2].streaks, found[3].outcome) == ((), "suppressed")

    def test_a_streak_that_is_long_enough_asks_as_soon_as_nothing_else_holds_it_back(self) -> None:
        streak = Streak(trigger="drift", count=3, counted_at=NOON - HOUR, window_hours=48, champion=None)
        before = Ruling(outcome="suppressed", reason="cooldown", streaks=(streak,))
        assert ruled(says("drift"), policy=self.policy, at=situation(before=before)).outcome == "requested"

    def test_another_champion_starts_again(self) -> None:
        before = self.live((0, says("drift")), (12, says("drift")))[-1]
        at = situation(before=before, now=NOON + DAY, version="2", promoted=NOON - 100 * DAY)
        found = ruled(says("drift"), policy=self.policy, at=at)
        assert (found.outcome, found.streaks[0].count) == ("suppressed", 1)

    def test_a_clock_that_goes_back_counts_nothing_twice(self) -> None:
        assert self.live((0, says("drift")), (-24, says("drift")))[-1].streaks[0].count == 1

    def test_other_triggers_act_at_once_unless_they_are_told_to_wait(self) -> None:
        assert ruled(says("performance"), policy=self.policy).outcome == "requested"
        assert ruled(says("volume"), policy=self.policy).outcome == "requested"
        patient = PolicySpec(consecutive_performance=2)
        week = ((0, says("performance")), (41, says("performance")), (42, says("performance")))
        assert self.outcomes(*week, policy=patient) == ["sup", "sup", "req"]

    def test_drift_that_waits_is_recorded_beside_a_trigger_that_asks(self) -> None:
        found = ruled(says("drift"), says("volume"), policy=self.policy)
        assert (found.outcome, found.trigger, found.reason) == ("requested", "volume", "volume: so")
        assert [one.policy for one in found.suppressions] == ["consecutive"]


class TestWarmUp:
    policy = PolicySpec(consecutive=1, warm_up=2)

    def test_drift_is_held_back_for_two_windows_after_a_promotion(self) -> None:
        young = ruled(says("drift"), policy=self.policy, at=situation(promoted=NOON - 4 * DAY + HOUR))
        assert held(young) == [("warm_up", ("drift",), NOON + HOUR)]
        assert ruled(says("drift"), policy=self.policy, at=situation(promoted=NOON - 4 * DAY)).outcome == "requested"

    def test_a_shorter_window_is_warm_sooner(self) -> None:
        at = situation(promoted=NOON - 2 * DAY)
        assert ruled(says("drift", window_hours=24), policy=self.policy, at=at).outcome == "requested"
        assert ruled(says("drift", window_hours=25), policy=self.policy, at=at).outcome == "suppressed"

    def test_other_triggers_do_not_wait(self) -> None:
        assert ruled(says("performance"), policy=self.policy, at=situation(promoted=NOON)).outcome == "requested"

    def test_it_can_be_switched_off(self) -> None:
        assert ruled(says("drift"), policy=PLAIN, at=situation(promoted=NOON)).outcome == "requested"

    def test_a_champion_that_was_set_by_hand_is_not_new(self) -> None:
        by_hand = Champion(model="m", version="1", since=NOON, run_id=None)
        assert ruled(says("drift"), policy=self.policy, at=situation(champion=by_hand)).outcome == "requested"


class TestCooldown:
    def test_it_counts_from_the_end_of_the_last_run(self) -> None:
        early = ruled(says("volume"), at=situation(last_run_finished_at=NOON - 23 * HOUR))
        assert held(early) == [("cooldown", ("volume",), NOON + HOUR)]
        assert early.reason == "volume: so; suppressed: cooldown until 2026-03-01 13:00 UTC"
        assert ruled(says("volume"), at=situation(last_run_finished_at=NOON - 24 * HOUR)).outcome == "requested"


class TestCircuitBreaker:
    failed = (run(4, Phase.FAILED, ended=NOON - DAY), run(3, Phase.REJECTED), run(2, Phase.ROLLED_BACK))

    def test_three_runs_in_vain_stop_every_trigger_for_a_week(self) -> None:
        found = ruled(says("performance"), at=situation(*self.failed))
        assert held(found) == [("circuit_breaker", ("performance",), NOON + 6 * DAY)]
        assert "after 3 runs in vain (m-4 failed, m-3 rejected, m-2 rolled_back)" in found.reason

    def test_it_closes_by_itself(self) -> None:
        later = situation(*self.failed, now=NOON + 6 * DAY)
        assert ruled(says("performance"), at=later).outcome == "requested"

    @pytest.mark.parametrize(("further", "days"), [(0, 7), (1, 14), (2, 28), (9, 365), (40, 365)])
    def test_every_further_run_in_vain_doubles_the_pause_up_to_a_year(self, further: int, days: int) -> None:
        runs = (run(9, Phase.FAILED, ended=NOON), *(run(8, Phase.REJECTED) for _ in range(2 + further)))
        assert held(ruled(says("volume"), at=situation(*runs)))[0][2] == NOON + timedelta(days=days)

    def test_a_pause_that_is_longer_than_a_year_is_kept(self) -> None:
        policy = PolicySpec(circuit_breaker=CircuitBreakerSpec(after=1, pause=timedelta(days=500)))
        runs = (run(9, Phase.FAILED, ended=NOON), run(8, Phase.FAILED))
        found = ruled(says("volume"), policy=policy, at=situation(*runs))
        assert held(found)[0][2] == NOON + timedelta(days=500)

    @pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.EXPIRED, Phase.SUPERSEDED])
    def test_runs_that_say_nothing_neither_count_nor_end_the_count(self, phase: Phase) -> None:
        assert ruled(says("volume"), at=situation(*self.failed[:2], run(1, phase))).outcome == "requested"
        between = (*self.failed[:2], run(1, phase), self.failed[2])
        assert ruled(says("volume"), at=situation(*between)).outcome == "suppressed"

    def test_a_promotion_closes_it(self) -> None:
        runs = (*self.failed[:2], run(3, Phase.PROMOTED), *self.failed[2:])
        assert ruled(says("volume"), at=situation(*runs)).outcome == "requested"

    def test_a_person_closes_it_and_what_they_asked_for_is_the_first_to_count(self) -> None:
        by_hand = run(5, Phase.FAILED, trigger=TriggerKind.MANUAL)
        assert ruled(says("volume"), at=situation(by_hand, *self.failed)).outcome == "requested"
        two_more = (run(7, Phase.FAILED, ended=NOON), run(6, Phase.FAILED))
        assert ruled(says("volume"), at=situation(*two_more, by_hand, *self.failed)).outcome == "suppressed"

    def test_it_can_be_switched_off_and_set(self) -> None:
        off = PolicySpec(consecutive=1, circuit_breaker=None)
        assert ruled(says("volume"), policy=off, at=situation(*self.failed)).outcome == "requested"
        four = PolicySpec(consecutive=1, circuit_breaker=CircuitBreakerSpec(after=4))
        assert ruled(says("volume"), policy=four, at=situation(*self.failed)).outcome == "requested"


class TestOpenRun:
    def test_an_open_run_holds_back_with_its_name(self) -> None:
        found = ruled(says("volume"), at=situation(run(1, Phase.ROLLING_OUT)))
        assert held(found) == [("open_run", ("volume",), None)]
        assert found.reason.endswith("suppressed: run m-1 is open (rolling_out)")

    @pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.terminal])
    def test_an_emergency_supersedes_a_run_that_serves_nobody_yet(self, phase: Phase) -> None:
        found = ruled(says("performance"), says("volume"), at=situation(run(1, phase)))
        serving = phase in {Phase.ROLLING_OUT, Phase.SOAKING}
        assert (found.outcome, found.supersedes) == (("suppressed", None) if serving else ("requested", "m-1"))

    @pytest.mark.parametrize("trigger", [TriggerKind.MANUAL, TriggerKind.PERFORMANCE])
    def test_it_does_not_supersede_what_a_person_or_another_emergency_asked_for(self, trigger: TriggerKind) -> None:
        found = ruled(says("performance"), at=situation(run(1, Phase.TRAINING, trigger=trigger)))
        assert (found.outcome, found.supersedes) == ("suppressed", None)

    def test_it_supersedes_nothing_while_something_else_holds_it_back(self) -> None:
        at = situation(run(1, Phase.TRAINING), last_run_finished_at=NOON)
        found = ruled(says("performance"), at=at)
        assert (found.outcome, found.supersedes, [one.policy for one in found.suppressions]) == (
            "suppressed",
            None,
            ["cooldown"],
        )

    def test_superseding_can_be_switched_off(self) -> None:
        found = ruled(says("performance"), policy=PolicySpec(supersede=False), at=situation(run(1, Phase.TRAINING)))
        assert held(found) == [("open_run", ("performance",), None)]

    def test_everything_that_holds_back_is_named(self) -> None:
        at = situation(run(5, Phase.TRAINING), *TestCircuitBreaker.failed, last_run_finished_at=NOON - HOUR)
        found = ruled(says("volume"), at=at)
        assert [one.policy for one in found.suppressions] == ["open_run", "cooldown", "circuit_breaker"]
