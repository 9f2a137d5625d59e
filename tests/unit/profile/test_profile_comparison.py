"""Every number of a comparison against the raw data, and every option by what it changes."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial import distance as spatial

from vernal.errors import ProfileError, SampleError
from vernal.profile import (
    Baseline,
    Binning,
    FeatureComparison,
    FeatureKind,
    build_baseline,
    compare,
    compare_profiles,
    empty_profile,
    profile_rows,
)
from vernal.profile.dealing import dealt

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


def held(reference: pa.Table, current: pa.Table, kinds: dict[str, FeatureKind]) -> dict[str, FeatureComparison]:
    baseline = build_baseline(reference, kinds)
    return {one.feature: one for one in compare(baseline, profile_rows(baseline, current))}


def numbers(seed: int, rows: int, shift: float) -> tuple[pa.Table, Floats]:
    """Return a column with nulls and values that are not finite, and its finite values."""
    rng = np.random.default_rng(seed)
    values = rng.normal(shift, 1.0, rows)
    values[rng.random(rows) < 0.03] = math.inf
    null = rng.random(rows) < 0.1
    return pa.table({"x": pa.array(values, mask=null)}), values[np.isfinite(values) & ~null]


@pytest.fixture(scope="module")
def smooth() -> FeatureComparison:
    return held(numbers(1, 20_000, 0.0)[0], numbers(2, 5_000, 0.4)[0], {"x": NUMERICAL})["x"]


def test_rows_and_shares_are_those_of_the_raw_data(smooth: FeatureComparison) -> None:
    (reference, then), (current, now) = numbers(1, 20_000, 0.0), numbers(2, 5_000, 0.4)
    assert (smooth.rows, smooth.reference_rows, smooth.kind) == (5_000, 20_000, NUMERICAL)
    assert smooth.null_share == current["x"].null_count / 5_000
    assert smooth.reference_null_share == reference["x"].null_count / 20_000
    assert smooth.nonfinite_share == (5_000 - current["x"].null_count - now.size) / 5_000
    assert smooth.out_of_range_share == ((now < then.min()) | (now > then.max())).sum() / 5_000
    assert smooth.new_share is None


def test_means_and_deviations_are_those_of_the_finite_values(smooth: FeatureComparison) -> None:
    then, now = numbers(1, 20_000, 0.0)[1], numbers(2, 5_000, 0.4)[1]
    found = (smooth.mean, smooth.reference_mean, smooth.deviation, smooth.reference_deviation)
    assert found == pytest.approx((now.mean(), then.mean(), now.std(ddof=1), then.std(ddof=1)), rel=1e-9)


def test_wasserstein_is_scipys_in_standard_deviations_up_to_the_resolution(smooth: FeatureComparison) -> None:
    then, now = numbers(1, 20_000, 0.0)[1], numbers(2, 5_000, 0.4)[1]
    expected = stats.wasserstein_distance(then, now) / then.std(ddof=1)
    assert smooth.wasserstein == pytest.approx(expected, abs=2e-3)


def test_the_largest_gap_of_the_raw_values_lies_within_its_bounds(smooth: FeatureComparison) -> None:
    then, now = numbers(1, 20_000, 0.0)[1], numbers(2, 5_000, 0.4)[1]
    exact = stats.ks_2samp(then, now)
    assert smooth.ks is not None
    assert smooth.ks.upper is not None
    assert smooth.ks.score <= exact.statistic <= smooth.ks.upper <= smooth.ks.score + 1 / 320 + 1e-3
    assert np.log(smooth.ks.p_value) == pytest.approx(np.log(exact.pvalue), rel=0.05)


def test_numbers_of_few_values_have_the_exact_distances_of_their_counts() -> None:
    rng = np.random.default_rng(3)
    then, now = rng.binomial(4, 0.5, 4_000), rng.binomial(4, 0.55, 1_500)
    found = held(pa.table({"x": then}), pa.table({"x": now}), {"x": NUMERICAL})["x"]
    exact = stats.ks_2samp(then, now, method="asymp")
    assert found.ks is not None
    assert (found.ks.score, found.ks.upper) == pytest.approx((exact.statistic, exact.statistic))
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(then, now) / then.std(ddof=1), rel=1e-9)


def categories(seed: int, rows: int, weights: list[float]) -> list[str | None]:
    names = np.array(["a", "b", "c", "d", "null"])
    drawn = np.random.default_rng(seed).choice(names, rows, p=weights)
    return [None if one == "null" else str(one) for one in drawn]


def test_every_distance_of_categories_is_that_of_their_counts() -> None:
    then, now = categories(4, 3_000, [0.4, 0.3, 0.2, 0.0, 0.1]), categories(5, 2_000, [0.3, 0.3, 0.25, 0.05, 0.1])
    found = held(pa.table({"c": then}), pa.table({"c": now}), {"c": CATEGORICAL})["c"]
    r, c = (np.array([Counter(side)[name] for name in ("a", "b", "c", "d", None)], float) for side in (then, now))
    p, q = r / r.sum(), c / c.sum()
    smooth_p, smooth_q = (r + 0.5) / (r.sum() + 2.5), (c + 0.5) / (c.sum() + 2.5)
    test = stats.chi2_contingency(np.stack((r, c)), correction=False)
    assert found.psi is not None
    assert found.js is not None
    assert found.chi_square is not None
    assert found.psi.score == pytest.approx(((smooth_q - smooth_p) * np.log(smooth_q / smooth_p)).sum())
    assert found.js.score == pytest.approx(spatial.jensenshannon(p, q, base=2))
    assert (found.chi_square.statistic, found.chi_square.dof) == pytest.approx((test.statistic, test.dof))
    assert found.chi_square.p_value == pytest.approx(test.pvalue, rel=1e-6)
    assert found.total_variation == pytest.approx(abs(p - q).sum() / 2)
    assert found.hellinger == pytest.approx(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))
    assert (found.new_share, found.null_share, found.reference_null_share) == (c[3] / 2_000, q[-1], p[-1])
    assert (found.ks, found.wasserstein, found.nonfinite_share, found.out_of_range_share) == (None,) * 4
    assert (found.reference_nonfinite_share, found.reference_new_share) == (None, 0.0)
    assert (found.mean, found.reference_mean, found.deviation, found.reference_deviation) == (None,) * 4


def test_chi_square_of_numbers_is_scipys_on_their_bins(smooth: FeatureComparison) -> None:
    then, now = numbers(1, 20_000, 0.0)[1], numbers(2, 5_000, 0.4)[1]
    edges = np.sort(then)[np.round(np.arange(1, 10) / 10 * then.size).astype(int) - 1]
    (reference, _), (current, _) = numbers(1, 20_000, 0.0), numbers(2, 5_000, 0.4)
    r, c = (np.bincount(edges.searchsorted(side), minlength=10).tolist() for side in (then, now))
    r += [20_000 - reference["x"].null_count - then.size, reference["x"].null_count]
    c += [5_000 - current["x"].null_count - now.size, current["x"].null_count]
    test = stats.chi2_contingency([r, c], correction=False)
    assert smooth.chi_square is not None
    assert smooth.chi_square.dof == test.dof
    assert smooth.chi_square.statistic == pytest.approx(test.statistic, rel=0.02)  # the grid's edges are 1/320 apart


def test_rare_categories_are_compared_in_the_half_that_was_counted() -> None:
    rng = np.random.default_rng(6)
    then, now = rng.integers(0, 400, 2_000).astype(str), rng.integers(0, 500, 1_000).astype(str)
    found = held(pa.table({"c": then}), pa.table({"c": now}), {"c": CATEGORICAL})["c"]
    chosen = then[dealt(0, 2_000) == 0]
    assert (found.rows, found.reference_rows) == (1_000, int(dealt(0, 2_000).sum()))
    assert found.new_share == (~np.isin(now, chosen)).mean()
    assert found.reference_new_share == (~np.isin(then[dealt(0, 2_000) == 1], chosen)).mean()


def test_one_new_category_among_many_rare_ones_is_found() -> None:
    rng = np.random.default_rng(16)
    then, now = (rng.integers(0, 3_000, 20_000).astype(str) for _ in range(2))
    found = held(pa.table({"c": then}), pa.table({"c": now}), {"c": CATEGORICAL})["c"]
    now[rng.random(20_000) < 0.05] = "never seen"
    moved = held(pa.table({"c": then}), pa.table({"c": now}), {"c": CATEGORICAL})["c"]
    assert found.js is not None
    assert moved.js is not None
    assert found.js.p_value > 0.01
    assert moved.js.p_value < 1e-4


# ---------------------------------------------------------------------------------------------------- options

MANY = ("w", "x", "y", "z")


@pytest.fixture(scope="module")
def world() -> tuple[Baseline, pa.Table]:
    rng = np.random.default_rng(7)
    then = pa.table({name: rng.normal(size=4_000) for name in MANY} | {"c": rng.integers(0, 9, 4_000).astype(str)})
    now = pa.table(
        {name: rng.normal(0.06 * i, 1, 3_000) for i, name in enumerate(MANY)}
        | {"c": rng.binomial(8, 0.5, 3_000).astype(str)}
    )
    return build_baseline(then, dict.fromkeys(MANY, NUMERICAL) | {"c": CATEGORICAL}), now


def test_false_discoveries_are_held_over_each_family_of_tests(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    found = compare(baseline, profile_rows(baseline, now))
    families = [
        [one.psi if one.kind is NUMERICAL else one.js for one in found],
        [one.js if one.kind is NUMERICAL else one.psi for one in found],
        [one.ks for one in found if one.kind is NUMERICAL],
    ]
    for family in families:
        known = [one for one in family if one is not None]
        expected = stats.false_discovery_control([one.p_value for one in known])
        assert [one.adjusted_p for one in known] == pytest.approx(expected.tolist(), rel=1e-9)
        for one in known:
            assert (one.score > one.critical) == (one.adjusted_p <= 0.01)


def test_a_stricter_alpha_raises_the_critical_values_and_nothing_else(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    profile = profile_rows(baseline, now)
    for loose, strict in zip(
        compare(baseline, profile, alpha=0.1), compare(baseline, profile, alpha=0.001), strict=True
    ):
        for one, other in ((loose.psi, strict.psi), (loose.js, strict.js), (loose.ks, strict.ks)):
            if one is not None and other is not None:
                assert one.critical < other.critical
                assert (one.score, one.p_value, one.adjusted_p) == (other.score, other.p_value, other.adjusted_p)


def test_more_bins_change_psi_and_js_of_numbers_and_nothing_of_categories(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    profile = profile_rows(baseline, now)
    for ten, twenty in zip(compare(baseline, profile), compare(baseline, profile, bins=20), strict=True):
        assert ten.chi_square is not None
        assert twenty.chi_square is not None
        assert (ten.ks and ten.ks.score) == (twenty.ks and twenty.ks.score)
        assert (ten.chi_square.dof, twenty.chi_square.dof) == ((9, 19) if ten.kind is NUMERICAL else (8, 8))
        assert (ten.psi and ten.psi.score) != (twenty.psi and twenty.psi.score) or ten.kind is CATEGORICAL


@pytest.mark.parametrize(("least", "sufficient"), [(3_000, True), (3_001, False), (1, True)])
def test_fewer_rows_than_asked_for_are_insufficient_and_measured_all_the_same(
    world: tuple[Baseline, pa.Table], least: int, sufficient: bool
) -> None:
    baseline, now = world
    profile = profile_rows(baseline, now)
    for one in compare(baseline, profile, min_rows=least):
        assert one.sufficient is sufficient
        assert one.psi is not None


def test_too_few_reference_rows_are_insufficient_too(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    few, many = profile_rows(baseline, now.slice(0, 999)), profile_rows(baseline, now)
    assert not any(one.sufficient for one in compare_profiles(baseline, few, many))
    assert all(one.sufficient for one in compare_profiles(baseline, many, many))


def test_a_layout_made_before_gives_what_its_bins_give(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    profile = profile_rows(baseline, now)
    layout = Binning.of(baseline, bins=20)
    assert compare(baseline, profile, binning=layout) == compare(baseline, profile, bins=20)
    assert compare(baseline, profile, binning=layout) != compare(baseline, profile)


def test_a_layout_of_another_baseline_is_refused(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    with pytest.raises(ProfileError, match="binning: found one of grid"):
        compare(baseline, profile_rows(baseline, now), binning=Binning.of(baseline.select(["x"])))


def test_options_out_of_range_and_strange_profiles_are_refused(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    profile = profile_rows(baseline, now)
    with pytest.raises(ProfileError, match="min_rows: found 0"):
        compare(baseline, profile, min_rows=0)
    with pytest.raises(SampleError, match="bins: found 1"):
        compare(baseline, profile, bins=1)
    with pytest.raises(SampleError, match="alpha"):
        compare(baseline, profile, alpha=1.5)
    stranger = baseline.select(["x"]).reference
    for one, other in ((stranger, profile), (profile, stranger)):
        with pytest.raises(ProfileError, match="expected the baseline's"):
            compare_profiles(baseline, one, other)


# ---------------------------------------------------------------------------------------------------- edges


def test_two_windows_are_held_against_each_other(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    older, newer = profile_rows(baseline, now.slice(0, 1_400)), profile_rows(baseline, now.slice(1_400))
    x = compare_profiles(baseline, older, newer)[1]
    values, training = now["x"].to_numpy(), baseline.summary(baseline.reference, "x")
    assert training is not None
    assert (x.reference_rows, x.rows) == (1_400, 1_600)
    assert (x.reference_mean, x.mean) == pytest.approx((values[:1_400].mean(), values[1_400:].mean()))
    moved = stats.wasserstein_distance(values[:1_400], values[1_400:]) / training.variance**0.5
    assert x.wasserstein == pytest.approx(moved, abs=5e-3)


def test_no_rows_leave_everything_undefined(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    nothing, something = empty_profile(baseline), profile_rows(baseline, now)
    for one in (*compare(baseline, nothing), *compare_profiles(baseline, nothing, something)):
        assert (one.psi, one.js, one.ks, one.chi_square, one.hellinger, one.total_variation, one.wasserstein) == (
            None,
        ) * 7
        assert one.sufficient is False
        assert (one.null_share is None) == (one.rows == 0)


def test_a_window_without_moments_has_no_means_and_all_distances(world: tuple[Baseline, pa.Table]) -> None:
    baseline, now = world
    profile = profile_rows(baseline, now)
    for known, left in zip(
        compare(baseline, profile), compare(baseline, profile.subtract(empty_profile(baseline))), strict=True
    ):
        assert (left.mean, left.deviation) == (None, None)
        assert (left.psi, left.js, left.ks) == (known.psi, known.js, known.ks)
        assert left.wasserstein == pytest.approx(known.wasserstein, abs=1e-2)


def test_a_feature_that_was_always_null_can_gain_values() -> None:
    baseline = build_baseline(pa.table({"x": pa.nulls(2_000, pa.float64())}), {"x": NUMERICAL})
    now = profile_rows(baseline, pa.table({"x": [1.0, 2.0, None] * 500}))
    for current in (now, now.subtract(empty_profile(baseline))):
        (found,) = compare(baseline, current)
        assert (found.ks, found.wasserstein, found.null_share, found.reference_null_share) == (None, None, 1 / 3, 1.0)
        assert found.psi is not None
        assert found.psi.score > found.psi.critical
        (same,) = compare_profiles(baseline, current, current)
        assert (same.psi and same.psi.score, same.ks and same.ks.score) == (0.0, 0.0)


def test_a_constant_feature_has_no_standard_deviation_to_measure_in() -> None:
    found = held(pa.table({"x": [5.0] * 50}), pa.table({"x": [6.0] * 50}), {"x": NUMERICAL})["x"]
    assert (found.wasserstein, found.reference_deviation, found.out_of_range_share) == (None, 0.0, 1.0)
    assert found.ks is not None
    assert found.ks.score == 1.0


@pytest.mark.parametrize("extreme", [np.finfo(np.float64).min, np.finfo(np.float64).max])
def test_the_largest_floats_have_distances_and_no_finite_moments(extreme: float) -> None:
    values = pa.table({"x": [float(extreme)] * 40 + [0.0, 1.0, 2.0, -3.0] * 10})
    found = held(values, values, {"x": NUMERICAL})["x"]
    assert (found.out_of_range_share, found.deviation, found.wasserstein) == (0.0, None, None)
    assert (found.psi and found.psi.score, found.ks and found.ks.score) == (0.0, 0.0)


def test_the_least_single_is_a_value_like_any_other() -> None:
    least = np.finfo(np.float32).min
    values = pa.table({"x": np.array([least] * 40 + [0, 1, 2, -3] * 10, np.float32)})
    found = held(values, values, {"x": NUMERICAL})["x"]
    assert found.out_of_range_share == 0.0


@pytest.mark.parametrize("ks", [True, False])
def test_a_lean_comparison_is_the_thorough_one_without_the_rest(ks: bool) -> None:
    rng = np.random.default_rng(5)

    def rows(shift: float) -> pa.Table:
        return pa.table(
            {
                "c": pa.array(rng.integers(0, 6, 3_000).astype(str)),
                "x": pa.array(rng.normal(shift, 1, 3_000)),
                "d": pa.array(rng.choice(["a", "b"], 3_000, p=[0.5 + shift / 4, 0.5 - shift / 4])),
                "y": pa.array(rng.normal(0, 1, 3_000)),
            }
        )

    kinds = {name: FeatureKind.NUMERICAL if name in "xy" else FeatureKind.CATEGORICAL for name in "cxdy"}
    baseline = build_baseline(rows(0.0), kinds)
    window = profile_rows(baseline, rows(0.4))
    thorough = compare_profiles(baseline, baseline.reference, window)
    lean = compare_profiles(baseline, baseline.reference, window, thorough=False, ks=ks)
    for full, short in zip(thorough, lean, strict=True):
        usual, other = ("psi", "js") if full.kind is FeatureKind.NUMERICAL else ("js", "psi")
        assert getattr(short, usual) == getattr(full, usual) is not None
        assert getattr(short, other) is None
        assert short.ks == (full.ks if ks else None)
        assert (short.hellinger, short.total_variation, short.wasserstein, short.chi_square) == (None,) * 4
        assert (short.null_share, short.mean) == (full.null_share, full.mean)


@pytest.mark.parametrize("kind", list(FeatureKind))
def test_a_lean_comparison_needs_features_of_one_kind_only(kind: FeatureKind) -> None:
    table = pa.table({"a": pa.array([1.0, 2.0, 3.0, 4.0] * 50)})
    if kind is FeatureKind.CATEGORICAL:
        table = pa.table({"a": pa.array(["x", "y"] * 100)})
    baseline = build_baseline(table, {"a": kind})
    (found,) = compare_profiles(baseline, baseline.reference, profile_rows(baseline, table), thorough=False)
    scored = found.psi if kind is FeatureKind.NUMERICAL else found.js
    assert scored is not None
    assert scored.score == 0.0
