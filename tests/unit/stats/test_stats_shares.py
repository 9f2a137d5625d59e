import math

import pytest
from scipy.stats import chi2_contingency, norm

from vernal.errors import SampleError
from vernal.stats.shares import rise_p_value


@pytest.mark.parametrize("table", [(30, 200, 40, 400), (9, 1000, 1, 1000), (500, 1000, 900, 2000)])
def test_it_is_the_corrected_chi_squared_test_one_sided(table: tuple[int, int, int, int]) -> None:
    count, rows, before, rows_before = table
    found = chi2_contingency([[count, rows - count], [before, rows_before - before]], correction=True)
    expected = float(norm.sf(math.sqrt(found.statistic)))
    assert rise_p_value(count, rows, reference_count=before, reference_rows=rows_before) == pytest.approx(expected)


def test_a_fall_is_no_rise() -> None:
    assert rise_p_value(10, 1000, reference_count=500, reference_rows=1000) > 0.99


@pytest.mark.parametrize("count", [0, 100])
def test_what_never_or_always_happens_does_not_rise(count: int) -> None:
    assert rise_p_value(count, 100, reference_count=count, reference_rows=100) == 1.0


@pytest.mark.parametrize("counts", [(1, 0, 0, 1), (2, 1, 0, 1), (0, 1, -1, 1), (0, 1, 0, 0)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(SampleError, match="expected at least one row"):
        rise_p_value(counts[0], counts[1], reference_count=counts[2], reference_rows=counts[3])
