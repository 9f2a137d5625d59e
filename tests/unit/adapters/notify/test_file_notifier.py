"""Alerts in a file: one line each, on disk when they are sent, whole whatever happened to the line before."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vernal.adapters.notify import FileNotifier
from vernal.errors import VernalError
from vernal.records import Message

NOON = datetime(2013, 2, 1, 12, tzinfo=UTC)


def message(name: str, body: str = "as expected") -> Message:
    return Message(id=name, at=NOON, model="m", kind="info", severity="info", title="t", body=body)


def sent(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_messages_are_lines_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sent.jsonl"
    for name in ("a", "b"):
        FileNotifier(path).send(message(name, body="two\nlines"))
    assert sent(path) == ["a", "b"]
    assert Message.from_json(path.read_text().splitlines()[0]).body == "two\nlines"


def test_a_line_that_a_crash_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    path.write_text('{"id": "cut sho')
    FileNotifier(path).send(message("b"))
    assert json.loads(path.read_text().splitlines()[1])["id"] == "b"


def test_a_file_that_cannot_be_opened_is_an_error_that_names_message_and_file(tmp_path: Path) -> None:
    with pytest.raises(VernalError, match=f"notification a: cannot be appended to {tmp_path}"):
        FileNotifier(tmp_path).send(message("a"))


def test_a_message_that_does_not_fit_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    FileNotifier(path).send(message("a"))
    before = path.read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(VernalError, match="File too large"):
            FileNotifier(path).send(message("b"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    FileNotifier(path).send(message("b"))
    assert sent(path) == ["a", "b"]


def test_processes_that_send_at_once_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from datetime import UTC, datetime\n"
        "from vernal.adapters.notify import FileNotifier\n"
        "from vernal.records import Message\n"
        "for n in range(30):\n"
        "    name, at = f'{sys.argv[2]}-{n}', datetime(2013, 2, 1, tzinfo=UTC)\n"
        "    told = Message(id=name, at=at, model='m', kind='k', severity='info', title='t', body='b' * 20000)\n"
        "    FileNotifier(Path(sys.argv[1])).send(told)\n"
    )
    senders = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b")]
    assert [sender.wait(timeout=60) for sender in senders] == [0, 0]
    assert sorted(sent(path)) == sorted(f"{name}-{n}" for name in ("a", "b") for n in range(30))
