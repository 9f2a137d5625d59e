"""What a test of the command line is handed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from typer.testing import Result

Vernal = Callable[..., Result]
"""Runs the words of a command line in this process."""


def document(result: Result) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what a command line printed, which must be JSON and nothing else."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def error_of(result: Result) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return the error that a command line ended with, which must be JSON and alone."""
    assert (result.exit_code, result.stdout) == (1, "")
    return json.loads(result.stderr)["error"]
