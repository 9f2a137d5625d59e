"""A feature's shape then and now, in bars that cover all rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import (
    Bar,
    Binning,
    FeatureKind,
    SpecialBar,
    build_baseline,
    distribution,
    empty_profile,
    profile_rows,
)

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
RNG = np.random.default_rng(1)
LARGEST = float(np.finfo(np.float64).max)


def bars_of(then: Any, now: Any, kind: FeatureKind, *, bars: int = 24) -> tuple[Bar, ...]:  # noqa: ANN401
    baseline = build_baseline(pa.table({"o": ["other"] * len(then), "x": then}), {"o": CATEGORICAL, "x": kind})
    profile = profile_rows(baseline, pa.table({"o": ["other"] * len(now), "x": now}))
    return distribution(baseline, Binning.of(baseline), baseline.reference, profile, "x", bars=bars)


SHAPES: dict[str, tuple[Any, Any]] = {
    "smooth": (RNG.normal(size=3_000), RNG.normal(1, 2, size=2_000)),
    "with a far outlier": (np.r_[RNG.normal(size=3_000), 1e9], RNG.normal(size=2_000)),
    "single precision": (RNG.normal(size=3_000).astype(np.float32), RNG.normal(size=2_000)),
    "few values": (RNG.binomial(5, 0.5, 500), RNG.binomial(5, 0.6, 500)),
    "constant": ([1.0] * 9, [2.0] * 9),
    "nulls and what is not finite": ([1.0, None, math.nan, 2.0], [math.inf, None, 3.0]),
    "nothing before": (pa.nulls(5, pa.float64()), [1.0, 2.0]),
    "nothing now": ([1.0, 2.0], pa.nulls(5, pa.float64())),
    "largest": ([LARGEST, -LARGEST, 0.0, *RNG.normal(size=500)], [LARGEST, 1.0]),
    "smallest": ([5e-324, 0.0, -5e-324], [0.0]),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("bars", [5, 24])
def test_bars_of_numbers_cover_all_rows_once_and_rise(name: str, bars: int) -> None:
    found = bars_of(*SHAPES[name], NUMERICAL, bars=bars)
    assert sum(bar.reference for bar in found) == pytest.approx(1.0)
    assert sum(bar.current for bar in found) == pytest.approx(1.0)
    assert min(min(bar.reference, bar.current) for bar in found) >= -1e-12
    limits = [limit for bar in found if not bar.label for limit in (bar.low, bar.high) if limit is not None]
    assert limits == sorted(limits)
    assert all(math.isfinite(limit) for limit in limits)


def test_a_smooth_feature_has_the_bars_asked_for_and_an_open_one_at_either_end() -> None:
    found = bars_of(*SHAPES["smooth"], NUMERICAL, bars=12)
    assert len(found) == 14
    assert (found[0].low, found[-1].high) == (None, None)
    assert {bar.high is None or bar.low is None for bar in found[1:-1]} == {False}


def test_the_height_of_a_bar_is_the_share_of_rows_in_its_range() -> None:
    then, now = SHAPES["smooth"]
    for bar in bars_of(then, now, NUMERICAL, bars=12):
        low, high = -math.inf if bar.low is None else bar.low, math.inf if bar.high is None else bar.high
        assert bar.reference == pytest.approx(((then > low) & (then <= high)).mean(), abs=5e-3)
        assert bar.current == pytest.approx(((now > low) & (now <= high)).mean(), abs=2e-2)


def test_one_far_outlier_does_not_squeeze_the_rest_into_one_bar() -> None:
    found = bars_of(*SHAPES["with a far outlier"], NUMERICAL)
    assert max(bar.reference for bar in found) < 0.2


def test_each_of_few_values_has_a_bar_of_its_own() -> None:
    then, now = SHAPES["few values"]
    found = bars_of(then, now, NUMERICAL)
    inside = [bar for bar in found if bar.low == bar.high]
    assert [bar.low for bar in inside] == [float(value) for value in np.unique(then)]
    assert [bar.reference for bar in inside] == pytest.approx([(then == bar.low).mean() for bar in inside])


def test_special_values_have_labels() -> None:
    found = bars_of(*SHAPES["nulls and what is not finite"], NUMERICAL)
    special = [bar for bar in found if bar.special]
    assert [bar.special for bar in special] == [SpecialBar.NOT_FINITE, SpecialBar.NULL]
    assert [bar.reference for bar in special] == pytest.approx([1 / 4, 1 / 4])
    assert [bar.current for bar in special] == pytest.approx([1 / 3, 1 / 3])


def test_categories_come_by_their_larger_share_the_rarest_together() -> None:
    then = ["a"] * 50 + ["b"] * 30 + ["c"] * 25 + [None] * 20
    now = ["c"] * 60 + ["b"] * 20 + ["never"] * 10 + [None] * 10
    found = bars_of(then, now, CATEGORICAL, bars=2)
    assert [bar.label or bar.special for bar in found] == ["c", "a", "rarer", "new", "null"]
    assert [bar.reference for bar in found] == pytest.approx([0.2, 0.4, 0.24, 0.0, 0.16])
    assert [bar.current for bar in found] == pytest.approx([0.6, 0.0, 0.2, 0.1, 0.1])
    assert len(bars_of(then, now, CATEGORICAL)) == 5


def test_what_is_new_to_the_half_that_chose_is_drawn_on_both_sides() -> None:
    values = RNG.integers(0, 2_000, 4_000).astype(str)
    [new] = [bar for bar in bars_of(values, values, CATEGORICAL) if bar.special is SpecialBar.NEW]
    assert 0 < new.current < new.reference


def test_categories_without_rows_on_either_side_are_not_drawn() -> None:
    values = RNG.integers(0, 100, 200).astype(str)
    assert all(bar.reference or bar.current for bar in bars_of(values, values[:10], CATEGORICAL))


def test_a_side_without_rows_has_shares_of_zero() -> None:
    baseline = build_baseline(pa.table({"x": [1.0, 2.0, 3.0]}), {"x": NUMERICAL})
    found = distribution(baseline, Binning.of(baseline), baseline.reference, empty_profile(baseline), "x")
    assert sum(bar.reference for bar in found) == pytest.approx(1.0)
    assert {bar.current for bar in found} == {0.0}


def test_a_feature_that_is_not_there_is_refused() -> None:
    baseline = build_baseline(pa.table({"x": [1.0]}), {"x": NUMERICAL})
    with pytest.raises(ProfileError, match="feature y"):
        distribution(baseline, Binning.of(baseline), baseline.reference, baseline.reference, "y")
