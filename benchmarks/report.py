"""The tables of a run, from .bench/results.json into docs/explanation/performance.md.

    python -m benchmarks.report

publishes the last run whatever it measured; ``make bench`` does so by itself after a run of everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.environments import BENCH, ROOT
from benchmarks.measure import SLOW_SECONDS

PAGE = ROOT / "docs" / "explanation" / "performance.md"
BEGIN = "<!-- benchmark: written by make bench, from here -->"
END = "<!-- benchmark: to here -->"

_WHOLE = ("wall_seconds", "cpu_seconds", "peak_mb")
_HEADINGS = {
    "drift": "Drift of one file",
    "windows": "The hourly check of a window",
    "fleet": "Many models",
    "paired": "Two models on the same rows",
}


def render(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown: the machine, a table per case, and the checks on the answers."""
    parts = [_setting(results)]
    scenario = ""
    for case in results["cases"]:
        if case["scenario"] != scenario:
            scenario = case["scenario"]
            parts.append(f"### {_HEADINGS[scenario]}")
        parts.append(f"**{case['title'][:1].upper()}{case['title'][1:]}**")
        parts.append(_table(case))
    parts += ["### Whether the answers are right", _checks(results["checks"]), "### Versions", _versions(results)]
    return "\n\n".join(parts) + "\n"


def publish(results: Mapping[str, Any], page: Path = PAGE) -> None:
    """Put the results between the page's two markers.

    Raises
    ------
    ValueError
        If the page does not have both markers, once each.
    """
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page}: expected the two markers {BEGIN!r} and {END!r}, once each")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{render(results)}\n{END}{after}")


def number(value: float) -> str:
    """Return a number with three digits that count, without an exponent."""
    if value >= 100:  # noqa: PLR2004 - from here on all three stand before the point
        return f"{value:,.0f}"
    digits = 0 if value == 0 else 1 if value >= 10 else 2 if value >= 1 else 3  # noqa: PLR2004 - powers of ten
    return f"{value:.{digits}f}" if value >= 0.01 or value == 0 else f"{value:.2g}"  # noqa: PLR2004 - as above


def _setting(results: Mapping[str, Any]) -> str:
    machine, rounds = results["machine"], results["options"]["repetitions"]
    return (
        f"Measured on {machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB of memory, "
        f"{machine['system']}, Python {machine['python']}; load {machine['load_before']} before the run; "
        f"medians over {rounds} round{'s' if rounds > 1 else ''}, one where a run took over {SLOW_SECONDS:.0f} s."
    )


def _table(case: Mapping[str, Any]) -> str:
    base = next(entry["medians"] for entry in case["entries"] if entry["name"] == case["against"])
    inside = [name for name in base if name.startswith("inside_")]
    compared = len(case["entries"]) > 1
    heads = ["", "wall s", "CPU s", "peak MB", *(["wall ratio", "CPU ratio", "memory ratio"] if compared else [])]
    for name in inside:
        short = name.removeprefix("inside_")
        heads += [f"{short} ms", f"{short} ratio"] if compared else [f"{short} ms"]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    for entry in case["entries"]:
        found = entry["medians"]
        if not found:
            lines.append(_line([entry["title"], entry["outcome"], *[""] * (len(heads) - 2)]))
            continue
        cells = [number(found[name]) for name in _WHOLE]
        cells += [_ratio(found, base, name) for name in _WHOLE if compared]
        for name in inside:
            cells += (
                [number(1000 * found[name]), _ratio(found, base, name)] if compared else [number(1000 * found[name])]
            )
        lines.append(_line([entry["title"], *cells]))
    return "\n".join(lines)


def _ratio(found: Mapping[str, float], base: Mapping[str, float], name: str) -> str:
    return number(found[name] / base[name]) if base else ""


def _checks(checks: list[Mapping[str, Any]]) -> str:
    lines = [_line(["case", "claim", "held", "found"]), _line(["---"] * 4)]
    lines += [
        _line([check["case"], check["claim"], "yes" if check["held"] else "**no**", check["found"]]) for check in checks
    ]
    return "\n".join(lines)


def _versions(results: Mapping[str, Any]) -> str:
    lines = [
        f"- {name}: " + ", ".join(f"{package} {version}" for package, version in packages.items())
        for name, packages in results["versions"].items()
    ]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    publish(json.loads((BENCH / "results.json").read_text()))
