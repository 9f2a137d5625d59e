"""Errors as people and scripts see them: a message and a hint on stderr, and an exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec

import typer

from vernal.cli.text import clean
from vernal.errors import SpecError, VernalError

FAILED = 1
"""Exit status when something went wrong; a command line that cannot be understood ends with 2."""

_debug = ContextVar("debug", default=False)

_P = ParamSpec("_P")


def set_debug(on: bool) -> None:
    """Let errors through with their traceback."""
    _debug.set(on)


def verb(function: Callable[_P, None]) -> Callable[_P, None]:
    """Report what goes wrong in a verb, in the form that its ``--json`` asks for."""

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with reported(as_json=bool(kwargs.get("as_json"))):
            function(*args, **kwargs)

    return run


@contextmanager
def reported(*, as_json: bool) -> Iterator[None]:
    """Turn an exception into a message on stderr and exit status 1."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        if _debug.get():
            raise
        print(_as_json(error) if as_json else _as_text(error), file=sys.stderr)
        raise typer.Exit(FAILED) from None


def described(error: Exception) -> dict[str, Any]:
    """Return an error as JSON-compatible builtins."""
    message, hint = _message_and_hint(error)
    found: dict[str, Any] = {"kind": type(error).__name__, "message": message, "hint": hint}
    if isinstance(error, SpecError):
        found["problems"] = [problem._asdict() for problem in error.problems]
    return found


def _as_json(error: Exception) -> str:
    return json.dumps({"error": described(error)}, indent=2, ensure_ascii=False)


def _as_text(error: Exception) -> str:
    message, hint = _message_and_hint(error)
    return clean(f"Error: {message}\nHint: {hint}" if hint else f"Error: {message}")


def _message_and_hint(error: Exception) -> tuple[str, str | None]:
    if isinstance(error, VernalError):
        return error.message, error.hint
    if isinstance(error, OSError):
        return str(error), None
    hint = "This is a fault of Vernal itself. `vernal --debug ...` shows where; please report it."
    return f"{type(error).__name__}: {error}", hint
