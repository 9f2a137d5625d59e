"""What the state store says of every model, as metrics: the same from any controller, and after a restart."""

from __future__ import annotations

from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from vernal.adapters.telemetry.families import OUTCOMES, STORE, TOP
from vernal.decide.money import month_of
from vernal.errors import VernalError
from vernal.records import CheckEvidence, DeliveryStatus, TriggerResult
from vernal.spec.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from prometheus_client.metrics_core import Metric

    from vernal.act.system import System
    from vernal.records import Decision, DriftEvidence, FeatureDrift, ModelState
    from vernal.spec import DriftTrigger, ModelSpec

_RECENT: Final = 20
"""Checks among which the last one that measured is looked for."""

_MOST_COUNTED: Final = 10_000
"""Deliveries and messages that are counted at most; a backlog of more is exposed as this many."""

_Seen = tuple[object, ...]


class _Check(msgspec.Struct, frozen=True):
    """What a check found, as its decision keeps it."""

    evidence: CheckEvidence
    triggers: tuple[TriggerResult, ...] = ()


class StoreCollector(Collector):
    """Collects the gauges of the models of a system.

    Parameters
    ----------
    system
        Whose store is read; ``None`` while none is open.
    top
        How many features' drift scores are exposed for each model and window.
    """

    def __init__(self, system: System | None, *, top: int = TOP) -> None:
        self._system = system
        self._top = top
        self._cache: dict[str, tuple[_Seen, Decision | None, _Check | None]] = {}

    def watch(self, system: System | None) -> None:
        """Read this system from now on."""
        self._system, self._cache = system, {}

    @override
    def collect(self) -> Iterable[Metric]:
        """Return the metrics; without a store that can be read, only that it cannot be."""
        found = {family.name: GaugeMetricFamily(family.name, family.help, labels=family.labels) for family in STORE}
        found["vernal_build_info"].add_metric([version("vernal")], 1)
        up = self._system is not None
        try:
            if self._system is not None:
                self._collect(self._system, found)
        except (VernalError, OSError):
            up = False
            found = {name: found[name] for name in ("vernal_build_info", "vernal_store_up")}
        found["vernal_store_up"].add_metric([], int(up))
        return [family for family in found.values() if family.samples]

    def _collect(self, system: System, found: dict[str, GaugeMetricFamily]) -> None:
        states = {state.model: state for state in system.store.models()}
        for name, spec in system.project.models.items():
            if name in states:
                self._add_model(system, spec, states[name], found)
        self._add_runs(system, found)
        self._add_money(system, found)
        _add_outbox(system, found)

    def _add_model(
        self, system: System, spec: ModelSpec, state: ModelState, found: dict[str, GaugeMetricFamily]
    ) -> None:
        model = spec.model
        found["vernal_check_next_timestamp_seconds"].add_metric([model], state.next_check_at.timestamp())
        share = 0.0 if state.route is None or state.route.challenger is None else state.route.share
        found["vernal_rollout_share_ratio"].add_metric([model], share)
        if (champion := state.champion) is not None:
            since = champion.since.timestamp()
            found["vernal_champion_since_timestamp_seconds"].add_metric([model, champion.version], since)
        for statistic, limit in _thresholds(spec.triggers.drift):
            found["vernal_drift_threshold"].add_metric([model, statistic], limit)
        threshold = None if spec.triggers.performance is None else spec.triggers.performance.threshold
        if threshold is not None:
            found["vernal_live_metric_threshold"].add_metric([model, str(spec.metric)], threshold)
        last, check = self._last(system, state)
        if last is not None:
            found["vernal_check_last_timestamp_seconds"].add_metric([model], last.at.timestamp())
            for outcome in OUTCOMES:
                found["vernal_check_last_outcome"].add_metric([model, outcome], int(outcome == last.outcome))
        if check is not None:
            self._add_check(spec, check, found)

    def _last(self, system: System, state: ModelState) -> tuple[Decision | None, _Check | None]:
        """Return the last check, and what the last one found that measured; read again only after another check."""
        seen: _Seen = (state.fence, state.next_check_at)
        cached = self._cache.get(state.model)
        if cached is not None and cached[0] == seen:
            return cached[1], cached[2]
        checks = system.store.decisions(state.model, kind="check", limit=1)
        if checks and checks[-1].evidence is None:
            checks = system.store.decisions(state.model, kind="check", limit=_RECENT)
        measured = next((check for check in reversed(checks) if check.evidence is not None), None)
        last = checks[-1] if checks else None
        check = None if measured is None else msgspec.convert(measured.evidence, _Check)
        self._cache[state.model] = (seen, last, check)
        return last, check

    def _add_check(self, spec: ModelSpec, check: _Check, found: dict[str, GaugeMetricFamily]) -> None:
        model, evidence = spec.model, check.evidence
        for trigger in check.triggers:
            found["vernal_trigger_fired"].add_metric([model, trigger.kind], int(trigger.fired))
            found["vernal_trigger_sufficient"].add_metric([model, trigger.kind], int(trigger.sufficient))
        found["vernal_labels_new"].add_metric([model], evidence.new_labels)
        if (performance := evidence.performance) is not None:
            measure, labels = performance.measure, [model, performance.measure.metric]
            for suffix, value in (("", measure.value), ("_lower", measure.lower), ("_upper", measure.upper)):
                if value is not None:
                    found[f"vernal_live_metric{suffix}"].add_metric(labels, value)
            found["vernal_live_metric_rows"].add_metric([model], measure.rows)
            found["vernal_labels_waiting"].add_metric([model], max(performance.issued - performance.labelled, 0))
            if performance.coverage is not None:
                found["vernal_label_coverage_ratio"].add_metric([model], performance.coverage)
        for drift in (evidence.short_drift, evidence.drift):
            if drift is not None:
                self._add_drift(spec, drift, found)

    def _add_drift(self, spec: ModelSpec, drift: DriftEvidence, found: dict[str, GaugeMetricFamily]) -> None:
        model, window = spec.model, format_duration(drift.window_end - drift.window_start)
        limits = dict(_thresholds(spec.triggers.drift))
        found["vernal_drift_window_rows"].add_metric([model, window], drift.rows)
        scored = [one for one in drift.features if one.score is not None]
        for statistic, same in groupby(sorted(scored, key=attrgetter("statistic")), key=attrgetter("statistic")):
            highest = max(_score(one) for one in same)
            found["vernal_drift_score_max"].add_metric([model, statistic, window], highest)
        closest = sorted(scored, key=lambda one: (-_score(one) / limits.get(one.statistic, 1.0), one.feature))
        for one in closest[: self._top]:
            found["vernal_drift_score"].add_metric([model, one.feature, one.statistic, window], _score(one))

    def _add_runs(self, system: System, found: dict[str, GaugeMetricFamily]) -> None:
        known = system.project.models
        for run in system.store.runs(open_only=True):
            if run.model in known:
                found["vernal_run_phase"].add_metric([run.model, str(run.phase)], 1)
                since = run.phase_since.timestamp()
                found["vernal_run_phase_since_timestamp_seconds"].add_metric([run.model], since)
        waiting = [approval.model for approval in system.store.pending_approvals()]
        for model in known:
            found["vernal_approvals_pending"].add_metric([model], waiting.count(model))

    def _add_money(self, system: System, found: dict[str, GaugeMetricFamily]) -> None:
        start, end = month_of(system.clock.now())
        found["vernal_project_budget_spent_usd"].add_metric([], _spent(system, None, start, end))
        found["vernal_project_budget_limit_usd"].add_metric([], float(system.project.spec.budget.monthly_usd))
        for model, spec in system.project.models.items():
            if spec.budget.monthly_usd is not None:
                found["vernal_budget_spent_usd"].add_metric([model], _spent(system, model, start, end))
                found["vernal_budget_limit_usd"].add_metric([model], float(spec.budget.monthly_usd))


def _add_outbox(system: System, found: dict[str, GaugeMetricFamily]) -> None:
    unrouted = system.store.unrouted_messages(limit=_MOST_COUNTED)
    found["vernal_outbox_unrouted"].add_metric([], len(unrouted))
    waiting = system.store.deliveries(statuses=(DeliveryStatus.WAITING,), limit=_MOST_COUNTED)
    channels = [delivery.channel for delivery in waiting]
    for channel in sorted(set(channels)):
        found["vernal_outbox_waiting"].add_metric([channel], channels.count(channel))


def _spent(system: System, model: str | None, start: datetime, end: datetime) -> float:
    return float(system.store.spent(model, since=start, until=end))


def _score(one: FeatureDrift) -> float:
    return one.score or 0.0


def _thresholds(spec: DriftTrigger | None) -> Iterator[tuple[str, float]]:
    if spec is not None:
        yield "psi", spec.psi
        yield "js", spec.js


__all__ = ["StoreCollector"]
