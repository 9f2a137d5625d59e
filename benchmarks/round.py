"""One hourly round of many models: every row that arrived is counted, every model is judged and written down.

    python -m benchmarks.round                                   # 200 models of 50 features, 100,000 new rows each
    python -m benchmarks.round --models 20 --rows 10000          # shows that it works

Each model has a champion, a lake in which an hour of rows has just arrived, and windows of the hours before. A round is
``vernal tick`` on the whole project, in as many processes at the same time as there are cores to use.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.environments import BENCH, ROOT


def main() -> None:
    """Prepare the project, run the round and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--rows", type=int, default=100_000, help="new rows of each model")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    folder = BENCH / "data" / f"round-{options.models}x{options.rows}"
    if folder.exists():
        shutil.rmtree(folder)
    command = [sys.executable, "-m", "benchmarks.round_project", str(folder), str(options.models), str(options.rows)]
    subprocess.run(command, check=True, cwd=ROOT)
    print(json.dumps(_measure(folder, options.processes), indent=1))


def _measure(folder: Path, processes: int) -> dict[str, Any]:
    """Run the round once and return wall and CPU seconds, the peak memory of each process, and what was done."""
    command = [sys.executable, "-m", "vernal.cli", "tick", "--json", "--project", str(folder)]
    started = time.perf_counter()
    outputs = [folder / f"tick-{number}.json" for number in range(processes)]
    running = []
    for output in outputs:
        with output.open("wb") as file:
            running.append(subprocess.Popen(command, stdout=file))
    usages = [os.wait4(process.pid, 0)[2] for process in running]
    wall = time.perf_counter() - started
    said = [json.loads(output.read_text()) for output in outputs]
    checks = [decision for one in said for decision in one["decisions"]]
    judged = [decision["evidence"]["evidence"] for decision in checks if decision["evidence"]]
    rows = sum(evidence["new_rows"] for evidence in judged)
    return {
        "checks": len(checks),
        "rows": rows,
        "processes": processes,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(sum(usage.ru_utime + usage.ru_stime for usage in usages), 1),
        "megabytes": [round(usage.ru_maxrss * 1024 / 1e6) for usage in usages],
        "outcomes": sorted({decision["outcome"] for decision in checks}),
        "judged": len(judged),
        "errors": [error for one in said for error in one["errors"]],
    }


if __name__ == "__main__":
    main()
