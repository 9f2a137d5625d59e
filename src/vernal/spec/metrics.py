"""Which metrics a policy may name, for which tasks, and between which limits a threshold makes sense.

How a metric is computed, and which direction is better, is declared in :mod:`vernal.stats`; the names agree by a test.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Task = Literal["binary", "multiclass", "regression"]
MetricName = Literal["accuracy", "roc_auc", "f1", "precision", "recall", "log_loss", "brier", "mae", "rmse"]


class MetricLimits(NamedTuple):
    """Tasks a metric fits, and the open interval in which a threshold on it can separate good from bad.

    ``in_label_unit`` tells metrics measured in whatever the labels are: no number suits all of them as a default.
    """

    tasks: tuple[Task, ...]
    low: float
    high: float | None
    in_label_unit: bool = False


_BINARY: Final[tuple[Task, ...]] = ("binary",)
_CLASSES: Final[tuple[Task, ...]] = ("binary", "multiclass")
_NUMBERS: Final[tuple[Task, ...]] = ("regression",)

METRICS: Final[dict[MetricName, MetricLimits]] = {
    "accuracy": MetricLimits(_CLASSES, 0.0, 1.0),
    "roc_auc": MetricLimits(_BINARY, 0.5, 1.0),
    "f1": MetricLimits(_BINARY, 0.0, 1.0),
    "precision": MetricLimits(_BINARY, 0.0, 1.0),
    "recall": MetricLimits(_BINARY, 0.0, 1.0),
    "log_loss": MetricLimits(_BINARY, 0.0, None),
    "brier": MetricLimits(_BINARY, 0.0, 1.0),
    "mae": MetricLimits(_NUMBERS, 0.0, None, in_label_unit=True),
    "rmse": MetricLimits(_NUMBERS, 0.0, None, in_label_unit=True),
}

DEFAULT_LEVEL: Final = {"accuracy": 0.90}
"""Metrics whose threshold and floor have a default; for every other metric only its owner knows what is good."""


def default_metric(task: str | None) -> MetricName:
    """Return the metric of a policy that names none."""
    return "mae" if task == "regression" else "accuracy"


def misfit(metric: MetricName, task: Task) -> str | None:
    """Return what is wrong with judging a task by a metric, or ``None``."""
    if task in METRICS[metric].tasks:
        return None
    fitting = ", ".join(name for name, limits in METRICS.items() if task in limits.tasks)
    return f'got "{metric}", which does not fit the task "{task}"; expected one of {fitting}'


def out_of_range(metric: MetricName, level: float) -> str | None:
    """Return what is wrong with a threshold or floor on a metric, or ``None``."""
    limits = METRICS[metric]
    if level > limits.low and (limits.high is None or level < limits.high):
        return None
    ends = f"above {limits.low:g}" if limits.high is None else f"between {limits.low:g} and {limits.high:g}"
    why = " (0.5 is what guessing reaches)" if metric == "roc_auc" else ""
    percent = "; percentages are written as fractions" if limits.high == 1 and 1 < level <= 100 else ""  # noqa: PLR2004
    return f"got {level:g}, expected a {metric} {ends}{why}{percent}"
