"""The benchmark's own arithmetic: medians, outcomes in words, tables, and where they are published."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from benchmarks.measure import Case, Entry, Measured

TREE = Path(__file__).resolve().parents[2]
NAMES = ("measure", "plan", "report", "run", "verify")


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the benchmark's modules by name."""
    monkeypatch.syspath_prepend(str(TREE))
    return {name: importlib.import_module(f"benchmarks.{name}") for name in NAMES}


def entry(modules: dict[str, Any], name: str, code: str = "pass", *, skip: str = "") -> Entry:
    made: Entry = modules["measure"].Entry(name=name, title=name, command=(sys.executable, "-c", code), skip=skip)
    return made


def case(modules: dict[str, Any], *entries: Entry, scenario: str = "drift", rows: int = 10) -> Case:
    made: Case = modules["measure"].Case(
        scenario=scenario, title="a case", against=entries[0].name, entries=entries, rows=rows
    )
    return made


def measured(modules: dict[str, Any], one: Case, folder: Path, *, limit_seconds: float = 60.0) -> list[Measured]:
    told: list[str] = []
    found: list[Measured] = modules["measure"].measure(
        one, repetitions=2, limit_seconds=limit_seconds, logs=folder, progress=told.append
    )
    return found


def ran(modules: dict[str, Any], name: str, answer: dict[str, Any], *seconds: float) -> Measured:
    runs = tuple(
        modules["measure"].Run(wall_seconds=wall, cpu_seconds=1.0, peak_mb=100.0, answer=answer) for wall in seconds
    )
    made: Measured = modules["measure"].Measured(entry=entry(modules, name), runs=runs)
    return made


def test_a_tool_that_fails_is_reported_with_the_last_line_of_its_error(modules: dict[str, Any], tmp_path: Path) -> None:
    failing = entry(modules, "failing", "raise SystemExit('no such column')")
    [found] = measured(modules, case(modules, failing), tmp_path)
    assert (found.outcome, found.medians()) == ("failed: no such column", {})


def test_a_tool_that_does_not_end_is_stopped_and_reported_as_not_finished(
    modules: dict[str, Any], tmp_path: Path
) -> None:
    endless = entry(modules, "endless", "import threading; threading.Event().wait()")
    [found] = measured(modules, case(modules, endless), tmp_path, limit_seconds=0.5)
    assert found.outcome.startswith("not finished")


def test_a_tool_that_prints_no_answer_has_failed(modules: dict[str, Any], tmp_path: Path) -> None:
    [found] = measured(modules, case(modules, entry(modules, "mute", "print('done')")), tmp_path)
    assert found.outcome == "failed: printed no answer but 'done'"


def test_what_is_not_run_says_why(modules: dict[str, Any], tmp_path: Path) -> None:
    [found] = measured(modules, case(modules, entry(modules, "slow", "pass", skip="too slow")), tmp_path)
    assert (found.outcome, found.runs) == ("not run: too slow", ())


MEASURING = """
import sys
from pathlib import Path
from benchmarks.measure import run_once
for code in ("x = bytearray(b'x' * 300_000_000); print('{}')", "print('{}')"):
    found = run_once((sys.executable, "-c", code), limit_seconds=60, log=Path(sys.argv[1]))
    print(found.peak_mb)
"""


def test_a_measurement_holds_the_memory_of_the_child_alone(tmp_path: Path) -> None:
    # From a process as small as the benchmark's own: what the parent holds when it forks counts for the child.
    command = [sys.executable, "-c", MEASURING, str(tmp_path / "log")]
    told = subprocess.run(command, cwd=TREE, check=True, capture_output=True, text=True).stdout
    large, small = map(float, told.split())
    assert large - small > 250


