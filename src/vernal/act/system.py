"""Everything that a tick works with, chosen once at start-up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from vernal.records import Lease

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vernal.clock import Clock
    from vernal.ports import CostSource, Datasets, EventSink, Lake, Notifier, Registry, StateStore, Trainer
    from vernal.spec import Project


@dataclass(frozen=True, kw_only=True)
class System:
    """A project with its adapters.

    ``notifier`` gets every message; ``targets`` are those of the project's notifications that are told of anything, and
    ``sinks`` those of its events, by name. A replay has none: it must not alarm anybody.

    ``patience_seconds`` is how long a tick follows a training job before it comes back later; ``None`` follows it to
    its end. ``spread`` is the share of ``monitoring.every`` over which the checks of the models are spread
    (:func:`vernal.decide.cadence.next_check`).
    """

    project: Project
    clock: Clock
    store: StateStore
    lake: Lake
    datasets: Datasets
    registry: Registry
    trainer: Trainer
    costs: CostSource
    notifier: Notifier
    targets: Mapping[str, Notifier] = field(default_factory=dict)
    sinks: Mapping[str, EventSink] = field(default_factory=dict)
    owner: str
    lease: timedelta = timedelta(seconds=60)
    patience_seconds: float | None = None
    spread: float = 0.0

    def claim(self) -> Lease:
        """Return the lease that this process asks for."""
        return Lease(owner=self.owner, duration=self.lease)
