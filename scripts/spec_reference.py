"""Write the tables of keys in docs/reference/project-file.md and model-file.md from the models in vernal.spec.

Run without arguments to write them; a test compares them with what this would write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vernal.spec import METRICS, json_schema
from vernal.spec.problems import default_note, section_of
from vernal.spec.schema import ROOTS, Kind

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
PAGES: dict[Kind, Path] = {"project": REFERENCE / "project-file.md", "model": REFERENCE / "model-file.md"}

BEGIN = "% begin {name}: written by scripts/spec_reference.py"
END = "% end {name}"

NAMES = {
    "array": "list of texts",
    "boolean": "`true`, `false`",
    "integer": "whole number",
    "number": "number",
    "object": "keys and texts",
    "string": "text",
}


def main() -> None:
    """Rewrite the generated parts of both pages."""
    for kind, page in PAGES.items():
        page.write_text(page_text(kind, page.read_text(encoding="utf-8")), encoding="utf-8")
        print(page.name)


def page_text(kind: Kind, text: str) -> str:
    """Return a page's text with its generated parts as they should be."""
    text = replaced(text, "keys", "\n\n".join(tables(kind)))
    return replaced(text, "metrics", metrics_table()) if kind == "model" else text


def replaced(text: str, name: str, content: str) -> str:
    """Return a text with another content between its markers."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        message = f"found no markers {begin!r} and {end!r} in this order"
        raise ValueError(message)
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def tables(kind: Kind) -> Iterator[str]:
    """Yield a heading with a table for the file's own keys and for every section in it."""
    schema = json_schema(kind)
    root = ROOTS[kind]
    definitions = schema.get("$defs", {})
    pending: list[tuple[str, Any, dict[str, Any]]] = [("", root, schema)]
    places: dict[Any, str] = {}  # a kind of section that stands in several places is described in the first of them
    while pending:
        path, section, described = pending.pop(0)
        title = f"`{path}`" if path else "Top level"
        lines = [f"({kind}-{path.replace('.', '-') or 'top'})=", f"### {title}", ""]
        lines += [section.__doc__ or "", "", "| key | values | default | meaning |", "|---|---|---|---|"]
        inside = []
        for name, field in section.model_fields.items():
            inner = section_of(field)
            key = f"{path}.{name}" if path else name
            described_key = described["properties"][name]
            if inner is not None:
                if inner not in places:
                    inside.append((key, inner, definitions[inner.__name__]))
                place = places.setdefault(inner, key)
                values = f"[keys](#{kind}-{place.replace('.', '-')})" + (
                    ", or `off`" if is_optional(described_key) else ""
                )
                values = f"list of {values}" if described_key.get("type") == "array" else values
            else:
                values = in_words(described_key)
            note = default_note(field)
            default = note or default_text(described_key, required=name in described.get("required", ()), section=inner)
            lines.append(f"| `{name}` | {values} | {default} | {field.description} |")
        pending = inside + pending
        yield "\n".join(lines)


def metrics_table() -> str:
    """Return the table of metrics."""
    lines = ["| metric | tasks | a threshold or floor is |", "|---|---|---|"]
    for name, limits in METRICS.items():
        ends = f"above {limits.low:g}" + ("" if limits.high is None else f" and below {limits.high:g}")
        unit = ", in the unit of the labels" if limits.in_label_unit else ""
        lines.append(f"| `{name}` | {', '.join(limits.tasks)} | {ends}{unit} |")
    return "\n".join(lines)


def default_text(described: dict[str, Any], *, required: bool, section: object) -> str:
    """Return a default as a file would write it."""
    if required:
        return "required"
    if section is not None and described.get("type") != "array":
        return ""
    default = described.get("default")
    if default is None or default in ([], {}, ""):
        return "none"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default).replace(chr(34), '')}`"


def is_optional(described: dict[str, Any]) -> bool:
    """Tell whether a section can be switched off."""
    return any("enum" in choice for choice in described.get("anyOf", ()))


def in_words(described: dict[str, Any]) -> str:
    """Return which values a key takes."""
    if "anyOf" in described:
        return ", or ".join(in_words(choice) for choice in described["anyOf"] if choice != {"type": "null"})
    if "const" in described:
        return f"`{described['const']}`"
    if "properties" in described:
        return ", ".join(f"`{key}:` {in_words(value)}" for key, value in described["properties"].items())
    if "enum" in described:
        return ", ".join(f"`{choice}`" for choice in described["enum"])
    if described["type"] == "string" and "[0-9]{1,10}d" in described.get("pattern", ""):
        return "duration"
    return ", ".join([NAMES[described["type"]], *bounds(described)])


def bounds(described: dict[str, Any]) -> Iterator[str]:
    """Yield the limits of a number; those that only keep a typing error out are left to the message."""
    words = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below", "maximum": "at most"}
    absurd = 10_000
    for key, word in words.items():
        if key in described and described[key] < absurd:
            yield f"{word} {described[key]:g}"


if __name__ == "__main__":
    main()
