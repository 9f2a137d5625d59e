"""What a person sees of the outbox, and how it is asked to send again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import loopworld
from commandline import Vernal, document
from vernal.records import DeliveryStatus, Message, Routing, Settlement


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """Return the folder of a project with a failed, a waiting and a sent delivery, and one that ended its channel."""
    world = loopworld.build(tmp_path / "stuck")
    store = world.system.store
    message = Message(
        id="m-1:failed", at=loopworld.START, model="m", kind="failed", severity="error", title="m-1 failed", body="why"
    )
    pairs = tuple((channel, message) for channel in ("alert:mail", "alert:chat", "file", "event:erp"))
    store.route(Routing(message_ids=(), deliveries=pairs))
    ends = {
        "alert:mail": Settlement(status=DeliveryStatus.FAILED, error="given up"),
        "alert:chat": Settlement(status=DeliveryStatus.WAITING, error="no answer", again_in=timedelta(hours=1)),
        "file": Settlement(status=DeliveryStatus.SENT),
        "event:erp": Settlement(status=DeliveryStatus.FAILED, error="gone", closes_channel=True),
    }
    for channel, end in ends.items():
        (claimed,) = store.claim_deliveries(channel, lease=world.system.claim(), limit=1)
        store.settle(claimed, end)
    world.close()
    return world.root


def test_it_lists_what_waits_and_what_failed(stuck: Path, vernal: Vernal) -> None:
    told = vernal("outbox", "--project", stuck).stdout.splitlines()
    assert told[0].startswith("event:erp is closed since ")
    assert told[0].endswith(" UTC: gone")
    assert told[1].split() == ["channel", "id", "status", "attempts", "queued", "next", "try", "about", "last", "error"]
    assert [line.split()[:4] for line in told[2:]] == [
        ["alert:mail", "m-1:failed", "failed", "1"],
        ["alert:chat", "m-1:failed", "waiting", "1"],
        ["event:erp", "m-1:failed", "failed", "1"],
    ]


def test_it_is_json_for_machines(stuck: Path, vernal: Vernal) -> None:
    told = document(vernal("outbox", "alert:chat", "--json", "--project", stuck))
    assert (told["asked_again"], told["closed"]) == (None, [])
    (one,) = told["deliveries"]
    assert set(one) == {
        "id",
        "channel",
        "message",
        "event",
        "status",
        "queued_at",
        "due_at",
        "attempts",
        "last_error",
        "ended_at",
    }
    assert (one["status"], one["last_error"], one["message"]["title"]) == ("waiting", "no answer", "m-1 failed")


def test_what_was_sent_is_listed_on_request(stuck: Path, vernal: Vernal) -> None:
    told = document(vernal("outbox", "--all", "--json", "--project", stuck))
    assert [one["status"] for one in told["deliveries"]] == ["failed", "waiting", "sent", "failed"]
    assert len(document(vernal("outbox", "--all", "--limit", "1", "--json", "--project", stuck))["deliveries"]) == 1


def test_a_channel_is_asked_again(stuck: Path, vernal: Vernal) -> None:
    told = vernal("outbox", "event:erp", "--retry", "--project", stuck).stdout.splitlines()
    assert told[0] == "1 delivery will be tried by the next tick."
    assert [line.split()[:4] for line in told[2:]] == [["event:erp", "m-1:failed", "waiting", "0"]]
    assert document(vernal("outbox", "--json", "--project", stuck))["closed"] == []


def test_messages_are_asked_for_by_id(stuck: Path, vernal: Vernal) -> None:
    assert document(vernal("outbox", "--retry", "--id", "m-2", "--json", "--project", stuck))["asked_again"] == 0
    told = document(vernal("outbox", "--retry", "--id", "m-1:failed", "--json", "--project", stuck))
    assert (told["asked_again"], {one["attempts"] for one in told["deliveries"]}) == (3, {0})


def test_an_id_alone_is_no_request(stuck: Path, vernal: Vernal) -> None:
    assert vernal("outbox", "--id", "m-1:failed", "--project", stuck).exit_code == 2


def test_an_empty_outbox_says_so(project: Path, vernal: Vernal) -> None:
    assert vernal("outbox", "--project", project).stdout == "Nothing waits and nothing failed.\n"
    assert vernal("outbox", "--all", "--project", project).stdout == "The outbox is empty.\n"
    assert not (project / ".vernal").exists()


def test_what_waits_behind_a_receiver_that_is_away_says_when_it_is_tried(tmp_path: Path, vernal: Vernal) -> None:
    world = loopworld.build(tmp_path / "away")
    first, second = (
        Message(id=name, at=loopworld.START, model="m", kind="failed", severity="error", title="t", body="b")
        for name in ("m1", "m2")
    )
    store = world.system.store
    store.route(Routing(message_ids=(), deliveries=(("alert:chat", first), ("alert:chat", second))))
    (claimed,) = store.claim_deliveries("alert:chat", lease=world.system.claim(), limit=1)
    away = Settlement(status=DeliveryStatus.WAITING, error="no answer", again_in=timedelta(hours=5), whole_channel=True)
    store.settle(claimed, away)
    world.close()
    told = vernal("outbox", "--project", world.root).stdout.splitlines()
    assert [("in 5 h" in line, line.split()[1]) for line in told[1:]] == [(True, "m1"), (True, "m2")]
