"""``vernal schema``: what editors need to complete and check the files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from vernal.cli.options import AsJson
from vernal.cli.output import Output


class File(StrEnum):
    """The kinds of files that people write, and of events that machines read."""

    PROJECT = "project"
    MODEL = "model"
    EVENT = "event"


def schema(
    file: Annotated[File, typer.Argument(metavar="[project|model|event]", help="What to describe.")] = File.MODEL,
    as_json: AsJson = True,  # noqa: ARG001 - accepted like everywhere; a schema is JSON in any case
) -> None:
    """Print the JSON Schema of vernal.yaml (project), of a model's file (model) or of the events that leave (event)."""
    from vernal.decide.events import schema as event_schema
    from vernal.spec import json_schema

    if file is File.EVENT:
        Output(as_json=True).document(event_schema())
        return
    Output(as_json=True).document(json_schema("project" if file is File.PROJECT else "model"))
