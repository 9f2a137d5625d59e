"""Cells laid out for comparing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import SampleError
from vernal.profile import Binning, FeatureKind, build_baseline, empty_profile, profile_rows

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
RNG = np.random.default_rng(1)


@pytest.mark.parametrize("bins", [2, 5, 10, 20])
def test_a_smooth_feature_has_the_bins_asked_for_of_equal_mass(bins: int) -> None:
    baseline = build_baseline(pa.table({"x": RNG.normal(size=16_000)}), {"x": NUMERICAL})
    binned = Binning.of(baseline, bins=bins).binned(baseline.reference)
    assert binned[:-2].tolist() == [16_000 // bins] * bins
    assert binned[-2:].tolist() == [0, 0]


def test_a_value_with_most_rows_leaves_bins_for_the_rest() -> None:
    values = np.concatenate((np.zeros(6_000), 1 + RNG.random(4_000)))
    baseline = build_baseline(pa.table({"x": values}), {"x": NUMERICAL})
    binned = Binning.of(baseline).binned(baseline.reference)[:-2]
    assert binned.size >= 9
    assert binned.max() == 6_000


def test_non_finite_values_and_nulls_are_bins_of_their_own() -> None:
    table = pa.table({"x": pa.array([1.0, 2.0, np.nan, np.inf, np.inf, None])})
    baseline = build_baseline(table, {"x": NUMERICAL})
    assert Binning.of(baseline).binned(baseline.reference)[-2:].tolist() == [3, 1]


def test_a_reference_without_values_has_one_bin_for_any_value() -> None:
    baseline = build_baseline(pa.table({"x": pa.nulls(5, pa.float64())}), {"x": NUMERICAL})
    layout = Binning.of(baseline)
    assert layout.binned(baseline.reference).tolist() == [0, 0, 5]
    assert layout.binned(profile_rows(baseline, pa.table({"x": [1.0, 2.0]}))).tolist() == [2, 0, 0]


def test_new_categories_are_a_bin_of_their_own() -> None:
    baseline = build_baseline(pa.table({"c": ["a"] * 30 + ["b"] * 20 + [None]}), {"c": CATEGORICAL})
    profile = profile_rows(baseline, pa.table({"c": ["a", "new", "newer", None, "b", "b"]}))
    assert Binning.of(baseline).binned(profile).tolist() == [1, 2, 0, 2, 1]


def test_features_follow_one_another_and_no_row_is_lost() -> None:
    table = pa.table({"x": RNG.normal(size=900), "c": RNG.integers(0, 60, 900).astype(str), "k": RNG.poisson(2, 900)})
    baseline = build_baseline(table, {"c": CATEGORICAL, "x": NUMERICAL, "k": NUMERICAL})
    layout = Binning.of(baseline)
    sums = np.add.reduceat(layout.binned(profile_rows(baseline, table)), layout.bin_starts)
    assert sums.tolist() == [900, 900, 900]
    assert layout.bin_starts[0] == layout.interval_starts[0] == 0
    assert (np.diff(layout.bins) > 0).all()
    assert layout.grid_id == baseline.grid_id


def test_fewer_than_two_bins_are_refused() -> None:
    baseline = build_baseline(pa.table({"x": [1.0, 2.0]}), {"x": NUMERICAL})
    with pytest.raises(SampleError, match="bins: found 1, expected at least 2"):
        Binning.of(baseline, bins=1)


def test_open_ends_are_closed_at_the_extremes_that_are_known() -> None:
    baseline = build_baseline(
        pa.table({"x": [1.0, 2.0, 3.0], "c": ["a", "a", "b"]}), {"c": CATEGORICAL, "x": NUMERICAL}
    )
    layout = Binning.of(baseline)
    for values, outer in (([-5.0, 9.0], (-5.0, 9.0)), ([2.0], (np.nextafter(1.0, 0.0), 3.0))):
        lefts, rights = layout.limits(profile_rows(baseline, pa.table({"x": values, "c": ["a"] * len(values)})).moments)
        assert (lefts[0], rights[-1]) == outer
        assert (lefts <= rights).all()
        assert lefts[layout.points].tolist() == rights[layout.points].tolist() == [1.0, 2.0, 3.0]
    lefts, rights = layout.limits(None)
    assert (lefts[0], rights[-1]) == (rights[0], lefts[-1])


@pytest.mark.parametrize(
    "values", [[None, None], [float(np.finfo(np.float64).min)] * 2, [float(np.finfo(np.float64).max)]]
)
def test_limits_are_finite_and_in_order_whatever_is_known(values: list[float | None]) -> None:
    baseline = build_baseline(pa.table({"x": pa.array(values, pa.float64())}), {"x": NUMERICAL})
    for moments in (None, baseline.reference.moments):
        lefts, rights = Binning.of(baseline).limits(moments)
        assert np.isfinite(lefts).all()
        assert np.isfinite(rights).all()
        assert (lefts <= rights).all()


def test_without_numerical_features_there_are_no_intervals() -> None:
    baseline = build_baseline(pa.table({"c": ["a", "b"]}), {"c": CATEGORICAL})
    layout = Binning.of(baseline)
    assert (
        layout.intervals.size
        == layout.interval_starts.size
        == layout.limits(empty_profile(baseline).moments)[0].size
        == 0
    )
