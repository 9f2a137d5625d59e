"""A model file: what one model is, and the policy that keeps it fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from vernal.spec.base import DefaultNote, Delay, Duration, Fault, ListOf, Required, Section, refuse
from vernal.spec.durations import format_duration
from vernal.spec.features import FeaturesSpec
from vernal.spec.governance import ApprovalSpec, GatesSpec, ModelBudgetSpec, TrainingSpec
from vernal.spec.labels import LabelsSpec
from vernal.spec.metrics import DEFAULT_LEVEL, METRICS, MetricName, Task, default_metric, misfit, out_of_range
from vernal.spec.policy import PolicySpec
from vernal.spec.quality import QualitySpec
from vernal.spec.rollout import RolloutSpec
from vernal.spec.shadow import ShadowSpec, faults_of, overlaid
from vernal.spec.source import SourceSpec
from vernal.spec.triggers import TriggersSpec
from vernal.spec.wording import guess, shown

_MINUTE: Final = timedelta(minutes=1)


def _python_file(path: str) -> str:
    if not path.endswith(".py") or "\0" in path:
        raise ValueError(f"got {shown(path)}, expected the path of a Python file such as fraud.py")
    return path


def _at_least_a_minute(duration: timedelta) -> timedelta:
    if duration < _MINUTE:
        raise ValueError(f"got {format_duration(duration)}, expected at least 1m")
    return duration


_UNSTATED: Final[Any] = object()


def _unstated() -> Any:  # noqa: ANN401 - replaced before it is validated
    return _UNSTATED


def _empty_section() -> Any:  # noqa: ANN401 - validated like any value of a file
    return {}


class MonitoringSpec(Section):
    """How often production is looked at."""

    every: Annotated[Duration, AfterValidator(_at_least_a_minute)] = Field(
        default=timedelta(hours=1), description="Time between two checks; at least `1m`."
    )


class ModelSpec(Section):
    """A model file: what one model is, and the policy that keeps it fresh."""

    model: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="Name of the model, unique in the project: lower-case letters, digits and `_`, at most 63, "
        "starting with a letter.",
        examples=["fraud"],
    )
    description: str = Field(default="", max_length=2000, description="What the model predicts, for people.")
    owner: str | None = Field(
        default=None, max_length=200, description="Who answers for the model.", examples=["payments@example.org"]
    )
    task: Task = Field(description="`binary` (classes 0 and 1), `multiclass` or `regression`.", examples=["binary"])
    code: Annotated[str, AfterValidator(_python_file)] = Field(
        min_length=1,
        max_length=1024,
        description="Python file that defines `train(X, y)`; the path is relative to the model file. It must exist.",
        examples=["fraud.py"],
    )
    label_delay: Delay = Field(
        default=timedelta(days=1),
        description="How long after a prediction its label may take to arrive. Younger predictions are not judged; "
        "`0s` if labels are there at once.",
    )
    labels: LabelsSpec = Field(default=LabelsSpec(), description="Which labels count, and how much.")
    features: FeaturesSpec = Field(
        description="The columns the model predicts from.", examples=[{"numerical": ["amount"]}]
    )
    source: SourceSpec = Field(
        default=SourceSpec(), description="Where predictions and labels are read from; the embedded lake by default."
    )
    metric: Annotated[MetricName, DefaultNote("accuracy; mae for regression")] = Field(
        default_factory=_unstated,
        validate_default=True,
        description="What the model is judged by, in production, at the gates and in a rollout. It must fit the task.",
    )
    risky: bool = Field(default=False, description="Every release of the model needs a person's approval.")
    monitoring: MonitoringSpec = Field(default=MonitoringSpec(), description="How often production is looked at.")
    quality: QualitySpec = Field(default=QualitySpec(), description="What is expected of rows as they arrive.")
    triggers: TriggersSpec = Field(
        default_factory=_empty_section, validate_default=True, description="What asks for a run."
    )
    policy: PolicySpec = Field(
        default=PolicySpec(), description="Which fired triggers are held back, and for how long."
    )
    shadow: Annotated[tuple[ShadowSpec, ...], ListOf, Field(max_length=20)] = Field(
        default=(),
        description="Other triggers and policies to try: evaluated at every check on the same evidence and recorded, "
        "they never act.",
        examples=[[{"name": "tighter", "triggers": {"drift": {"psi": 0.1}}}]],
    )
    training: TrainingSpec = Field(default=TrainingSpec(), description="How a candidate is trained.")
    gates: GatesSpec = Field(
        default_factory=_empty_section,
        validate_default=True,
        description="What a candidate must show on the holdout before it meets production.",
    )
    approval: ApprovalSpec = Field(default=ApprovalSpec(), description="When a person is asked.")
    budget: ModelBudgetSpec = Field(default=ModelBudgetSpec(), description="What the model may spend.")
    rollout: RolloutSpec = Field(
        default_factory=_empty_section,
        validate_default=True,
        description="How a candidate that passed its gates takes over.",
    )

    def hold_limit(self, step: int) -> timedelta:
        """Return the longest time in a step of the rollout (counted from 0), after which it is rolled back."""
        return self.rollout.hold_limit or 2 * self.rollout.steps[step].duration + self.label_delay

    @field_validator("metric", mode="before")
    @classmethod
    def _default_metric(cls, metric: object, info: ValidationInfo) -> object:
        return default_metric(info.data.get("task")) if metric is _UNSTATED else metric

    @field_validator("metric")
    @classmethod
    def _fits_the_task(cls, metric: MetricName, info: ValidationInfo) -> MetricName:
        task = info.data.get("task")
        if task is not None and (wrong := misfit(metric, task)):
            raise ValueError(wrong)
        return metric

    @field_validator("quality")
    @classmethod
    def _fits_the_columns(cls, quality: QualitySpec, info: ValidationInfo) -> QualitySpec:
        features, task = info.data.get("features"), info.data.get("task")
        source: SourceSpec | None = info.data.get("source")
        if features is not None and task is not None and source is not None:
            own = [kind for kind in ("predictions", "labels") if getattr(source, kind) is not None]
            refuse(quality.faults(features.kinds, task, own_tables=own))
        return quality

    @field_validator("triggers", mode="before")
    @classmethod
    def _default_threshold(cls, triggers: object, info: ValidationInfo) -> object:
        if not isinstance(triggers, Mapping):
            return triggers
        level = _level(info.data.get("metric"))
        performance = triggers.get("performance", {} if isinstance(level, float) else None)
        if not isinstance(performance, Mapping):
            return triggers
        if "max_drop" in performance:
            return triggers
        return {**triggers, "performance": {"threshold": level, **performance}}

    @field_validator("gates", mode="before")
    @classmethod
    def _default_gates(cls, gates: object, info: ValidationInfo) -> object:
        metric = info.data.get("metric")
        return _completed(gates, {"floor": _level(metric), **_no_default(metric, "min_improvement")})

    @field_validator("rollout", mode="before")
    @classmethod
    def _default_rollout(cls, rollout: object, info: ValidationInfo) -> object:
        return _completed(rollout, _no_default(info.data.get("metric"), "margin"))

    @field_validator("triggers")
    @classmethod
    def _fit_the_model(cls, triggers: TriggersSpec, info: ValidationInfo) -> TriggersSpec:
        refuse(_trigger_faults(triggers, info.data.get("features"), info.data.get("metric")))
        return triggers

    @field_validator("policy")
    @classmethod
    def _can_be_met(cls, policy: PolicySpec, info: ValidationInfo) -> PolicySpec:
        refuse(_quorum_faults(policy, info.data.get("triggers")))
        return policy

    @field_validator("shadow", mode="before")
    @classmethod
    def _beside_the_active(cls, shadow: object, info: ValidationInfo) -> object:
        if not isinstance(shadow, Sequence) or isinstance(shadow, str):
            return shadow
        triggers, policy = info.data.get("triggers"), info.data.get("policy")
        return [overlaid(one, triggers=triggers, policy=policy) for one in shadow]

    @field_validator("shadow")
    @classmethod
    def _can_be_tried(cls, shadow: tuple[ShadowSpec, ...], info: ValidationInfo) -> tuple[ShadowSpec, ...]:
        triggers: TriggersSpec | None = info.data.get("triggers")
        faults = [] if triggers is None else faults_of(shadow, triggers)
        for place, one in enumerate(shadow):
            own = _trigger_faults(one.triggers, info.data.get("features"), info.data.get("metric"))
            faults += [Fault((place, "triggers", *fault.at), fault.message) for fault in own]
            wrong = _quorum_faults(one.policy, one.triggers)
            faults += [Fault((place, "policy", *fault.at), fault.message) for fault in wrong]
        refuse(faults)
        return shadow

    @field_validator("gates")
    @classmethod
    def _fit_the_metric(cls, gates: GatesSpec, info: ValidationInfo) -> GatesSpec:
        metric: MetricName | None = info.data.get("metric")
        if metric is not None:
            wrong = out_of_range(metric, gates.floor)
            faults = [Fault(("floor",), wrong)] if wrong else []
            refuse([*faults, *_too_large(metric, "min_improvement", gates.min_improvement)])
        return gates

    @field_validator("rollout")
    @classmethod
    def _fits_the_metric(cls, rollout: RolloutSpec, info: ValidationInfo) -> RolloutSpec:
        metric: MetricName | None = info.data.get("metric")
        if metric is not None:
            refuse(_too_large(metric, "margin", rollout.margin))
        return rollout


def _completed(section: object, defaults: Mapping[str, object]) -> object:
    """Put defaults below what a file says; whatever is no mapping is left for the validation to refuse."""
    return {**defaults, **section} if isinstance(section, Mapping) else section


def _level(metric: MetricName | None) -> float | Required:
    """Return the default threshold and floor. Beside a wrong metric any will do: only the metric is reported then."""
    level = DEFAULT_LEVEL.get(metric or "accuracy")
    return Required(f"only accuracy has a default, and the metric is {metric}") if level is None else level


def _no_default(metric: MetricName | None, key: str) -> dict[str, Required]:
    if metric is None or not METRICS[metric].in_label_unit:
        return {}
    return {key: Required(f"{metric} is in the unit of the labels, where no default fits")}


def _too_large(metric: MetricName, key: str, difference: float, *, section: tuple[str, ...] = ()) -> list[Fault]:
    if METRICS[metric].high is None or difference < 1:
        return []
    message = f"got {difference:g}, expected a number below 1 such as 0.01; percentages are written as fractions"
    return [Fault((*section, key), message)]


def _trigger_faults(triggers: TriggersSpec, features: FeaturesSpec | None, metric: MetricName | None) -> list[Fault]:
    faults = _subset_faults(triggers, features)
    if metric is not None and triggers.performance is not None:
        threshold, drop = triggers.performance.threshold, triggers.performance.max_drop
        wrong = None if threshold is None else out_of_range(metric, threshold)
        faults += [Fault(("performance", "threshold"), wrong)] if wrong else []
        faults += [] if drop is None else _too_large(metric, "max_drop", drop, section=("performance",))
    return faults


def _quorum_faults(policy: PolicySpec, triggers: TriggersSpec | None) -> list[Fault]:
    if triggers is None or not isinstance(policy.combine, int):
        return []
    on = [name for name in TriggersSpec.model_fields if getattr(triggers, name) is not None]
    if policy.combine <= len(on):
        return []
    found = f"got at_least: {policy.combine}, expected at most {len(on)}"
    return [Fault(("combine",), f"{found}: the triggers that are switched on are {', '.join(on) or 'none'}")]


def _subset_faults(triggers: TriggersSpec, features: FeaturesSpec | None) -> list[Fault]:
    if triggers.drift is None or features is None:
        return []
    return [
        Fault(
            ("drift", "features", index),
            f"got {shown(name)}, expected one of the model's features{guess(name, features.names)}",
        )
        for index, name in enumerate(triggers.drift.features or ())
        if name not in features.names
    ]
