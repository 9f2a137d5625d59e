"""Write the tables of docs/reference/metrics.md from the list of metrics in the code.

Run it after a change of :mod:`vernal.adapters.telemetry.families`; a test says when that was forgotten.
"""

from __future__ import annotations

from pathlib import Path

from vernal.adapters.telemetry.families import PROCESS, STORE, Family, exposed_name

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "metrics.md"


def page_text(current: str) -> str:
    """Return the page with its tables made afresh."""
    for name, families in (("store", STORE), ("process", PROCESS)):
        begin, end = f"% begin {name}\n", f"% end {name}\n"
        before, after = current[: current.index(begin)], current[current.index(end) :]
        current = f"{before}{begin}\n{table(families)}\n{after}"
    return current


def table(families: tuple[Family, ...]) -> str:
    """Return metrics as a table."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{exposed_name(family)}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text()))
