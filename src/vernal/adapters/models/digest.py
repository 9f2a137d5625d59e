"""Digests of artefact directories, and reading one only when it is what was registered."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from vernal.errors import DigestMismatchError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = "manifest.json"
RESTORE = "Restore the artefact from a copy, or let another version serve; a damaged one is never loaded."


def digest_directory(path: Path) -> str:
    """Return the sha256 of a directory's files, their names and contents, as hexadecimal digits.

    The digest depends on nothing else: not on the directory's place, nor on times, permissions or empty folders. It is
    the digest of what ``sha256sum`` prints for the files sorted by name, relative to the directory.

    Raises
    ------
    RegistryError
        If the directory does not exist, is empty, or holds something other than files and folders.
    """
    return _combine({name: _digest_file(path / name) for name in _names(path)})


def read_verified(path: Path, digest: str, *, subject: str) -> dict[str, bytes]:
    """Return a directory's files by name, if their digest is the expected one.

    What is returned is what was verified: the files are read once, so nobody can swap them in between.

    Raises
    ------
    DigestMismatchError
        If a file was changed, cut short, removed or added; the message names it.
    """
    try:
        contents = {name: (path / name).read_bytes() for name in _names(path)}
    except (RegistryError, OSError) as error:
        raise DigestMismatchError(f"{subject}: the artefact cannot be read: {error}", hint=RESTORE) from error
    found = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    total = _combine(found)
    if not hmac.compare_digest(total, digest):
        culprits = _culprits(contents.get(MANIFEST), found)
        message = f"{subject}: {culprits} (digest {total[:12]}, registered {digest[:12]}) in {path}"
        raise DigestMismatchError(message, hint=RESTORE)
    return contents


def digest_bytes(content: bytes) -> str:
    """Return the sha256 of some bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _names(path: Path) -> list[str]:
    """List a directory's files by their POSIX path, sorted by code point."""
    if not path.is_dir():
        raise RegistryError(f"artefact {path}: no such directory")
    names = []
    for entry in path.rglob("*"):
        name = entry.relative_to(path).as_posix()
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()) or "\n" in name:
            raise RegistryError(f"artefact {path}: {name!r} is neither a file nor a folder")
        if entry.is_file():
            names.append(name)
    if not names:
        raise RegistryError(f"artefact {path}: the directory is empty")
    return sorted(names)


def _digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _combine(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _culprits(manifest: bytes | None, found: Mapping[str, str]) -> str:
    """Say which files are to blame, as far as the manifest beside them knows."""
    if manifest is None:
        return f"{MANIFEST} is missing"
    try:
        facts: Any = json.loads(manifest)
        expected: dict[str, str] = dict(facts["files"])
    except (ValueError, KeyError, TypeError):
        return f"{MANIFEST} is damaged"
    changes = {"missing": expected.keys() - found.keys(), "added": found.keys() - expected.keys() - {MANIFEST}}
    changes["changed"] = {name for name in expected.keys() & found.keys() if expected[name] != found[name]}
    told = [f"{name} is {change}" for change, names in changes.items() for name in sorted(names)]
    return ", ".join(told) or f"{MANIFEST} is not the one that was registered"
