"""Drive the production code through recorded history, a day at a time.

A replayed day is served by whatever route stood at its beginning; its predictions and the labels that arrived during
it are logged at its end, and then the controller ticks. Everything that is decided is decided by :mod:`vernal.act`,
as in production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from vernal.act.ingest import ingest
from vernal.act.operations import retrain
from vernal.act.reconcile import TickReport, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import pyarrow as pa

    from vernal.act.serve import Requests, Server
    from vernal.act.system import System
    from vernal.clock import SimulatedClock


NOTHING_DONE = TickReport(checks=(), steps=(), sent=0, errors=())


class History(Protocol):
    """Recorded requests and labels of one model."""

    def requests(self, start: datetime, end: datetime) -> Requests:
        """Return the requests made in ``[start, end)``, oldest first."""
        ...

    def labels(self, start: datetime, end: datetime) -> pa.Table:
        """Return the labels that arrived in ``[start, end)``, with the columns of the labels table."""
        ...


class Day(NamedTuple):
    """One replayed day, after its tick."""

    start: datetime
    end: datetime
    served: int
    labels: int
    report: TickReport


def replay(
    system: System,
    clock: SimulatedClock,
    server: Server,
    history: History,
    *,
    model: str,
    days: Iterable[tuple[datetime, datetime]],
    first_training: datetime,
    on_day: Callable[[Day], None],
) -> None:
    """Replay days in order.

    Parameters
    ----------
    days
        ``(start, end)`` of each day, without gaps. Logging is exactly-once per day, so a replay that was killed can
        be started again over the same project.
    first_training
        Until then rows are only logged and nobody ticks, as before Vernal was installed. At the first day's end at or
        after this moment somebody asks for the first model, as a person would, and from then on the controller ticks.
    """
    asked = bool(system.store.runs(model))
    for start, end in days:
        served = _serve(system, server, history, model, start, end)
        labels = _log_labels(system, history, model, start, end)
        clock.set(end)
        running = end >= first_training
        if running and not asked:
            retrain(system, model, actor="replay", reason="first model")
            asked = True
        on_day(Day(start, end, served, labels, tick(system, (model,)) if running else NOTHING_DONE))


def _serve(system: System, server: Server, history: History, model: str, start: datetime, end: datetime) -> int:
    system.store.sync_models((model,), now=start)
    requests = history.requests(start, end)
    if not requests.ids:
        return 0
    rows = server.answer(requests, system.store.model(model).route)
    return _log(system, model, "predictions", rows, end)


def _log_labels(system: System, history: History, model: str, start: datetime, end: datetime) -> int:
    rows = history.labels(start, end)
    return _log(system, model, "labels", rows, end) if rows.num_rows else 0


def _log(system: System, model: str, kind: str, rows: pa.Table, end: datetime) -> int:
    spec = system.project.models[model]
    report = ingest(
        system.lake,
        model,
        kind,
        rows,
        features=spec.features.kinds,
        task=spec.task,
        quality=spec.quality,
        writer=f"replay-{kind}",
        sequence=int(end.timestamp()),
        now=end,
    )
    return report.accepted
