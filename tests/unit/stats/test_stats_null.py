"""The chi-squared law, scaled and shifted, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vernal.errors import SampleError
from vernal.stats.null import Null, Nulls, Table


def test_tail_and_quantile_are_scipys() -> None:
    null = Null(shift=0.1, scale=0.2, dof=3.5)
    assert null.sf(1.3) == pytest.approx(stats.chi2.sf((1.3 - 0.1) / 0.2, 3.5))
    assert null.quantile(0.02) == pytest.approx(0.1 + 0.2 * stats.chi2.isf(0.02, 3.5))
    assert null.sf(0.05) == 1.0


def test_one_law_among_many_is_the_law_itself() -> None:
    many = Nulls(shift=np.array([0.0, 0.1, np.nan]), scale=np.array([1.0, 0.2, 1.0]), dof=np.array([0.0, 3.5, 0.0]))
    assert many.sf(np.array([0.0, 1.3, 1.0]))[:2].tolist() == [1.0, many.at(1).sf(1.3)]
    assert many.quantile(0.02)[:2].tolist() == [0.0, many.at(1).quantile(0.02)]
    assert np.isnan(many.quantile(0.02)[2])


def test_a_table_of_values_takes_the_place_of_the_smooth_law() -> None:
    table = Table(places=np.array([1]), values=np.array([[0.0, 2.0, 5.0]]), tails=np.array([[1.0, 0.3, 0.02]]))
    many = Nulls(shift=np.zeros(2), scale=np.ones(2), dof=np.ones(2), table=table)
    for score, p in ((0.0, 1.0), (1.9, 0.3), (2.0, 0.3), (2.1, 0.02), (5.0, 0.02), (5.1, 0.0)):
        assert many.sf(np.array([score, score]))[1] == many.at(1).sf(score) == p
    assert many.quantile(0.05).tolist() == [many.at(0).quantile(0.05), pytest.approx(2.0)]
    assert many.at(1).quantile(0.01) == pytest.approx(5.0)
    assert many.at(0).sf(1.9) == pytest.approx(stats.chi2.sf(1.9, 1))


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_a_level_outside_zero_to_one_has_no_quantile(alpha: float) -> None:
    with pytest.raises(SampleError, match="alpha"):
        Null(shift=0.0, scale=1.0, dof=2.0).quantile(alpha)
