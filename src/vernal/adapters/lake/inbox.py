"""Segments that clients leave as Parquet files in ``<inbox>/<model>/<kind>/<segment id>.parquet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vernal.errors import LakeError

if TYPE_CHECKING:
    from pathlib import Path

KINDS: Final = ("predictions", "labels")

REFUSED: Final = "refused"
"""Folder beside the segments that takes those which cannot be read."""


def segments(folder: Path, *, below: str = "") -> tuple[tuple[str, str, Path], ...]:
    """Return ``(kind, segment id, file)`` of a model's inbox, oldest first.

    A segment's id begins with the time at which it was written, so the order of ids is the order of age. Files that are
    still being written have hidden names and are not seen. ``below`` names a folder beside the segments to look in.
    """
    try:
        found = [
            (kind, path.stem, path)
            for kind in KINDS
            for path in (folder / kind / below).glob("*.parquet")
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


def set_aside(segment: Path) -> None:
    """Move a segment to the folder ``refused`` beside it; one that is gone already is fine."""
    folder = segment.parent / REFUSED
    try:
        folder.mkdir(exist_ok=True)
        segment.rename(folder / segment.name)
    except FileNotFoundError:  # another process has moved it
        return
    except OSError as error:
        hint = "Remove the file by hand, or check the folder's permissions."
        raise LakeError(f"inbox: cannot move {segment} to {folder}: {error}", hint=hint) from error
