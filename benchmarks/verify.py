"""Whether the tools looked at the same rows and Vernal's answers are right: speed counts for nothing otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Case, Measured

Answers = dict[str, dict[str, Any]]
"""What each entry of a case printed, by the entry's name."""

_ROUNDING = 1e-9
_ERRORS_APART = 4.0
"""Standard errors of a bootstrap within which its bounds count as agreeing."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A claim on one case, and what was found."""

    case: str
    claim: str
    held: bool
    found: str


def check(case: Case, measured: Sequence[Measured], planted: Sequence[str]) -> list[Check]:
    """Return the checks that this case allows with the entries that were measured."""
    answers = {one.entry.name: one.answer for one in measured if one.answer is not None}
    checks = {"drift": _drift, "windows": _windows, "fleet": _fleet, "paired": _paired}[case.scenario]
    title = f"{case.scenario}, {case.title}"
    return [
        Check(case=title, claim=claim, held=held, found=found) for claim, held, found in checks(case, answers, planted)
    ]


Found = Iterator[tuple[str, bool, str]]


def _drift(case: Case, answers: Answers, planted: Sequence[str]) -> Found:
    expected = [case.rows, case.rows]
    seen = {name: answer["rows"] for name, answer in answers.items() if "rows" in answer}
    wrong = {name: rows for name, rows in seen.items() if rows != expected}
    yield "every tool saw all rows of both files", not wrong, _listed(wrong) or f"{case.rows:,} and {case.rows:,}"
    for name in ("vernal", "vernal-raw"):
        if name in answers:
            drifted = answers[name]["drifted"]
            claim = f"{name} finds the planted drift and no other"
            yield claim, sorted(drifted) == sorted(planted), f"found {', '.join(drifted)}; planted {', '.join(planted)}"
    if "vernal" in answers and "handwritten" in answers:
        yield _kolmogorov(answers["vernal"]["scores"], answers["handwritten"]["scores"])


def _listed(wrong: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {rows}" for name, rows in wrong.items())


def _kolmogorov(own: dict[str, dict[str, float]], exact: dict[str, dict[str, float]]) -> tuple[str, bool, str]:
    """Compare Vernal's distance on its grid, and the bound it certifies, with SciPy's exact one."""
    claim = "SciPy's exact Kolmogorov-Smirnov distance lies between Vernal's and the bound Vernal certifies"
    widest, outside = 0.0, []
    for name, scores in exact.items():
        if "ks" in scores:
            low, high = own[name]["ks"], own[name]["ks_upper"]
            widest = max(widest, scores["ks"] - low)
            if not low - _ROUNDING <= scores["ks"] <= high + _ROUNDING:
                outside.append(f"{name}: {scores['ks']:.5f} outside {low:.5f} to {high:.5f}")
    return claim, not outside, "; ".join(outside) or f"largest difference {widest:.5f}"


def _windows(_: Case, answers: Answers, planted: Sequence[str]) -> Found:
    for name, answer in answers.items():
        mode, days = name.split("-")
        if mode == "rescan" and f"incremental-{days}" in answers:
            rows, digest = answer["window"]
            same = [rows, digest] == answers[f"incremental-{days}"]["window"]
            yield f"{days} days: merged hours and rescanned rows give the same counts", same, f"{rows:,} rows"
    missed = {name: answer["drifted"] for name, answer in answers.items() if answer["drifted"] != sorted(planted)}
    yield "every window shows the planted drift and no other", not missed, _listed(missed) or ", ".join(planted)


def _fleet(case: Case, answers: Answers, _: Sequence[str]) -> Found:
    for answer in answers.values():
        counted = f"{answer['models']:,} models, {answer['features']:,} features"
        yield "every model and feature was judged", answer["features"] == case.rows * 50, counted
        yield "exactly every second model has drifted, as planted", answer["found"], counted


def _paired(_: Case, answers: Answers, __: Sequence[str]) -> Found:
    if len(answers) != 2:  # noqa: PLR2004 - Vernal's interval and the bootstrap's
        return
    own, plain = (answer["interval"] for answer in answers.values())
    # A bound is a mean less 1.645 deviations, and both are estimated from the resamples.
    error = plain["deviation"] * math.sqrt((1 + 1.645**2 / 2) / plain["resamples"])
    apart = max(abs(own[bound] - plain[bound]) for bound in ("lower", "upper"))
    found = f"{own['lower']:.5f} to {own['upper']:.5f} against {plain['lower']:.5f} to {plain['upper']:.5f}"
    yield "Vernal's bounds and the bootstrap's agree within its own error", apart <= _ERRORS_APART * error, found
