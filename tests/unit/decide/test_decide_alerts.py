"""Who is told what and when: nothing twice, nothing at night that can wait, and nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernal.decide.alerts import FORGET_AFTER, MOST_HELD, SEVERITIES, SUMMARY, Memory, Plan, is_quiet, key_of, plan
from vernal.records import Message, MessageState
from vernal.spec import QuietHoursSpec, RateLimitSpec, SecretSpec, TargetSpec

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHT = QuietHoursSpec(start=time(22), end=time(7), timezone="Europe/Berlin")


def target(**more: object) -> TargetSpec:
    facts: dict[str, object] = {"name": "chat", "url": SecretSpec(env="CHAT"), "severity": "info"}
    return TargetSpec.model_validate(facts | more)


def message(
    kind: str = "failed",
    *,
    at: datetime = NOON,
    model: str = "m",
    severity: str = "error",
    run: str | None = "m-1",
    state: MessageState = MessageState.EVENT,
) -> Message:
    name = f"{model}:{kind}:{run}:{state}:{at.isoformat()}"
    return Message(
        id=name,
        at=at,
        model=model,
        kind=kind,
        severity=severity,
        title=f"{model} {kind}",
        body="why",
        run_id=run,
        state=state,
    )


def lasting(state: MessageState, *, at: datetime = NOON, severity: str = "warning") -> Message:
    return message("insufficient", at=at, severity=severity, run=None, state=state)


def run(spec: TargetSpec, *steps: tuple[datetime, list[Message]]) -> list[Plan]:
    """Let messages arrive step by step."""
    memory, plans = Memory(), []
    for now, arrived in steps:
        plans.append(plan(spec, memory, arrived, now=now))
        # What is remembered has to survive being written down.
        memory = Memory.from_json(plans[-1].memory.to_json())
    return plans


def sent(plans: list[Plan]) -> list[list[str]]:
    return [[one.title for one in step.send] for step in plans]


def test_what_is_wanted_is_sent_as_it_is() -> None:
    told = message()
    assert plan(target(), Memory(), [told], now=NOON).send == (told,)


@pytest.mark.parametrize(
    ("asked", "told", "gets"),
    [
        ({"severity": "error"}, {"severity": "warning"}, False),
        ({"severity": "error"}, {"severity": "critical"}, True),
        ({"kinds": ["approve-*"]}, {"kind": "failed"}, False),
        ({"kinds": ["approve-*", "fail?d"]}, {"kind": "failed"}, True),
        ({"models": ["fraud"]}, {"model": "m"}, False),
        ({"models": ["fraud", "m"]}, {"model": "m"}, True),
    ],
)
def test_a_target_gets_what_it_asked_for(asked: dict[str, object], told: dict[str, str], gets: bool) -> None:
    done = plan(target(**asked), Memory(), [message(**told)], now=NOON)  # type: ignore[arg-type] # a table of keywords
    assert bool(done.send) is gets
    assert bool(done.memory.told) is gets


def test_the_same_alert_is_counted_and_told_again_with_its_number_when_it_is_time() -> None:
    spec = target(repeat_after=timedelta(hours=4))
    hours = [NOON + number * HOUR for number in range(6)]
    plans = run(spec, *[(now, [message(at=now)]) for now in hours])
    assert sent(plans) == [["m failed"], [], [], [], ["m failed"], []]
    assert plans[4].send[0].body == "why\n(Came 3 times more since 2026-03-02 12:00 UTC.)"


def test_other_models_kinds_and_runs_are_other_alerts() -> None:
    others = [message(), message(model="n"), message("expired"), message(run="m-2")]
    assert plan(target(), Memory(), others, now=NOON).send == tuple(others)


def test_two_acts_of_people_are_two_alerts() -> None:
    acts = [message("champion", run=None).evolve(body=f"ada set version {number}") for number in (3, 4, 4)]
    assert plan(target(), Memory(), acts, now=NOON).send == tuple(acts[:2])


def test_without_a_waiting_time_each_one_is_told() -> None:
    plans = run(target(repeat_after=timedelta(0)), *[(NOON + n * HOUR, [message()]) for n in range(3)])
    assert sent(plans) == [["m failed"]] * 3


def test_what_becomes_more_severe_is_told_at_once() -> None:
    plans = run(target(), (NOON, [message()]), (NOON, [message(severity="critical")]), (NOON, [message()]))
    assert sent(plans) == [["m failed"], ["m failed"], []]


def test_the_end_of_a_condition_is_told_once_to_whoever_was_told_of_it() -> None:
    over = lasting(MessageState.RESOLVED, severity="info")
    told = target(severity="warning")
    plans = run(told, (NOON, [lasting(MessageState.RAISED)]), (NOON + HOUR, [over]), (NOON + HOUR, [over]))
    assert [[one.state for one in step.send] for step in plans] == [[MessageState.RAISED], [MessageState.RESOLVED], []]
    assert run(target(severity="error"), (NOON, [lasting(MessageState.RAISED)]), (NOON, [over]))[1].send == ()


def test_a_condition_that_came_back_is_a_new_alert() -> None:
    states = (MessageState.RAISED, MessageState.RESOLVED, MessageState.RAISED)
    assert sent(run(target(), *[(NOON, [lasting(state)]) for state in states])) == [["m insufficient"]] * 3


def test_who_is_told_late_hears_of_what_goes_on() -> None:
    assert len(plan(target(), Memory(), [lasting(MessageState.ONGOING)], now=NOON).send) == 1


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-03-02T20:59+00:00", False),  # Berlin is an hour ahead in winter
        ("2026-03-02T21:00+00:00", True),
        ("2026-03-03T05:59+00:00", True),
        ("2026-03-03T06:00+00:00", False),
        ("2026-07-02T20:00+00:00", True),  # and two in summer
        ("2026-07-03T05:00+00:00", False),
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(moment: str, quiet: bool) -> None:
    assert is_quiet(NIGHT, datetime.fromisoformat(moment)) is quiet


def test_quiet_hours_may_lie_within_a_day() -> None:
    lunch = QuietHoursSpec(start=time(12), end=time(13))
    assert [is_quiet(lunch, NOON + number * HOUR / 2) for number in range(-1, 3)] == [False, True, True, False]
    assert not is_quiet(None, NOON)


def test_what_comes_at_night_is_summed_up_in_the_morning() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    morning = datetime(2026, 3, 3, 6, tzinfo=UTC)
    night = [message(at=midnight), message("expired", at=midnight + HOUR, severity="warning")]
    plans = run(
        target(quiet_hours=NIGHT), (midnight, night[:1]), (midnight + HOUR, night), (morning, []), (morning, [])
    )
    assert [len(step.send) for step in plans] == [0, 0, 1, 0]
    (summary,) = plans[2].send
    assert (summary.kind, summary.severity, summary.title) == (SUMMARY, "error", "2 alerts were held back")
    assert summary.body.splitlines() == [
        "2026-03-03 00:00 UTC [error] m failed (2 times): why",
        "2026-03-03 01:00 UTC [warning] m expired: why",
    ]


def test_one_that_was_held_back_alone_comes_as_itself() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    told = message(at=midnight)
    plans = run(target(quiet_hours=NIGHT), (midnight, [told]), (midnight + 6 * HOUR, []))
    (late,) = plans[1].send
    assert (late.id, late.body) == (told.id, "why\n(Held back since 2026-03-03 00:00 UTC.)")


def test_what_is_critical_wakes_people_and_so_does_its_end() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    steps = [
        (midnight, [lasting(MessageState.RAISED, severity="critical")]),
        (midnight + HOUR, [lasting(MessageState.RESOLVED, severity="info")]),
    ]
    assert [len(step.send) for step in run(target(quiet_hours=NIGHT), *steps)] == [1, 1]
    shy = QuietHoursSpec(start=time(22), end=time(7), timezone="Europe/Berlin", passing="warning")
    assert len(run(target(quiet_hours=shy), (midnight, [message()]))[0].send) == 1


def test_what_began_and_ended_at_night_is_in_the_summary_with_both() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    steps = [
        (midnight, [lasting(MessageState.RAISED, at=midnight)]),
        (midnight + HOUR, [lasting(MessageState.ONGOING)]),
        (midnight + 2 * HOUR, [lasting(MessageState.RESOLVED, at=midnight + 2 * HOUR, severity="info")]),
        (midnight + 6 * HOUR, []),
    ]
    (summary,) = run(target(quiet_hours=NIGHT), *steps)[-1].send
    assert [line[21:] for line in summary.body.splitlines()] == [
        "[warning] m insufficient: why",
        "[resolved] m insufficient: why",
    ]


def test_after_the_summary_waiting_begins_anew() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    spec = target(quiet_hours=NIGHT, repeat_after=timedelta(hours=4))
    steps = [(midnight + n * HOUR, [lasting(MessageState.ONGOING)]) for n in range(12)]
    assert [len(step.send) for step in run(spec, *steps)] == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0]


def test_above_the_rate_alerts_wait_for_room_and_leave_together() -> None:
    spec = target(rate_limit=RateLimitSpec(messages=2, per=HOUR))
    storm = [message(run=f"m-{number}") for number in range(5)]
    later = message(run="m-9")
    plans = run(spec, (NOON, storm), (NOON + HOUR / 2, [later]), (NOON + HOUR, []), (NOON + HOUR, []))
    assert sent(plans) == [["m failed", "m failed"], [], ["4 alerts were held back"], []]


def test_the_rest_of_a_flood_is_counted() -> None:
    spec = target(rate_limit=RateLimitSpec(messages=1, per=HOUR))
    flood = [message(run=f"m-{number}") for number in range(MOST_HELD + 11)]
    plans = run(spec, (NOON, flood), (NOON + HOUR, []))
    assert len(plans[0].memory.held) == MOST_HELD
    assert plans[1].send[0].title == f"{MOST_HELD + 10} alerts were held back"
    assert plans[1].send[0].body.splitlines()[-1] == "and 10 more, which the notifications file has"


def test_the_memory_does_not_grow_for_ever() -> None:
    spec = target(repeat_after=HOUR)
    plans = run(spec, (NOON, [message(), lasting(MessageState.RAISED)]), (NOON + 2 * HOUR, []))
    assert [one.key for one in plans[1].memory.told] == ["m:insufficient:"]
    assert run(spec, (NOON, [lasting(MessageState.RAISED)]), (NOON + FORGET_AFTER + HOUR, []))[1].memory.told == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 5), st.sampled_from(SEVERITIES), st.sampled_from(["a", "b"])),
        max_size=60,
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_everything_wanted_is_told_or_counted(
    arrivals: list[tuple[int, int, str, str]], rate: int, nights: bool
) -> None:
    spec = target(
        severity="warning",
        quiet_hours=NIGHT if nights else None,
        repeat_after=timedelta(hours=3),
        rate_limit=RateLimitSpec(messages=rate, per=HOUR),
    )
    memory, now, times, told, wanted = Memory(), NOON, [], "", set()
    for number, (minutes, run_number, severity, kind) in enumerate(arrivals):
        now += timedelta(minutes=minutes)
        one = message(kind, at=now, severity=severity, run=f"m-{run_number}").evolve(title=f"{kind}{run_number} ")
        done = plan(spec, memory, [one], now=now)
        memory = done.memory
        told += " ".join(sending.title + sending.body for sending in done.send)
        times += [now] * len(done.send)
        if severity != "info":
            wanted.add(one.title)
        recent = [moment for moment in times if moment > now - HOUR]
        assert len(recent) <= rate, f"too many by message {number}"
    done = plan(spec, memory, [], now=now + timedelta(days=1))
    told += " ".join(sending.title + sending.body for sending in done.send)
    done = plan(spec, done.memory, [], now=now + timedelta(days=1, hours=12))
    told += " ".join(sending.title + sending.body for sending in done.send)
    assert done.memory.held == ()
    assert {title for title in wanted if title not in told} == set()
    assert key_of(message()) == "m:failed:m-1"
