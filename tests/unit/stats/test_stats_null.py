"""The law of a score without drift: exact on tables small enough to enumerate, and by simulation beyond."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from vernal.stats.arrays import Floats
from vernal.stats.null import Null, classical, permutation_moments


def difference_squared(n: int, m: int) -> Callable[[Floats, Floats], Floats]:
    def term(r: Floats, c: Floats) -> Floats:
        squared: Floats = (r / n - c / m) ** 2
        return squared

    return term


def enumerated(totals: list[int], n: int, m: int) -> tuple[float, float]:
    """Return mean and variance of the summed term over all ways to deal the rows out."""
    term = difference_squared(n, m)
    mean = square = mass = 0.0
    for split in itertools.product(*(range(t + 1) for t in totals)):
        if sum(split) != m:
            continue
        weight = math.prod(math.comb(t, x) for t, x in zip(totals, split, strict=True))
        c = np.array(split, dtype=np.float64)
        value = float(term(np.array(totals) - c, c).sum())
        mean, square, mass = mean + weight * value, square + weight * value**2, mass + weight
    return mean / mass, square / mass - (mean / mass) ** 2


def moments(null: Null) -> tuple[float, float]:
    return null.shift + null.scale * null.dof, 2 * null.scale**2 * null.dof


@pytest.mark.parametrize(
    ("totals", "n", "m"), [([3, 2, 2, 1, 2], 5, 5), ([4, 4, 2, 1, 1, 1, 1], 9, 5), ([2] * 8, 4, 12)]
)
def test_the_mean_over_all_permutations_is_exact_and_the_variance_close(totals: list[int], n: int, m: int) -> None:
    mean, variance = enumerated(totals, n, m)
    found_mean, found_variance = moments(permutation_moments(np.array(totals), n, m, difference_squared(n, m)))
    assert found_mean == pytest.approx(mean, rel=1e-9)
    assert found_variance == pytest.approx(variance, rel=0.35)


def test_with_many_sparse_cells_mean_and_spread_agree_with_dealing_the_rows_out() -> None:
    rng = np.random.default_rng(3)
    totals = rng.poisson(2, size=300) + 1
    rows = int(totals.sum())
    m = rows // 4
    n = rows - m
    term = difference_squared(n, m)
    dealt = rng.multivariate_hypergeometric(totals, m, size=4000).astype(np.float64)
    values = term(totals - dealt, dealt).sum(axis=1)
    mean, variance = moments(permutation_moments(totals, n, m, term))
    assert mean == pytest.approx(values.mean(), abs=4 * values.std() / math.sqrt(values.size))
    assert variance == pytest.approx(values.var(), rel=0.12)


@pytest.mark.parametrize("cells", [2, 5, 40])
def test_the_computed_law_meets_the_classical_one_as_cells_fill_up(cells: int) -> None:
    n, m = 40_000 * cells, 10_000 * cells
    totals = np.full(cells, 50_000)

    def term(r: Floats, c: Floats) -> Floats:
        contribution: Floats = (c / m - r / n) * np.log((c / m) / (r / n))
        return contribution

    computed, limit = permutation_moments(totals, n, m, term), classical(cells, n, m, unit=1.0)
    for alpha in (0.5, 0.05, 0.001):
        assert computed.quantile(alpha) == pytest.approx(limit.quantile(alpha), rel=0.02)


def test_tail_and_quantile_are_scipys() -> None:
    null = Null(shift=0.1, scale=0.2, dof=3.5)
    assert null.sf(1.3) == pytest.approx(stats.chi2.sf((1.3 - 0.1) / 0.2, 3.5))
    assert null.quantile(0.02) == pytest.approx(0.1 + 0.2 * stats.chi2.isf(0.02, 3.5))
    assert null.sf(0.05) == 1.0
