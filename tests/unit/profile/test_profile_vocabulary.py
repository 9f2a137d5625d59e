"""Which categories of a reference are counted one by one, and by which half of its rows they are chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from vernal.profile import Baseline, CategoryGrid, FeatureKind, build_baseline, compare, profile_rows, vocabulary
from vernal.profile.dealing import dealt
from vernal.profile.grid import TOP_CATEGORIES

KIND = {"c": FeatureKind.CATEGORICAL}


def cut(values: Sequence[str | None] | np.ndarray[tuple[int], np.dtype[np.str_]], chunk: int | None = None) -> Baseline:
    table = pa.table({"c": values})
    return build_baseline(table if chunk is None else table.to_batches(max_chunksize=chunk), KIND)


def grid_of(baseline: Baseline) -> CategoryGrid:
    grid = baseline.grids[0]
    assert isinstance(grid, CategoryGrid)
    return grid


def cells_of(baseline: Baseline) -> list[int]:
    return [int(rows) for rows in baseline.cells(baseline.reference, "c")]


def zipf(rows: int, seed: int, *, categories: int = 3_000) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    weights = 1 / np.arange(1, categories + 1)
    return np.random.default_rng(seed).choice(categories, rows, p=weights / weights.sum()).astype(str)


def test_frequent_categories_are_all_counted_on_all_rows_the_most_frequent_first() -> None:
    baseline = cut(["b"] * 30 + ["a"] * 20 + ["c"] * 40 + [None] * 7)
    grid = grid_of(baseline)
    assert (grid.vocabulary.to_pylist(), grid.top, grid.split, grid.complete) == (["c", "b", "a"], 3, False, True)
    assert cells_of(baseline) == [40, 30, 20, 0, 0, 7]


def test_equally_frequent_categories_are_in_the_order_of_their_names() -> None:
    assert grid_of(cut(["b", "c", "a", ""] * 25)).vocabulary.to_pylist() == ["", "a", "b", "c"]


@pytest.mark.parametrize(("rare", "split"), [(20, False), (19, True), (1, True)])
def test_a_category_with_fewer_than_twenty_rows_splits_the_reference(rare: int, split: bool) -> None:
    assert grid_of(cut(["a"] * 200 + ["b"] * rare)).split is split


@pytest.mark.parametrize(("rows", "split"), [(19, False), (20, True)])
def test_fewer_than_twenty_rows_are_not_split(rows: int, split: bool) -> None:
    assert grid_of(cut(["a"] * (rows - 1) + ["b"])).split is split


@pytest.mark.parametrize("categories", [TOP_CATEGORIES, TOP_CATEGORIES + 1])
def test_more_categories_than_are_counted_one_by_one_split_the_reference(categories: int) -> None:
    grid = grid_of(cut(np.repeat(np.arange(categories), 20).astype(str)))
    assert (grid.top, grid.split) == (TOP_CATEGORIES, categories > TOP_CATEGORIES)


def test_one_half_of_the_rows_chooses_the_categories_and_the_other_is_counted() -> None:
    values = zipf(4_000, 1)
    values[::50] = "null"
    baseline = cut([None if one == "null" else one for one in values.tolist()])
    grid, part = grid_of(baseline), dealt(0, 4_000)
    choosing, counted = (Counter(values[(part == half) & (values != "null")].tolist()) for half in (0, 1))
    top = sorted(choosing, key=lambda one: (-choosing[one], one))[:TOP_CATEGORIES]
    names = grid.vocabulary.to_pylist()
    assert names[: grid.top] == top
    assert sorted(names) == sorted(choosing)
    new = sum(rows for one, rows in counted.items() if one not in choosing)
    others = sum(counted.values()) - sum(counted[one] for one in top) - new
    nulls = ((values == "null") & (part == 1)).sum()
    assert new > 0
    assert cells_of(baseline) == [*(counted[one] for one in top), others, new, nulls]
    assert (sum(cells_of(baseline)), baseline.rows) == (int(part.sum()), 4_000)


@pytest.mark.parametrize("chunk", [1, 7, 333, 1_000])
def test_chunks_do_not_change_what_is_chosen_or_counted(chunk: int) -> None:
    values = zipf(2_000, 2)
    assert cut(values, chunk).to_bytes() == cut(values).to_bytes()


@pytest.mark.parametrize("chunk", [64, 1_000])
def test_categories_added_up_now_and_then_are_those_added_up_at_once(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    values = zipf(5_000, 3)
    together = cut(values).to_bytes()
    monkeypatch.setattr(vocabulary, "_WAITING", 100)
    assert cut(values, chunk).to_bytes() == together


def test_of_too_many_categories_the_rarest_are_forgotten_and_counted_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "VOCABULARY", 1_200)
    monkeypatch.setattr(vocabulary, "_WAITING", 2_000)
    values = zipf(40_000, 4, categories=20_000)
    baseline = cut(values, 2_500)
    grid, cells, part = grid_of(baseline), cells_of(baseline), dealt(0, 40_000)
    assert (len(grid.vocabulary), grid.top, grid.complete, grid.split) == (1_200, TOP_CATEGORIES, False, True)
    counted = Counter(values[part == 1].tolist())
    names = grid.vocabulary.to_pylist()
    assert cells[:TOP_CATEGORIES] == [counted[one] for one in names[:TOP_CATEGORIES]]
    assert cells[-2] == sum(rows for one, rows in counted.items() if one not in set(names))
    assert sum(cells) == part.sum()
    assert {str(rank) for rank in range(100)} <= set(names)
    assert grid_of(Baseline.from_bytes(baseline.to_bytes())).complete is False


def test_all_of_a_hundred_thousand_categories_that_chose_are_known_by_name() -> None:
    values = np.tile(np.arange(100_000).astype(str), 2)
    baseline = cut(values)
    known = np.unique(values[dealt(0, 200_000) == 0])
    assert (len(grid_of(baseline).vocabulary), grid_of(baseline).top) == (known.size, TOP_CATEGORIES)
    profile = profile_rows(baseline, pa.table({"c": ["never seen", known[0], known[-1]]}))
    cells = baseline.cells(profile, "c")
    assert (cells[-2], cells[:-2].sum()) == (1, 2)


def test_categories_without_a_row_are_not_known() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 2] * 30), pa.array(["a", "unused", "b"]))
    grid = grid_of(build_baseline(pa.table({"c": column}), KIND))
    assert grid.vocabulary.to_pylist() == ["a", "b"]


def test_a_reference_of_nulls_has_no_categories() -> None:
    baseline = cut(pa.nulls(30, pa.string()).to_pylist())
    assert (grid_of(baseline).top, cells_of(baseline)) == (0, [0, 0, 30])


def test_rows_of_two_models_in_turns_do_not_pass_for_drift() -> None:
    """With every second row choosing, only the categories of the one model would be compared one by one."""
    rng = np.random.default_rng(5)

    def rows(model: np.ndarray[tuple[int], np.dtype[np.str_]]) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
        return np.char.add(model, rng.integers(0, 150, model.size).astype(str))

    baseline = cut(rows(np.tile(["a", "b"], 3_000)))
    current = pa.table({"c": rows(rng.choice(["a", "b"], 6_000))})
    (found,) = compare(baseline, profile_rows(baseline, current))
    assert found.js is not None
    assert found.js.p_value > 0.01
