"""Drawings of distributions: where bars and ticks lie."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from comparisons import category, number
from vernal.comparing.chart import Columns, Rows, draw, spark
from vernal.comparing.scale import Scale, ticks
from vernal.profile import Bar, SpecialBar

NULLS = Bar(special=SpecialBar.NULL, reference=0.78, current=0.80)
DAY = 86_400e6


def columns(*bars: Bar, data_type: str = "double") -> Columns:
    drawn = draw(number(bars=bars, data_type=data_type))
    assert isinstance(drawn, Columns)
    return drawn


def corners(path: str) -> list[float]:
    """Return the heights of a path's bars."""
    return [float(top) for top in re.findall(r"V([\d.]+)H", path)]


def even(edges: list[float], *, reference: float = 0.1, current: float = 0.1) -> tuple[Bar, ...]:
    return tuple(Bar(low=low, high=high, reference=reference, current=current) for low, high in pairwise(edges))


def test_the_largest_share_is_the_tallest_bar_and_nothing_has_no_height() -> None:
    drawn = columns(
        Bar(low=0.0, high=1.0, reference=0.8, current=0.0), Bar(low=1.0, high=2.0, reference=0.2, current=1.0)
    )
    then, now = corners(drawn.then), corners(drawn.now)
    tall = drawn.base - min(now)
    assert [round((drawn.base - top) / tall, 2) for top in (*then, *now)] == [0.8, 0.2, 0.0, 1.0]


def test_ticks_lie_where_their_values_do() -> None:
    drawn = columns(*even([0.0, 2.5, 5.0, 7.5, 10.0]))
    places = {float(label): place for place, label in drawn.values}
    first, last = drawn.slots[0], drawn.slots[-1]
    for value, place in places.items():
        assert place == pytest.approx(first.x + value / 10 * (last.x + last.width - first.x), abs=0.2)
    assert len(places) >= 3


def test_bars_beyond_the_drawn_range_are_set_apart_and_marked() -> None:
    open_ends = (
        Bar(low=None, high=0.0, reference=0.1, current=0.1),
        Bar(low=10.0, high=None, reference=0.1, current=0.1),
    )
    drawn = columns(open_ends[0], *even([0.0, 5.0, 10.0]), open_ends[1])
    assert [label for _, label in drawn.values if label in "<>"] == ["<", ">"]
    gaps = [later.x - (slot.x + slot.width) for slot, later in pairwise(drawn.slots)]
    assert [round(gap) for gap in gaps] == [5, 0, 5]


def test_nulls_have_a_scale_of_their_own_so_that_they_do_not_press_down_the_values() -> None:
    without, with_nulls = columns(*even([0.0, 1.0, 2.0])), columns(*even([0.0, 1.0, 2.0]), NULLS)
    assert corners(with_nulls.then)[0] == corners(without.then)[0]
    assert [(special.name, special.shares) for special in with_nulls.specials] == [("null", "78 → 80 %")]


def test_values_that_have_a_bar_each_are_labelled_by_themselves() -> None:
    drawn = columns(*(Bar(low=value, high=value, reference=0.25, current=0.25) for value in (1.0, 2.0, 3.0, 1024.5)))
    assert [label for _, label in drawn.values] == ["1", "2", "3", "1,024.5"]


def test_dates_are_counted_in_months_where_months_fit() -> None:
    start = 1_356_998_400e6  # 2013-01-01
    drawn = columns(*even([start + place * 15 * DAY for place in range(25)]), data_type="timestamp[us]")
    assert [label for _, label in drawn.values] == ["2013-04-01", "2013-07-01", "2013-10-01"]


@pytest.mark.parametrize("edges", [[-1.7e308, 0.0, 1.7e308], [5e-324, 1e-323, 1.5e-323], [1e16, 1e16 + 2, 1e16 + 4]])
def test_ranges_at_the_ends_of_floating_point_are_drawn_without_ticks_rather_than_not_at_all(
    edges: list[float],
) -> None:
    drawn = columns(*even(edges))
    assert len(drawn.slots) == 2
    assert "nan" not in drawn.then + drawn.now


def test_categories_lie_below_each_other_with_their_shares() -> None:
    drawn = draw(category(shares={"AA": (0.5, 0.25), "a name that is long": (0.5, 0.75), "gone": (0.0, 0.0)}))
    assert isinstance(drawn, Rows)
    assert [(row.label, row.shares) for row in drawn.rows] == [
        ("AA", "50.0 → 25.0 %"),
        ("a name that…long", "50.0 → 75.0 %"),
    ]
    assert drawn.rows[1].now == pytest.approx(3 * drawn.rows[0].now, abs=0.2)
    assert drawn.rows[0].y < drawn.rows[1].y < drawn.height


def test_a_feature_without_rows_has_no_drawing() -> None:
    assert draw(number(bars=())) is None
    assert spark(number(bars=())) is None


def test_a_small_drawing_cuts_special_bars_off_at_the_highest_of_the_others() -> None:
    small = spark(number(bars=(*even([0.0, 1.0, 2.0]), NULLS)))
    assert small is not None
    assert len(set(corners(small.then))) == 1
    assert small.then.count("M") == 2


@pytest.mark.parametrize("data_type", ["double", "timestamp[us]", "time64[us]", "duration[us]"])
@pytest.mark.parametrize("width", [1e-9, 0.7, 1e5, 3e9, 4e12, 9e14, 6e17])
def test_ticks_are_few_inside_the_range_and_evenly_apart(data_type: str, width: float) -> None:
    low = 1e3
    found = ticks(low, low + width, Scale(data_type), most=5)
    assert len(found) <= 5
    assert all(low < tick < low + width for tick in found)
    apart = [later - tick for tick, later in pairwise(found)]
    assert all(math.isclose(gap, apart[0], rel_tol=0.11) for gap in apart)
