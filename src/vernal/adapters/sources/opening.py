"""From a project's files to the tables that its models are read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernal.adapters.sources.delta import DeltaFolder
from vernal.adapters.sources.layout import Layout
from vernal.adapters.sources.parquet import ParquetFolder

if TYPE_CHECKING:
    from vernal.adapters.sources.database import Database
    from vernal.adapters.sources.table import Table
    from vernal.spec import Project, Source


def open_sources(project: Project) -> dict[tuple[str, str], Table]:
    """Return the user's own tables by model and kind; nothing is read yet."""
    found: dict[tuple[str, str], Table] = {}
    databases: dict[tuple[str, str | None], Database] = {}
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
            found[name, kind] = _open(source, layout, databases)
    return found


def _open(source: Source, layout: Layout, databases: dict[tuple[str, str | None], Database]) -> Table:
    if source.kind == "sql":
        return _open_sql(source, layout, databases)
    if source.kind == "delta":
        return DeltaFolder(layout)
    return ParquetFolder(layout, lateness=source.lateness)


def _open_sql(source: Source, layout: Layout, databases: dict[tuple[str, str | None], Database]) -> Table:
    from vernal.adapters.sources.database import Database
    from vernal.adapters.sources.sql import SqlTable

    name = source.url or "", source.password_env
    if name not in databases:
        databases[name] = Database(source.url or "", password_env=source.password_env)
    return SqlTable(layout, databases[name], lateness=source.lateness)
