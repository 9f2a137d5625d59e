"""Alerts through Apprise: chats, mailboxes, pagers, and whatever else has an Apprise URL."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from vernal.adapters.secrets import hidden, read_secret, unlogged
from vernal.errors import DeliveryError, VernalError
from vernal.records import MessageState

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2.sandbox import SandboxedEnvironment

    from vernal.records import Message
    from vernal.spec import TargetSpec

_TYPES: Final = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}


class AppriseNotifier:
    """Tells one target in its own words.

    The URL, which holds the credentials, is read when a message is sent and appears in no error.

    Parameters
    ----------
    target
        Who is told, and in which words.
    project
        The project's name, for the templates.
    root
        The project's folder, from which the path of a secret's file starts.
    """

    def __init__(self, target: TargetSpec, *, project: str, root: Path) -> None:
        self._target = target
        self._project = project
        self._root = root

    def send(self, message: Message) -> None:
        """Deliver one message.

        Raises
        ------
        DeliveryError
            If the URL is missing or unknown to Apprise, or the service did not take the message.
        """
        url = self._url()
        title, body = self._filled(self._target.title, message), self._filled(self._target.body, message)
        kind = "success" if message.state is MessageState.RESOLVED else _TYPES.get(message.severity, "failure")
        with unlogged(url):
            error = _notify(url, title=title, body=body, kind=kind)
        if error:
            raise DeliveryError(f"{self._name}: not delivered: {hidden(error, url)}")

    @property
    def _name(self) -> str:
        return f"target {self._target.name}"

    def _url(self) -> str:
        try:
            return read_secret(self._target.url, root=self._root, what=f"{self._name}: its Apprise URL")
        except VernalError as error:
            raise DeliveryError(error.message, hint=error.hint) from None

    def _filled(self, template: str, message: Message) -> str:
        values = message.to_dict() | {"project": self._project, "at": message.at, "run_id": message.run_id or ""}
        try:
            return self._templates.from_string(template).render(values)
        except Exception as error:  # a template may call anything that its values have
            raise DeliveryError(
                f"{self._name}: its template cannot be filled in: {type(error).__name__}: {error}", refused=True
            ) from error

    @cached_property
    def _templates(self) -> SandboxedEnvironment:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment

        # Apprise escapes for the service at hand; what is written here is plain text.
        return SandboxedEnvironment(undefined=StrictUndefined)


def _notify(url: str, *, title: str, body: str, kind: str) -> str:
    """Return what went wrong, or nothing."""
    import apprise

    asset = apprise.AppriseAsset(app_id="Vernal", app_desc="Vernal", app_url="")
    service: Any = apprise.Apprise(asset=asset)
    capture: Any = apprise.LogCapture
    with capture(level=logging.WARNING, fmt="%(message)s") as log:
        if not service.add(url):
            return f"Apprise does not know this kind of URL: {_one_line(log.getvalue()) or 'it gives no reason'}"
        if service.notify(title=title, body=body, notify_type=kind):
            return ""
        return _one_line(log.getvalue()) or "the service gives no reason"


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
