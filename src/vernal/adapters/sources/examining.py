"""What a table of the user's holds, and what is missing before models can be read from it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vernal.errors import LakeError, VernalError
from vernal.records import Predictions

if TYPE_CHECKING:
    from vernal.adapters.sources.layout import Layout, Place
    from vernal.adapters.sources.table import Table

SAMPLE_ROWS: Final = 10_000
"""Rows that are read to see whether they can be used."""

_TIME_WORDS: Final = ("time", "date")
_PREDICTIONS: Final = "predictions"


class ColumnFound(NamedTuple):
    """One of Vernal's columns: what stands for it there, of which type, whether it has to be there, what is wrong."""

    name: str
    column: str | None
    constant: str | None
    type: str | None
    needed: bool
    problem: str


class Examination(NamedTuple):
    """What was found in a table.

    ``sampled`` rows were read, of which ``refused`` cannot be used for the reasons given. ``unused`` are columns that
    nothing reads. ``problems`` say what keeps the table from being read; ``write`` is what to put into the model file.
    """

    kind: str
    place: str
    columns: tuple[ColumnFound, ...]
    unused: tuple[str, ...]
    sampled: int
    refused: int
    reasons: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    write: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-compatible builtins."""
        return {**self._asdict(), "columns": [column._asdict() for column in self.columns]}


def examine(table: Table) -> Examination:
    """Open a table, find its columns, and try to read some rows."""
    layout = table.layout
    nothing = Examination(layout.kind, layout.table.place, (), (), 0, 0, (), (), (), "")
    try:
        types = table.columns_found()
    except VernalError as error:
        return nothing._replace(problems=(str(error),))
    if not types:
        return nothing._replace(problems=(f"{layout.subject}: found no rows and so no columns yet",))
    places = layout.places(types)
    read = {place.column for place in places}
    unused = tuple(name for name in types if name not in read)
    found = nothing._replace(
        columns=tuple(_found(place, types) for place in places),
        unused=unused,
        problems=tuple(f"{place.name}: {place.problem}" for place in places if place.problem),
        notes=tuple(_notes(layout, places)),
        write=_to_write(layout, places, {name: types[name] for name in unused}),
    )
    return found if found.problems else _with_sample(table, found)


def _with_sample(table: Table, found: Examination) -> Examination:
    try:
        rows = table.sample(SAMPLE_ROWS)
        reasons = table.layout.refused(rows)
        if not rows.num_rows:
            return found._replace(notes=(*found.notes, "the table has no rows yet"))
        if table.layout.kind == _PREDICTIONS:
            table.layout.countable(rows, tuple(table.layout.features))
    except LakeError as error:
        return found._replace(problems=(str(error),))
    told = tuple(f"{reason} ({count})" for reason, count in Counter(reasons).most_common())
    whole = len(reasons) == rows.num_rows
    problems = (f"none of {rows.num_rows} rows can be used: {'; '.join(told[:3])}",) if whole else ()
    return found._replace(sampled=rows.num_rows, refused=len(reasons), reasons=told, problems=problems)


def _found(place: Place, types: dict[str, str]) -> ColumnFound:
    kind = None if place.column is None else types[place.column]
    return ColumnFound(place.name, place.column, place.constant, kind, place.needed, place.problem)


def _notes(layout: Layout, places: tuple[Place, ...]) -> list[str]:
    """Return what follows from columns that may be missing."""
    there = {place.name for place in places if place.column is not None or place.constant is not None}
    notes = []
    if layout.kind == _PREDICTIONS:
        if layout.came_time not in there:
            notes.append("no received_time: rows written later than `lateness` after their event are not counted")
        if Predictions.VERSION not in there:
            notes.append("no model_version: live performance cannot be told; name a column or a constant")
        if Predictions.PREDICTION not in there:
            notes.append("no prediction: live performance cannot be told")
    elif layout.came_time not in there:
        notes.append("no arrival_time: a label counts as known label_delay after its event")
    elif layout.event_time not in there:
        notes.append("no event_time: labels without a prediction are counted by when they arrived")
    return notes


def _to_write(layout: Layout, places: tuple[Place, ...], unused: dict[str, str]) -> str:
    """Return the keys that are missing, as a model file has them, with the columns that may be meant."""
    lines: dict[str, list[str]] = {"columns": [], "features": []}
    for place in places:
        if place.problem:
            is_time = place.name.endswith("_time")
            is_number = layout.features.get(place.name) == "numerical"
            fitting = [name for name, kind in unused.items() if _fits(kind, is_time=is_time, is_number=is_number)]
            choice = f"  # one of: {', '.join(fitting[:8])}" if fitting else ""
            lines["features" if place.name in layout.features else "columns"].append(f"      {place.name}: ...{choice}")
    written = [f"    {section}:\n" + "\n".join(keys) for section, keys in lines.items() if keys]
    return "\n".join(["source:", f"  {layout.kind}:", *written]) if written else ""


def _fits(kind: str, *, is_time: bool, is_number: bool) -> bool:
    """Tell whether a column of a type, in the user's words, may be what is missing."""
    holds_times = any(word in kind.lower() for word in _TIME_WORDS)
    return holds_times == is_time if is_time or is_number else True


__all__ = ["ColumnFound", "Examination", "examine"]
