"""The program ``vernal``: its verbs, and the options before the verb.

Nothing heavy is imported here nor at the top of a verb's module: ``vernal --help`` has to start at once.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from vernal import __version__
from vernal.adapters.telemetry.logs import configure
from vernal.cli.approvals import approvals, approve, reject
from vernal.cli.check import check
from vernal.cli.compare import compare
from vernal.cli.demo import demo
from vernal.cli.events import events
from vernal.cli.ingest import ingest
from vernal.cli.init import init
from vernal.cli.labels import labels
from vernal.cli.metrics import metrics
from vernal.cli.notify import notify
from vernal.cli.outbox import outbox
from vernal.cli.quarantine import quarantine
from vernal.cli.reporting import set_debug, verb
from vernal.cli.retrain import retrain
from vernal.cli.rollout import rollback, rollout
from vernal.cli.runs import runs
from vernal.cli.schema import schema
from vernal.cli.shadow import shadow
from vernal.cli.source import source
from vernal.cli.status import status
from vernal.cli.tick import tick
from vernal.cli.up import up
from vernal.cli.why import why

VERBS = {
    "Start": (init, demo, schema),
    "Look, changing nothing": (check, why, shadow, status, runs, rollout, approvals, source, compare, metrics, events),
    "Let Vernal work": (tick, up, ingest, outbox),
    "Decide yourself": (retrain, approve, reject, rollback),
}

FAMILIES = {"Let Vernal work": {"quarantine": quarantine, "labels": labels, "notify": notify}}
"""Nouns with verbs below them, by the panel of the help that they stand in."""

app = typer.Typer(
    name="vernal",
    help="Keeps deployed machine-learning models fresh.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _panel, _verbs in VERBS.items():
    for _verb in _verbs:
        app.command(rich_help_panel=_panel)(verb(_verb))
for _panel, _families in FAMILIES.items():
    for _name, _family in _families.items():
        app.add_typer(_family, name=_name, rich_help_panel=_panel)


class LogFormat(StrEnum):
    """How a log line reads."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """How much a log line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vernal {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="VERNAL_DEBUG", help="Show the traceback of whatever goes wrong.")
    ] = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", envvar="VERNAL_LOG_FORMAT", help="How log lines are written to standard error."),
    ] = None,
    log_level: Annotated[
        LogLevel | None,
        typer.Option("--log-level", envvar="VERNAL_LOG_LEVEL", help="From which level on log lines are written."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep deployed machine-learning models fresh."""
    set_debug(debug)
    configure(style=log_format, level=log_level)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 called wrongly."""
    app()
