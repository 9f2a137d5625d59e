"""The only place that chooses adapters."""

from __future__ import annotations

import json
import os
import socket
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from vernal.act.system import System
from vernal.adapters.telemetry.endpoints import Endpoints, Page, parse_address
from vernal.clock import Clock, SystemClock
from vernal.decide.cadence import SPREAD
from vernal.spec import load_project
from vernal.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vernal.act.events import EventQueue
    from vernal.act.health import Answer, Health
    from vernal.act.serve import Server
    from vernal.adapters.sources.table import Table
    from vernal.adapters.telemetry.metrics import ControllerMetrics, StoreMetrics
    from vernal.ports import CostSource, EventSink, Lake, Notifier
    from vernal.spec import Project


@contextmanager
def open_system(
    start: Path | None = None,
    *,
    clock: Clock | None = None,
    costs: CostSource | None = None,
    patience_seconds: float | None = None,
    read_only: bool = False,
    project: Project | None = None,
    owner: str | None = None,
) -> Iterator[System]:
    """Open the project in or above a folder with the adapters that its files ask for.

    Parameters
    ----------
    start
        Where to look for ``vernal.yaml``; the current folder by default.
    clock, costs
        Domain time and what runs cost; wall-clock time and metered cost by default. A replay brings its own; with a
        clock that was handed in, nobody but the project's notifications file is told of anything.
    patience_seconds
        How long a tick follows a training job; ``None`` to its end.
    read_only
        Only look: an empty store in memory stands in for a state file that does not exist yet, and none is made.
    project, owner
        A project that is loaded already, and the name that leases are held under: for the workers of a service.
    """
    from vernal.adapters.costs import MeteredCost
    from vernal.adapters.datasets import LocalDatasets
    from vernal.adapters.notify import FileNotifier
    from vernal.adapters.registry import MlflowRegistry
    from vernal.adapters.state import open_store
    from vernal.adapters.trainer import SubprocessTrainer

    project = project or load_project(start or Path.cwd())
    state_url = "sqlite://" if read_only and _is_missing(project.state_url) else project.state_url
    with ExitStack() as opened:
        opened.enter_context(_traces())
        store = open_store(state_url, project=project.spec.project)
        opened.callback(store.close)
        yield System(
            project=project,
            clock=clock or SystemClock(),
            store=store,
            lake=_lake(project),
            datasets=LocalDatasets(project.home / "datasets"),
            registry=MlflowRegistry(project.registry_uri, artifact_root=project.artefacts_path),
            trainer=SubprocessTrainer(project.jobs_path),
            costs=costs or MeteredCost(project.spec.rates),
            notifier=FileNotifier(project.notifications_path),
            targets=_targets(project) if clock is None else {},
            sinks=_sinks(project) if clock is None else {},
            owner=owner or f"{socket.gethostname()}:{os.getpid()}",
            patience_seconds=patience_seconds,
            spread=SPREAD if clock is None else 0.0,
        )


@contextmanager
def _traces() -> Iterator[None]:
    from vernal.adapters.telemetry.traces import open_tracer

    tracer = open_tracer()
    try:
        with traced(tracer):
            yield
    finally:
        if tracer is not None:
            tracer.close()


@contextmanager
def open_worker(project: Project, owner: str) -> Iterator[System]:
    """Open a project in a worker process of a service, whose log lines go where the service's go."""
    from vernal.adapters.telemetry.logs import configure

    configure()
    with open_system(project=project, owner=owner, patience_seconds=0.0) as system:
        yield system


@contextmanager
def open_events(consumer: str, start: Path | None = None) -> Iterator[EventQueue]:
    """Open the queue of events of the project in or above a folder, for a consumer of this name.

    Parameters
    ----------
    consumer
        Name under which it is remembered how far the consumer is.
    start
        Where to look for ``vernal.yaml``; the current folder by default.
    """
    from vernal.act.events import EventQueue
    from vernal.adapters.state import open_store

    project = load_project(start or Path.cwd())
    store = open_store(project.state_url, project=project.spec.project)
    try:
        yield EventQueue(store, consumer, source=project.event_source)
    finally:
        store.close()


