"""False-discovery control against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vernal.errors import SampleError
from vernal.stats.multiple import benjamini_hochberg, rejection_level


def test_adjusted_p_values_are_scipys() -> None:
    p = np.random.default_rng(0).uniform(size=200) ** 3
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p, method="bh"))


@pytest.mark.parametrize("p", [[0.001, 0.008, 0.039, 0.041, 0.9], [0.5, 0.6], [0.01] * 4, [0.02]])
def test_at_the_rejection_level_single_tests_and_the_family_agree(p: list[float]) -> None:
    level = rejection_level(p, alpha=0.05)
    assert (np.array(p) <= level).tolist() == (benjamini_hochberg(p) <= 0.05).tolist()


def test_without_rejections_the_level_is_what_one_test_would_have_to_reach() -> None:
    assert rejection_level([0.5] * 10, alpha=0.05) == pytest.approx(0.005)


def test_no_tests_need_no_adjustment() -> None:
    assert benjamini_hochberg([]).size == 0
    assert rejection_level([], alpha=0.05) == 0.05


@pytest.mark.parametrize("p", [[0.1, 1.2], [float("nan")], [[0.1]]])
def test_what_is_no_p_value_is_refused(p: list[float]) -> None:
    with pytest.raises(SampleError, match="p-values"):
        benjamini_hochberg(p)
