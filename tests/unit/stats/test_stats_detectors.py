"""Detectors on a stream: published run lengths of CUSUM, and River's detectors behind the same interface."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from river import drift

from vernal.errors import SampleError, VernalError
from vernal.stats.detectors import Cusum, Detector, adwin, find_changes, page_hinkley

MAKERS: list[Callable[[], Detector]] = [
    lambda: Cusum(mean=0.0, deviation=1.0, limit=10.0),
    lambda: Cusum(limit=10.0),
    page_hinkley,
    adwin,
]


def run_lengths(shift: float, limit: float, runs: int) -> np.ndarray[Any, Any]:
    """Return how many values until an alarm, in so many runs."""
    rng = np.random.default_rng(round(100 * shift + limit))
    detector = Cusum(mean=0.0, deviation=1.0, limit=limit)
    found: list[int] = []
    count = 0
    while len(found) < runs:
        for value in rng.normal(shift, 1.0, 10_000).tolist():
            count += 1
            if detector.update(value):
                found.append(count)
                count = 0
    return np.array(found[:runs])


@pytest.mark.parametrize(
    ("shift", "limit", "published"),
    [
        (0.0, 4.0, 168.0),
        (0.0, 5.0, 465.0),
        (0.25, 4.0, 74.2),
        (0.5, 5.0, 38.0),
        (1.0, 4.0, 8.38),
        (1.0, 5.0, 10.4),
        (2.0, 4.0, 3.34),
        (3.0, 5.0, 2.57),
    ],
)
def test_cusum_has_the_published_average_run_lengths(shift: float, limit: float, published: float) -> None:
    # D. C. Montgomery, Introduction to Statistical Quality Control, table of ARLs for k = 1/2.
    found = run_lengths(shift, limit, 2000)
    error = found.std(ddof=1) / math.sqrt(found.size)
    assert abs(found.mean() - published) < 4 * error + 0.006 * published  # they are printed to three digits


def test_cusum_adds_up_what_exceeds_the_slack() -> None:
    # z is 2, 2, 2: above the slack of 0.5 by 1.5 each time, beyond 4 at the third.
    detector = Cusum(mean=10.0, deviation=2.0, limit=4.0)
    assert [detector.update(14.0) for _ in range(3)] == [False, False, True]


def test_cusum_sees_a_fall_as_it_sees_a_rise() -> None:
    values = np.random.default_rng(3).normal(size=3000)
    up, down = (find_changes(Cusum(mean=0.0, deviation=1.0), sign * values) for sign in (1, -1))
    assert up == down
    assert len(up) > 2


def test_a_larger_slack_finds_less() -> None:
    values = np.random.default_rng(3).normal(0.3, 1.0, size=3000)
    loose, tight = (find_changes(Cusum(mean=0.0, deviation=1.0, slack=slack), values) for slack in (0.25, 1.0))
    assert len(tight) < len(loose)


def test_a_higher_limit_finds_it_later() -> None:
    first = [find_changes(Cusum(mean=0.0, deviation=1.0, limit=limit), [1.0] * 40)[0] for limit in (4.0, 8.0)]
    assert first == [8, 16]


def test_cusum_starts_afresh_after_a_change() -> None:
    assert find_changes(Cusum(mean=0.0, deviation=1.0, limit=2.0), [1.0] * 10) == (4, 9)


def test_a_learnt_reference_is_learnt_anew_after_a_change() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate((rng.normal(0, 1, 200), rng.normal(8, 1, 400)))
    learnt = find_changes(Cusum(warm_up=100, limit=12.0), values)
    assert len(learnt) == 1
    assert 200 <= learnt[0] <= 204
    given = find_changes(Cusum(mean=0.0, deviation=1.0, limit=12.0), values)
    assert len(given) > 50


def test_nothing_is_found_while_warming_up() -> None:
    values = [0.0, 1.0] * 10 + [9.0] * 30
    assert find_changes(Cusum(warm_up=20), values)[0] == 20
    assert find_changes(Cusum(warm_up=60), values) == ()
    assert find_changes(Cusum(), [0.0, 1.0] * 40 + [9.0] * 20) == ()


def test_what_is_learnt_is_the_mean_and_standard_deviation_of_the_first_values() -> None:
    values = np.random.default_rng(5).normal(1e6, 3.0, 600)
    given = Cusum(mean=values[:50].mean(), deviation=values[:50].std(ddof=1), slack=0.1, limit=3.0)
    expected = find_changes(given, values[50:])[0]
    assert find_changes(Cusum(warm_up=50, slack=0.1, limit=3.0), values)[0] == expected + 50


def test_equal_values_teach_no_deviation_so_warming_up_goes_on() -> None:
    detector = Cusum(warm_up=10)
    assert find_changes(detector, [0.1] * 500) == ()
    assert find_changes(detector, [5.0] * 20)[:1] == (1,)


@pytest.mark.parametrize(
    "options",
    [
        {"slack": -0.1},
        {"slack": math.nan},
        {"limit": 0.0},
        {"limit": math.inf},
        {"mean": 0.0},
        {"deviation": 1.0},
        {"mean": 0.0, "deviation": 0.0},
        {"mean": math.nan, "deviation": 1.0},
        {"mean": 0.0, "deviation": 1.0, "warm_up": 5},
        {"warm_up": 1},
    ],
)
def test_a_cusum_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SampleError, match="cusum: found"):
        Cusum(**options)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused_and_leaves_the_detector_as_it_was(
    make: Callable[[], Detector], value: float
) -> None:
    stream = np.random.default_rng(6).normal(size=200).tolist() + [9.0] * 300
    disturbed = make()
    found = list(find_changes(disturbed, stream[:150]))
    with pytest.raises(SampleError, match="expected a finite number"):
        disturbed.update(value)
    found += [150 + position for position in find_changes(disturbed, stream[150:])]
    assert tuple(found) == find_changes(make(), stream)
    assert found


@pytest.mark.parametrize("make", MAKERS)
def test_every_detector_finds_a_shift_soon_and_little_else(make: Callable[[], Detector]) -> None:
    rng = np.random.default_rng(7)
    found = find_changes(make(), np.concatenate((rng.normal(0, 1, 300), rng.normal(4, 1, 300))))
    after = [position for position in found if position >= 300]
    assert after[0] < 340
    assert len(found) - len(after) <= 1


@pytest.mark.parametrize("options", [{}, {"delta": 0.05, "threshold": 20.0, "alpha": 0.99}, {"mode": "up"}])
def test_page_hinkley_finds_what_river_finds(options: dict[str, Any]) -> None:
    assert find_changes(page_hinkley(**options), steps()) == rivers(drift.PageHinkley(**options))


@pytest.mark.parametrize("options", [{}, {"delta": 0.2, "clock": 1}, {"grace_period": 900, "max_buckets": 3}])
def test_adwin_finds_what_river_finds(options: dict[str, Any]) -> None:
    assert find_changes(adwin(**options), steps()) == rivers(drift.ADWIN(**options))  # type: ignore[no-untyped-call]


def steps() -> list[float]:
    rng = np.random.default_rng(8)
    return [float(value) for level in (0.0, 1.0, 0.2, 3.0) for value in rng.normal(level, 1.0, 400)]


def rivers(detector: drift.PageHinkley | drift.ADWIN) -> tuple[int, ...]:
    found = []
    for position, value in enumerate(steps()):
        detector.update(value)  # type: ignore[no-untyped-call] # River annotates only part of itself
        if detector.drift_detected:
            found.append(position)
    assert found
    return tuple(found)


@pytest.mark.parametrize(
    "options",
    [{"min_instances": 500}, {"delta": 0.5}, {"threshold": 100.0}, {"alpha": 0.9}, {"mode": "up"}, {"mode": "down"}],
)
def test_each_option_of_page_hinkley_changes_what_it_finds(options: dict[str, Any]) -> None:
    assert find_changes(page_hinkley(**options), steps()) != find_changes(page_hinkley(), steps())


@pytest.mark.parametrize(
    "options",
    [{"delta": 0.5}, {"clock": 1}, {"max_buckets": 1}, {"min_window_length": 200}, {"grace_period": 900}],
)
def test_each_option_of_adwin_changes_what_it_finds(options: dict[str, Any]) -> None:
    assert find_changes(adwin(**options), steps()) != find_changes(adwin(), steps())


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (page_hinkley, {"min_instances": 0}),
        (page_hinkley, {"delta": -0.1}),
        (page_hinkley, {"threshold": 0.0}),
        (page_hinkley, {"alpha": 0.0}),
        (page_hinkley, {"mode": "sideways"}),
        (adwin, {"delta": 1.0}),
        (adwin, {"clock": 0}),
        (adwin, {"max_buckets": 0}),
        (adwin, {"min_window_length": 0}),
        (adwin, {"grace_period": -1}),
    ],
)
def test_a_detector_of_river_out_of_range_is_refused(make: Callable[..., Detector], options: dict[str, Any]) -> None:
    with pytest.raises(SampleError, match="found"):
        make(**options)


@pytest.mark.parametrize("make", [page_hinkley, adwin])
def test_without_river_the_error_says_what_to_install(
    make: Callable[[], Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "river", None)
    monkeypatch.setitem(sys.modules, "river.drift", None)
    with pytest.raises(VernalError, match="needs the package river, which is not installed") as caught:
        make()
    assert caught.value.hint == "Install it with: pip install 'vernal[online]'"


def test_cusum_needs_no_river(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "river", None)
    assert find_changes(Cusum(mean=0.0, deviation=1.0), [9.0]) == (0,)
