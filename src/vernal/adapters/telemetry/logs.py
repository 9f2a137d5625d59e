"""Log lines: one event per line, as text or JSON, with what they are about and without passwords."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from vernal.tracing import context

if TYPE_CHECKING:
    from typing import TextIO

FORMAT: Final = "VERNAL_LOG_FORMAT"
LEVEL: Final = "VERNAL_LOG_LEVEL"

_PASSWORD: Final = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)", re.IGNORECASE)
_TOKEN: Final = re.compile(
    r"(?P<before>\b(?:authorization|password|passwd|secret|token|api[_-]?key)\b['\"]?\s*[:=]\s*(?:bearer\s+)?['\"]?)"
    r"[^\s'\",;&]+",
    re.IGNORECASE,
)
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(*, style: str | None = None, level: str | None = None, stream: TextIO | None = None) -> None:
    """Send log lines to standard error: Vernal's own from a level on, those of libraries if they are warnings as well.

    Parameters
    ----------
    style, level
        ``text`` or ``json``; ``debug``, ``info``, ``warning`` or ``error``. What is not given is what the environment
        variables say, else text and errors. Processes that are started from here find the same in their environment.
    stream
        Where to write instead.
    """
    style = os.environ[FORMAT] = style or os.environ.get(FORMAT) or "text"
    level = os.environ[LEVEL] = level or os.environ.get(LEVEL) or "error"
    handler = logging.StreamHandler(stream) if stream is not None else _Stderr()
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, (JsonLines, TextLines))]:
        root.removeHandler(old)
    own = logging.getLevelNamesMapping()[level.upper()]
    handler.addFilter(_Threshold(own))
    root.addHandler(handler)
    logging.getLogger("vernal").setLevel(min(own, logging.WARNING))


def without_secrets(text: str) -> str:
    """Return text with the passwords of URLs, and the values of what is named like a secret, struck out.

    Examples
    --------
    >>> without_secrets("cannot reach postgresql://vernal:hunter2@db.example.org/vernal, password=hunter2")
    'cannot reach postgresql://vernal:***@db.example.org/vernal, password=***'
    """
    return _TOKEN.sub(r"\g<before>***", _PASSWORD.sub(r"\g<before>***", text))


class _Threshold(logging.Filter):
    """Lets through what matters enough; a library that sets its own level low is no reason to hear it."""

    def __init__(self, own: int) -> None:
        super().__init__()
        self._own = own

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.name.partition(".")[0] == "vernal"
        return record.levelno >= (self._own if ours else max(self._own, logging.WARNING))


class _Stderr(logging.StreamHandler["TextIO"]):
    """Writes to whatever standard error is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    @override
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, message, what it is about, and the facts given as ``extra``."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
            **context(),
            **{key: _plain(value) for key, value in vars(record).items() if key not in _OWN},
        }
        if record.exc_info:
            found["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(found, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """Time, level, what it is about, message and facts, on one line; a traceback follows on lines of its own."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        facts = {**context(), **{key: _plain(value) for key, value in vars(record).items() if key not in _OWN}}
        words = [_moment(record), f"{record.levelname:<7}", " ".join(without_secrets(record.getMessage()).split())]
        words += [f"{key}={value}" for key, value in facts.items()]
        line = " ".join(words)
        if record.exc_info:
            line = f"{line}\n{without_secrets(self.formatException(record.exc_info))}"
        return line


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    return without_secrets(value) if isinstance(value, str) else value


__all__ = ["JsonLines", "TextLines", "configure", "without_secrets"]
