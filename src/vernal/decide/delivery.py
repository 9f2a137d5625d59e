"""What follows an attempt to deliver that failed: another one, later, or the end."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b

from vernal.errors import DeliveryError
from vernal.records import DeliveryStatus, Settlement

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)
"""Longest time that a receiver can ask to be left alone."""


def after_failure(
    error: Exception, said: str, *, subject: str, attempts: int, age: timedelta, give_up_after: timedelta
) -> Settlement:
    """Return what becomes of a delivery whose attempt failed.

    Parameters
    ----------
    error, said
        What was raised, and the text of it that is kept.
    subject
        Names the delivery, so that its waiting times are its own and come out alike every time.
    attempts
        Attempts so far, this one included.
    age
        Time since the delivery was queued.
    give_up_after
        Age at which a failed attempt is the last one.
    """
    if isinstance(error, DeliveryError) and error.gone:
        return Settlement(status=DeliveryStatus.FAILED, error=said, closes_channel=True)
    if age >= give_up_after:
        return given_up(said, attempts=attempts, age=age)
    wait = backoff(subject, attempts)
    refused = False
    if isinstance(error, DeliveryError):
        refused = error.refused
        if error.retry_after is not None:
            wait = max(wait, min(error.retry_after, LONGEST_ASKED))
    # One that was refused says nothing about the next one; a receiver that cannot be reached would refuse them all.
    return Settlement(status=DeliveryStatus.WAITING, error=said, again_in=wait, whole_channel=not refused)


def given_up(said: str, *, attempts: int, age: timedelta) -> Settlement:
    """Return the end of a delivery that was tried for long enough."""
    hours = age / timedelta(hours=1)
    error = f"given up after {attempts} attempts in {hours:.1f} h; the last one: {said or 'it never came to an end'}"
    return Settlement(status=DeliveryStatus.FAILED, error=error)


def backoff(subject: str, attempts: int) -> timedelta:
    """Return 30 seconds, 1, 2, 4 and so on minutes, at most an hour, spread by up to a quarter.

    Examples
    --------
    >>> [round(backoff("m-1:failed", attempts).total_seconds()) for attempts in (1, 2, 8, 50)]
    [36, 73, 4102, 4445]
    """
    doublings = min(max(attempts - 1, 0), 20)
    wait = min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
    digest = blake2b(f"{subject}:{attempts}".encode(), digest_size=2).digest()
    return wait * (1 + int.from_bytes(digest, "big") / 2**18)
