"""Traces: which spans a tick leaves, what they say, and when OpenTelemetry is not even imported."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from typing_extensions import override

import loopworld
from vernal.act.reconcile import tick
from vernal.adapters.telemetry.traces import OtelTracer, open_tracer
from vernal.errors import LakeError
from vernal.tracing import context, span, traced

VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Return what the spans of the test end up in."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with traced(OtelTracer(provider)):
        yield kept


@pytest.fixture
def world(tmp_path: Path) -> Iterator[loopworld.World]:
    policy = loopworld.POLICY.replace("drift: off", "drift: {min_rows: 100}")
    made = loopworld.build(tmp_path, policy=policy)
    loopworld.live_through(made, until=loopworld.HISTORY_DAYS + 2)
    made.log(loopworld.HISTORY_DAYS + 2)
    made.clock.advance(timedelta(days=1))
    yield made
    made.close()


def tree(exporter: InMemorySpanExporter) -> dict[str, str | None]:
    """Return each span's name with that of its parent."""
    spans = {found.context.span_id: found for found in exporter.get_finished_spans() if found.context}
    return {found.name: spans[found.parent.span_id].name if found.parent else None for found in spans.values()}


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    [found] = [one for one in exporter.get_finished_spans() if one.name == name]
    return found


def attributes(found: ReadableSpan) -> dict[str, Any]:
    return dict(found.attributes or {})


def test_a_tick_is_a_tree_of_what_it_did(world: loopworld.World, exporter: InMemorySpanExporter) -> None:
    report = tick(world.system)
    assert tree(exporter) == {
        "tick": None,
        "check": "tick",
        "ingest": "check",
        "profile": "check",
        "compare": "check",
        "judge": "check",
        "commit": "check",
        "deliver": "tick",
    }
    told = attributes(named(exporter, "check"))
    assert told["vernal.model"] == "m"
    assert told["vernal.outcome"] == report.checks[0].outcome
    assert attributes(named(exporter, "profile"))["vernal.new_rows"] == loopworld.ROWS
    assert attributes(named(exporter, "ingest")) == {"vernal.accepted": 0, "vernal.quarantined": 0}


def test_the_steps_of_a_run_are_spans(world: loopworld.World, exporter: InMemorySpanExporter) -> None:
    run = world.retrain()
    tick(world.system)
    steps = {one.name: attributes(one) for one in exporter.get_finished_spans() if "vernal.run" in attributes(one)}
    assert {"requested", "building", "training", "evaluating"} <= set(steps)
    assert {step["vernal.run"] for step in steps.values()} == {run}
    assert steps["building"]["vernal.phase"] == "training"


def test_an_error_is_recorded_where_it_happened(
    world: loopworld.World, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LakeError("the disk is gone")

    monkeypatch.setattr(world.system.lake, "inbox", broken)
    tick(world.system)
    for name in ("ingest", "check"):
        found = named(exporter, name)
        assert found.status.status_code is StatusCode.ERROR
        [event] = found.events
        assert (event.attributes or {})["exception.message"] == "the disk is gone"
    assert named(exporter, "tick").status.status_code is StatusCode.UNSET


def test_log_lines_written_meanwhile_carry_the_ids(exporter: InMemorySpanExporter) -> None:
    with span("check", model="fraud"):
        carried = context()
    found = named(exporter, "check").context
    assert found is not None
    assert carried == {
        "model": "fraud",
        "trace_id": f"{found.trace_id:032x}",
        "span_id": f"{found.span_id:016x}",
    }
    assert context() == {}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_no_tracer_is_opened_unless_it_is_asked_for(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert open_tracer() is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER=zipkin: expected otlp, console or none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTLP protocol grpc: expected http/protobuf"),
    ],
)
def test_what_cannot_be_done_is_told(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with caplog.at_level(logging.ERROR, logger="vernal"):
        assert open_tracer() is None
    assert told in caplog.text


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with caplog.at_level(logging.ERROR, logger="vernal"):
        assert open_tracer() is None
    assert "vernal[otel]" in caplog.text


LOADED = """\
import sys
from vernal.cli import main
sys.argv = ["vernal", "tick"]
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_a_check_without_traces_imports_no_opentelemetry(tmp_path: Path) -> None:
    (tmp_path / "vernal.yaml").write_text(loopworld.PROJECT)
    (tmp_path / "m.yaml").write_text(loopworld.POLICY)
    (tmp_path / "m.py").write_text("def train(X, y): ...\n")
    ticked = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(ticked.stderr.split())
    assert "vernal" in loaded
    assert loaded & {"opentelemetry", "mlflow", "sklearn", "pandas"} == set()


class Receiver(BaseHTTPRequestHandler):
    bodies: list[bytes]

    def do_POST(self) -> None:
        self.bodies.append(self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, *_: object) -> None:
        pass


def test_a_tick_sends_its_spans_to_a_collector(tmp_path: Path) -> None:
    bodies: list[bytes] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Receiver,), {"bodies": bodies}))
    Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "vernal.yaml").write_text(loopworld.PROJECT)
    (tmp_path / "m.yaml").write_text(loopworld.POLICY)
    (tmp_path / "m.py").write_text("def train(X, y): ...\n")
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    variables = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "fresh"}
    variables |= {"OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    options = ["--log-format", "json", "--log-level", "info"]
    ticked = subprocess.run(
        [sys.executable, "-m", "vernal.cli", *options, "tick"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=variables,
    )
    server.shutdown()
    server.server_close()
    sent = b"".join(bodies)
    assert sent.startswith(b"/v1/traces ")
    for word in (b"check", b"judge", b"vernal.model", b"fresh"):
        assert word in sent
    lines = [json.loads(line) for line in ticked.stderr.splitlines()]
    [line] = [line for line in lines if line.get("event") == "check"]
    assert line["model"] == "m"
    assert bytes.fromhex(line["trace_id"]) in sent
