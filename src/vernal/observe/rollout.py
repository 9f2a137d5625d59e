"""How the challenger does against the champion in production, on the same requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.observe.columns import HOUR, micros, to_micros, values
from vernal.observe.comparison import measure, outputs_for
from vernal.observe.labelled import ANSWERS, Answers, answers_of, labelled
from vernal.records import Measure, Predictions, RolloutEvidence
from vernal.stats.guardrail import rate_exceeds
from vernal.stats.metrics import metric, row_scores
from vernal.stats.sequential import block_sums, stratified_sequence

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from numpy.typing import NDArray

    from vernal.observe.labelled import Labelled
    from vernal.ports import Lake
    from vernal.records import Run
    from vernal.spec import ModelSpec

FAILURE_LIMIT = 0.05
"""Share of requests that a challenger may leave unanswered before it is taken back."""


class _Sides(NamedTuple):
    champion: Answers
    challenger: Answers


def rollout_evidence(lake: Lake, spec: ModelSpec, run: Run, *, now: datetime) -> RolloutEvidence:
    """Return the paired difference challenger - champion since the rollout began, with its always-valid band.

    Only matured predictions count; a proxy of weight 0.5 does with this chance. Rows are blocks of one hour within one
    step, so that a base rate that moves by hour or a share that moves by step cannot pass for a difference between the
    models.
    """
    state, champion, challenger = run.facts.rollout, run.facts.champion, run.facts.version
    if state is None or champion is None or challenger is None:
        message = f"{run.id}: asked for rollout evidence without a rollout"
        raise ValueError(message)
    # In the soak the same test starts afresh: what was shown before must not carry a model that turns bad with all
    # the traffic.
    soaking = state.step >= len(spec.rollout.steps)
    start = state.started_at[-1] if soaking else state.started_at[0]
    issued = lake.scan(spec.model, "predictions", columns=ANSWERS, start=start, end=now)
    asked, unanswered = _silence(issued, champion, challenger)
    failing = ""
    if rate_exceeds(unanswered, asked, limit=FAILURE_LIMIT, alpha=spec.rollout.alpha):
        failing = f"{unanswered} of {asked} requests unanswered > {FAILURE_LIMIT:.0%}"
    end = max(now - spec.label_delay, start)
    found = labelled(lake, spec.model, columns=ANSWERS, start=start, end=end, as_of=now, counting=spec.labels).thinned()
    rows = found.rows
    sides = _Sides(answers_of(rows, champion), answers_of(rows, challenger))
    labels, when = values(rows["label"]), micros(rows[Predictions.EVENT_TIME])
    asked_metric = metric(spec.metric)
    mine = _row_scores(spec.metric, labels, sides.challenger)
    theirs = _row_scores(spec.metric, labels, sides.champion)
    difference = mine - theirs
    both = ~np.isnan(difference)
    evidence = RolloutEvidence(
        score=asked_metric.row_score,
        difference=None,
        lower=None,
        upper=None,
        margin=spec.rollout.margin if asked_metric.row_score == spec.metric else spec.rollout.score_margin,
        rows=int(both.sum()),
        blocks=0,
        asked=asked,
        unanswered=unanswered,
        failing=failing,
        proxies=int((found.proxy & both).sum()),
        champion=_measured(spec, run, found, sides.champion, both),
        challenger=_measured(spec, run, found, sides.challenger, both),
    )
    if not both.any():
        return evidence.evolve(
            note=f"no prediction since {start:%Y-%m-%d %H:%M} UTC has both answers and a matured label"
        )
    # A row that stands for others moves the mean as much as they would.
    standing = found.design[both] / found.design[both].mean()
    difference = difference[both] * standing
    steps = np.searchsorted([to_micros(moment) for moment in state.started_at], when[both], side="right")
    sums = block_sums(steps, when[both] // HOUR, difference)
    # Where nothing bounds the difference of a row, the largest one seen stands in for the largest there can be.
    reach = metric(asked_metric.row_score).row_range
    largest = float(np.abs(difference).max()) if reach is None else reach * float(standing.max())
    sequence = stratified_sequence(sums, alpha=spec.rollout.alpha, largest=largest)
    return evidence.evolve(
        difference=sequence.estimate,
        lower=sequence.lower,
        upper=sequence.upper,
        blocks=sequence.blocks,
        note="" if sequence.lower is not None else f"{sequence.blocks} hours with rows are too few for a band",
    )


def _silence(rows: Any, champion: str, challenger: str) -> tuple[int, int]:  # noqa: ANN401 - pa.Table
    """Count the requests that the challenger was asked for, and those of them without an answer."""
    answers = answers_of(rows, challenger)
    asked = answers.asked & answers_of(rows, champion).asked
    silent = _is_silent(answers.predictions)
    return int(asked.sum()), int((asked & silent).sum())


def _row_scores(name: str, labels: NDArray[Any], side: Answers) -> NDArray[np.float64]:
    """Return the per-row score, higher is better; NaN where the model said nothing."""
    result = np.full(len(labels), np.nan)
    said = ~_is_silent(side.predictions)
    judged = metric(metric(name).row_score)
    outputs = outputs_for(judged, side.predictions, side.scores)
    if said.any():
        result[said] = row_scores(judged.name, labels[said], outputs[said])
    return result


def _is_silent(predictions: NDArray[Any]) -> NDArray[np.bool_]:
    if predictions.dtype == object:
        return np.array([value is None for value in predictions], dtype=np.bool_)
    return np.asarray(np.isnan(predictions), dtype=np.bool_)


def _measured(spec: ModelSpec, run: Run, found: Labelled, side: Answers, both: NDArray[np.bool_]) -> Measure:
    heard = found.kept(both)
    return measure(
        spec.metric,
        values(heard.rows["label"]),
        side.predictions[both],
        side.scores[both],
        certainty=0.95,
        seed=run.number,
        weights=heard.weights,
    )
