"""Where events go besides the store's own queue: webhooks and Kafka."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from vernal.spec.base import DefaultNote, Duration, Fault, ListOf, LocalPath, Section, refuse
from vernal.spec.notifications import Name, Pattern
from vernal.spec.secrets import SecretSpec
from vernal.spec.wording import shown

Patterns = Annotated[tuple[Pattern, ...], ListOf, Field(min_length=1)]

_TOPIC: Final = r"^[A-Za-z0-9._-]{1,249}$"
_BROKER: Final = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("found a URL with credentials, which is not repeated here; expected none: events are signed")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or not url.isprintable():
        raise ValueError(f"got {shown(url)}, expected a web address such as https://erp.example.org/hooks/vernal")
    return url


def _broker(place: str) -> str:
    if not _BROKER.fullmatch(place):
        raise ValueError(f"got {shown(place)}, expected HOST:PORT such as kafka.example.org:9092")
    return place


class WebhookSpec(Section):
    """An address that events are posted to, signed by the scheme of Standard Webhooks."""

    name: Name = Field(description="Name of the sink: lower-case letters, digits, `_` and `-`.", examples=["erp"])
    url: Annotated[str, Field(max_length=2048), AfterValidator(_web_address)] = Field(
        description="Address that gets a POST per event. Redirects to another host are refused.",
        examples=["https://erp.example.org/hooks/vernal"],
    )
    secret: SecretSpec = Field(
        description="Where the signing secret is read from: `whsec_` and 24 to 64 random bytes in base64. Several, one "
        "per line, sign with each, to change it without a gap."
    )
    types: Annotated[Patterns | None, DefaultNote("all types")] = Field(
        default=None,
        description="Types of events to send, without `dev.vernal.`, as names or patterns.",
        examples=[["run.*", "champion.promoted"]],
    )
    models: Annotated[Patterns | None, DefaultNote("all models")] = Field(
        default=None, description="Models whose events to send, as names or patterns.", examples=[["fraud"]]
    )
    timeout: Duration = Field(default=timedelta(seconds=10), description="How long to wait for an answer.")


class KafkaSpec(Section):
    """A Kafka topic that events are produced to, with the model as key. Needs the extra `kafka`."""

    name: Name = Field(description="Name of the sink: lower-case letters, digits, `_` and `-`.", examples=["bus"])
    brokers: Annotated[tuple[Annotated[str, AfterValidator(_broker)], ...], ListOf, Field(min_length=1)] = Field(
        description="Brokers to begin with, as HOST:PORT.", examples=[["kafka.example.org:9092"]]
    )
    topic: Annotated[str, Field(pattern=_TOPIC)] = Field(description="The topic.", examples=["vernal.events"])
    content_mode: Literal["structured", "binary"] = Field(
        default="structured",
        description="Whether a record's value is the whole CloudEvent, or its data with the rest in headers.",
    )
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext", description="Protocol spoken with the brokers."
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="How `username` and `password` are presented, with SASL."
    )
    username: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="User name, with SASL."
    )
    password: SecretSpec | None = Field(default=None, description="Where the password is read from, with SASL.")
    ca_file: LocalPath | None = Field(
        default=None,
        description="File with the certificates that the brokers' are checked against; the system's by default.",
    )
    types: Annotated[Patterns | None, DefaultNote("all types")] = Field(
        default=None, description="Types of events to send, without `dev.vernal.`, as names or patterns."
    )
    models: Annotated[Patterns | None, DefaultNote("all models")] = Field(
        default=None, description="Models whose events to send, as names or patterns."
    )
    timeout: Duration = Field(
        default=timedelta(seconds=30), description="How long to wait until the brokers have taken an event."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> KafkaSpec:
        with_sasl = self.security.startswith("sasl")
        faults = [
            Fault((key,), f"found none, expected it with security {self.security}")
            for key in ("username", "password")
            if with_sasl and getattr(self, key) is None
        ]
        faults += [
            Fault((key,), f"found one, which security {self.security} does not use; expected sasl_ssl or none")
            for key in ("username", "password")
            if not with_sasl and getattr(self, key) is not None
        ]
        if self.ca_file is not None and not self.security.endswith("ssl"):
            faults.append(Fault(("ca_file",), f"found one, which security {self.security} does not use"))
        refuse(faults)
        return self


class EventsSpec(Section):
    """Where events go. The store's own queue, which `vernal events` reads, has all of them in any case."""

    source: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[!-~]+$")] | None = Field(
        default=None,
        description="The CloudEvents attribute `source`, a URI reference. Left out, it is `/vernal/` and the project's "
        "name.",
        examples=["https://vernal.example.org/payments"],
    )
    webhooks: Annotated[tuple[WebhookSpec, ...], ListOf] = Field(
        default=(), description="Addresses that events are posted to."
    )
    kafka: Annotated[tuple[KafkaSpec, ...], ListOf] = Field(
        default=(), description="Kafka topics that events are produced to."
    )

    @property
    def sinks(self) -> tuple[WebhookSpec | KafkaSpec, ...]:
        """All sinks, webhooks first."""
        return (*self.webhooks, *self.kafka)

    @model_validator(mode="after")
    def _are_told_apart(self) -> EventsSpec:
        places = [("webhooks", index, sink.name) for index, sink in enumerate(self.webhooks)]
        places += [("kafka", index, sink.name) for index, sink in enumerate(self.kafka)]
        names = [name for *_, name in places]
        refuse(
            Fault((key, index, "name"), f"got {shown(name)}, the name of another sink already")
            for number, (key, index, name) in enumerate(places)
            if name in names[:number]
        )
        return self
