"""Measure Vernal and its peers side by side in one run, and write the tables.

    python -m benchmarks.run                        everything; then the tables of docs/explanation/performance.md
    python -m benchmarks.run --quick                small data, in minutes: shows that all of it works
    python -m benchmarks.run --only drift --rows 1000000 --peers evidently whylogs

Results go to .bench/results.json and .bench/results.md; only a run of everything also goes into the documentation.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import environments, plan, report, verify
from benchmarks.environments import BENCH, HERE, OWN, ROOT, python_of
from benchmarks.measure import Case, Measured, measure, run_once

SCENARIOS = ("drift", "windows", "fleet", "paired")
PEERS = ("handwritten", "alibi-detect", "nannyml", "whylogs", "evidently")
ROWS = (100_000, 1_000_000, 10_000_000)
_TINY_ROWS = 2_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    rows: tuple[int, ...]
    repetitions: int
    reference_rows: int
    rows_per_hour: int
    days: int
    models: int
    different_models: int
    paired_rows: int
    resamples: int


FULL = Size(
    rows=ROWS,
    repetitions=5,
    reference_rows=100_000,
    rows_per_hour=10_000,
    days=30,
    models=1000,
    different_models=50,
    paired_rows=100_000,
    resamples=1000,
)
QUICK = Size(
    rows=(20_000,),
    repetitions=2,
    reference_rows=20_000,
    rows_per_hour=500,
    days=8,
    models=20,
    different_models=4,
    paired_rows=20_000,
    resamples=100,
)


def main() -> int:
    """Measure what the options ask for; the exit code is 1 if a check on the answers failed."""
    options = _options()
    size = QUICK if options.quick else FULL
    size = dataclasses.replace(
        size, rows=tuple(options.rows or size.rows), repetitions=options.repetitions or size.repetitions
    )
    _progress(f"{size.repetitions} repetitions; data, environments and results in {BENCH.relative_to(ROOT)}/")
    results: dict[str, Any] = {
        "machine": _machine(),
        "options": dataclasses.asdict(size),
        "cases": [],
        "checks": [],
    }
    for case, planted in _cases(options, size, results):
        found = measure(
            case,
            repetitions=size.repetitions,
            limit_seconds=options.limit_seconds,
            logs=BENCH / "logs" / case.title.replace(" ", "-"),
            progress=_progress,
        )
        checks = verify.check(case, found, planted)
        results["cases"].append(case_as_json(case, found))
        results["checks"] += [dataclasses.asdict(check) for check in checks]
        _write(results)
    print(report.render(results))
    narrowed = options.quick or options.rows or options.only or options.peers is not None
    if not narrowed:
        report.publish(results)
    return 0 if all(check["held"] for check in results["checks"]) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", help=f"rows of each file of `drift`; {ROWS} by default")
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="peers to measure; all by default")
    parser.add_argument("--repetitions", type=int, help=f"runs of each; {FULL.repetitions} by default")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="small data and few repetitions")
    parser.add_argument("--limit-seconds", type=float, help="longest a run may take; 900 by default, 60 if quick")
    parser.add_argument(
        "--limit-gigabytes", type=float, default=0.8 * _memory_gb(), help="most a run may need (default 80 %% of all)"
    )
    options = parser.parse_args()
    if min([*(options.rows or [_TINY_ROWS]), options.repetitions or 1]) < 1:
        parser.error("--rows and --repetitions: expected at least 1")
    options.limit_seconds = options.limit_seconds or (60.0 if options.quick else 900.0)
    return options


def _cases(options: argparse.Namespace, size: Size, results: dict[str, Any]) -> Iterator[tuple[Case, list[str]]]:
    """Yield the cases one by one, each with its data made and the columns that drift planted in them."""
    wanted = options.only or SCENARIOS
    if "drift" in wanted:
        peers = PEERS if options.peers is None else options.peers
        left_out = {name for peer in PEERS if peer not in peers for name in (peer, f"{peer}-all")}
        tools = [name for name in plan.DRIFT if name not in left_out]
        unfit = _unfit(tools)
        results["versions"] = _versions(tools)
        for rows in size.rows:
            folder = _drift_data(rows)
            yield (
                plan.drift_case(
                    folder,
                    rows,
                    tools=tools,
                    unfit=unfit,
                    limit_seconds=options.limit_seconds,
                    limit_gigabytes=options.limit_gigabytes,
                ),
                _planted(folder),
            )
    results.setdefault("versions", _versions(["vernal"]))
    if "windows" in wanted:
        name = f"windows-{size.days}x{size.rows_per_hour}"
        arguments = ("--rows", size.reference_rows, "--days", size.days, "--rows-per-hour", size.rows_per_hour)
        folder = _data(name, *arguments)
        _tool("vernal_windows.py", "prepare", folder, 24 * size.days)
        yield plan.window_case(folder, days=size.days, rows_per_hour=size.rows_per_hour), _planted(folder)
    if "fleet" in wanted:
        store = BENCH / "data" / f"fleet-{size.models}.sqlite"
        _tool("vernal_fleet.py", "prepare", store, size.models, size.different_models)
        yield plan.fleet_case(store, models=size.models), []
    if "paired" in wanted:
        for case in plan.paired_cases(rows=size.paired_rows, resamples=size.resamples):
            yield case, []


def _unfit(tools: Sequence[str]) -> dict[str, str]:
    """Make the environments and run each tool once on little data, so that no measured run is one that compiles."""
    needed = sorted({plan.DRIFT[name].environment for name in tools} - {OWN})
    broken = environments.make(needed, _progress)
    unfit = {name: broken[plan.DRIFT[name].environment] for name in tools if plan.DRIFT[name].environment in broken}
    folder = _drift_data(_TINY_ROWS)
    case = plan.drift_case(
        folder, _TINY_ROWS, tools=tools, unfit=unfit, limit_seconds=float("inf"), limit_gigabytes=float("inf")
    )
    for entry in case.entries:
        if not entry.skip:
            run = run_once(entry.command, limit_seconds=300.0, log=BENCH / "logs" / "tiny" / f"{entry.name}.log")
            if run.error:
                unfit[entry.name] = f"already on {_TINY_ROWS:,} rows it {run.error}"
            _progress(f"first run on {_TINY_ROWS:,} rows: {entry.title}: {run.error or 'works'}")
    return unfit


def _drift_data(rows: int) -> Path:
    folder = _data(f"drift-{rows}", "--rows", rows)
    _tool("vernal_drift.py", "store", folder / "reference.parquet", folder / "baseline.bin")
    return folder


def _data(name: str, *arguments: object) -> Path:
    """Return a folder of data, made anew when what makes it has changed."""
    folder = BENCH / "data" / name
    stamp = folder / "made.txt"
    by = hashlib.sha256((HERE / "data.py").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != by:
        _progress(f"data: making {name}")
        command = [python_of(OWN), "-m", "benchmarks.data", str(folder), *map(str, arguments)]
        subprocess.run(command, check=True, cwd=ROOT)
        stamp.write_text(by)
    return folder


def _tool(script: str, *arguments: object) -> None:
    """Let a tool prepare what it has stored in daily use."""
    subprocess.run([python_of(OWN), str(plan.TOOLS / script), *map(str, arguments)], check=True)


def _planted(folder: Path) -> list[str]:
    planted: list[str] = json.loads((folder / "data.json").read_text())["planted"]
    return planted


def case_as_json(case: Case, found: Sequence[Measured]) -> dict[str, Any]:
    """Return a case as results.json holds it."""
    rows = [
        {
            "name": one.entry.name,
            "title": one.entry.title,
            "outcome": one.outcome,
            "medians": one.medians(),
            "runs": [[run.wall_seconds, run.cpu_seconds, run.peak_mb] for run in one.runs],
        }
        for one in found
    ]
    return {"scenario": case.scenario, "title": case.title, "against": case.against, "entries": rows}


def _versions(tools: Sequence[str]) -> dict[str, dict[str, str]]:
    chosen = {name: plan.DRIFT[name] for name in tools if plan.DRIFT[name].packages}
    found = {
        name: environments.versions(tool.environment, tool.packages)
        for name, tool in chosen.items()
        if Path(python_of(tool.environment)).exists()
    }
    return {name: versions for name, versions in found.items() if versions}


def _machine() -> dict[str, Any]:
    model = platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        names = [line.partition(":")[2].strip() for line in cpus.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gb": round(_memory_gb()),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _write(results: dict[str, Any]) -> None:
    BENCH.mkdir(exist_ok=True)
    (BENCH / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (BENCH / "results.md").write_text(report.render(results))


def _progress(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
