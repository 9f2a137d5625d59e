"""How values read at the edges: times that no calendar has, units too fine or too coarse for decimals."""

from __future__ import annotations

import math

import pytest

from vernal.comparing.scale import Scale, figure, points, probability, score, share

DAY = 86_400e6


@pytest.mark.parametrize(
    ("unit", "read"),
    [(None, "2013-01-16"), (DAY, "2013-01-16"), (6e8, "2013-01-16 13:05"), (1e6, "2013-01-16 13:05:07")],
)
def test_a_moment_has_the_precision_that_the_spread_deserves(unit: float | None, read: str) -> None:
    assert Scale("timestamp[us]", unit=unit).value(1_358_341_507e6) == read


@pytest.mark.parametrize("beyond", [1e30, -1e18, math.inf])
def test_times_that_no_calendar_has_are_written_as_numbers(beyond: float) -> None:
    assert Scale("timestamp[us]").value(beyond) == figure(beyond)


@pytest.mark.parametrize(
    ("unit", "number", "read"),
    [
        (0.02, 1013.2571, "1,013.26"),
        (300.0, 1_234_567.8, "1,234,568"),
        (0.01, 0.00001, "0.00"),
        (0.01, -0.001, "0.00"),
        (1e-7, 3.14159e-5, "3.14e-05"),
        (1e8, 5_012_345_678_901.0, "5.0123e+12"),
        (math.inf, 12.5, "12.5"),
        (0.0, 12.5, "12.5"),
    ],
)
def test_numbers_have_the_decimals_that_their_unit_deserves(unit: float, number: float, read: str) -> None:
    assert Scale("double", unit=unit).value(number) == read


@pytest.mark.parametrize(
    ("number", "read"),
    [(90e6, "1.50 min"), (1.5e6, "1.50 s"), (36 * 3600e6, "1.50 d"), (0.0, "0 s"), (-7200e6, "-2 h")],
)
def test_lengths_of_time_read_in_their_largest_unit(number: float, read: str) -> None:
    assert Scale("timestamp[us]").length(number) == read


def test_a_single_value_of_a_range_keeps_its_digits() -> None:
    assert Scale("double", unit=100.0).span(1013.25, 1013.25) == "1,013.25"
    assert Scale("timestamp[us]").span(0.0, 0.0) == "1970-01-01"


def test_what_is_not_quite_nothing_or_all_does_not_read_so() -> None:
    assert [share(part) for part in (0.0, 1e-9, 0.0006, 0.9996, 1.0)] == ["0 %", "<0.1 %", "0.1 %", ">99.9 %", "100 %"]
    assert [score(part) for part in (0.0, 1e-9, 0.0006, 9.876, 98.76, 9876.0)] == [
        *("0", "<0.001", "0.001", "9.88", "98.8", "9876")
    ]
    assert probability(0.0) == "<0.0001"
    assert points(-1e-6) == "-0.0001"
