"""Who is told, as a person sees it, and a message to try it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import loopworld
from commandline import Vernal, document, error_of
from receivers import Answer, Receiver, receiving

TARGETS = """\
notifications:
  targets:
    - {name: chat, url: {env: CHAT_URL}, quiet_hours: {start: "00:00", end: "23:59", timezone: Europe/Berlin}}
    - {name: pager, url: {file: pager.txt}, severity: critical, kinds: [failed], models: [m]}
"""
TOKEN = "T0PS3CRET-token"


@pytest.fixture
def receiver(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    (project / "vernal.yaml").write_text(loopworld.PROJECT + TARGETS)
    with receiving() as server:
        monkeypatch.setenv("CHAT_URL", f"json://{server.place}/{TOKEN}")
        (project / "pager.txt").write_text(f"json://{server.place}/pager")
        yield server


def test_targets_are_listed_without_their_urls(receiver: Receiver, project: Path, vernal: Vernal) -> None:
    told = vernal("notify", "list", "--project", project)
    rows = [line.split("  ") for line in told.stdout.splitlines()]
    assert [row[0] for row in rows] == ["target", "chat", "pager"]
    assert "the environment variable CHAT_URL" in told.stdout
    assert "00:00 to 23:59 Europe/Berlin" in told.stdout
    found = document(vernal("notify", "pager", "--json", "--project", project))["targets"]
    assert [one["target"] for one in found] == ["pager"]
    assert (found[0]["severity"], found[0]["kinds"], found[0]["held"], found[0]["quiet_now"]) == (
        "critical",
        ["failed"],
        0,
        False,
    )
    assert TOKEN not in told.stdout
    assert receiver.got == []


def test_a_test_message_ignores_what_a_target_wants_and_when(receiver: Receiver, project: Path, vernal: Vernal) -> None:
    assert vernal("notify", "test", "--project", project).stdout == "chat: taken\npager: taken\n"
    assert [request.path for request in receiver.got] == [f"/{TOKEN}", "/pager"]
    assert receiver.got[0].json["title"] == "Test message of Vernal"
    assert not (project / ".vernal").exists()


def test_one_target_alone_is_tried(receiver: Receiver, project: Path, vernal: Vernal) -> None:
    told = document(vernal("notify", "test", "pager", "--json", "--project", project))
    assert told == {"results": [{"target": "pager", "error": None, "hint": None}]}
    assert len(receiver.got) == 1


def test_a_target_that_does_not_take_it_is_an_error_without_its_url(
    receiver: Receiver, project: Path, vernal: Vernal, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer = lambda request: Answer(200 if request.path == "/pager" else 403)
    told = vernal("notify", "test", "--project", project)
    assert (told.exit_code, told.stdout) == (1, "pager: taken\n")
    assert told.stderr.startswith("Error: target chat: not delivered: ")
    assert TOKEN not in told.stderr
    monkeypatch.delenv("CHAT_URL")
    told = vernal("notify", "test", "chat", "--project", project)
    assert told.stderr == (
        "Error: target chat: its Apprise URL: found nothing in the environment variable CHAT_URL, expected it there\n"
        "Hint: Set CHAT_URL for the process that runs Vernal.\n"
    )


def test_a_target_that_there_is_not_is_an_error(receiver: Receiver, project: Path, vernal: Vernal) -> None:
    assert error_of(vernal("notify", "test", "fax", "--json", "--project", project))["message"] == (
        "found no target 'fax' in vernal.yaml, expected one of: chat, pager"
    )


def test_without_targets_it_says_where_alerts_go(project: Path, vernal: Vernal) -> None:
    assert "Alerts go to the notifications file" in vernal("notify", "list", "--project", project).stdout
    assert vernal("notify", "test", "--project", project).exit_code == 0


def test_sinks_of_events_are_tried_too(
    receiver: Receiver, project: Path, vernal: Vernal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = f"{{name: erp, url: 'http://{receiver.place}/erp', secret: {{env: HOOK_SECRET}}}}"
    (project / "vernal.yaml").write_text(f"{loopworld.PROJECT}events: {{webhooks: [{hook}]}}\n")
    monkeypatch.setenv("HOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert vernal("notify", "test", "event:erp", "--project", project).stdout == "event:erp: taken\n"
    assert [request.json["type"] for request in receiver.got] == ["dev.vernal.test"]
