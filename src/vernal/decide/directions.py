"""Comparisons that know which way a metric points."""

from __future__ import annotations

from vernal.stats.metrics import metric as metric_named


def points(metric: str, difference: float) -> float:
    """Return a raw difference challenger - champion so that positive favours the challenger."""
    return difference if metric_named(metric).greater_is_better else -difference


def surely_worse(metric: str, *, lower: float, upper: float, limit: float) -> bool:
    """Whether the whole interval lies on the bad side of the limit."""
    return upper < limit if metric_named(metric).greater_is_better else lower > limit


def worse(metric: str, value: float, limit: float) -> bool:
    """Whether the value itself lies on the bad side of the limit."""
    return value < limit if metric_named(metric).greater_is_better else value > limit


def sign(metric: str, *, bad: bool) -> str:
    """Return the comparison sign that reads ``value ? limit``."""
    greater = metric_named(metric).greater_is_better
    if bad:
        return "<" if greater else ">"
    return ">=" if greater else "<="
