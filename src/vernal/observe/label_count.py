"""How many labels have arrived since a model was last trained."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.observe.columns import first_match, keep, micros, strings_equal, to_micros
from vernal.records import Labels

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.ports import Lake
    from vernal.spec import ModelSpec

LABEL_LOOKBACK = timedelta(days=7)
"""How long before the last training cut an event may lie whose label still counts as new; at least two label delays."""


class NewLabels(NamedTuple):
    """Labels as the model's file counts them, and the predictions among them that got only a proxy."""

    counted: int
    proxies: int


def count_labels(lake: Lake, spec: ModelSpec, *, since: datetime | None, until: datetime) -> NewLabels:
    """Return how many predictions got a label in ``(since, until]``, each counted once, proxies at their weight.

    Labels of events more than ``LABEL_LOOKBACK`` and two label delays before ``since`` are not looked for.
    """
    columns = (Labels.ID, Labels.ARRIVAL_TIME, Labels.SOURCE)
    start = None if since is None else since - max(LABEL_LOOKBACK, 2 * spec.label_delay)
    labels = lake.scan(spec.model, "labels", columns=columns, start=start)
    if not labels.num_rows:
        return NewLabels(0, 0)
    arrived = micros(labels[Labels.ARRIVAL_TIME])
    fresh = arrived <= to_micros(until)
    known = keep(labels, np.asarray(fresh))
    if since is not None:
        fresh &= arrived > to_micros(since)
    proxy = strings_equal(labels[Labels.SOURCE], Labels.PROXY)
    true = len(keep(labels, np.asarray(fresh & ~proxy))[Labels.ID].unique())
    standing_in = keep(labels, np.asarray(fresh & proxy))[Labels.ID].unique()
    truths = keep(known, ~strings_equal(known[Labels.SOURCE], Labels.PROXY))
    proxies = int((first_match(standing_in, truths[Labels.ID]) < 0).sum())
    return NewLabels(true + int(spec.labels.proxy_weight * proxies), proxies)
