"""How a candidate meets production: step by step, judged at each."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from vernal.spec.base import DefaultNote, Delay, Duration, Fault, Fraction, ListOf, Section, refuse


class StepSpec(Section):
    """One step of a rollout."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the entities that get the candidate's answers; above the step before.", examples=[0.05]
    )
    duration: Duration = Field(description="The shortest time in this step.", examples=["3d"])


_DEFAULT_STEPS = (
    StepSpec(share=0.05, duration=timedelta(days=3)),
    StepSpec(share=0.25, duration=timedelta(days=4)),
)


class RolloutSpec(Section):
    """How a candidate that passed its gates takes over."""

    mode: Literal["paired"] = Field(
        default="paired",
        description="`paired`: champion and candidate score every request, and only the assigned answer is returned, "
        "so a small step learns from all traffic.",
    )
    steps: Annotated[tuple[StepSpec, ...], ListOf, Field(min_length=1, max_length=20)] = Field(
        default=_DEFAULT_STEPS, description="Steps before full traffic, shares rising."
    )
    soak: Delay = Field(
        default=timedelta(days=1),
        description="After full traffic, how long the old champion still scores in the shadow before the candidate is "
        "promoted.",
    )
    margin: Annotated[float, Field(gt=0), DefaultNote("0.05; required for mae and rmse")] = Field(
        default=0.05,
        description="How much worse than the champion is too much, in the metric's own unit, for metrics that have a "
        "value per row (accuracy, log_loss, brier, mae; for rmse it is of the squared errors).",
    )
    score_margin: Annotated[float, Field(gt=0)] = Field(
        default=0.01,
        description="The same for metrics without a value per row (roc_auc, f1, precision, recall): they are judged "
        "by the Brier score of each row, and this is in its units.",
    )
    hold_limit: Annotated[Duration | None, DefaultNote("2 x the step's duration + `label_delay`")] = Field(
        default=None,
        description="Longest time in one step while the evidence is inconclusive; then the candidate is rolled back.",
    )
    alpha: Fraction = Field(
        default=0.05,
        description="Error level of the always-valid sequential test: the chance of ever rolling back an equal model, "
        "or of advancing one that is worse by the margin, however often it is looked at.",
    )

    @field_validator("steps")
    @classmethod
    def _shares_rise(cls, steps: tuple[StepSpec, ...]) -> tuple[StepSpec, ...]:
        refuse(
            Fault(
                (index, "share"),
                f"got {later.share:g}, expected more than the step before ({earlier.share:g}): shares only rise",
            )
            for index, (earlier, later) in enumerate(pairwise(steps), start=1)
            if later.share <= earlier.share
        )
        return steps
