"""What makes Vernal ask for a new model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from vernal.spec.base import Certainty, DefaultNote, Duration, Fraction, ListOf, Off, Rows, Section
from vernal.spec.durations import format_duration
from vernal.spec.timezones import TimeZone
from vernal.spec.wording import shown

_SOME_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)  # whether a cron expression is ever due does not depend on the day
_OCCASIONS: Final = 60  # more than a yearly expression has before cronsim gives up
_CRON_FIELDS: Final = 5
_WEEK: Final = timedelta(days=7)


def _cron(expression: str) -> str:
    from cronsim import CronSim, CronSimError

    if len(expression.split()) != _CRON_FIELDS:
        raise ValueError(
            f"got {shown(expression)}, expected a cron expression of five fields: minute hour day month weekday, "
            'as in "0 3 * * 1"'
        )
    try:
        due = next(CronSim(expression, _SOME_DAY), None)
    except CronSimError as error:
        raise ValueError(f'got {shown(expression)}, expected a cron expression such as "0 3 * * 1" ({error})') from None
    if due is None:
        raise ValueError(f"got {shown(expression)}, which is never due; expected a cron expression of days that exist")
    return expression


def _whole_hours(duration: timedelta) -> timedelta:
    if duration % timedelta(hours=1):
        raise ValueError("expected whole hours: profiles are kept per hour")
    return duration


def as_written(cron: str, due: datetime) -> bool:
    """Tell whether a local time is one that the expression names, and not one moved out of a gap that clocks skip."""
    from cronsim import CronSim

    local = due.replace(tzinfo=None)
    return bool(next(CronSim(cron, local - timedelta(minutes=1))) == local)


def _ever_as_written(cron: str, zone: str) -> bool:
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

    coming = CronSim(cron, _SOME_DAY.astimezone(ZoneInfo(zone)))
    return any(as_written(cron, due) for due in islice(coming, _OCCASIONS))


class ScheduleTrigger(Section):
    """Asks for a run whenever a cron expression is due."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(
        description="Cron expression of five fields: minute, hour, day of month, month, day of week.",
        examples=["0 3 * * 1"],
    )
    timezone: TimeZone = Field(
        default="UTC",
        description="IANA time zone that the expression is read in.",
        examples=["Europe/Berlin"],
    )
    dst: Literal["shift", "skip"] = Field(
        default="shift",
        description="What becomes of a local time that does not exist because clocks are put forward: `shift` is "
        "due as soon as they have been, `skip` not on that day. A local time that comes twice because clocks are put "
        "back is due the first time only. Expressions with `*` in minute or hour follow real time through either.",
    )
    catch_up: Literal["once", "skip"] = Field(
        default="once",
        description="What becomes of times that were missed, or held back, for two checks (`monitoring.every`) or "
        "more: `once` makes up for all of them with one run, `skip` waits for the next one.",
    )

    @field_validator("dst")
    @classmethod
    def _ever_due(cls, dst: str, info: ValidationInfo) -> str:
        cron, zone = info.data.get("cron"), info.data.get("timezone")
        if dst == "skip" and cron is not None and zone is not None and not _ever_as_written(cron, zone):
            raise ValueError(f"got skip, with which {shown(cron)} is never due in {zone}; expected shift")
        return dst


