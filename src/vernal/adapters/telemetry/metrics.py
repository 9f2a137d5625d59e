"""The metrics of a controller: what the store says, and what this process has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from vernal.adapters.telemetry.collector import StoreCollector
from vernal.adapters.telemetry.families import PROCESS, TOP
from vernal.records import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from vernal.act.crew import Crew
    from vernal.act.service import Step
    from vernal.act.system import System
    from vernal.records import Decision

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)


class ControllerMetrics:
    """Counts what a service tells, and exposes it beside what the store says.

    Parameters
    ----------
    top
        How many features' drift scores are exposed for each model and window.
    """

    def __init__(self, *, top: int = TOP) -> None:
        self._registry = CollectorRegistry()
        self._store = StoreCollector(None, top=top)
        self._registry.register(self._store)
        ProcessCollector(registry=self._registry)
        self._crew: Crew | None = None
        self._made: dict[str, Any] = {family.name: self._make(*family[:4]) for family in PROCESS}
        self._made["vernal_workers_busy"].set_function(self._busy)
        self._made["vernal_workers_limit"].set_function(self._limit)

    def watch(self, system: System | None, crew: Crew | None = None) -> None:
        """Expose this system from now on."""
        self._store.watch(system)
        self._crew = crew

    def note(self, step: Step) -> None:
        """Count what a step did."""
        held, report = step.job.held, step.report
        kind = "delivery" if held is None else "run" if isinstance(held, Run) else "check"
        if kind != "delivery":
            name = "vernal_check_duration_seconds" if kind == "check" else "vernal_run_step_duration_seconds"
            self._made[name].observe(step.seconds)
        self._made["vernal_errors"].labels(kind).inc(len(report.errors))
        self._made["vernal_lease_takeovers"].labels(kind).inc(report.taken_over)
        self._made["vernal_steps_lost"].labels(kind).inc(int(step.lost))
        self._made["vernal_steps_repeated"].labels(kind).inc(int(held is not None and held.attempt > 1))
        self._made["vernal_alerts_sent"].inc(report.sent)
        for run in report.steps:
            self._made["vernal_run_steps"].labels(run.model, str(run.phase)).inc()
        for check in report.checks:
            self._note_check(check)

    def page(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)

    def _busy(self) -> float:
        return 0 if self._crew is None else len(self._crew.in_hand)

    def _limit(self) -> float:
        return 0 if self._crew is None else self._crew.size

    def _note_check(self, check: Decision) -> None:
        self._made["vernal_checks"].labels(check.model, check.outcome).inc()
        found: Mapping[str, Any] = check.evidence or {}
        evidence = found.get("evidence", {})
        self._made["vernal_rows_profiled"].labels(check.model).inc(evidence.get("new_rows", 0))
        self._made["vernal_rows_quarantined"].labels(check.model).inc(evidence.get("quarantined", 0))
        for trigger in found.get("triggers", ()):
            if trigger["fired"]:
                self._made["vernal_triggers_fired"].labels(check.model, trigger["kind"]).inc()
                if check.outcome == "suppressed":
                    self._made["vernal_triggers_suppressed"].labels(check.model, trigger["kind"]).inc()

    def _make(self, name: str, kind: str, labels: tuple[str, ...], text: str) -> Counter | Gauge | Histogram:
        if kind == "histogram":
            return Histogram(name, text, labels, registry=self._registry, buckets=_SECONDS)
        make: Callable[..., Counter | Gauge] = Counter if kind == "counter" else Gauge
        return make(name, text, labels, registry=self._registry)


class StoreMetrics:
    """What the store of a system says, for who has no controller to ask.

    Parameters
    ----------
    system
        Whose store is read.
    top
        How many features' drift scores are exposed for each model and window.
    """

    def __init__(self, system: System, *, top: int = TOP) -> None:
        self._collector = StoreCollector(system, top=top)

    def page(self) -> bytes:
        """Return the metrics in the text format."""
        registry = CollectorRegistry()
        registry.register(self._collector)
        return generate_latest(registry)

    def samples(self) -> list[dict[str, Any]]:
        """Return the metrics as JSON-compatible builtins, one object per sample."""
        return [
            {"name": sample.name, "labels": sample.labels, "value": sample.value}
            for family in self._collector.collect()
            for sample in family.samples
        ]

    def write(self, path: Path) -> None:
        """Replace a file in one go, so that a reader such as node_exporter's textfile collector never sees a part."""
        aside = path.with_name(f".{path.name}.aside")
        aside.write_bytes(self.page())
        aside.chmod(0o644)
        aside.rename(path)


__all__ = ["CONTENT_TYPE", "ControllerMetrics", "StoreMetrics"]
