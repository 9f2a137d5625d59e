"""Log lines: what they carry, how they are filtered, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vernal.adapters.telemetry import logs
from vernal.tracing import span

log = logging.getLogger("vernal.test")
Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put everything back that configuring changes."""
    for name in (logs.FORMAT, logs.LEVEL):
        monkeypatch.setenv(name, "")
    root, own = logging.getLogger(), logging.getLogger("vernal")
    handlers, level = list(root.handlers), own.level
    yield
    root.handlers[:] = handlers
    own.setLevel(level)


def configured(**options: str) -> Lines:
    stream = io.StringIO()
    logs.configure(stream=stream, **options)
    return lambda: stream.getvalue().splitlines()


def test_a_line_is_one_json_object_with_what_it_is_about() -> None:
    lines = configured(style="json", level="info")
    with span("check", model="fraud", run="fraud-7"):
        log.info("check %s", "healthy", extra={"outcome": "healthy", "seconds": 0.2})
    [line] = lines()
    found: dict[str, Any] = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "vernal.test",
        "message": "check healthy",
        "model": "fraud",
        "run": "fraud-7",
        "outcome": "healthy",
        "seconds": 0.2,
    }


def test_text_carries_the_same_on_one_line() -> None:
    lines = configured(style="text", level="info")
    with span("check", model="fraud"):
        log.info("two\nlines", extra={"outcome": "healthy"})
    [line] = lines()
    assert line.endswith(" INFO    two lines model=fraud outcome=healthy")


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_left_out(level: str, told: list[str]) -> None:
    lines = configured(style="json", level=level)
    for word in ("debug", "info", "warning", "error"):
        getattr(log, word)(word)
    assert [json.loads(line)["message"] for line in lines()] == told


def test_libraries_are_heard_from_warnings_on() -> None:
    lines = configured(style="json", level="debug")
    other = logging.getLogger("somebody")
    other.setLevel(logging.DEBUG)
    other.info("chatter")
    other.warning("careful")
    assert [json.loads(line)["message"] for line in lines()] == ["careful"]


def test_an_exception_stays_on_the_line_of_its_event() -> None:
    lines = configured(style="json")
    try:
        raise ValueError("no rows")  # noqa: TRY301 - it is the exception's traceback that is logged
    except ValueError:
        log.exception("failed")
    [line] = lines()
    assert json.loads(line)["exception"].endswith("ValueError: no rows")


@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://vernal:hunter2@db/vernal is away",
        "Authorization: Bearer hunter2",
        "got {'password': 'hunter2'}",
        "https://hooks.example.org/?token=hunter2&x=1",
        "api_key=hunter2",
    ],
)
def test_no_secret_is_written(style: str, text: str) -> None:
    lines = configured(style=style)
    log.error(text, extra={"detail": text})
    try:
        raise ValueError(text)  # noqa: TRY301 - as above
    except ValueError:
        log.exception("failed: %s", text)
    assert "hunter2" not in "".join(lines())
    assert "***" in "".join(lines())


def test_the_environment_says_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.FORMAT, "json")
    monkeypatch.setenv(logs.LEVEL, "info")
    lines = configured()
    log.info("told")
    assert json.loads(lines()[0])["message"] == "told"


def test_configuring_again_replaces_what_was_configured() -> None:
    first = configured(style="text")
    second = configured(style="text")
    log.error("once")
    assert (len(first()), len(second())) == (0, 1)
