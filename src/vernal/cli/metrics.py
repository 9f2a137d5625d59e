"""``vernal metrics``: what the store says, for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vernal.cli.options import AsJson, DriftFeatures, ProjectFolder
from vernal.cli.output import Output


def metrics(
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", dir_okay=False, help="Replace this file instead of printing."),
    ] = None,
    drift_features: DriftFeatures = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Print what the store says of every model in Prometheus' text format; nothing is measured again.

    With `--file` it is for node_exporter's textfile collector, where no controller runs that could be scraped.
    """
    from vernal.bootstrap import open_system, store_metrics

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        found = store_metrics(system, drift_features=drift_features)
        if file is not None:
            found.write(file)
        output.document({"metrics": found.samples()})
        if file is None:
            output.line(found.page().decode().removesuffix("\n"))
