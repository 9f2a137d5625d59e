"""A log that stays small however much is written to it."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class BoundedLog:
    """Keeps the first and the last bytes of a stream; what lies between them is counted and dropped.

    The beginning is in the file at once, the end when the log is closed. A full disk costs the log, never the job.

    Parameters
    ----------
    head, tail
        Bytes to keep of the beginning and of the end.
    """

    def __init__(self, path: Path, *, head: int = 262_144, tail: int = 262_144) -> None:
        self._path = path
        self._room = head
        self._keep = tail
        self._tail: deque[bytes] = deque()
        self._held = 0
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Take some more of the stream."""
        first, rest = data[: self._room], data[self._room :]
        if first:
            self._room -= len(first)
            self._append(first)
        if rest:
            self._tail.append(rest)
            self._held += len(rest)
        while self._tail and self._held - len(self._tail[0]) >= self._keep:
            dropped = self._tail.popleft()
            self._held -= len(dropped)
            self._dropped += len(dropped)

    def close(self) -> None:
        """Write the end of the stream behind its beginning."""
        end = b"".join(self._tail)
        surplus = max(0, len(end) - self._keep)
        dropped = self._dropped + surplus
        note = f"\n... {dropped} bytes left out ...\n".encode() if dropped else b""
        self._append(note + end[surplus:])
        self._tail.clear()
        self._held = self._dropped = 0

    def _append(self, data: bytes) -> None:
        with suppress(OSError), self._path.open("ab") as file:
            file.write(data)


def last_lines(path: Path, *, lines: int = 20, characters: int = 4000) -> str:
    """Return the end of a log, at most so many lines and characters; empty if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 4 * characters))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    end = "\n".join(text.rstrip().splitlines()[-lines:])
    return end if len(end) <= characters else f"... {end[-characters:]}"
