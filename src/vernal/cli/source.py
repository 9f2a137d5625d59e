"""``vernal source``: what the tables hold that models are read from, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from vernal.cli.options import AsJson, Models, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.reporting import FAILED

if TYPE_CHECKING:
    from vernal.adapters.sources.examining import ColumnFound, Examination


def source(models: Models = None, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Open the tables that models are read from: which columns were found, what is missing, and what to write.

    Some rows are read to see whether they can be used. Exits with 1 if a table cannot be read.
    """
    from vernal.adapters.sources.examining import examine
    from vernal.bootstrap import open_tables

    output = Output(as_json=as_json)
    opened, tables = open_tables(project)
    names = tuple(dict.fromkeys(opened.model(name).model for name in models or opened.models))
    found = {name: [examine(table) for (model, _), table in tables.items() if model == name] for name in names}
    output.document({"models": [_as_dict(name, opened.source(name).kind, found[name]) for name in names]})
    for index, name in enumerate(names):
        if index:
            output.line()
        _print(output, name, opened.source(name).kind, found[name])
    if any(one.problems for tables_of_model in found.values() for one in tables_of_model):
        raise typer.Exit(FAILED)


def _as_dict(model: str, kind: str, tables: list[Examination]) -> dict[str, Any]:
    embedded = [name for name in ("predictions", "labels") if name not in {table.kind for table in tables}]
    shown = [table.to_dict() for table in tables]
    return {"model": model, "kind": kind if tables else "lake", "tables": shown, "embedded": embedded}


def _print(output: Output, model: str, kind: str, tables: list[Examination]) -> None:
    output.line(f"{model}: {kind if tables else 'lake'}")
    for name in ("predictions", "labels"):
        table = next((table for table in tables if table.kind == name), None)
        if table is None:
            output.line(f"  {name}: in the embedded lake")
        else:
            _print_table(output, table)


def _print_table(output: Output, table: Examination) -> None:
    output.line(f"  {table.kind}: {table.place}")
    rows = [[column.name, _stands_for(column), column.type or ""] for column in table.columns]
    if rows:
        output.table(("column", "is", "type"), rows, indent="    ")
    usable = f"{table.sampled - table.refused} of {table.sampled} rows that were read can be used"
    output.fields(
        [
            ("unused", ", ".join(table.unused)),
            ("rows", usable if table.sampled else ""),
            ("refused", "\n".join(table.reasons)),
            ("notes", "\n".join(table.notes)),
            ("problems", "\n".join(table.problems)),
        ],
        indent="    ",
    )
    if table.write:
        output.line("    Write into the model file:")
        for line in table.write.splitlines():
            output.line(f"      {line}")


def _stands_for(column: ColumnFound) -> str:
    if column.problem:
        return "MISSING"
    if column.constant is not None:
        return f"always {column.constant!r}"
    return column.column or "-"
