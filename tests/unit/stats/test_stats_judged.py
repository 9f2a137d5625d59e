"""Sums over cells: which law each segment gets."""

from __future__ import annotations

import numpy as np

from vernal.stats.arrays import Floats
from vernal.stats.judged import judged_sum
from vernal.stats.permutation import Sizes
from vernal.stats.segments import segments_of


def stability(r: Floats, c: Floats, sizes: Sizes) -> Floats:
    p, q = (r + 0.5) / sizes.n, (c + 0.5) / sizes.m
    term: Floats = (q - p) * np.log(q / p)
    return term


def test_a_score_that_cannot_vary_does_not_exceed_its_critical_value() -> None:
    segments = segments_of([1, 0], [0, 1], [0])
    judged = judged_sum(segments, stability, scale=np.ones(1), well_filled=50.0)
    assert judged.value[0] < judged.nulls.quantile(0.05)[0]
    assert judged.p_value.tolist() == [1.0]


def test_the_limit_is_used_from_the_stated_expected_count_on() -> None:
    segments = segments_of([30, 30, 30, 30, 29, 31, 30, 30], [30] * 8, [0, 4])

    def method(well_filled: float) -> tuple[str, ...]:
        return judged_sum(segments, stability, scale=np.ones(2), well_filled=well_filled).method

    assert method(29.0) == ("chi2", "chi2")
    assert method(30.0) == ("chi2", "moments")
    assert method(31.0) == ("moments", "moments")


def test_the_limit_law_has_the_scale_it_is_given() -> None:
    segments = segments_of([300, 300], [290, 310], [0])
    once, twice = (
        judged_sum(segments, stability, scale=np.array([scale]), well_filled=1.0).nulls.quantile(0.05)[0]
        for scale in (1.0, 2.0)
    )
    assert twice == 2 * once


def test_each_segment_says_how_it_was_judged() -> None:
    r = [100, 100, 3, 4, 9, 0, 5, 5, 1, 2, 3, 4, 1, 2, 3, 2, 60, 60]
    c = [100, 90, 2, 5, 7, 0, 0, 0, 3, 2, 1, 4, 3, 2, 1, 0, 60, 60]
    judged = judged_sum(segments_of(r, c, [0, 2, 4, 6, 8, 12, 15]), stability, scale=np.ones(7), well_filled=50.0)
    assert judged.method == ("chi2", "exact", "one cell", "no rows", "moments", "exact", "conditional")
    assert judged.cells.tolist() == [2, 2, 1, 2, 4, 3, 3]
    assert np.isnan(judged.value).tolist() == np.isnan(judged.p_value).tolist() == [i == 3 for i in range(7)]
