"""What verbs print: tables for people on a terminal, plain text in a pipe, JSON for machines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from vernal.cli.text import clean, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

STYLES = {
    "error": "red",
    "fail": "red",
    "failed": "red",
    "fired": "cyan",
    "healthy": "green",
    "inconclusive": "yellow",
    "insufficient": "yellow",
    "pass": "green",
    "promoted": "green",
    "rejected": "yellow",
    "requested": "cyan",
    "rolled_back": "red",
    "suppressed": "yellow",
    "warn": "yellow",
    "warning": "yellow",
}
"""Colours of words that stand alone in a cell; colour never says what the word does not."""


class Output:
    """Standard output of one verb.

    Parameters
    ----------
    as_json
        Print nothing but JSON: :meth:`line`, :meth:`fields` and :meth:`table` are silent.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._rich: Console | None = None

    def document(self, value: object) -> None:
        """Print one JSON document, in JSON mode only."""
        if self.as_json:
            print(_indented(value))

    def event(self, value: object, text: str) -> None:
        """Print one event: a JSON object or a line of text, at once also in a pipe."""
        print(_encoded(value).decode() if self.as_json else one_line(text), flush=True)

    def line(self, text: str = "") -> None:
        """Print a line of text."""
        if not self.as_json:
            print(clean(text))

    def fields(self, pairs: Iterable[tuple[str, str]], *, indent: str = "  ") -> None:
        """Print names and values, the values aligned; pairs without a value are left out."""
        known = [(name, value) for name, value in pairs if value]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            lines = clean(value).splitlines() or [""]
            self.line(f"{indent}{name:<{width}}  {lines[0]}")
            for more in lines[1:]:
                self.line(f"{indent}{'':<{width}}  {more}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> None:
        """Print a table; in a pipe it is neither wrapped nor cut."""
        if self.as_json:
            return
        cells = [[one_line(cell) for cell in row] for row in rows]
        if self._console().is_terminal:
            self._rich_table(columns, cells)
        else:
            for line in aligned([list(columns), *cells]):
                print(f"{indent}{line}")

    def renderable(self, value: object, text: str) -> None:
        """Print something that rich can draw, or its text where there is no terminal."""
        if self.as_json:
            return
        if self._console().is_terminal:
            self._console().print(value)
        else:
            print(clean(text))

    def _console(self) -> Console:
        if self._rich is None:
            from rich.console import Console

            self._rich = Console(markup=False, highlight=False, emoji=False)
        return self._rich

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        for index, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=index == 0)
        for row in rows:
            table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
        self._console().print(table)


def warn(text: str) -> None:
    """Print a line to stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with their columns aligned.

    Examples
    --------
    >>> aligned([["model", "champion"], ["fraud", "3"]])
    ['model  champion', 'fraud  3']
    """
    if not rows:
        return []
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _encoded(value: object) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def _indented(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    import msgspec

    return msgspec.json.format(_encoded(value), indent=2).decode()
