"""How much a model leans on each feature: by how much worse it gets when the values of one are dealt out anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from vernal.clock import monotonic
from vernal.errors import VernalError
from vernal.stats.metrics import metric

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from vernal.adapters.models import LoadedModel
    from vernal.stats.metrics import Metric

ROWS: Final = 5_000
"""Most rows of the holdout that are looked at."""

ROUNDS: Final = 5
"""How often the values of each feature are dealt out anew."""

SECONDS: Final = 60.0
"""Most machine time that it may take, whatever the time limit of the job."""


class Importances(NamedTuple):
    """Each feature's share of the importance of all, at least 0 and 1 in sum; ``None`` with the reason in ``note``."""

    shares: dict[str, float] | None
    note: str = ""


def importances_within(
    model: LoadedModel, matrix: pd.DataFrame, truth: pd.Series[Any], *, judged_by: str, seed: int, seconds: float
) -> Importances:
    """Return each feature's share of the importance of all, as far as there is time to measure it.

    A feature's importance is what the metric loses on the holdout when the feature's values are permuted, the mean of
    ``ROUNDS`` permutations. Features that share what they know also share their importance, and may both seem to have
    little of it.

    Parameters
    ----------
    model
        The fitted model.
    matrix, truth
        Its inputs and the labels of the holdout; at most ``ROWS`` rows of it are drawn.
    judged_by
        Name of the metric.
    seed
        Fixes the rows that are drawn and the permutations.
    seconds
        How long it may take. Rounds that are complete by then count; the shares do not depend on the time if all are.

    Returns
    -------
    Importances
        A negative importance counts as 0. They are unknown when not even one round fits into the time, the metric is
        undefined on these rows, the model does not answer, or no feature matters.

    References
    ----------
    L. Breiman (2001). Random forests. Machine Learning 45, section 10.
    """
    try:
        return _measured(model, matrix, truth, metric(judged_by), seed=seed, seconds=seconds)
    except (VernalError, MemoryError) as error:
        why = "it ran out of memory" if isinstance(error, MemoryError) else error
        return Importances(None, f"the model does not answer rows with permuted values: {why}")


def _measured(
    model: LoadedModel, matrix: pd.DataFrame, truth: pd.Series[Any], asked: Metric, *, seed: int, seconds: float
) -> Importances:
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.choice(len(matrix), min(ROWS, len(matrix)), replace=False))
    rows, labels = matrix.iloc[drawn].reset_index(drop=True), truth.to_numpy()[drawn]
    started = monotonic()
    intact = asked.value(labels, model.outputs(rows, asked.needs))
    if intact is None:
        return Importances(None, f"{asked.name} is undefined on {len(rows)} rows of the holdout: {asked.undefined}")
    one_round = (monotonic() - started) * matrix.shape[1]
    losses: list[NDArray[np.float64]] = []
    while len(losses) < ROUNDS and monotonic() - started + one_round < seconds:
        begun = monotonic()
        losses.append(_round(model, rows, labels, asked, intact, rng))
        one_round = max(one_round, monotonic() - begun)
    if not losses:
        return Importances(
            None, f"permuting {matrix.shape[1]} features once takes about {one_round:.0f} s of {seconds:.0f} s"
        )
    mean = np.maximum(np.mean(losses, axis=0), 0.0)
    if not mean.sum() > 0:
        return Importances(None, f"{asked.name} does not get worse, whichever feature is permuted")
    return Importances(dict(zip(map(str, matrix.columns), (mean / mean.sum()).tolist(), strict=True)))


def _round(
    model: LoadedModel,
    rows: pd.DataFrame,
    labels: NDArray[Any],
    asked: Metric,
    intact: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return what the metric loses by one permutation of each feature."""
    lost = []
    for name in rows.columns:
        permuted = rows.assign(**{name: rows[name].to_numpy()[rng.permutation(len(rows))]})
        value = asked.value(labels, model.outputs(permuted, asked.needs))
        # Only precision can become undefined: a model that no longer finds anything is as bad as it gets.
        lost.append(asked.improvement(asked.limits[0] if value is None else value, intact))
    return np.array(lost)


__all__ = ["ROUNDS", "ROWS", "SECONDS", "Importances", "importances_within"]
