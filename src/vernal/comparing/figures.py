"""Every number of a feature with a sentence on what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vernal.comparing.describing import scale_of
from vernal.comparing.result import Comparison, FeatureResult
from vernal.comparing.scale import count, figure, points, probability, score, share
from vernal.profile import Distance, FeatureKind

_METHODS = {
    "chi2": "the classical limit, as all cells are well filled",
    "moments": "the exact moments of the score, as some cells are sparse",
    "one cell": "all rows are in one cell, so there is nothing to compare",
    "exact": "counted exactly",
    "conditional": "counted exactly for the rare cell, as the others are well filled",
    "asymptotic": "the limit for many rows",
}


class Figure(NamedTuple):
    """A number: its value, what it says, and how far chance goes."""

    name: str
    value: str
    meaning: str
    chance: str = ""
    decided: bool = False


class Pair(NamedTuple):
    """A number of both sides and what it changed by."""

    name: str
    then: str
    now: str
    change: str = ""


def figures(result: FeatureResult, comparison: Comparison) -> list[Figure]:
    """Return the distances of a feature that are known."""
    measured, limits = result.measured, comparison.limits
    number = result.kind is FeatureKind.NUMERICAL
    found: list[Figure] = []

    def add(name: str, distance: Distance | None, threshold: float | None, meaning: str) -> None:
        if distance is not None:
            asked = "" if threshold is None else f"The threshold asked for is {threshold:g}. "
            decided = name.endswith(f"({result.statistic.upper()})")
            found.append(Figure(name, score(distance.score), meaning, asked + _chance(distance), decided))

    add(
        "Population stability index (PSI)",
        measured.psi,
        limits.psi if number else None,
        "How far the shares of the rows in the bins moved, all bins together. 0 is not at all; there is no upper end.",
    )
    add(
        "Jensen-Shannon distance (JS)",
        measured.js,
        None if number else limits.js,
        "How unlike the shares are, from 0 (the same) to 1 (nothing in common).",
    )
    gap = (
        ""
        if measured.ks is None or measured.ks.upper is None
        else f" For the raw values at most {score(measured.ks.upper)}."
    )
    add(
        "Kolmogorov-Smirnov distance (KS)",
        measured.ks,
        limits.ks,
        f"The largest gap, at any value, between the shares of the rows up to that value.{gap}",
    )
    return [*found, *_unjudged(result)]


def _unjudged(result: FeatureResult) -> Iterator[Figure]:
    measured = result.measured
    if measured.wasserstein is not None:
        yield Figure(
            "Wasserstein distance",
            f"{figure(measured.wasserstein)} sd",
            "How far a value has to move, on average, to turn one distribution into the other, in standard deviations "
            "of the reference.",
        )
    if measured.total_variation is not None:
        yield Figure(
            "Total variation",
            score(measured.total_variation),
            "The share of the rows that would have to be in another bin for both sides to agree.",
        )
    if measured.hellinger is not None:
        yield Figure(
            "Hellinger distance",
            score(measured.hellinger),
            "The distance between the square roots of the shares: 0 is the same, 1 nothing in common.",
        )
    tested = measured.chi_square
    if tested is not None:
        freedom = f"{count(tested.dof)} degree{'s' * (tested.dof != 1)} of freedom"
        yield Figure(
            "Chi-squared test",
            figure(tested.statistic),
            "Whether both sides can come from one source. With many rows it finds even a shift that does not matter.",
            f"{freedom}, p {_equals(tested.p_value)} ({_METHODS.get(tested.method, tested.method)}).",
        )


def then_and_now(result: FeatureResult) -> Iterator[Pair]:
    """Return the numbers that both sides have."""
    measured, scale = result.measured, scale_of(result)
    yield Pair("rows counted", count(measured.reference_rows), count(measured.rows))
    mean, spread = (measured.reference_mean, measured.mean), (measured.reference_deviation, measured.deviation)
    if mean[0] is not None and mean[1] is not None:
        moved = f"{(mean[1] - mean[0]) / spread[0]:+.2f} sd" if spread[0] else ""
        yield Pair("mean", scale.value(mean[0]), scale.value(mean[1]), moved)
    if spread[0] is not None and spread[1] is not None:
        wider = f"\N{MULTIPLICATION SIGN} {spread[1] / spread[0]:.3g}" if spread[0] else ""
        yield Pair("spread (sd)", scale.length(spread[0]), scale.length(spread[1]), wider)
    yield from _share("null", measured.reference_null_share, measured.null_share)
    if result.kind is FeatureKind.NUMERICAL:
        yield from _share("not finite", measured.reference_nonfinite_share, measured.nonfinite_share)
        yield from _share("out of range", 0.0, measured.out_of_range_share)
    else:
        yield from _share("new categories", measured.reference_new_share, measured.new_share)


def _share(name: str, then: float | None, now: float | None) -> Iterator[Pair]:
    if then is not None and now is not None:
        yield Pair(name, share(then), share(now), f"{points(now - then)} points" if now != then else "")


def _chance(distance: Distance) -> str:
    return (
        f"Chance alone gives up to {score(distance.critical)}; p {_equals(distance.p_value)}, "
        f"{probability(distance.adjusted_p)} with all features tested at once "
        f"({_METHODS.get(distance.method, distance.method)})."
    )


def _equals(p_value: float) -> str:
    read = probability(p_value)
    return read if read.startswith("<") else f"= {read}"
