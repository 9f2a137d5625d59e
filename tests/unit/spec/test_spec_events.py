"""Sinks of events in the project file: what is accepted and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from vernal.errors import SpecError
from vernal.spec import Project, load_project

MODEL = "model: m\ntask: binary\ncode: m.py\nfeatures: {numerical: [a]}\n"
HOOK = "name: erp, url: 'https://erp.example.org/h', secret: {env: S}"
BUS = "name: bus, brokers: ['k:9092'], topic: t"


def loaded(root: Path, events: str) -> Project:
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / "m.yaml").write_text(MODEL)
    (root / "models" / "m.py").touch()
    (root / "vernal.yaml").write_text(f"project: p\nevents: {events}\n")
    return load_project(root)


def test_without_anything_there_is_the_queue_alone(tmp_path: Path) -> None:
    project = loaded(tmp_path, "{}")
    assert (project.spec.events.sinks, project.event_source) == ((), "/vernal/p")
    assert loaded(tmp_path, "{source: 'https://v.example.org/p'}").event_source == "https://v.example.org/p"


def test_a_webhook_and_a_topic(tmp_path: Path) -> None:
    events = loaded(tmp_path, f"{{webhooks: [{{{HOOK}, types: ['run.*']}}], kafka: [{{{BUS}}}]}}").spec.events
    hook, bus = events.sinks
    assert (hook.name, hook.types, hook.timeout) == ("erp", ("run.*",), timedelta(seconds=10))
    assert (bus.name, bus.timeout, events.kafka[0].content_mode) == ("bus", timedelta(seconds=30), "structured")


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ("{webhooks: [{name: erp, url: 'https://e.org'}]}", "events.webhooks[0].secret"),
        ("{webhooks: [{name: erp, url: 'ftp://e.org', secret: {env: S}}]}", "expected a web address such as"),
        ("{webhooks: [{name: erp, url: 'https://', secret: {env: S}}]}", "expected a web address such as"),
        (
            "{webhooks: [{name: erp, url: 'https://u:T0PS3CRET@e.org', secret: {env: S}}]}",
            "found a URL with credentials",
        ),
        (f"{{webhooks: [{{{HOOK}}}, {{{HOOK}}}]}}", 'events.webhooks[1].name: got "erp", the name of another sink'),
        (
            f"{{webhooks: [{{{HOOK}}}], kafka: [{{{BUS.replace('bus', 'erp')}}}]}}",
            'events.kafka[0].name: got "erp", the name of another sink',
        ),
        ("{kafka: [{name: bus, brokers: [k], topic: t}]}", 'got "k", expected HOST:PORT'),
        ("{kafka: [{name: bus, brokers: [], topic: t}]}", "events.kafka[0].brokers"),
        ("{kafka: [{name: bus, brokers: ['k:1'], topic: 'a b'}]}", "events.kafka[0].topic"),
        (f"{{kafka: [{{{BUS}, security: sasl_ssl}}]}}", "username: found none, expected it with security sasl_ssl"),
        (f"{{kafka: [{{{BUS}, username: u}}]}}", "found one, which security plaintext does not use"),
        (f"{{kafka: [{{{BUS}, ca_file: f}}]}}", "ca_file: found one, which security plaintext does not use"),
        ("{source: 'a b'}", "events.source"),
    ],
)
def test_what_cannot_be_meant_is_refused(events: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, events)
    assert problem in str(caught.value)
    assert "T0PS3CRET" not in str(caught.value)
