"""Baselines: what they hold, parts of them, and windows merged from stored hours."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import Baseline, FeatureKind, build_baseline, empty_profile, merge_all, profile_rows
from vernal.profile.grid import describe

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
KINDS = {"a": NUMERICAL, "c": CATEGORICAL, "b": NUMERICAL, "d": CATEGORICAL}
RNG = np.random.default_rng(5)
TABLE = pa.table(
    {
        "a": RNG.normal(size=500),
        "b": RNG.integers(0, 4, 500),
        "c": [f"c{i}" for i in RNG.integers(0, 4, 500)],
        "d": [f"d{i}" for i in RNG.integers(0, 300, 500)],
    }
)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(TABLE, KINDS)


def test_features_keep_the_order_in_which_they_were_named(baseline: Baseline) -> None:
    assert baseline.features == ("a", "c", "b", "d")
    assert (baseline.rows, baseline.numerical) == (500, 2)
    assert baseline.width == sum(grid.width for grid in baseline.grids) == baseline.reference.counts.size
    assert baseline.offsets == (0, *np.cumsum([grid.width for grid in baseline.grids])[:-1].tolist())


@pytest.mark.parametrize("features", [["a"], ["d"], ["b", "c"], ["d", "c", "b", "a"], ["c", "d"]])
def test_a_part_of_a_baseline_is_the_baseline_of_these_features(baseline: Baseline, features: list[str]) -> None:
    alone = build_baseline(TABLE, {name: KINDS[name] for name in features})
    part = baseline.select(features)
    assert part.to_bytes() == alone.to_bytes()
    assert (part.offsets, part.grid_id) == (alone.offsets, alone.grid_id)


@pytest.mark.parametrize(
    ("features", "message"),
    [([], "found none"), (["a", "a"], "found a, a, expected at least one, and each only once"), (["z"], "feature z")],
)
def test_no_part_of_no_features_or_twice_the_same(baseline: Baseline, features: list[str], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        baseline.select(features)


def test_a_feature_that_is_not_there_is_refused_with_those_that_are(baseline: Baseline) -> None:
    for ask in (baseline.cells, baseline.summary):
        with pytest.raises(ProfileError, match="feature z: found none of this name, expected one of a, c, b, d"):
            ask(baseline.reference, "z")


def test_a_profile_of_another_grid_is_refused(baseline: Baseline) -> None:
    stranger = baseline.select(["a"]).reference
    for refuse in (
        lambda: baseline.check(stranger),
        lambda: baseline.cells(stranger, "a"),
        lambda: baseline.summary(stranger, "a"),
        lambda: merge_all(baseline, [stranger.to_bytes()]),
    ):
        with pytest.raises(ProfileError, match="expected the baseline's"):
            refuse()


def test_summaries_belong_to_their_feature(baseline: Baseline) -> None:
    for name in ("a", "b"):
        values = TABLE[name].to_numpy()
        found = baseline.summary(baseline.reference, name)
        assert found is not None
        assert (found.count, found.minimum, found.maximum) == (500, values.min(), values.max())
        assert found.mean == pytest.approx(values.mean())
    assert baseline.summary(baseline.reference, "c") is None


def test_a_window_is_merged_from_its_hours_in_any_order(baseline: Baseline) -> None:
    parts = [profile_rows(baseline, TABLE.slice(first, 50)) for first in range(0, 500, 50)]
    whole = profile_rows(baseline, TABLE)
    for order in (parts, parts[::-1]):
        merged = merge_all(baseline, [part.to_bytes() for part in order])
        assert (merged.rows, merged.counts.tolist()) == (500, whole.counts.tolist())
        assert merged.moments is not None
        assert whole.moments is not None
        np.testing.assert_allclose(merged.moments, whole.moments, rtol=1e-12)


def test_no_hours_are_the_empty_profile_and_an_hour_without_moments_leaves_none(baseline: Baseline) -> None:
    assert merge_all(baseline, []) == empty_profile(baseline)
    left = baseline.reference.subtract(empty_profile(baseline))
    assert merge_all(baseline, [baseline.reference.to_bytes(), left.to_bytes()]).moments is None


def test_baselines_come_back_from_their_bytes(baseline: Baseline) -> None:
    again = Baseline.from_bytes(baseline.to_bytes())
    assert again.to_bytes() == baseline.to_bytes()
    assert (again.features, again.offsets, again.grid_id) == (baseline.features, baseline.offsets, baseline.grid_id)
    assert again.reference == baseline.reference
    assert [describe(one) for one in again.grids] == [describe(one) for one in baseline.grids]
    assert baseline.to_bytes().startswith(Baseline.MAGIC)


def test_a_baseline_that_came_back_counts_as_before(baseline: Baseline) -> None:
    again = Baseline.from_bytes(baseline.to_bytes())
    assert profile_rows(again, TABLE) == profile_rows(baseline, TABLE)


def test_grids_of_different_names_or_edges_have_different_ids() -> None:
    grids = [
        build_baseline(pa.table({"x": [1.0, 2.0]}), {"x": NUMERICAL}),
        build_baseline(pa.table({"x": [1.0, 3.0]}), {"x": NUMERICAL}),
        build_baseline(pa.table({"y": [1.0, 2.0]}), {"y": NUMERICAL}),
        build_baseline(pa.table({"x": [1.0, 2.0]}), {"x": CATEGORICAL}),
    ]
    assert len({one.grid_id for one in grids}) == len(grids)
