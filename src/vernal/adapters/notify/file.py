"""Alerts as lines of a file, for people to read and for other tools to follow."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from vernal.errors import VernalError

if TYPE_CHECKING:
    from pathlib import Path

    from vernal.records import Message


class FileNotifier:
    """Appends one JSON object per line and message.

    A message is on disk when :meth:`send` returns. After a crash the same message may be sent again: its ``id`` tells.
    Several processes may append to one file.

    Parameters
    ----------
    path
        The file; it and its folder are made when the first message comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, message: Message) -> None:
        """Append a message.

        Raises
        ------
        VernalError
            If the file cannot be written; it then ends where it ended before.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                _append(descriptor, message.to_json() + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise VernalError(
                f"notification {message.id}: cannot be appended to {self._path}: {error}",
                hint="Free some space or check the file's permissions; the message is sent again.",
            ) from error


def _append(descriptor: int, line: bytes) -> None:
    end = os.fstat(descriptor).st_size
    if end and os.pread(descriptor, 1, end - 1) != b"\n":
        line = b"\n" + line  # a crash cut the line before short; it must not spoil this one
    try:
        written = os.write(descriptor, line)
        while written < len(line):  # a nearly full disk takes a part first, and refuses the rest
            written += os.write(descriptor, line[written:])
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise
