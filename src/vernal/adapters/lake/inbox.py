"""Segments that clients leave as Parquet files in ``<inbox>/<model>/<kind>/<segment id>.parquet``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernal.errors import LakeError

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("predictions", "labels")


def segments(folder: Path) -> tuple[tuple[str, str, Path], ...]:
    """Return ``(kind, segment id, file)`` of a model's inbox, oldest first.

    A segment's id begins with the time at which it was written, so the order of ids is the order of age. Files that are
    still being written have hidden names and are not seen.
    """
    try:
        found = [
            (kind, path.stem, path)
            for kind in KINDS
            for path in (folder / kind).glob("*.parquet")
            if not path.name.startswith(".")
        ]
    except OSError as error:
        raise LakeError(f"inbox: cannot list {folder}: {error}", hint="Check the folder's permissions.") from error
    return tuple(sorted(found, key=lambda segment: (segment[1], segment[0])))


def discard(segment: Path) -> None:
    """Remove a segment; one that is gone already is fine."""
    try:
        segment.unlink(missing_ok=True)
    except OSError as error:
        raise LakeError(f"inbox: cannot remove {segment}: {error}", hint="Check the folder's permissions.") from error
