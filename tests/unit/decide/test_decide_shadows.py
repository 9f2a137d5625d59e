"""Shadow policies: they see the same evidence, go on from their own memory, and are counted beside the active one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from vernal.decide.policy import Situation
from vernal.decide.shadows import judge_shadows, shadows_of, tally
from vernal.records import CheckEvidence, Decision, ModelState, Ruling, ShadowRuling
from vernal.spec import PolicySpec, ScheduleTrigger, ShadowSpec, TriggersSpec, VolumeTrigger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OFF = TriggersSpec(drift=None, volume=None)


def shadow(name: str = "tighter", **policy: Any) -> ShadowSpec:  # noqa: ANN401 - any field's type
    return ShadowSpec(
        name=name, triggers=OFF.model_copy(update={"volume": VolumeTrigger(labels=100)}), policy=PolicySpec(**policy)
    )


def seen(labels: int = 0, *, at: datetime = NOON) -> CheckEvidence:
    return CheckEvidence(model="m", at=at, champion=None, new_rows=0, quarantined=0, new_labels=labels)


def situation(*, now: datetime = NOON, finished: datetime | None = None) -> Situation:
    state = ModelState(model="m", fence=1, attempt=1, next_check_at=now, cron_at=NOON, last_run_finished_at=finished)
    return Situation(state=state, runs=(), before=None, now=now)


def live(spec: ShadowSpec, *checks: tuple[float, int]) -> list[ShadowRuling]:
    memory: dict[str, ShadowRuling] = {}
    found = []
    for hours, labels in checks:
        now = NOON + hours * HOUR
        memory = judge_shadows((spec,), seen(labels, at=now), situation(now=now), before=memory, every=HOUR)
        found.append(memory[spec.name])
    return found


def test_each_shadow_judges_by_its_own_thresholds() -> None:
    low = shadow("low")
    high = ShadowSpec(name="high", triggers=OFF.model_copy(update={"volume": VolumeTrigger(labels=500)}))
    found = judge_shadows((low, high), seen(200), situation(), before={}, every=HOUR)
    assert {name: one.ruling.outcome for name, one in found.items()} == {"low": "requested", "high": "healthy"}


def test_its_cooldown_starts_when_it_would_have_asked() -> None:
    found = live(shadow(cooldown=DAY), (0, 200), (1, 200), (24, 200))
    assert [one.ruling.outcome for one in found] == ["requested", "suppressed", "requested"]
    assert found[1].ruling.suppressions[0].until == NOON + DAY
    assert found[1].asked_at == NOON


def test_the_cooldown_of_a_run_that_did_happen_holds_it_back_too() -> None:
    found = judge_shadows((shadow(),), seen(200), situation(finished=NOON - HOUR), before={}, every=HOUR)
    assert [one.policy for one in found["tighter"].ruling.suppressions] == ["cooldown"]


def test_its_schedule_has_a_cursor_of_its_own() -> None:
    nightly = ShadowSpec(
        name="nightly", triggers=OFF.model_copy(update={"schedule": ScheduleTrigger(cron="0 3 * * *")})
    )
    found = live(nightly, (0, 0), (14, 0), (16, 0), (17, 0))
    assert [one.ruling.outcome for one in found] == ["healthy", "healthy", "requested", "healthy"]
    assert found[-1].cron_at == NOON + 17 * HOUR


def test_a_due_time_that_was_held_back_stays_due() -> None:
    triggers = OFF.model_copy(update={"schedule": ScheduleTrigger(cron="0 * * * *")})
    hourly = ShadowSpec(name="hourly", triggers=triggers, policy=PolicySpec(cooldown=2 * HOUR))
    found = live(hourly, (0, 0), (1, 0), (2, 0), (3, 0))
    assert [one.ruling.outcome for one in found] == ["healthy", "requested", "suppressed", "requested"]


def check(outcome: str, hours: int = 0, **shadows: str) -> Decision:
    rulings = {name: ShadowRuling(ruling=Ruling(outcome=said, reason="so")).to_dict() for name, said in shadows.items()}
    evidence = {"policy": Ruling(outcome=outcome, reason="so").to_dict(), "shadow": rulings}
    return Decision(model="m", at=NOON + hours * HOUR, kind="check", outcome=outcome, reason="so", evidence=evidence)


def test_policies_are_counted_side_by_side_the_active_one_first() -> None:
    failed = Decision(model="m", at=NOON, kind="check", outcome="error", reason="disk full")
    checks = (
        check("healthy", low="requested"),
        failed,
        check("requested", 1, low="suppressed"),
        check("insufficient", 2, low="insufficient", late="healthy"),
    )
    active, low, late = tally(checks)
    assert (active.name, active.checks, active.requested, active.healthy, active.insufficient) == ("active", 3, 1, 1, 1)
    assert (active.last_asked, low.last_asked, late.last_asked) == (NOON + HOUR, NOON, None)
    assert (low.checks, low.requested, low.suppressed, low.insufficient) == (3, 1, 1, 1)
    assert (late.checks, late.healthy) == (1, 1)


def test_without_checks_only_the_active_policy_is_there() -> None:
    assert [(one.name, one.checks) for one in tally(())] == [("active", 0)]


def test_older_checks_know_no_shadows() -> None:
    assert shadows_of({"policy": {}}) == {}
