"""What a candidate must show, who must agree, and what may be spent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, field_validator
from pydantic.json_schema import WithJsonSchema

from vernal.spec.base import Certainty, DefaultNote, Duration, Money, Rows, Section
from vernal.spec.durations import EXPECTED, PATTERN, format_duration

_ALL = "all"


def _all_is_none(value: object) -> object:
    if value is None:
        raise ValueError(f'got null, expected {EXPECTED}, or "{_ALL}"')
    return None if value == _ALL else value


def _none_is_all(value: timedelta | None) -> str:
    return _ALL if value is None else format_duration(value)


Lookback = Annotated[
    Duration | None,
    BeforeValidator(_all_is_none),
    PlainSerializer(_none_is_all, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": PATTERN, "minLength": 2}, {"const": _ALL}]}),
]
"""A duration, or ``None`` for everything there is (written ``all``)."""


class TrainingSpec(Section):
    """How a candidate is trained.

    With the cut at now - `label_delay`, the model is trained on [cut - lookback, cut - holdout) and judged on
    [cut - holdout, cut).
    """

    lookback: Lookback = Field(
        default=timedelta(days=90),
        description="How far before the training cut (now - `label_delay`) rows are used, or `all` for everything "
        "there is.",
        examples=["all"],
    )
    holdout: Duration = Field(
        default=timedelta(days=7),
        description="The last stretch before the training cut, shorter than `lookback`: never trained on, it judges "
        "the candidate.",
    )
    min_rows: Rows = Field(
        default=500, description="With fewer labelled rows to train on, the run ends without training."
    )
    time_limit: Duration = Field(
        default=timedelta(hours=1), description="Elapsed time after which training is stopped."
    )
    memory_limit_gb: Annotated[float, Field(gt=0, le=100_000)] | None = Field(
        default=None, description="Memory of the training process, in GB (10^9 bytes). Left out, there is no limit."
    )
    allow_pickle: bool = Field(
        default=False,
        description="Allow models that can only be stored as a pickle, which runs code when it is loaded. Off, they "
        "are refused.",
    )

    importance: bool = Field(
        default=True,
        description="Measure on the holdout how much each feature matters to the candidate, by permutation, on at most "
        "5,000 rows and for at most a minute or a quarter of the time that `time_limit` leaves. Off, it is unknown.",
    )

    @field_validator("holdout")
    @classmethod
    def _leaves_rows_to_train_on(cls, holdout: timedelta, info: ValidationInfo) -> timedelta:
        lookback = info.data.get("lookback")
        if lookback is not None and holdout >= lookback:
            raise ValueError(
                f"got {format_duration(holdout)}, expected less than training.lookback ({format_duration(lookback)}): "
                "no rows would be left to train on"
            )
        return holdout


class GatesSpec(Section):
    """What a candidate must show on the holdout before it meets production."""

    min_improvement: Annotated[float, Field(ge=0), DefaultNote("0.01; required for mae and rmse")] = Field(
        default=0.01,
        description="How much better than the champion on the same rows, in the metric's own unit (0.01 is one point "
        "of accuracy).",
    )
    floor: Annotated[float, DefaultNote("0.9 for accuracy; required for every other metric")] = Field(
        description="Worst value of the model's `metric` that is accepted, champion or not. Where lower is better "
        "(log_loss, brier, mae, rmse) it is the highest value accepted.",
        examples=[0.6],
    )
    certainty: Certainty = Field(
        default=0.95, description="Certainty of the one-sided paired bound that must show an improvement at all."
    )
    strict: bool = Field(
        default=False, description="Ask that the bound itself, not only the point estimate, reaches `min_improvement`."
    )


class ApprovalSpec(Section):
    """When a person is asked."""

    cost_above_usd: Money = Field(
        default=Decimal(500), description="A run whose estimated cost is above this waits for approval, in USD."
    )
    expire_after: Duration = Field(
        default=timedelta(days=7),
        description="A request that nobody answers for this long expires, and the run with it.",
    )


class ModelBudgetSpec(Section):
    """What one model may spend."""

    monthly_usd: Money | None = Field(
        default=None,
        description="Limit of this model per calendar month (UTC), in USD. Left out, only the project's limit holds.",
    )
