"""Secrets, read from where the project's files say they are, whenever they are used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vernal.errors import VernalError

if TYPE_CHECKING:
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
    for secret in secrets:
        for part in sorted({secret, *_parts(secret)}, key=len, reverse=True):
            text = text.replace(part, "***")
    return text


_SHORTEST = 6
_SEPARATORS = "/:@?&=#"


def _parts(secret: str) -> list[str]:
    """Return the parts of a URL that are long enough to be worth something; host names are told anyway by errors."""
    text = secret.partition("://")[2] or secret
    for separator in _SEPARATORS:
        text = text.replace(separator, " ")
    found = [part for part in text.split() if len(part) >= _SHORTEST]
    return [*found, *(unquote(part) for part in found)]
