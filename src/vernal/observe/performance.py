"""The live metric on matured, labelled predictions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from vernal.observe.columns import values
from vernal.observe.comparison import measure
from vernal.observe.labelled import ANSWERS, answers_of, labelled
from vernal.records import PerformanceEvidence

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from numpy.typing import NDArray

    from vernal.ports import Lake
    from vernal.spec import ModelSpec

DEFAULT_WINDOW = timedelta(days=7)
DEFAULT_CERTAINTY = 0.95


def live_performance(lake: Lake, spec: ModelSpec, *, version: str, now: datetime) -> PerformanceEvidence:
    """Measure a version on the predictions it was asked for in the last window whose labels have had time to arrive.

    The window ends ``label_delay`` before ``now``: whole cohorts count, never the labels that happened to arrive
    first. Rows that the version only scored beside the one that answered count as well. Every row has its weight.
    """
    trigger = spec.triggers.performance
    window = DEFAULT_WINDOW if trigger is None else trigger.window
    certainty = DEFAULT_CERTAINTY if trigger is None else trigger.certainty
    end = now - spec.label_delay
    found = labelled(
        lake,
        spec.model,
        columns=ANSWERS,
        start=end - window,
        end=end,
        as_of=now,
        counting=spec.labels,
        version=version,
    )
    answers = answers_of(found.rows, version)
    said = _said(answers.predictions)
    heard = found.kept(said)
    result = measure(
        spec.metric,
        values(heard.rows["label"]),
        answers.predictions[said],
        answers.scores[said],
        certainty=certainty,
        seed=int(now.timestamp()),
        weights=heard.weights,
    )
    return PerformanceEvidence(
        window_start=end - window,
        window_end=end,
        measure=result,
        issued=found.issued,
        labelled=found.rows.num_rows,
        unmatched_labels=found.unmatched,
        proxies=int(found.proxy.sum()),
        unused_proxies=found.unused,
        drawn=found.drawn,
        sampled=int(found.sampled.sum()),
        represented=float(found.design.sum()) if found.sampled.any() else None,
    )


def _said(predictions: NDArray[Any]) -> NDArray[np.bool_]:
    if predictions.dtype == object:
        return np.array([value is not None for value in predictions], dtype=np.bool_)
    return np.asarray(~np.isnan(predictions), dtype=np.bool_)
