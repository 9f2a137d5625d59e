"""The options that verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines; errors too, to stderr.")]

ProjectFolder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="The project's folder. By default the closest folder, from here upwards, with a vernal.yaml.",
    ),
]

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model of the project.")]

Models = Annotated[
    list[str] | None, typer.Argument(metavar="[MODEL]...", help="Names of models; by default all of the project.")
]

DriftFeatures = Annotated[
    int | None,
    typer.Option(
        "--drift-features",
        metavar="N",
        min=0,
        show_default="5",
        help="Features of each model and window whose drift score is a metric: those closest to their threshold.",
    ),
]
