"""Two models on the same 100,000 rows: Vernal's intervals, or the plain bootstrap with its resamples drawn row by row.

paired.py accuracy|area vernal ROWS
paired.py accuracy|area bootstrap ROWS RESAMPLES
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_TIMES = 5
"""Calls of which the median is told; the first also imports what is imported late."""


def rows_of(rows: int) -> tuple[Floats, Floats, Floats]:
    """Return labels and the scores of two models, the second one a little better."""
    rng = np.random.default_rng(1)
    labels = (rng.random(rows) < 0.3).astype(np.float64)  # noqa: PLR2004 - the base rate
    shared = labels + rng.normal(0, 1.0, rows)
    return labels, shared + rng.normal(0, 0.6, rows), shared + rng.normal(0, 0.5, rows)


def bootstrap(statistic: Callable[[npt.NDArray[np.int64]], float], rows: int, resamples: int) -> dict[str, float]:
    """Return the difference and its bounds at one-sided 95 % from resamples of the rows."""
    rng = np.random.default_rng(2)
    drawn = np.array([statistic(rng.integers(0, rows, rows)) for _ in range(resamples)])
    lower, upper = np.quantile(drawn, [0.05, 0.95])
    return {"lower": float(lower), "upper": float(upper), "deviation": float(drawn.std()), "resamples": resamples}


def by_bootstrap(metric: str, labels: Floats, one: Floats, other: Floats, resamples: int) -> dict[str, float]:
    """Return the interval as it is usually written."""
    if metric == "accuracy":
        a, b = (((scores > 0.5) == labels) for scores in (one, other))  # noqa: PLR2004 - the decision's threshold
        return bootstrap(lambda i: float(b[i].mean() - a[i].mean()), labels.size, resamples)
    from sklearn.metrics import roc_auc_score

    def area(i: npt.NDArray[np.int64]) -> float:
        return float(roc_auc_score(labels[i], other[i]) - roc_auc_score(labels[i], one[i]))

    return bootstrap(area, labels.size, resamples)


def by_vernal(metric: str, labels: Floats, one: Floats, other: Floats) -> dict[str, float]:
    """Return Vernal's interval."""
    from vernal.stats.areas import paired_delong
    from vernal.stats.paired import paired_accuracy

    if metric == "accuracy":
        found = paired_accuracy((one > 0.5) == labels, (other > 0.5) == labels)  # noqa: PLR2004 - as above
    else:
        found = paired_delong(labels, one, other)
    if found.lower is None or found.upper is None:
        raise SystemExit(f"paired {metric}: found no interval ({found.note})")
    return {"lower": found.lower, "upper": found.upper}


def main() -> None:
    """Compute one interval and tell how long it took without starting the process."""
    metric, method, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    data = rows_of(rows)
    seconds = []
    interval: dict[str, float] = {}
    for _ in range(_TIMES if method == "vernal" else 1):
        started = time.perf_counter()
        interval = by_vernal(metric, *data) if method == "vernal" else by_bootstrap(metric, *data, int(sys.argv[4]))
        seconds.append(time.perf_counter() - started)
    print(
        json.dumps(
            {"paired_rows": rows, "interval": interval, "inside": {"interval": sorted(seconds)[len(seconds) // 2]}}
        )
    )


if __name__ == "__main__":
    main()
