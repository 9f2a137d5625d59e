"""``vernal schema``: what editors need to complete and check the files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from vernal.cli.options import AsJson
from vernal.cli.output import Output


class File(StrEnum):
    """The kinds of files that people write."""

    PROJECT = "project"
    MODEL = "model"


def schema(
    file: Annotated[File, typer.Argument(metavar="[project|model]", help="Which file to describe.")] = File.MODEL,
    as_json: AsJson = True,  # noqa: ARG001 - accepted like everywhere; a schema is JSON in any case
) -> None:
    """Print the JSON Schema of vernal.yaml (project) or of a model's file (model)."""
    from vernal.spec import json_schema

    Output(as_json=True).document(json_schema("project" if file is File.PROJECT else "model"))
