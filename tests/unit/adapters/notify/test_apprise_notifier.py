"""Alerts through Apprise, to a real server: in the target's own words, and without a trace of its URL."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receivers import Answer, Receiver, receiving
from vernal.adapters.notify import AppriseNotifier
from vernal.adapters.secrets import unlogged
from vernal.errors import DeliveryError
from vernal.records import Message, MessageState
from vernal.spec import SecretSpec, TargetSpec

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOKEN = "T0PS3CRET-token"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def message(severity: str = "error", state: MessageState = MessageState.EVENT) -> Message:
    return Message(
        id="m-1:failed",
        at=NOON,
        model="m",
        kind="failed",
        severity=severity,
        title="m-1 failed",
        body="why <b>not</b>",
        run_id="m-1",
        state=state,
    )


def notifier(root: Path, **more: object) -> AppriseNotifier:
    facts: dict[str, object] = {"name": "chat", "url": SecretSpec(env="CHAT_URL")}
    return AppriseNotifier(TargetSpec.model_validate(facts | more), project="flights", root=root)


def test_a_message_reaches_the_service(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_URL", f"json://{receiver.place}/{TOKEN}")
    notifier(tmp_path).send(message())
    (got,) = receiver.got
    assert (got.path, got.json["title"], got.json["message"]) == (f"/{TOKEN}", "m-1 failed", "why <b>not</b>")


@pytest.mark.parametrize(
    ("severity", "state", "kind"),
    [
        ("info", MessageState.EVENT, "info"),
        ("warning", MessageState.RAISED, "warning"),
        ("error", MessageState.EVENT, "failure"),
        ("critical", MessageState.ONGOING, "failure"),
        ("info", MessageState.RESOLVED, "success"),
    ],
)
def test_the_service_is_told_how_bad_it_is(
    severity: str,
    state: MessageState,
    kind: str,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_URL", f"json://{receiver.place}")
    notifier(tmp_path).send(message(severity, state))
    assert receiver.got[0].json["type"] == kind


def test_a_target_has_words_of_its_own(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "url.txt").write_text(f"json://{receiver.place}\n")
    title = "[{{ severity | upper }}] {{ project }}/{{ model }}"
    body = "{{ body }} ({{ kind }}, {{ state }}, {{ run_id }}, {{ id }}, {{ at.strftime('%H:%M') }}, {{ title }})"
    notifier(tmp_path, url=SecretSpec(file="url.txt"), title=title, body=body).send(message())
    (got,) = receiver.got
    assert got.json["title"] == "[ERROR] flights/m"
    assert got.json["message"] == "why <b>not</b> (failed, event, m-1, m-1:failed, 12:00, m-1 failed)"


def test_a_service_that_refuses_is_an_error_without_the_url(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = lambda _request: Answer(500)
    monkeypatch.setenv("CHAT_URL", f"json://user:{TOKEN}@{receiver.place}/{TOKEN}")
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(DeliveryError, match=r"target chat: not delivered: .*500") as caught,
    ):
        notifier(tmp_path).send(message())
    assert TOKEN not in str(caught.value)
    assert TOKEN not in caplog.text


def test_no_library_logs_the_url_however_much_it_logs(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CHAT_URL", f"json://{receiver.place}/{TOKEN}")
    with caplog.at_level(logging.DEBUG):
        notifier(tmp_path).send(message())
    with caplog.at_level(logging.DEBUG), unlogged(TOKEN):
        logging.getLogger("another").info("another one's own %s", "words")
        logging.getLogger("another").info("%d of them", TOKEN)
    assert TOKEN not in caplog.text
    assert "JSON POST URL: " in caplog.text, "the library did log where it sent to"
    assert "another one's own words" in caplog.text


def test_a_service_that_is_away_is_an_error_without_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as gone:
        place = gone.place
    monkeypatch.setenv("CHAT_URL", f"json://{place}/{TOKEN}")
    with pytest.raises(DeliveryError, match="Connection error") as caught:
        notifier(tmp_path).send(message())
    assert TOKEN not in str(caught.value)


def test_a_url_that_apprise_does_not_know_says_so_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_URL", f"slakc://{TOKEN}")
    with pytest.raises(DeliveryError, match="Apprise does not know this kind of URL") as caught:
        notifier(tmp_path).send(message())
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ({"env": "CHAT_URL"}, "found nothing in the environment variable CHAT_URL, expected it there"),
        ({"file": "missing.txt"}, "the file missing.txt cannot be read: No such file or directory"),
        ({"file": "empty.txt"}, "found nothing in the file empty.txt"),
        ({"file": "binary.bin"}, "the file binary.bin cannot be read: it is no text"),
    ],
)
def test_a_url_that_is_not_there_names_its_place(
    url: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHAT_URL", raising=False)
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "binary.bin").write_bytes(b"\xff\xfe")
    with pytest.raises(DeliveryError, match=said):
        notifier(tmp_path, url=url).send(message())


def test_a_template_that_fails_on_one_message_holds_up_no_other(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_URL", f"json://{receiver.place}")
    picky = notifier(tmp_path, body="{{ 1 // (body | length - 14) }} {{ body }}", title="t")
    with pytest.raises(DeliveryError, match="ZeroDivisionError") as caught:
        picky.send(message())
    assert caught.value.refused
    picky.send(message().evolve(body="another one"))
    assert len(receiver.got) == 1
