"""What is true of the profiles of any rows.

The split of a categorical reference hangs on the places of its rows by design, so permuting its rows is a property of
numerical features, and of categorical ones in windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vernal.errors import ProfileError
from vernal.profile import (
    Baseline,
    FeatureKind,
    NumericalGrid,
    Profile,
    build_baseline,
    compare,
    empty_profile,
    merge_all,
    profile_by_hour,
    profile_rows,
)

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
KINDS = {"x": NUMERICAL, "c": CATEGORICAL, "f": NUMERICAL}
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf"), -float("inf"), 5e-324]),
    st.floats(-1e6, 1e6),
)
SINGLES = st.one_of(st.none(), st.sampled_from([0.0, 0.5]), st.floats(width=32))
TEXTS = st.one_of(st.none(), st.sampled_from(["a", "b", "", "\u05e9"]), st.text(max_size=3))


def tables(*, least: int = 0, most: int = 60) -> st.SearchStrategy[pa.Table]:
    row = st.tuples(NUMBERS, TEXTS, SINGLES)
    return st.lists(row, min_size=least, max_size=most).map(_table)


def _table(rows: list[tuple[float | None, str | None, float | None]]) -> pa.Table:
    x, c, f = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return pa.table({"x": pa.array(x, pa.float64()), "c": pa.array(c, pa.string()), "f": pa.array(f, pa.float32())})


def assert_like(found: Profile, expected: Profile) -> None:
    """Assert that rows and counts are equal, and moments up to rounding."""
    assert (found.grid_id, found.rows) == (expected.grid_id, expected.rows)
    assert found.counts.tolist() == expected.counts.tolist()
    if found.moments is None or expected.moments is None:
        assert found.moments is expected.moments
        return
    outer = [0, 3, 4]
    assert np.array_equal(found.moments[:, outer], expected.moments[:, outer])
    for row, other in zip(found.moments, expected.moments, strict=True):
        scale = max([1.0, *(abs(value) for value in (row[3], row[4]) if np.isfinite(value))])
        assert row[1] / scale == pytest.approx(other[1] / scale, abs=1e-9, nan_ok=True)
        assert row[2] / scale / scale == pytest.approx(other[2] / scale / scale, rel=1e-9, abs=1e-9, nan_ok=True)


# ---------------------------------------------------------------------------------------------------- algebra


@given(tables(least=1), tables(), tables(), tables())
def test_merging_is_commutative_and_associative_with_the_empty_profile_neutral(
    reference: pa.Table, one: pa.Table, two: pa.Table, three: pa.Table
) -> None:
    baseline = build_baseline(reference, KINDS)
    a, b, c = (profile_rows(baseline, table) for table in (one, two, three))
    assert_like(a.merge(b), b.merge(a))
    assert_like(a.merge(b).merge(c), a.merge(b.merge(c)))
    assert_like(a.merge(empty_profile(baseline)), a)
    assert_like(a.merge(b), profile_rows(baseline, pa.concat_tables([one, two])))
    assert_like(merge_all(baseline, [part.to_bytes() for part in (a, b, c)]), a.merge(b).merge(c))


@given(tables(least=1), tables(), tables())
def test_taking_away_undoes_merging(reference: pa.Table, one: pa.Table, two: pa.Table) -> None:
    baseline = build_baseline(reference, KINDS)
    a, b = profile_rows(baseline, one), profile_rows(baseline, two)
    left = a.merge(b).subtract(b)
    assert (left.rows, left.counts.tolist(), left.moments) == (a.rows, a.counts.tolist(), None)


@given(tables(least=1), tables())
def test_profiles_and_baselines_come_back_from_their_bytes(reference: pa.Table, rows: pa.Table) -> None:
    baseline = build_baseline(reference, KINDS)
    again = Baseline.from_bytes(baseline.to_bytes())
    assert again.to_bytes() == baseline.to_bytes()
    profile = profile_rows(again, rows)
    assert profile == profile_rows(baseline, rows)
    for one in (profile, profile.subtract(profile)):
        assert Profile.from_bytes(one.to_bytes()) == one


SOME = _table([(1.0, "a", 0.5), (2.0, "b", None), (None, None, 0.25)] * 9)
STORED = build_baseline(SOME, KINDS)


@given(st.binary(max_size=200), st.sampled_from([0, 4, 5, 17]), st.booleans())
def test_garbage_is_refused_and_nothing_else_happens(garbage: bytes, kept: int, whole: bool) -> None:
    sources: list[tuple[bytes, Callable[[bytes], object]]] = [
        (STORED.to_bytes(), Baseline.from_bytes),
        (STORED.reference.to_bytes(), Profile.from_bytes),
    ]
    for data, read in sources:
        with pytest.raises(ProfileError):
            read(data[:kept] + garbage + (data[kept:] if whole and garbage else b""))


@given(st.data())
def test_damage_is_never_read_as_something_else(data: st.DataObject) -> None:
    for whole, read in (
        (STORED.to_bytes(), Baseline.from_bytes),
        (STORED.reference.to_bytes(), Profile.from_bytes),
    ):
        place = data.draw(st.integers(0, len(whole) - 1))
        mask = data.draw(st.integers(1, 255))
        damaged = whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :]
        for bad in (damaged, whole[:place]):
            with pytest.raises(ProfileError):
                read(bad)


# ---------------------------------------------------------------------------------------------------- rows


@given(tables(least=1), tables())
def test_every_row_is_counted_exactly_once_per_feature(reference: pa.Table, rows: pa.Table) -> None:
    baseline = build_baseline(reference, KINDS)
    profile = profile_rows(baseline, rows)
    for grid in baseline.grids:
        assert baseline.cells(profile, grid.name).sum() == rows.num_rows
        total = baseline.cells(baseline.reference, grid.name).sum()
        split = getattr(grid, "split", False)
        assert abs(total * (2 if split else 1) - reference.num_rows) <= split
        assert baseline.cells(profile, grid.name)[-1] >= rows[grid.name].null_count
    for name in ("x", "f"):
        assert baseline.cells(profile, name)[-1] == rows[name].null_count


@given(tables(least=1), tables(), st.integers(1, 20), st.integers(1, 3))
def test_neither_chunks_nor_threads_change_anything(
    reference: pa.Table, rows: pa.Table, chunk: int, threads: int
) -> None:
    baseline = build_baseline(reference, KINDS)
    cut = build_baseline(reference.to_batches(max_chunksize=chunk), KINDS, threads=threads)
    assert cut.grid_id == baseline.grid_id
    assert_like(cut.reference, baseline.reference)
    parts = pa.Table.from_batches(rows.to_batches(max_chunksize=chunk), rows.schema)
    assert_like(profile_rows(baseline, parts, threads=threads), profile_rows(baseline, rows))


@given(tables(least=1), tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(reference: pa.Table, rows: pa.Table, chance: object) -> None:
    baseline = build_baseline(reference, KINDS)
    order = np.arange(rows.num_rows)
    chance.shuffle(order)  # type: ignore[attr-defined] # hypothesis says Random, which shuffles arrays too
    assert_like(profile_rows(baseline, rows.take(pa.array(order, pa.int64()))), profile_rows(baseline, rows))
    order = np.arange(reference.num_rows)
    chance.shuffle(order)  # type: ignore[attr-defined]
    numerical = {name: kind for name, kind in KINDS.items() if kind is NUMERICAL}
    shuffled = build_baseline(reference.take(pa.array(order, pa.int64())), numerical)
    assert shuffled.grid_id == baseline.select(numerical).grid_id
    assert_like(shuffled.reference, baseline.select(numerical).reference)


@given(tables(least=1), tables(), st.data())
def test_hours_merge_to_the_profile_of_all_rows(reference: pa.Table, rows: pa.Table, data: st.DataObject) -> None:
    baseline = build_baseline(reference, KINDS)
    hours = data.draw(st.lists(st.integers(-3, 3), min_size=rows.num_rows, max_size=rows.num_rows))
    found = profile_by_hour(baseline, rows, np.array(hours, np.int64))
    assert list(found) == sorted(set(hours))
    merged = merge_all(baseline, [profile.to_bytes() for profile in found.values()])
    assert_like(merged, profile_rows(baseline, rows))


@given(tables(least=1), st.permutations(list(KINDS)), st.integers(1, 3))
def test_a_part_of_a_baseline_is_the_baseline_of_that_part(reference: pa.Table, names: list[str], number: int) -> None:
    part = build_baseline(reference, KINDS).select(names[:number])
    alone = build_baseline(reference, {name: KINDS[name] for name in names[:number]})
    assert (part.grid_id, part.features, part.offsets) == (alone.grid_id, alone.features, alone.offsets)
    assert_like(part.reference, alone.reference)


# ---------------------------------------------------------------------------------------------------- distances

WHOLE = st.lists(st.integers(-60, 60), min_size=1, max_size=80)


@pytest.mark.parametrize(
    "transform",
    [lambda x: 4.0 * x, lambda x: 2.0**x, lambda x: x**3 + x, lambda x: x - 1000.0],
    ids=["times four", "two to the power", "cubed", "moved"],
)
@given(then=WHOLE, now=WHOLE)
@settings(max_examples=40)
def test_stretching_both_sides_alike_changes_no_distance(
    transform: Callable[[Floats], Floats], then: list[int], now: list[int]
) -> None:
    found = []
    for change in (lambda x: x, transform):
        r, c = (change(np.array(side, np.float64)) for side in (then, now))
        baseline = build_baseline(pa.table({"x": r}), {"x": NUMERICAL})
        (one,) = compare(baseline, profile_rows(baseline, pa.table({"x": c})))
        found.append((one.psi, one.js, one.ks, one.chi_square, one.out_of_range_share))
    assert found[0] == found[1]


FAMILIES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 2, n),
    "uniform": lambda rng, n: rng.random(n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "Pareto": lambda rng, n: rng.pareto(1.1, n),
    "two peaks": lambda rng, n: np.where(rng.random(n) < 0.3, rng.normal(-5, 0.1, n), rng.normal(5, 3, n)),
    "60 % zeros": lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n)),
    "Poisson": lambda rng, n: rng.poisson(7, n).astype(np.float64),
    "rounded": lambda rng, n: np.round(rng.normal(size=n), 2),
    "gamma of a small shape": lambda rng, n: rng.gamma(0.05, size=n),
}


@pytest.mark.parametrize(("family", "shift"), list(itertools.product(FAMILIES, [0.0, 0.3])))
def test_the_largest_gap_of_the_raw_values_lies_within_the_bounds_of_the_grid(family: str, shift: float) -> None:
    rng = np.random.default_rng(3)
    for rows in (50, 700, 20_000):
        then, now = FAMILIES[family](rng, 20_000), FAMILIES[family](rng, rows) * (1 + shift) + shift
        baseline = build_baseline(pa.table({"x": then}), {"x": NUMERICAL})
        (found,) = compare(baseline, profile_rows(baseline, pa.table({"x": now})))
        exact = float(stats.ks_2samp(then, now, method="asymp").statistic)
        grid = baseline.grids[0]
        assert isinstance(grid, NumericalGrid)
        cells = baseline.cells(baseline.reference, "x")[: grid.intervals]
        resolution = cells[~grid.points].max() / then.size
        assert resolution < 2 / 320  # one quantile, and as many rows of its value as do not make it the next one too
        assert found.ks is not None
        assert found.ks.upper is not None
        assert found.ks.score <= exact + 1e-12
        assert exact <= found.ks.upper + 1e-12
        assert found.ks.upper <= found.ks.score + resolution + 1e-12