def _lake(project: Project) -> Lake:
    """Return the embedded lake, or the user's own tables in its place where model files name some."""
    from vernal.adapters.lake import DeltaLake

    embedded = DeltaLake(project.lake_path, inbox_path=project.inbox_path)
    if not any(project.source(name).tables for name in project.models):
        return embedded
    from vernal.adapters.sources import SourcedLake, open_sources

    return SourcedLake(embedded, open_sources(project))


def open_tables(start: Path | None = None) -> tuple[Project, dict[tuple[str, str], Table]]:
    """Return the project in or above a folder and the user's own tables that it reads, by model and kind."""
    from vernal.adapters.sources import open_sources

    project = load_project(start or Path.cwd())
    return project, open_sources(project)


def _targets(project: Project) -> dict[str, Notifier]:
    from vernal.adapters.notify import AppriseNotifier

    return {
        target.name: AppriseNotifier(target, project=project.name, root=project.root)
        for target in project.spec.notifications.targets
    }


def _sinks(project: Project) -> dict[str, EventSink]:
    from vernal.adapters.events import KafkaSink, WebhookSink

    events, source, root = project.spec.events, project.event_source, project.root
    sinks: dict[str, EventSink] = {
        webhook.name: WebhookSink(webhook, source=source, root=root) for webhook in events.webhooks
    }
    return sinks | {kafka.name: KafkaSink(kafka, source=source, root=root) for kafka in events.kafka}


def _is_missing(state_url: str) -> bool:
    scheme, separator, rest = state_url.partition(":///")
    return bool(separator) and scheme.startswith("sqlite") and not Path(rest.partition("?")[0]).exists()


def open_server(system: System, model: str) -> Server:
    """Return a server of one of the project's models: the user's feature function and the registry's versions."""
    from vernal.act.serve import Server
    from vernal.adapters.models import load_predictor
    from vernal.adapters.user_code import load_features

    spec = system.project.models[model]
    features = load_features(system.project.code_path(model))
    return Server(spec, features=features, registry=system.registry, loader=load_predictor)


def refuse_address(text: str) -> None:
    """Raise :class:`ValueError` for what :func:`open_endpoints` could not listen on: anything but ``HOST:PORT``."""
    parse_address(text)


def open_metrics(*, drift_features: int | None = None) -> ControllerMetrics:
    """Return the metrics of a controller, with so many drift scores of each model and window, or the usual number."""
    from vernal.adapters.telemetry.families import TOP
    from vernal.adapters.telemetry.metrics import ControllerMetrics

    return ControllerMetrics(top=TOP if drift_features is None else drift_features)


def store_metrics(system: System, *, drift_features: int | None = None) -> StoreMetrics:
    """Return the metrics that the store of a system tells, the same as any controller of it does."""
    from vernal.adapters.telemetry.families import TOP
    from vernal.adapters.telemetry.metrics import StoreMetrics

    return StoreMetrics(system, top=TOP if drift_features is None else drift_features)


def open_endpoints(
    address: str, health: Health, metrics: ControllerMetrics, *, token: str | None = None, open_metrics: bool = False
) -> Endpoints:
    """Answer ``/healthz`` and ``/readyz`` (503 when something is wrong) and ``/metrics`` on an address.

    Parameters
    ----------
    address
        ``HOST:PORT``; port 0 takes a free one.
    health, metrics
        What is answered.
    token
        Bearer token that ``/metrics`` asks for. Without one, ``/metrics`` is answered on loopback alone.
    open_metrics
        Answer ``/metrics`` without a token everywhere.

    Raises
    ------
    ProjectError
        If the address cannot be listened on.
    """
    from vernal.adapters.telemetry.metrics import CONTENT_TYPE

    where = parse_address(address)
    is_open = token is None and (where.is_loopback or open_metrics)
    pages = {
        "/healthz": lambda: _answer(health.alive()),
        "/readyz": lambda: _answer(health.ready()),
        "/metrics": lambda: Page(metrics.page(), CONTENT_TYPE),
    }
    return Endpoints(where, pages, token=token, guarded=frozenset() if is_open else frozenset({"/metrics"}))


def _answer(answer: Answer) -> Page:
    body = json.dumps(answer.facts, indent=2).encode() + b"\n"
    return Page(body, status=HTTPStatus.OK if answer.well else HTTPStatus.SERVICE_UNAVAILABLE)


__all__ = [
    "open_endpoints",
    "open_metrics",
    "open_server",
    "open_system",
    "open_tables",
    "open_worker",
    "refuse_address",
    "store_metrics",
]
