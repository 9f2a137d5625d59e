"""The moments of a score without drift: exact on tables small enough to enumerate, and by simulation beyond."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from vernal.stats import permutation
from vernal.stats.arrays import Floats
from vernal.stats.null import Null
from vernal.stats.permutation import CellTerm, Sizes, permutation_moments


def difference_squared(r: Floats, c: Floats, sizes: Sizes) -> Floats:
    squared: Floats = (r / sizes.n - c / sizes.m) ** 2
    return squared


def stability(r: Floats, c: Floats, sizes: Sizes) -> Floats:
    p, q = (r + 0.5) / sizes.n, (c + 0.5) / sizes.m
    term: Floats = (q - p) * np.log(q / p)
    return term


def sizes_of(n: int, m: int, cells: int) -> Sizes:
    return Sizes(np.array([float(n)]), np.array([float(m)]), np.array([float(cells)]))


def law(totals: list[int] | Floats, n: int, m: int, term: CellTerm) -> Null:
    t = np.asarray(totals, dtype=np.float64)
    return permutation_moments(t, np.zeros(t.size, dtype=np.int64), sizes_of(n, m, t.size), term).at(0)


def enumerated(totals: list[int], n: int, m: int) -> tuple[float, float]:
    """Return mean and variance of the summed term over all ways to deal the rows out."""
    sizes = sizes_of(n, m, len(totals))
    mean = square = mass = 0.0
    for split in itertools.product(*(range(t + 1) for t in totals)):
        if sum(split) != m:
            continue
        weight = math.prod(math.comb(t, x) for t, x in zip(totals, split, strict=True))
        c = np.array(split, dtype=np.float64)
        value = float(difference_squared(np.array(totals) - c, c, sizes).sum())
        mean, square, mass = mean + weight * value, square + weight * value**2, mass + weight
    return mean / mass, square / mass - (mean / mass) ** 2


def moments(null: Null) -> tuple[float, float]:
    return null.shift + null.scale * null.dof, 2 * null.scale**2 * null.dof


@pytest.mark.parametrize(
    ("totals", "n", "m"), [([3, 2, 2, 1, 2], 5, 5), ([4, 4, 2, 1, 1, 1, 1], 9, 5), ([2] * 8, 4, 12)]
)
def test_the_mean_over_all_permutations_is_exact_and_the_variance_close(totals: list[int], n: int, m: int) -> None:
    mean, variance = enumerated(totals, n, m)
    found_mean, found_variance = moments(law(totals, n, m, difference_squared))
    assert found_mean == pytest.approx(mean, rel=1e-9)
    assert found_variance == pytest.approx(variance, rel=0.35)


def test_with_many_sparse_cells_mean_and_spread_agree_with_dealing_the_rows_out() -> None:
    rng = np.random.default_rng(3)
    totals = rng.poisson(2, size=300) + 1
    rows = int(totals.sum())
    m = rows // 4
    n = rows - m
    dealt = rng.multivariate_hypergeometric(totals, m, size=4000).astype(np.float64)
    values = difference_squared(totals - dealt, dealt, Sizes(np.array(n), np.array(m), np.array(300))).sum(axis=1)
    mean, variance = moments(law(totals.astype(np.float64), n, m, difference_squared))
    assert mean == pytest.approx(values.mean(), abs=4 * values.std() / math.sqrt(values.size))
    assert variance == pytest.approx(values.var(), rel=0.12)


@pytest.mark.parametrize("cells", [2, 5, 40])
def test_the_computed_law_meets_the_classical_one_as_cells_fill_up(cells: int) -> None:
    n, m = 40_000 * cells, 10_000 * cells
    computed = law([50_000] * cells, n, m, stability)
    for alpha in (0.5, 0.05, 0.001):
        limit = (1 / n + 1 / m) * stats.chi2.isf(alpha, cells - 1)
        assert computed.quantile(alpha) == pytest.approx(limit, rel=0.02)


@pytest.mark.parametrize(("n", "m"), [(1_000_000, 200), (300, 2000), (400, 400)])
def test_spaced_counts_give_the_law_that_summing_over_every_count_gives(
    n: int, m: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = [(n + m) // 10] * 9
    totals.append(n + m - sum(totals))
    monkeypatch.setattr(permutation, "_ENUMERATED", 1.0)
    spaced = law(totals, n, m, stability)
    monkeypatch.setattr(permutation, "_ENUMERATED", math.inf)
    summed = law(totals, n, m, stability)
    for alpha in (0.5, 0.05, 0.001):
        assert spaced.quantile(alpha) == pytest.approx(summed.quantile(alpha), rel=1e-3)


def test_laws_of_many_segments_are_those_of_each_alone_however_they_are_cut_into_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(4)
    totals = [rng.integers(1, 400, size=cells).astype(np.float64) for cells in (2, 30, 7)]
    sizes = Sizes(
        *(np.array(column) for column in zip(*((t.sum() - 60.0, 60.0, float(t.size)) for t in totals), strict=True))
    )
    owner = np.repeat(np.arange(3), [2, 30, 7])
    monkeypatch.setattr(permutation, "_BLOCK", 5)
    together = permutation_moments(np.concatenate(totals), owner, sizes, stability)
    for i, t in enumerate(totals):
        alone = law(t, int(t.sum()) - 60, 60, stability)
        assert together.at(i).quantile(0.01) == pytest.approx(alone.quantile(0.01), rel=1e-9)


def test_a_score_that_cannot_vary_never_exceeds_its_critical_value() -> None:
    certain = law([1, 1], 1, 1, stability)
    assert certain.dof == 0
    assert certain.sf(certain.shift) == 1.0
