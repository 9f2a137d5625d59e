"""From a project's files to the tables that its models are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernal.adapters.sources.delta import DeltaFolder
from vernal.adapters.sources.layout import Layout
from vernal.adapters.sources.parquet import ParquetFolder

if TYPE_CHECKING:
    from vernal.adapters.sources.table import Table
    from vernal.spec import Project, Source


def open_sources(project: Project) -> dict[tuple[str, str], Table]:
    """Return the user's own tables by model and kind; nothing is read yet."""
    found: dict[tuple[str, str], Table] = {}
    for name, spec in project.models.items():
        source = project.source(name)
        for kind, table in source.tables.items():
            layout = Layout(
                subject=f"{name}: {kind} in {table.place}",
                kind=kind,
                table=table,
                features=spec.features.kinds if kind == "predictions" else {},
                task=spec.task,
                zone=source.zone,
                label_delay=spec.label_delay,
            )
            found[name, kind] = _open(source, layout)
    return found


def _open(source: Source, layout: Layout) -> Table:
    if source.kind == "delta":
        return DeltaFolder(layout)
    return ParquetFolder(layout, lateness=source.lateness)
