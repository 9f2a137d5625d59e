from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernal.spec import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", timedelta(0)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7 d", " 7d", "7d\n", "-7d", "1.5h", "12h1d", "7d7d", "1w", "P7D", "7D", "\u0667d", "1month"]
)
def test_anything_else_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(ValueError, match=r'got ".*", expected a duration such as "90d"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "876001h", "9999999999d"])
def test_more_than_a_century_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f'got "{text}", expected at most 36500d'):
        parse_duration(text)


def test_more_digits_than_any_duration_needs_are_refused_before_they_are_counted() -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration("9" * 5000 + "d")


@given(st.integers(min_value=0, max_value=36_500 * 86_400))
def test_a_written_duration_reads_back_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)

    assert parse_duration(format_duration(duration)) == duration
