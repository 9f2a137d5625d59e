"""Events as records of a Kafka topic, by the Kafka binding of CloudEvents."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vernal.adapters.secrets import read_secret
from vernal.decide.events import cloudevent
from vernal.errors import DeliveryError, VernalError

if TYPE_CHECKING:
    from pathlib import Path

    from vernal.records import Event
    from vernal.spec import KafkaSpec

_STRUCTURED: Final = b"application/cloudevents+json; charset=UTF-8"


class KafkaSink:
    """Produces events to one topic, each acknowledged by all in-sync replicas before the next.

    The key is the model, so the events of a model stay in one partition. The producer is idempotent: what it tries
    again by itself is not written twice. After a crash or a timeout an event may be, with the same id.

    Parameters
    ----------
    kafka
        Where to, and how.
    source
        The events' ``source``.
    root
        The project's folder, from which relative paths start.
    """

    def __init__(self, kafka: KafkaSpec, *, source: str, root: Path) -> None:
        self._kafka = kafka
        self._source = source
        self._root = root
        self._producer: Any = None
        self._trouble = ""
        self._turn = Lock()

    def send(self, event: Event) -> None:
        """Produce one event and wait until the brokers have it.

        Raises
        ------
        DeliveryError
            If they did not take it in time, or the extra is not installed.
        """
        with self._turn:
            self._send(event)

    def _send(self, event: Event) -> None:
        headers, value = record(event, source=self._source, binary=self._kafka.content_mode == "binary")
        answers: list[Any] = []
        try:
            producer = self._connected()
            producer.produce(
                self._kafka.topic,
                value=value,
                key=event.model.encode(),
                headers=headers,
                on_delivery=lambda error, _record: answers.append(error),
            )
            # A little longer than the event's own time, so that its end is heard of.
            producer.flush(self._kafka.timeout.total_seconds() + 5)
        except VernalError:
            raise
        except Exception as error:  # confluent_kafka.KafkaException, BufferError and what its configuration raises
            self._drop()
            raise DeliveryError(f"{self._name}: {type(error).__name__}: {error}") from error
        if not answers or answers[0] is not None:
            self._drop()
            said = answers[0].str() if answers else "no answer in time"
            raise DeliveryError(f"{self._name}: not taken: {said}{self._trouble and f' ({self._trouble})'}")
        self._trouble = ""

    @property
    def _name(self) -> str:
        return f"Kafka sink {self._kafka.name}"

    def _connected(self) -> Any:  # noqa: ANN401 - confluent_kafka has no types
        if self._producer is None:
            try:
                from confluent_kafka import Producer
            except ModuleNotFoundError as error:
                raise DeliveryError(
                    f"{self._name}: Kafka needs the package confluent-kafka, which is not installed",
                    hint="Install it with: pip install 'vernal[kafka]'",
                ) from error
            self._producer = Producer(self._settings())
        return self._producer

    def _settings(self) -> dict[str, Any]:
        kafka = self._kafka
        settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(kafka.brokers),
            "client.id": "vernal",
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": round(kafka.timeout.total_seconds() * 1000),
            "linger.ms": 0,
            # Its own log would repeat every second what the failed delivery says once.
            "log_level": 0,
            "error_cb": self._notice,
            "security.protocol": kafka.security,
        }
        if kafka.ca_file is not None:
            settings["ssl.ca.location"] = str(self._root / kafka.ca_file)
        if kafka.username is not None and kafka.password is not None:
            settings["sasl.mechanism"] = kafka.mechanism
            settings["sasl.username"] = kafka.username
            try:
                settings["sasl.password"] = read_secret(
                    kafka.password, root=self._root, what=f"{self._name}: its password"
                )
            except VernalError as error:
                raise DeliveryError(error.message, hint=error.hint) from None
        return settings

    def _notice(self, error: Any) -> None:  # noqa: ANN401 - confluent_kafka has no types
        self._trouble = error.str()

    def _drop(self) -> None:
        """Give up the producer: what it still holds must not leave behind our back, and its errors may be final."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(0)


def record(event: Event, *, source: str, binary: bool) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return the headers and the value of an event's record.

    References
    ----------
    Kafka Protocol Binding for CloudEvents 1.0.2, section 3:
    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
    """
    facts = cloudevent(event, source=source)
    if not binary:
        return [("content-type", _STRUCTURED)], msgspec.json.encode(facts)
    data, content_type = facts.pop("data"), facts.pop("datacontenttype")
    headers = [("content-type", content_type.encode())]
    headers += [(f"ce_{name}", value.encode()) for name, value in facts.items()]
    return headers, msgspec.json.encode(data)
