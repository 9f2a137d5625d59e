"""``vernal up``: the controller as a service."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from vernal.cli.options import AsJson, DriftFeatures, Models, ProjectFolder
from vernal.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from vernal.adapters.telemetry.endpoints import Endpoints
    from vernal.cli.controller import Notice

LONGEST_SECONDS = 60.0
"""Longest time between two looks: what people ask for (a run, an approval) is noticed within it."""

WORKERS = 2
GRACE_SECONDS = 25.0
"""Below the 30 seconds after which Kubernetes kills what it has asked to stop."""

STEP_SECONDS = 900.0
LISTEN = "127.0.0.1:9464"
OFF = "off"
TOKEN = "VERNAL_METRICS_TOKEN"  # noqa: S105 - the name of an environment variable


class Stop:
    """Notices the first SIGTERM or SIGINT; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before = {number: signal.signal(number, self._notice) for number in (signal.SIGTERM, signal.SIGINT)}

    def _notice(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self.restore()

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _address(text: str | None) -> str | None:
    from vernal.bootstrap import refuse_address

    if text not in {None, OFF}:
        try:
            refuse_address(text)
        except ValueError as error:
            message = f"{error}, or `{OFF}`"
            raise typer.BadParameter(message) from None
    return text


def up(  # noqa: PLR0913, PLR0917 - the options of a verb
    models: Models = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
    workers: Annotated[
        int,
        typer.Option("--workers", metavar="N", min=1, max=64, help="Steps done at the same time, each in a process."),
    ] = WORKERS,
    longest: Annotated[
        float, typer.Option("--longest-sleep", metavar="SECONDS", min=0.2, help="Longest time between two looks.")
    ] = LONGEST_SECONDS,
    step_limit: Annotated[
        float,
        typer.Option("--step-limit", metavar="SECONDS", min=1, help="A step that takes longer hangs: it is ended."),
    ] = STEP_SECONDS,
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", min=0, help="Longest wait for steps at hand when it stops.")
    ] = GRACE_SECONDS,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            callback=_address,
            show_default=LISTEN,
            help="Where /healthz, /readyz and /metrics answer; `off` for nowhere.",
        ),
    ] = None,
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="Answer /metrics without a token also when not on loopback.")
    ] = False,
    drift_features: DriftFeatures = None,
) -> None:
    """Run the controller until SIGTERM or Ctrl-C, one line per event.

    Each model is looked at on its own cadence by one of a few worker processes, so that a slow one does not hold up
    the others. When asked to stop it finishes the steps at hand; training jobs go on and are picked up again. Changed
    project or model files are read again when they are valid. Several controllers may run on one store.
    """
    from vernal import bootstrap
    from vernal.act.health import Health
    from vernal.cli.controller import Controller, Limits

    output = Output(as_json=as_json)
    health, metrics = Health(), bootstrap.open_metrics(drift_features=drift_features)
    stop = Stop()
    endpoints = None
    try:
        serve = partial(
            bootstrap.open_endpoints,
            health=health,
            metrics=metrics,
            token=os.environ.get(TOKEN) or None,
            open_metrics=open_metrics,
        )
        endpoints, notice = _listen(serve, listen)
        limits = Limits(workers, step_limit, grace, timedelta(seconds=longest))
        Controller(output, health, metrics, stop, limits).run(project, models, notice=notice)
    finally:
        if endpoints is not None:
            endpoints.close()
        stop.restore()


def _listen(serve: Callable[[str], Endpoints], asked: str | None) -> tuple[Endpoints | None, Notice | None]:
    """Listen; the default address may be taken by another controller, one that was asked for may not."""
    from vernal.errors import ProjectError

    if asked == OFF:
        return None, None
    try:
        endpoints = serve(asked or LISTEN)
    except ProjectError as error:
        if asked is not None:
            raise
        return None, ({"event": "error", "message": error.message}, f"error: {error.message}; going on without")
    address = str(endpoints.address)
    return endpoints, ({"event": "listening", "address": address}, f"listening on {address}")
