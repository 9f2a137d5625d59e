"""What follows a failed attempt: later, later for the whole channel, or never."""

from __future__ import annotations

from datetime import timedelta

import pytest

from vernal.decide.delivery import LONGEST_ASKED, LONGEST_WAIT, after_failure, backoff, given_up
from vernal.errors import DeliveryError
from vernal.records import DeliveryStatus, Settlement

DAY = timedelta(days=1)


def settled(error: Exception, *, attempts: int = 1, age: timedelta = timedelta(0)) -> Settlement:
    return after_failure(error, "said", subject="mail:m1", attempts=attempts, age=age, give_up_after=3 * DAY)


def test_a_receiver_that_cannot_be_reached_is_left_alone_by_everything() -> None:
    for error in (DeliveryError("timed out"), OSError("refused"), RuntimeError("a bug of the library")):
        settlement = settled(error)
        assert (settlement.status, settlement.error, settlement.whole_channel) == (DeliveryStatus.WAITING, "said", True)
        assert settlement.again_in == backoff("mail:m1", 1)


def test_a_message_that_was_refused_holds_up_no_other() -> None:
    assert not settled(DeliveryError("400", refused=True)).whole_channel


def test_a_receiver_may_ask_for_more_time_but_not_for_less_nor_for_ever() -> None:
    asked = timedelta(hours=5)
    assert settled(DeliveryError("429", retry_after=asked)).again_in == asked
    assert settled(DeliveryError("429", retry_after=timedelta(seconds=1))).again_in == backoff("mail:m1", 1)
    assert settled(DeliveryError("429", retry_after=99 * DAY)).again_in == LONGEST_ASKED


def test_a_receiver_that_is_gone_ends_its_channel_at_once() -> None:
    settlement = settled(DeliveryError("410", gone=True))
    assert (settlement.status, settlement.closes_channel) == (DeliveryStatus.FAILED, True)


def test_it_is_given_up_only_by_a_failure_at_its_time() -> None:
    assert settled(OSError(), age=3 * DAY - timedelta(seconds=1)).status is DeliveryStatus.WAITING
    ended = settled(OSError(), attempts=80, age=3 * DAY)
    assert (ended.status, ended.closes_channel) == (DeliveryStatus.FAILED, False)
    assert ended.error == "given up after 80 attempts in 72.0 h; the last one: said"


def test_one_that_never_came_to_an_end_says_so() -> None:
    assert given_up("", attempts=2, age=3 * DAY).error.endswith("it never came to an end")


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 30), (1, 30), (2, 60), (5, 480), (8, 3600), (10_000, 3600)])
def test_waiting_doubles_up_to_an_hour_and_is_spread_by_up_to_a_quarter(attempts: int, seconds: int) -> None:
    waits = {backoff(f"mail:m{number}", attempts) for number in range(50)}
    assert timedelta(seconds=seconds) <= min(waits)
    assert max(waits) <= 1.25 * timedelta(seconds=seconds) <= 1.25 * LONGEST_WAIT
    assert len(waits) > 40
