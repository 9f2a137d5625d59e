"""Events as signed POST requests: structured CloudEvents, by the scheme of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from vernal.adapters.secrets import read_secret, unlogged
from vernal.clock import SystemClock
from vernal.decide.events import cloudevent
from vernal.errors import DeliveryError, VernalError

if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from pathlib import Path

    import httpx

    from vernal.clock import Clock
    from vernal.records import Event
    from vernal.spec import WebhookSpec

MOST_REDIRECTS: Final = 3
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what a secret begins with
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes that a signing key may have."""

_KEPT: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class WebhookSink:
    """Posts events to one address.

    Any 2xx is success. 410 ends the sink until somebody asks for its deliveries again. 408, 425, 429 and 5xx mean that
    the receiver is away for a while, which may be told by ``Retry-After``; other answers refuse this one event.

    Parameters
    ----------
    webhook
        Where to, and how it is signed.
    source
        The events' ``source``.
    root
        The project's folder, from which the path of the secret's file starts.
    clock
        Tells the time that is signed.
    """

    def __init__(self, webhook: WebhookSpec, *, source: str, root: Path, clock: Clock | None = None) -> None:
        self._webhook = webhook
        self._source = source
        self._root = root
        self._clock = clock or SystemClock()

    def send(self, event: Event) -> None:
        """Post one event.

        Raises
        ------
        DeliveryError
            If the receiver did not take it.
        """
        import httpx

        keys = self._keys()
        body = msgspec.json.encode(cloudevent(event, source=self._source))
        # Signed afresh at each attempt: receivers refuse a time that is long ago.
        headers = signed(event.id, body, keys=keys, at=self._clock.now()) | {
            "content-type": "application/cloudevents+json; charset=utf-8",
            "user-agent": "vernal",
        }
        try:
            # What stands behind the question mark may be a token.
            with (
                unlogged(urlsplit(self._webhook.url).query),
                httpx.Client(verify=self._trust, timeout=self._webhook.timeout.total_seconds()) as client,
            ):
                response = self._posted(client, body, headers)
        except httpx.HTTPError as error:
            raise DeliveryError(f"{self._name}: no answer: {type(error).__name__}: {error}") from error
        self._judge(response)

    @property
    def _name(self) -> str:
        return f"webhook {self._webhook.name}"

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The certificates that are trusted; reading them takes longer than a request."""
        import httpx

        return httpx.create_ssl_context()

    def _posted(self, client: httpx.Client, body: bytes, headers: dict[str, str]) -> httpx.Response:
        url = self._webhook.url
        for _ in range(MOST_REDIRECTS + 1):
            response = client.post(url, content=body, headers=headers)
            if response.status_code not in _KEPT or "location" not in response.headers:
                return response
            target = urljoin(url, response.headers["location"])
            if not same_place(url, target):
                place = urlsplit(target)
                raise DeliveryError(
                    f"{self._name}: redirected to {place.scheme}://{place.netloc}, expected to stay on the same host",
                    hint="If that is the right place, name it under `url`.",
                )
            url = target
        raise DeliveryError(f"{self._name}: redirected more than {MOST_REDIRECTS} times")

    def _judge(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        said = f"{self._name}: answered {status} {response.reason_phrase}".rstrip()
        if status == HTTPStatus.GONE:
            raise DeliveryError(
                f"{said}: it wants no more events",
                hint=f"vernal outbox event:{self._webhook.name} --retry begins again.",
                gone=True,
            )
        away = status in _BUSY or response.is_server_error
        raise DeliveryError(said, refused=not away, retry_after=self._retry_after(response) if away else None)

    def _retry_after(self, response: httpx.Response) -> timedelta | None:
        """Return how long the receiver asked for, in seconds or as a date."""
        text = response.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text[:9]), 10**8))
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return max(aware - self._clock.now(), timedelta(0))

    def _keys(self) -> tuple[bytes, ...]:
        what = f"{self._name}: its signing secret"
        try:
            text = read_secret(self._webhook.secret, root=self._root, what=what)
        except VernalError as error:
            raise DeliveryError(error.message, hint=error.hint) from None
        return tuple(_key(line, what=f"{what} in {self._webhook.secret.where}") for line in text.split())


def signed(name: str, body: bytes, *, keys: tuple[bytes, ...], at: datetime) -> dict[str, str]:
    """Return the headers that sign a body, by the scheme of Standard Webhooks.

    Parameters
    ----------
    name
        Id of the event.
    body
        What is sent, byte for byte.
    keys
        Signing keys; each one signs.
    at
        Time of the attempt.

    References
    ----------
    Standard Webhooks, section "Signature scheme": https://www.standardwebhooks.com

    Examples
    --------
    >>> from datetime import datetime
    >>> headers = signed("e1", b"{}", keys=(b"k" * 24,), at=datetime(2026, 1, 1, tzinfo=UTC))
    >>> headers["webhook-timestamp"], headers["webhook-signature"]
    ('1767225600', 'v1,...')
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join((name.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def same_place(url: str, target: str) -> bool:
    """Tell whether a redirect stays on its host and port, and does not give up encryption."""
    old, new = urlsplit(url), urlsplit(target)
    if old.scheme == "http" and new.scheme == "https":
        return old.hostname == new.hostname
    return (old.scheme, old.hostname, old.port) == (new.scheme, new.hostname, new.port)


def _key(secret: str, *, what: str) -> bytes:
    expected = f"expected {SECRET_PREFIX} and {SHORTEST_KEY} to {LONGEST_KEY} bytes in base64"
    hint = f"Make one with: echo {SECRET_PREFIX}$(openssl rand -base64 32)"
    if not secret.startswith(SECRET_PREFIX):
        raise DeliveryError(f"{what}: it does not begin with {SECRET_PREFIX}, {expected}", hint=hint)
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise DeliveryError(f"{what}: what follows {SECRET_PREFIX} is no base64, {expected}", hint=hint) from None
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise DeliveryError(f"{what}: it has {len(key)} bytes, {expected}", hint=hint)
    return key
