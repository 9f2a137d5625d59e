"""Laws of scores over two and three cells against every table written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vernal.stats import judged
from vernal.stats.distance import Divergence, jensen_shannon, jensen_shannon_many, psi
from vernal.stats.null import Table


def written_out(reference: list[int], current: list[int], found: Divergence) -> float:
    """Return the probability of a score of at least the one found, over all ways to deal the rows out."""
    totals, m = np.array(reference) + current, sum(current)
    reached = 0
    for split in itertools.product(*(range(total + 1) for total in totals.tolist())):
        if sum(split) == m:
            score = jensen_shannon((totals - split).tolist(), list(split)).score
            if score >= found.score * (1 - 1e-9):
                reached += math.prod(math.comb(t, x) for t, x in zip(totals.tolist(), split, strict=True))
    return reached / math.comb(int(totals.sum()), m)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([3, 20], [0, 12]),
        ([12, 3, 2], [6, 0, 3]),
        ([12, 2, 0], [9, 2, 2]),
        ([1, 1, 1], [1, 0, 1]),
        ([5, 3, 1], [14, 1, 4]),
        ([0, 2, 1], [20, 0, 0]),
    ],
)
def test_the_p_value_of_few_sparse_cells_is_that_of_all_tables(reference: list[int], current: list[int]) -> None:
    found = jensen_shannon(reference, current)
    assert found.method == "exact"
    assert found.p_value == pytest.approx(written_out(reference, current, found), rel=1e-9)
    assert found.null.sf(found.score**2 * math.log(2)) == pytest.approx(found.p_value)


cells = st.lists(st.integers(min_value=0, max_value=8), min_size=3, max_size=3)


@given(cells, cells)
def test_a_score_is_beyond_its_critical_value_when_its_p_value_is_at_most_the_level(r: list[int], c: list[int]) -> None:
    assume(sum(r) and sum(c))
    found = psi(r, c, alpha=0.1)
    assert (found.score > found.critical) == (found.p_value <= 0.1)


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (20_000, 1000), (400, 3000)])
@pytest.mark.parametrize("rare", [0.001, 0.004])
def test_the_law_given_the_rare_cell_meets_that_of_all_tables(
    n: int, m: int, rare: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, current = ([round(rows * share) for share in (0.7 - rare, 0.3, rare)] for rows in (n, m))
    conditional = jensen_shannon(reference, current)
    monkeypatch.setattr(judged, "FEW_EXPECTED", math.inf)
    exact = jensen_shannon(reference, current)
    assert (conditional.method, exact.method) == ("conditional", "exact")
    for alpha in (0.3, 0.05, 0.01, 0.0001):
        # Given the rare cell the law is smooth, where all tables have the fine steps of the other two cells as well.
        assert conditional.null.sf(exact.null.quantile(alpha)) == pytest.approx(alpha, rel=0.1)
        assert conditional.null.sf(conditional.null.quantile(alpha)) == pytest.approx(alpha, rel=1e-6)


def test_laws_of_many_features_are_those_of_each_alone_whatever_their_width() -> None:
    rng = np.random.default_rng(5)
    r = rng.multinomial(300, [0.9, 0.07, 0.03], size=70)
    c = rng.multinomial(60, [0.9, 0.07, 0.03], size=70)
    c[:, 1] += rng.integers(0, 30, size=70)
    together = jensen_shannon_many(r.ravel(), c.ravel(), np.arange(70) * 3)
    for i in range(70):
        alone = jensen_shannon(r[i], c[i])
        assert (together.method[i], together.p_value[i]) == (alone.method, pytest.approx(alone.p_value, rel=1e-12))
    assert set(together.method) == {"exact", "conditional"}


def test_joined_tables_keep_their_laws() -> None:
    short = Table(places=np.array([4]), values=np.array([[1.0, 2.0]]), tails=np.array([[1.0, 0.3]]))
    long = Table(places=np.array([1]), values=np.array([[1.0, 2.0, 5.0]]), tails=np.array([[1.0, 0.5, 0.1]]))
    joined = Table.joined([short, long])
    assert joined.places.tolist() == [4, 1]
    for score in (0.5, 1.0, 2.0, 6.0):
        alone = [table.sf(np.array([score]))[0] for table in (short, long)]
        assert joined.sf(np.full(2, score)).tolist() == alone
    assert joined.quantile(0.2) == pytest.approx([2.0, 2.0])
