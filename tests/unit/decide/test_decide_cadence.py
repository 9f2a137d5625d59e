"""When a model is checked next."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vernal.decide.cadence import EPOCH, next_check

HOUR = timedelta(hours=1)
names = st.text("abcdefgh_0123", min_size=1, max_size=20)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it
cadences = st.timedeltas(timedelta(minutes=1), timedelta(days=30))


def test_without_a_spread_the_next_check_is_one_interval_away() -> None:
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert next_check("a", every=HOUR, now=now, spread=0.0) == now + HOUR


@given(names, cadences, moments)
def test_the_next_check_lies_ahead_by_at_most_an_interval(name: str, every: timedelta, now: datetime) -> None:
    assert now < next_check(name, every=every, now=now, spread=0.1) <= now + every


@given(names, cadences, moments)
def test_checks_lie_within_the_spread(name: str, every: timedelta, now: datetime) -> None:
    due = next_check(name, every=every, now=now, spread=0.1)
    assert (due - EPOCH) % every <= 0.1 * every


@given(names, cadences, moments, st.floats(0, 0.9))
def test_a_late_check_does_not_move_those_after_it(name: str, every: timedelta, now: datetime, late: float) -> None:
    due = next_check(name, every=every, now=now, spread=0.1)
    assert next_check(name, every=every, now=due + late * every, spread=0.1) == due + every


def test_many_models_do_not_start_together() -> None:
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    due = [next_check(f"model_{n}", every=HOUR, now=now, spread=0.1) for n in range(200)]
    per_minute = [sum(moment.minute == minute for moment in due) for minute in range(60)]
    assert sum(per_minute[:6]) == 200
    assert max(per_minute) < 60
