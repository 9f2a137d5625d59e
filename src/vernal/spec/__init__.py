"""What was asked for: the project file and the model files, as frozen and checked values."""

from vernal.spec.durations import format_duration, parse_duration
from vernal.spec.events import EventsSpec, KafkaSpec, WebhookSpec
from vernal.spec.features import RESERVED_COLUMNS, FeaturesSpec
from vernal.spec.governance import ApprovalSpec, GatesSpec, ModelBudgetSpec, TrainingSpec
from vernal.spec.labels import LabelsSpec
from vernal.spec.layout import Project
from vernal.spec.loading import PROJECT_FILE, find_project, load_project
from vernal.spec.metrics import METRICS, MetricName, Task
from vernal.spec.model import ModelSpec, MonitoringSpec
from vernal.spec.notifications import NotificationsSpec, QuietHoursSpec, RateLimitSpec, TargetSpec
from vernal.spec.policy import CircuitBreakerSpec, PolicySpec
from vernal.spec.project import ProjectBudgetSpec, ProjectSpec, RatesSpec
from vernal.spec.quality import ExpectationSpec, QualitySpec
from vernal.spec.rollout import RolloutSpec, StepSpec
from vernal.spec.schema import json_schema
from vernal.spec.secrets import SecretSpec
from vernal.spec.shadow import ShadowSpec
from vernal.spec.source import Source, SourceKind, SourceSpec, SourceTable
from vernal.spec.triggers import DriftTrigger, PerformanceTrigger, ScheduleTrigger, TriggersSpec, VolumeTrigger

__all__ = [
    "METRICS",
    "PROJECT_FILE",
    "RESERVED_COLUMNS",
    "ApprovalSpec",
    "CircuitBreakerSpec",
    "DriftTrigger",
    "EventsSpec",
    "ExpectationSpec",
    "FeaturesSpec",
    "GatesSpec",
    "KafkaSpec",
    "LabelsSpec",
    "MetricName",
    "ModelBudgetSpec",
    "ModelSpec",
    "MonitoringSpec",
    "NotificationsSpec",
    "PerformanceTrigger",
    "PolicySpec",
    "Project",
    "ProjectBudgetSpec",
    "ProjectSpec",
    "QualitySpec",
    "QuietHoursSpec",
    "RateLimitSpec",
    "RatesSpec",
    "RolloutSpec",
    "ScheduleTrigger",
    "SecretSpec",
    "ShadowSpec",
    "Source",
    "SourceKind",
    "SourceSpec",
    "SourceTable",
    "StepSpec",
    "TargetSpec",
    "Task",
    "TrainingSpec",
    "TriggersSpec",
    "VolumeTrigger",
    "WebhookSpec",
    "find_project",
    "format_duration",
    "json_schema",
    "load_project",
    "parse_duration",
]
