"""What is being done, as nested spans: a place to hang traces and the context of log lines on.

Code says ``with span("profile", model="fraud"):`` and needs to know nothing more. Without a tracer a span costs about a
microsecond and leaves nothing behind but the context of log lines. Only :mod:`vernal.bootstrap` and tests set a tracer.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Value: TypeAlias = "str | int | float | bool"


class Span(Protocol):
    """One thing that is being done."""

    @property
    def ids(self) -> Mapping[str, str]:
        """``trace_id`` and ``span_id``, where there is a tracer."""
        ...

    def set(self, **attributes: Value) -> None:
        """Add what has become known of it."""
        ...

    def fail(self, error: BaseException) -> None:
        """Record an error that was dealt with inside; one that leaves the span is recorded by itself."""
        ...


class Tracer(Protocol):
    """Records spans; an exception that leaves a span is recorded with it."""

    def span(self, name: str, attributes: Mapping[str, Value]) -> AbstractContextManager[Span]:
        """Begin a span below the one that is open."""
        ...


class _Silent:
    ids: Mapping[str, str] = MappingProxyType({})

    def set(self, **attributes: Value) -> None:
        """Forget it."""

    def fail(self, error: BaseException) -> None:
        """Forget it."""


_SILENT: Final = _Silent()
_CARRIED: Final = ("model", "run")

_tracer: ContextVar[Tracer | None] = ContextVar("vernal_tracer", default=None)
_context: ContextVar[Mapping[str, str]] = ContextVar("vernal_context", default=MappingProxyType({}))


@contextmanager
def traced(tracer: Tracer | None) -> Iterator[None]:
    """Record the spans of a block, and of what it calls, with a tracer."""
    before = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(before)


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[Span]:
    """Do something under a name; ``model`` and ``run`` are also carried by the log lines written meanwhile.

    Examples
    --------
    >>> with span("check", model="fraud") as current:
    ...     current.set(rows=7)
    ...     context()
    {'model': 'fraud'}
    >>> context()
    {}
    """
    tracer = _tracer.get()
    carried = {key: str(value) for key, value in attributes.items() if key in _CARRIED}
    with _quiet() if tracer is None else tracer.span(name, attributes) as current:
        before = _context.set({**_context.get(), **carried, **current.ids})
        try:
            yield current
        finally:
            _context.reset(before)


def context() -> dict[str, str]:
    """Return what log lines written now are about: ``model``, ``run``, ``trace_id``, ``span_id``, as far as known."""
    return dict(_context.get())


@contextmanager
def _quiet() -> Iterator[Span]:
    yield _SILENT


__all__ = ["Span", "Tracer", "Value", "context", "span", "traced"]