def test_rounds_take_turns_in_reverse_order(modules: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "order"
    code = f"open({str(log)!r}, 'a').write({{!r}}); print('{{{{}}}}')"
    measured(modules, case(modules, *(entry(modules, name, code.format(name)) for name in "abc")), tmp_path / "logs")
    assert log.read_text() == "abccba"


def test_the_median_of_the_rounds_is_shown(modules: dict[str, Any]) -> None:
    found = ran(modules, "one", {"inside": {"check": 0.25}}, 3.0, 1.0, 9.0).medians()
    assert (found["wall_seconds"], found["inside_check"]) == (3.0, 0.25)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00123, "0.0012"),
        (0.0567, "0.057"),
        (1.0, "1.00"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_have_the_digits_that_count(modules: dict[str, Any], value: float, text: str) -> None:
    assert modules["report"].number(value) == text


def results(modules: dict[str, Any], *found: Measured) -> dict[str, Any]:
    return {
        "machine": {
            "processor": "P",
            "cores": 2,
            "memory_gb": 8,
            "system": "Linux",
            "python": "3.11.7",
            "load_before": 0.1,
        },
        "options": {"repetitions": 3},
        "cases": [modules["run"].case_as_json(case(modules, *(one.entry for one in found)), found)],
        "checks": [{"case": "c", "claim": "it is so", "held": False, "found": "a | b"}],
        "versions": {"vernal": {"numpy": "2.0"}},
    }


def test_a_table_shows_ratios_to_the_row_it_is_against_and_outcomes_in_words(modules: dict[str, Any]) -> None:
    failed = modules["measure"].Measured(entry=entry(modules, "peer"), outcome="failed: why")
    text = modules["report"].render(
        results(modules, ran(modules, "own", {}, 2.0), ran(modules, "other", {}, 30.0), failed)
    )
    assert "| other | 30.0 | 1.00 | 100 | 15.0 | 1.00 | 1.00 |" in text
    assert "| peer | failed: why |" in text


def test_a_check_that_did_not_hold_stands_out(modules: dict[str, Any]) -> None:
    text = modules["report"].render(results(modules, ran(modules, "own", {}, 2.0)))
    assert r"| c | it is so | **no** | a \| b |" in text


def test_publishing_replaces_what_is_between_the_markers_and_nothing_else(
    modules: dict[str, Any], tmp_path: Path
) -> None:
    report, page = modules["report"], tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.publish(results(modules, ran(modules, "own", {}, 2.0)), page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| own | 2.00 |" in text


def test_a_page_without_markers_is_left_alone(modules: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="markers"):
        modules["report"].publish(results(modules, ran(modules, "own", {}, 2.0)), page)
    assert page.read_text() == "nothing\n"


def test_the_documentation_has_the_markers(modules: dict[str, Any]) -> None:
    text = modules["report"].PAGE.read_text()
    assert (text.count(modules["report"].BEGIN), text.count(modules["report"].END)) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "why"),
    [(1_000_000, ""), (10_000_000, "would take about 100 s"), (5_000_000, "would need about 25 GB")],
    ids=["fits", "too slow", "too large"],
)
def test_a_tool_is_refused_where_its_known_needs_pass_the_limits(modules: dict[str, Any], rows: int, why: str) -> None:
    needs = modules["plan"].Needs(seconds=10, gigabytes=5)
    assert needs.refusal(rows, limit_seconds=60, limit_gigabytes=20).partition(",")[0] == why


def drift_answer(rows: list[int], drifted: list[str], ks: float) -> dict[str, Any]:
    return {"rows": rows, "drifted": drifted, "scores": {"n": {"ks": ks, "ks_upper": ks + 0.01}}}


@pytest.mark.parametrize(
    ("own", "other_rows", "exact", "held"),
    [
        (["n"], [10, 10], 0.105, [True, True, True]),
        (["n"], [10, 9], 0.105, [False, True, True]),
        ([], [10, 10], 0.105, [True, False, True]),
        (["c", "n"], [10, 10], 0.105, [True, False, True]),
        (["n"], [10, 10], 0.12, [True, True, False]),
        (["n"], [10, 10], 0.09, [True, True, False]),
    ],
    ids=["all right", "rows lost", "drift missed", "false alarm", "above the bound", "below the score"],
)
def test_drift_answers_are_held_to_the_rows_the_planted_columns_and_the_exact_distance(
    modules: dict[str, Any], own: list[str], other_rows: list[int], exact: float, held: list[bool]
) -> None:
    found = [
        ran(modules, "vernal", drift_answer([10, 10], own, 0.1), 1.0),
        ran(modules, "handwritten", {"rows": other_rows, "scores": {"n": {"ks": exact}}}, 1.0),
    ]
    checks = modules["verify"].check(case(modules, *(one.entry for one in found)), found, ["n"])
    assert [check.held for check in checks] == held


@pytest.mark.parametrize(("digest", "held"), [("same", True), ("other", False)])
def test_merged_hours_are_held_to_the_counts_of_the_rescan(modules: dict[str, Any], digest: str, held: bool) -> None:
    found = [
        ran(modules, "incremental-7", {"window": [70, "same"], "drifted": ["n"]}, 1.0),
        ran(modules, "rescan-7", {"window": [70, digest], "drifted": ["n"]}, 1.0),
    ]
    checks = modules["verify"].check(case(modules, *(one.entry for one in found), scenario="windows"), found, ["n"])
    assert [check.held for check in checks] == [held, True]


@pytest.mark.parametrize(("lower", "held"), [(0.010, True), (0.016, False)])
def test_an_interval_is_held_to_the_bootstrap_within_its_own_error(
    modules: dict[str, Any], lower: float, held: bool
) -> None:
    plain = {"lower": 0.010, "upper": 0.043, "deviation": 0.01, "resamples": 1000}
    found = [
        ran(modules, "own", {"interval": {"lower": lower, "upper": 0.043}}, 1.0),
        ran(modules, "plain", {"interval": plain}, 1.0),
    ]
    [check] = modules["verify"].check(case(modules, *(one.entry for one in found), scenario="paired"), found, [])
    assert check.held is held
