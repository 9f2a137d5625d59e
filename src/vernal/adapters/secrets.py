"""Secrets, read from where the project's files say they are, whenever they are used."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from typing_extensions import override

from vernal.errors import VernalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vernal.spec import SecretSpec


def read_secret(secret: SecretSpec, *, root: Path, what: str) -> str:
    """Return a secret, without white space around it.

    Parameters
    ----------
    secret
        Where it is.
    root
        Folder that a relative path starts from.
    what
        What it is, for the error.

    Raises
    ------
    VernalError
        If it is not there, or empty.
    """
    if secret.env is not None:
        found = os.environ.get(secret.env, "")
        hint = f"Set {secret.env} for the process that runs Vernal."
    else:
        path = root / (secret.file or "")
        hint = "Write it into the file, or name another one."
        try:
            found = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise VernalError(f"{what}: {secret.where} cannot be read: {reason}", hint=hint) from None
    if not found.strip():
        raise VernalError(f"{what}: found nothing in {secret.where}, expected it there", hint=hint)
    return found.strip()


def hidden(text: str, *secrets: str) -> str:
    """Return a text in which neither a secret nor a longer part of one is left.

    Examples
    --------
    >>> hidden("POST https://hooks.example/T012/B345xyz failed", "https://hooks.example/T012/B345xyz")
    'POST *** failed'
    >>> hidden("B345xyz was refused", "https://hooks.example/T012/B345xyz")
    '*** was refused'
    """
    for secret in filter(None, secrets):
        for part in sorted({secret, *_parts(secret)}, key=len, reverse=True):
            text = text.replace(part, "***")
    return text


@contextmanager
def unlogged(*secrets: str) -> Iterator[None]:
    """Keep secrets out of what libraries log inside the block, at whatever level.

    Libraries that send by a URL log the URL. Filters of the root's handlers see what every logger passes on.
    """
    handlers, concealing = tuple(logging.getLogger().handlers), _Concealing(secrets)
    for handler in handlers:
        handler.addFilter(concealing)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(concealing)


class _Concealing(logging.Filter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._secrets = secrets

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - its arguments do not fit its words, which must not stop what is being sent
            text = "a log message that cannot be put together"
        record.msg, record.args = hidden(text, *self._secrets), ()
        return True


_SHORTEST = 6
_SEPARATORS = "/:@?&=#"


def _parts(secret: str) -> list[str]:
    """Return the parts of a URL that are long enough to be worth something; host names are told anyway by errors."""
    text = secret.partition("://")[2] or secret
    for separator in _SEPARATORS:
        text = text.replace(separator, " ")
    found = [part for part in text.split() if len(part) >= _SHORTEST]
    return [*found, *(unquote(part) for part in found)]
