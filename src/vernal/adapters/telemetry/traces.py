"""Spans as OpenTelemetry traces, switched on and configured by the standard ``OTEL_*`` environment variables alone."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as OtelSpan

    from vernal.tracing import Value

log = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class OtelTracer:
    """Records spans with a tracer provider; attributes get the prefix ``vernal.``."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("vernal")

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Value]) -> Iterator[_Recorded]:
        """Begin a span below the one that is open; an exception that leaves it makes it an error."""
        named = {f"vernal.{key}": value for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, attributes=named) as current:
            yield _Recorded(current)

    def close(self) -> None:
        """Send what has not been sent yet."""
        self._provider.shutdown()


class _Recorded:
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    @property
    def ids(self) -> Mapping[str, str]:
        from opentelemetry.trace import format_span_id, format_trace_id

        found = self._span.get_span_context()
        return {"trace_id": format_trace_id(found.trace_id), "span_id": format_span_id(found.span_id)}

    def set(self, **attributes: Value) -> None:
        for key, value in attributes.items():
            self._span.set_attribute(f"vernal.{key}", value)

    def fail(self, error: BaseException) -> None:
        from opentelemetry.trace import StatusCode

        self._span.record_exception(error)
        self._span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")


def open_tracer() -> OtelTracer | None:
    """Return the tracer that the environment asks for; ``None``, without importing OpenTelemetry, if it asks for none.

    Traces are sent when ``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` is set, or
    ``OTEL_TRACES_EXPORTER`` is ``otlp`` or ``console``. ``OTEL_TRACES_EXPORTER=none`` and ``OTEL_SDK_DISABLED=true``
    switch them off again. Endpoint, headers, sampler, resource and batching follow OpenTelemetry's own variables.
    """
    wanted = _wanted()
    if wanted is None:
        return None
    try:
        exporter = _exporter(wanted)
    except ImportError as error:
        missing = error.name
        exporter = None
    else:
        missing = None
    if missing is not None:
        log.error("traces are not sent: %s is not installed; pip install 'vernal[otel]' brings it", missing)
    if exporter is None:
        return None
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        resource = resource.merge(Resource({SERVICE_NAME: "vernal"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return OtelTracer(provider)


def _wanted() -> str | None:
    named = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or named == "none":
        return None
    return named or ("otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else None)


def _exporter(name: str) -> SpanExporter | None:
    if name == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    if name != "otlp":
        log.error("OTEL_TRACES_EXPORTER=%s: expected otlp, console or none; no traces are sent", name)
        return None
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in {None, "", "http/protobuf"}:
        log.error("OTLP protocol %s: expected http/protobuf, the only one that is spoken; no traces are sent", protocol)
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


__all__ = ["OtelTracer", "open_tracer"]
