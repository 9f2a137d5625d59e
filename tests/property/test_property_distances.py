"""What holds of every pair of histograms: identity, symmetry, range, order of cells, and one feature among many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vernal.stats.arrays import Floats, Ints
from vernal.stats.distance import (
    chi_square,
    chi_square_many,
    hellinger,
    hellinger_many,
    jensen_shannon,
    jensen_shannon_many,
    kolmogorov_smirnov,
    kolmogorov_smirnov_many,
    psi,
    psi_many,
    total_variation,
    total_variation_many,
    wasserstein,
    wasserstein_many,
)

Measure = Callable[[Ints, Ints], float]
Pair = tuple[Ints, Ints]

MEASURES: dict[str, Measure] = {
    "psi": lambda r, c: psi(r, c).score,
    "jensen_shannon": lambda r, c: jensen_shannon(r, c).score,
    "hellinger": hellinger,
    "total_variation": total_variation,
    "kolmogorov_smirnov": lambda r, c: kolmogorov_smirnov(r, c).distance,
    "chi_square": lambda r, c: chi_square(r, c).statistic,
    "wasserstein": lambda r, c: wasserstein(r, c, lefts=np.arange(r.size), rights=np.arange(r.size) + 1),
}
every = pytest.mark.parametrize("name", MEASURES)
OF_SHARES = [name for name in MEASURES if name != "psi"]  # psi adds half a row, whatever the sample's size
UNORDERED = ["psi", "jensen_shannon", "hellinger", "total_variation", "chi_square"]

counts = st.one_of(st.just(0), st.integers(0, 30), st.integers(0, 1_000_000))


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    cells = draw(st.integers(1, 12))
    sides = [np.array(draw(st.lists(counts, min_size=cells, max_size=cells)), dtype=np.int64) for _ in range(2)]
    for side in sides:
        side[draw(st.integers(0, cells - 1))] += 1
    return sides[0], sides[1]


@every
@given(pair=pairs())
def test_a_histogram_is_at_distance_zero_from_itself(name: str, pair: Pair) -> None:
    assert MEASURES[name](pair[0], pair[0]) == 0.0


@pytest.mark.parametrize("name", OF_SHARES)
@given(pair=pairs(), times=st.integers(2, 1000))
def test_proportional_histograms_are_at_distance_zero(name: str, pair: Pair, times: int) -> None:
    assert MEASURES[name](pair[0], pair[0] * times) == pytest.approx(0.0, abs=1e-12)


@every
@given(pair=pairs())
def test_swapping_the_sides_changes_nothing(name: str, pair: Pair) -> None:
    r, c = pair
    assert MEASURES[name](r, c) == pytest.approx(MEASURES[name](c, r), rel=1e-9, abs=1e-9)


@every
@given(pair=pairs())
def test_distances_keep_to_their_range(name: str, pair: Pair) -> None:
    r, c = pair
    most = {"psi": np.inf, "chi_square": (r.sum() + c.sum()) * (1 + 1e-9), "wasserstein": r.size}.get(name, 1.0)
    assert 0.0 <= MEASURES[name](r, c) <= most


@pytest.mark.parametrize("name", UNORDERED)
@given(pair=pairs(), seed=st.integers(0, 1000))
def test_the_order_of_cells_changes_nothing(name: str, pair: Pair, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(pair[0].size)
    shuffled = MEASURES[name](pair[0][order], pair[1][order])
    assert shuffled == pytest.approx(MEASURES[name](*pair), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", UNORDERED)
@given(pair=pairs(), at=st.integers(0, 12))
def test_a_cell_that_is_empty_on_both_sides_changes_nothing(name: str, pair: Pair, at: int) -> None:
    at = min(at, pair[0].size)
    wider = MEASURES[name](np.insert(pair[0], at, 0), np.insert(pair[1], at, 0))
    assert wider == pytest.approx(MEASURES[name](*pair), rel=1e-9, abs=1e-9)


@given(pair=pairs())
def test_total_variation_and_hellinger_bound_each_other(pair: Pair) -> None:
    """Check the inequalities of Le Cam: ``H^2 <= TV <= sqrt(2) H``, and that no grid shows more than all cells do."""
    h, tv = hellinger(*pair), total_variation(*pair)
    assert h**2 <= tv + 1e-12
    assert tv <= np.sqrt(2) * h + 1e-12
    assert kolmogorov_smirnov(*pair).distance <= tv + 1e-12


@settings(deadline=None)
@given(pair=pairs())
def test_p_values_and_critical_values_are_one_rule(pair: Pair) -> None:
    for alpha in (0.05, 0.001):
        p, j = psi(*pair, alpha=alpha), jensen_shannon(*pair, alpha=alpha)
        k, x = kolmogorov_smirnov(*pair, alpha=alpha), chi_square(*pair, alpha=alpha)
        for value, critical, p_value in (
            (p.score, p.critical, p.p_value),
            (j.score, j.critical, j.p_value),
            (k.distance, k.critical, k.p_value),
            (x.statistic, x.critical, x.p_value),
        ):
            assert 0.0 <= p_value <= 1.0
            assert critical >= 0.0
            if abs(p_value / alpha - 1) > 1e-6 and value not in (0.0, 1.0):
                assert (value > critical) == (p_value < alpha)


@settings(deadline=None)
@given(features=st.lists(pairs(), min_size=1, max_size=6))
def test_many_features_at_once_have_the_results_of_each_alone(features: list[Pair]) -> None:
    r, c = (np.concatenate(side) for side in zip(*features, strict=True))
    starts = np.cumsum([0] + [pair[0].size for pair in features[:-1]])
    lefts = np.concatenate([np.arange(pair[0].size) for pair in features])
    many: dict[str, Floats] = {
        "psi": psi_many(r, c, starts).score,
        "jensen_shannon": jensen_shannon_many(r, c, starts).score,
        "hellinger": hellinger_many(r, c, starts),
        "total_variation": total_variation_many(r, c, starts),
        "kolmogorov_smirnov": kolmogorov_smirnov_many(r, c, starts).distance,
        "chi_square": chi_square_many(r, c, starts).statistic,
        "wasserstein": wasserstein_many(r, c, starts, lefts=lefts, rights=lefts + 1),
    }
    for name, measure in MEASURES.items():
        assert many[name] == pytest.approx([measure(*pair) for pair in features], rel=1e-9, abs=1e-12)
    p_values = psi_many(r, c, starts).p_value, kolmogorov_smirnov_many(r, c, starts).p_value
    assert p_values[0] == pytest.approx([psi(*pair).p_value for pair in features], rel=1e-6, abs=1e-12)
    assert p_values[1] == pytest.approx([kolmogorov_smirnov(*pair).p_value for pair in features], rel=1e-6, abs=1e-12)


@settings(deadline=None)
@given(features=st.lists(pairs(), min_size=2, max_size=5), empty=st.data())
def test_a_feature_without_rows_leaves_the_others_as_they_are(features: list[Pair], empty: st.DataObject) -> None:
    gone = empty.draw(st.integers(0, len(features) - 1))
    starts = np.cumsum([0] + [pair[0].size for pair in features[:-1]])
    r = np.concatenate([pair[0] for pair in features])
    full = np.concatenate([pair[1] for pair in features])
    c = np.concatenate([pair[1] * (i != gone) for i, pair in enumerate(features)])
    for measure in (psi_many, jensen_shannon_many):
        before, after = measure(r, full, starts), measure(r, c, starts)
        assert after.method[gone] == "no rows"
        assert np.isnan(after.score[gone])
        assert np.delete(after.score, gone).tolist() == np.delete(before.score, gone).tolist()
    before_ks, after_ks = (kolmogorov_smirnov_many(r, current, starts) for current in (full, c))
    assert np.isnan(after_ks.distance[gone])
    assert np.delete(after_ks.distance, gone).tolist() == np.delete(before_ks.distance, gone).tolist()


def raw_distance(x: list[int], y: list[int]) -> float:
    """Return the Kolmogorov-Smirnov distance of the values themselves."""
    at = np.unique(x + y)
    f, g = (np.searchsorted(np.sort(side), at, side="right") / len(side) for side in (x, y))
    return float(np.abs(f - g).max())


values = st.lists(st.integers(-30, 30), min_size=1, max_size=60)


@settings(deadline=None)
@given(x=values, y=values, at=st.integers(0, 60), edges=st.sets(st.integers(-25, 25), min_size=1, max_size=6))
def test_splitting_the_rows_and_adding_the_counts_changes_nothing(
    x: list[int], y: list[int], at: int, edges: set[int]
) -> None:
    grid = np.array([-np.inf, *sorted(edges), np.inf])

    def counted(rows: list[int]) -> Ints:
        return np.histogram(rows, grid)[0].astype(np.int64)

    merged = counted(x[:at]) + counted(x[at:])
    for measure in MEASURES.values():
        assert measure(merged, counted(y)) == measure(counted(x), counted(y))


@settings(deadline=None, max_examples=300)
@given(
    x=values, y=values, edges=st.sets(st.integers(-25, 25), min_size=1, max_size=6), atoms=st.sets(st.integers(-25, 25))
)
def test_the_distance_of_the_raw_values_lies_between_the_grids_and_its_upper_bound(
    x: list[int], y: list[int], edges: set[int], atoms: set[int]
) -> None:
    """Cut the line at the edges (a cell holds its left end) and give every atom a cell of its own."""
    cuts = sorted({2 * edge for edge in edges} | {2 * atom for atom in atoms} | {2 * atom + 1 for atom in atoms})
    points = np.array([False, *(cut % 2 == 0 and cut + 1 in cuts for cut in cuts)])
    r, c = (
        np.bincount(np.searchsorted(cuts, 2 * np.array(side), side="right"), minlength=points.size) for side in (x, y)
    )
    raw = raw_distance(x, y)
    found = kolmogorov_smirnov(r, c, points=points)
    assert found.distance <= raw + 1e-12
    assert raw <= found.upper + 1e-12
    assert found.upper - found.distance <= found.resolution + 1e-12
    assert kolmogorov_smirnov(r, c).upper >= found.upper


@settings(deadline=None)
@given(x=values, y=values)
def test_on_a_grid_of_single_values_nothing_is_hidden(x: list[int], y: list[int]) -> None:
    grid = np.arange(-30, 31)
    r, c = (np.bincount(np.array(side) + 30, minlength=61) for side in (x, y))
    found = kolmogorov_smirnov(r, c, points=np.ones(61, dtype=np.bool_))
    assert found.distance == found.upper
    assert found.distance == pytest.approx(raw_distance(x, y), abs=1e-12)
    area = wasserstein(r, c, lefts=grid, rights=grid)
    assert area == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(x=values, y=values, width=st.integers(1, 10))
def test_cells_are_wrong_about_the_area_by_less_than_their_width(x: list[int], y: list[int], width: int) -> None:
    cut = np.arange(-30, 41, width)
    r, c = (np.histogram(side, cut)[0] for side in (x, y))
    area = wasserstein(r, c, lefts=cut[:-1], rights=cut[1:])
    assert area == pytest.approx(stats.wasserstein_distance(x, y), abs=width)
