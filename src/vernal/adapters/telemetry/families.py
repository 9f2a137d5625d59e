"""Every metric that Vernal exposes: its name, type, labels and meaning. Documentation and tests read this list."""

from __future__ import annotations

from typing import Final, NamedTuple


class Family(NamedTuple):
    """One metric; ``source`` is ``store`` if any controller and ``vernal metrics`` tell the same, else ``process``."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    source: str


def _of_store(name: str, labels: str, text: str) -> Family:
    return Family(name, "gauge", tuple(labels.split()), text, "store")


def _of_process(name: str, kind: str, labels: str, text: str) -> Family:
    return Family(name, kind, tuple(labels.split()), text, "process")


STORE: Final = (
    _of_store("vernal_build_info", "version", "1; the version of Vernal is the label."),
    _of_store("vernal_store_up", "", "1 if the state store could be read, else 0 and no other metric of the store."),
    _of_store("vernal_check_last_timestamp_seconds", "model", "When the model was last checked."),
    _of_store("vernal_check_next_timestamp_seconds", "model", "When the model is due for its next check."),
    _of_store(
        "vernal_check_last_outcome",
        "model outcome",
        "1 for what the last check came to (healthy, insufficient, requested, suppressed or error), 0 for the others.",
    ),
    _of_store("vernal_trigger_fired", "model trigger", "1 if the trigger fired in the last check, else 0."),
    _of_store(
        "vernal_trigger_sufficient", "model trigger", "1 if the trigger had enough evidence in the last check, else 0."
    ),
    _of_store("vernal_live_metric", "model metric", "The live metric on matured labelled predictions."),
    _of_store("vernal_live_metric_lower", "model metric", "Lower confidence bound of the live metric."),
    _of_store("vernal_live_metric_upper", "model metric", "Upper confidence bound of the live metric."),
    _of_store("vernal_live_metric_threshold", "model metric", "Threshold of the performance trigger."),
    _of_store("vernal_live_metric_rows", "model", "Labelled predictions that the live metric rests on."),
    _of_store("vernal_label_coverage_ratio", "model", "Share of the matured predictions that have a label."),
    _of_store("vernal_labels_waiting", "model", "Matured predictions of the window that have no label yet."),
    _of_store("vernal_labels_new", "model", "New labels since the last training cut."),
    _of_store("vernal_drift_window_rows", "model window", "Predictions in a drift window."),
    _of_store("vernal_drift_score_max", "model statistic window", "Highest drift score of all features."),
    _of_store(
        "vernal_drift_score",
        "model feature statistic window",
        "Drift score of the features that come closest to their threshold or exceed it most; five of each model and "
        "window unless told otherwise.",
    ),
    _of_store("vernal_drift_threshold", "model statistic", "Threshold of the drift trigger."),
    _of_store("vernal_champion_since_timestamp_seconds", "model version", "Since when the champion is the champion."),
    _of_store("vernal_run_phase", "model phase", "1 for the phase of the model's open run; nothing without one."),
    _of_store("vernal_run_phase_since_timestamp_seconds", "model", "Since when the open run is in its phase."),
    _of_store("vernal_rollout_share_ratio", "model", "Share of the traffic that the challenger gets; 0 without one."),
    _of_store("vernal_approvals_pending", "model", "Requests for approval that wait for a person."),
    _of_store(
        "vernal_budget_spent_usd", "model", "Spent this calendar month (UTC), of models with a limit of their own."
    ),
    _of_store("vernal_budget_limit_usd", "model", "Monthly limit of a model that has one."),
    _of_store("vernal_project_budget_spent_usd", "", "Spent this calendar month (UTC) by all models."),
    _of_store("vernal_project_budget_limit_usd", "", "Monthly limit of all models together."),
    _of_store("vernal_outbox_unrouted", "", "Messages in the outbox that no channel was chosen for yet."),
    _of_store("vernal_outbox_waiting", "channel", "Deliveries that wait to be sent through a channel."),
)

PROCESS: Final = (
    _of_process("vernal_checks", "counter", "model outcome", "Checks done by this controller."),
    _of_process("vernal_check_duration_seconds", "histogram", "", "How long checks took."),
    _of_process("vernal_run_steps", "counter", "model phase", "Steps of runs, by the phase that they led to."),
    _of_process("vernal_run_step_duration_seconds", "histogram", "", "How long steps of runs took."),
    _of_process("vernal_triggers_fired", "counter", "model trigger", "Triggers that fired in checks."),
    _of_process(
        "vernal_triggers_suppressed", "counter", "model trigger", "Triggers that fired and were held back by a policy."
    ),
    _of_process("vernal_rows_profiled", "counter", "model", "New predictions that checks profiled."),
    _of_process("vernal_rows_quarantined", "counter", "model", "Rows that checks refused and put into quarantine."),
    _of_process("vernal_alerts_sent", "counter", "", "Alerts sent."),
    _of_process("vernal_errors", "counter", "step", "Errors, by the kind of step: check, run or delivery."),
    _of_process("vernal_steps_lost", "counter", "step", "Steps whose worker hung and was ended, or died."),
    _of_process(
        "vernal_steps_repeated",
        "counter",
        "step",
        "Steps claimed again after an earlier claim ended without a commit: an error, or a lease that ran out.",
    ),
    _of_process(
        "vernal_lease_takeovers",
        "counter",
        "step",
        "Steps that another controller or a person took over before this controller could commit them.",
    ),
    _of_process("vernal_workers_busy", "gauge", "", "Steps that are being done."),
    _of_process("vernal_workers_limit", "gauge", "", "Steps that may be done at the same time."),
)

FAMILIES: Final = STORE + PROCESS

OUTCOMES: Final = ("healthy", "insufficient", "requested", "suppressed", "error")

TOP: Final = 5
"""Features of each model and window whose drift score is exposed by default."""


def exposed_name(family: Family) -> str:
    """Return the name as queries spell it: counters end with ``_total``."""
    return f"{family.name}_total" if family.kind == "counter" else family.name


__all__ = ["FAMILIES", "OUTCOMES", "PROCESS", "STORE", "TOP", "Family", "exposed_name"]