class PerformanceTrigger(Section):
    """Asks for a run when the live metric is worse than a threshold, with certainty."""

    threshold: Annotated[
        float | None, DefaultNote("0.9 for accuracy; required for every other metric, unless there is `max_drop`")
    ] = Field(
        default=None,
        description="Worst acceptable value of the model's `metric` in production, in the metric's own unit.",
        examples=[0.85],
    )
    max_drop: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="How much worse than on the holdout that the champion was promoted by the metric may get, in its "
        "own unit. Beside `threshold` either suffices to fire; in its place there is no threshold.",
        examples=[0.03],
    )
    min_coverage: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="With labels for a smaller share of the matured predictions the answer is `insufficient`: those "
        "that come may not be like the others. Answers to a sample count for all that they stand for.",
        examples=[0.5],
    )
    window: Duration = Field(
        default=_WEEK,
        description="How far back predictions count. Only those issued before now - `label_delay` do.",
    )
    certainty: Certainty = Field(
        default=0.95,
        description="Fires only when the one-sided confidence bound of the metric at this certainty is worse than the "
        "threshold; 0.5 compares the metric itself.",
    )
    min_rows: Rows = Field(
        default=200, description="With fewer labelled predictions the answer is `insufficient`, never `fine`."
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.threshold is None and self.max_drop is None:
            raise ValueError("found neither threshold nor max_drop, expected at least one of them")
        return self


class DriftTrigger(Section):
    """Asks for a run when production is distributed differently than what the champion was trained on."""

    psi: Annotated[float, Field(gt=0, le=100)] = Field(
        default=0.15, description="Population stability index above which a numerical feature has drifted, in nats."
    )
    js: Fraction = Field(
        default=0.15,
        description="Jensen-Shannon distance (base 2, so 0 to 1) above which a categorical feature has drifted.",
    )
    ks: Annotated[Fraction | None, *Off, DefaultNote("off")] = Field(
        default=None,
        description="Kolmogorov-Smirnov distance (0 to 1) above which a numerical feature has drifted as well. Judged "
        "on `window` only, and there only if it is a whole number of weeks.",
        examples=[0.1],
    )
    missing: Annotated[Fraction | None, *Off] = Field(
        default=0.05,
        description="By how much the share of rows without a value must have risen for a feature to have drifted.",
    )
    unseen: Annotated[Fraction | None, *Off] = Field(
        default=0.05,
        description="By how much the share of rows with a category that the training data lacks must have risen for a "
        "categorical feature to have drifted.",
    )
    window: Annotated[Duration, AfterValidator(_whole_hours)] = Field(
        default=_WEEK, description="How far back predictions count; whole hours."
    )
    short_window: Annotated[
        Annotated[Duration, AfterValidator(_whole_hours)] | None, *Off, DefaultNote("24h; off if `window` is no longer")
    ] = Field(
        default=timedelta(hours=24),
        description="A second, shorter window, in which a sudden change does not drown; whole hours. A window that is "
        "no whole number of weeks is held against the training rows of the same hours of the week (UTC).",
    )
    min_rows: Rows = Field(
        default=1000, description="With fewer predictions in the window the answer is `insufficient`."
    )
    features: Annotated[Annotated[tuple[str, ...], ListOf, Field(min_length=1)] | None, DefaultNote("all features")] = (
        Field(
            default=None,
            description="Features to watch; each must be one of the model's `features`.",
            examples=[["amount"]],
        )
    )
    rule: Literal["weighted", "share", "any"] = Field(
        default="weighted",
        description="What has to have drifted: `weighted` asks for features that hold at least `share` of the "
        "importance of all watched ones, as measured when the champion was trained (for any feature while that is not "
        "known); `share` for at least that share of their number; `any` for one.",
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.2, description="Share of the watched features, by importance or number, from which `rule` fires."
    )
    predictions: bool = Field(
        default=True,
        description="Fires also when the champion's predictions or scores are distributed differently than on its "
        "holdout, by the same thresholds.",
    )
    labels: bool = Field(
        default=True,
        description="Fires also when matured labels are distributed differently than in the training data, by the same "
        "thresholds.",
    )
    false_discovery: Fraction = Field(
        default=0.01,
        description="False-discovery rate over the watched features (Benjamini-Hochberg): a score must also be above "
        "what chance gives at this level.",
    )

    @field_validator("short_window")
    @classmethod
    def _shorter(cls, short: timedelta | None, info: ValidationInfo) -> timedelta | None:
        window = info.data.get("window")
        if short is not None and window is not None and short >= window:
            raise ValueError(
                f"got {format_duration(short)}, expected less than window ({format_duration(window)}), or off"
            )
        return short

    @property
    def windows(self) -> tuple[timedelta, ...]:
        """The windows that are judged, the shorter one first."""
        short = self.short_window
        return (self.window,) if short is None or short >= self.window else (short, self.window)


class VolumeTrigger(Section):
    """Asks for a run when enough new labels have arrived since the last training cut, accepted or not."""

    labels: Rows = Field(default=5000, description="Number of new labels that fires.")


class TriggersSpec(Section):
    """What asks for a run; any one of them suffices."""

    schedule: Annotated[ScheduleTrigger | None, *Off, DefaultNote("off")] = Field(
        default=None, description="Fires when a cron expression is due."
    )
    performance: Annotated[
        PerformanceTrigger | None,
        *Off,
        DefaultNote("on for accuracy; off for other metrics until `threshold` is given"),
    ] = Field(default=None, description="Fires when the live metric is too bad.")
    drift: Annotated[DriftTrigger | None, *Off, DefaultNote("on")] = Field(
        default=DriftTrigger(), description="Fires when features have drifted."
    )
    volume: Annotated[VolumeTrigger | None, *Off, DefaultNote("on")] = Field(
        default=VolumeTrigger(), description="Fires on a number of new labels."
    )
