"""Events as Kafka records, by the CloudEvents binding; the broker is in the integration tests."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vernal.adapters.events import KafkaSink
from vernal.adapters.events.kafka import record
from vernal.errors import DeliveryError
from vernal.records import Event
from vernal.spec import KafkaSpec, SecretSpec

EVENT = Event(
    seq=7,
    id="e7",
    type="run.failed",
    at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    model="m",
    run_id="m-1",
    schema="urn:vernal:event:run:1",
    data={"phase": "failed"},
)


def test_a_structured_record_is_the_whole_event() -> None:
    headers, value = record(EVENT, source="/vernal/p", binary=False)
    assert headers == [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    assert (json.loads(value)["id"], json.loads(value)["data"]) == ("e7", {"phase": "failed"})


def test_a_binary_record_is_the_data_with_the_rest_in_headers() -> None:
    headers, value = record(EVENT, source="/vernal/p", binary=True)
    assert json.loads(value) == {"phase": "failed"}
    assert dict(headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"e7",
        "ce_source": b"/vernal/p",
        "ce_type": b"dev.vernal.run.failed",
        "ce_subject": b"m-1",
        "ce_time": b"2026-03-02T12:00:00Z",
        "ce_dataschema": b"urn:vernal:event:run:1",
        "ce_sequence": b"7",
        "ce_partitionkey": b"m",
    }


def sink(**more: object) -> KafkaSink:
    facts: dict[str, object] = {"name": "bus", "brokers": ["127.0.0.1:9"], "topic": "t"}
    return KafkaSink(KafkaSpec.model_validate(facts | more), source="/vernal/p", root=Path("/project"))


def test_every_setting_reaches_the_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "s3cret")
    settings = sink(
        brokers=["a:1", "b:2"],
        security="sasl_ssl",
        mechanism="SCRAM-SHA-512",
        username="vernal",
        password=SecretSpec(env="KAFKA_PASSWORD"),
        ca_file="ca.pem",
    )._settings()
    assert settings["bootstrap.servers"] == "a:1,b:2"
    assert (settings["acks"], settings["enable.idempotence"]) == ("all", True)
    assert (settings["security.protocol"], settings["sasl.mechanism"]) == ("sasl_ssl", "SCRAM-SHA-512")
    assert (settings["sasl.username"], settings["sasl.password"]) == ("vernal", "s3cret")
    assert (settings["ssl.ca.location"], settings["message.timeout.ms"]) == ("/project/ca.pem", 30_000)
    assert not {key for key in sink()._settings() if key.startswith(("sasl", "ssl"))}


def test_a_missing_password_names_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_PASSWORD", raising=False)
    with pytest.raises(DeliveryError, match="found nothing in the environment variable KAFKA_PASSWORD"):
        sink(security="sasl_ssl", username="u", password=SecretSpec(env="KAFKA_PASSWORD")).send(EVENT)


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(DeliveryError, match="not installed") as caught:
        sink().send(EVENT)
    assert caught.value.hint == "Install it with: pip install 'vernal[kafka]'"
