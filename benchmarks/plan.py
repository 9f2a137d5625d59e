"""What is measured: the tools, what they are known to need, and the cases of each scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import HERE, OWN, python_of
from benchmarks.measure import Case, Entry

TOOLS = HERE / "tools"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a tool took for a million rows, from which other numbers of rows are foretold.

    Seconds grow with the ``power``-th power of the rows, memory with the rows.
    """

    seconds: float
    gigabytes: float
    power: float = 1.0

    def refusal(self, rows: int, *, limit_seconds: float, limit_gigabytes: float) -> str:
        """Return why that many rows are too many, or nothing."""
        millions = rows / 1e6
        seconds, gigabytes = self.seconds * millions**self.power, self.gigabytes * millions
        if seconds > limit_seconds:
            return f"would take about {seconds:,.0f} s, over the limit of {limit_seconds:,.0f} s"
        if gigabytes > limit_gigabytes:
            return f"would need about {gigabytes:,.0f} GB, over the limit of {limit_gigabytes:,.0f} GB"
        return ""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A way to answer the drift question; ``{...}`` in its arguments stand for files."""

    title: str
    script: str
    arguments: tuple[str, ...]
    environment: str = OWN
    needs: Needs = Needs(seconds=1, gigabytes=0.3)
    packages: tuple[str, ...] = ()


_BOTH = ("{reference}", "{current}")
_FRAMES = ("numpy", "pandas", "pyarrow")
_FEWER = "without the column of 100,000 categories"

DRIFT: Mapping[str, Tool] = {
    "vernal": Tool(
        title="Vernal, stored baseline",
        script="vernal_drift.py",
        arguments=("compare", "{baseline}", "{current}"),
        packages=("vernal", *_FRAMES, "scipy", "scikit-learn"),
    ),
    "vernal-raw": Tool(
        title="Vernal, both files read", script="vernal_drift.py", arguments=("compare", "{reference}", "{current}")
    ),
    "pyarrow": Tool(title="floor: pyarrow reads the current file", script="floor_pyarrow.py", arguments=("{current}",)),
    "numpy": Tool(title="floor: a process that imports numpy", script="floor_numpy.py", arguments=()),
    "handwritten": Tool(
        title="handwritten numpy and SciPy",
        script="handwritten.py",
        arguments=_BOTH,
        needs=Needs(seconds=9, gigabytes=1.1),
    ),
    "alibi-detect": Tool(
        title=f"Alibi Detect, {_FEWER}",
        script="peer_alibi_detect.py",
        arguments=(*_BOTH, "c_100k"),
        environment="alibi_detect",
        needs=Needs(seconds=13, gigabytes=1.8),
        packages=("alibi-detect", *_FRAMES),
    ),
    "alibi-detect-all": Tool(
        title="Alibi Detect, all columns",
        script="peer_alibi_detect.py",
        arguments=_BOTH,
        environment="alibi_detect",
        needs=Needs(seconds=300, gigabytes=1.8),  # each category scans all rows
    ),
    "nannyml": Tool(
        title="NannyML",
        script="peer_nannyml.py",
        arguments=_BOTH,
        environment="nannyml",
        needs=Needs(seconds=32, gigabytes=1.8),
        packages=("nannyml", *_FRAMES),
    ),
    "whylogs": Tool(
        title="whylogs",
        script="peer_whylogs.py",
        arguments=_BOTH,
        environment="whylogs",
        needs=Needs(seconds=44, gigabytes=1.5),
        packages=("whylogs", *_FRAMES),
    ),
    "evidently": Tool(
        title=f"Evidently, {_FEWER}",
        script="peer_evidently.py",
        arguments=(*_BOTH, "c_100k"),
        environment="evidently",
        needs=Needs(seconds=103, gigabytes=2.9),
        packages=("evidently", *_FRAMES),
    ),
    "evidently-all": Tool(
        title="Evidently, all columns",
        script="peer_evidently.py",
        arguments=_BOTH,
        environment="evidently",
        needs=Needs(seconds=30_000, gigabytes=2.9, power=1.5),  # as Alibi Detect; 82 s at 20,000 rows
    ),
}
PEERS = ("alibi_detect", "evidently", "nannyml", "whylogs")


def drift_case(
    folder: Path,
    rows: int,
    *,
    tools: Sequence[str],
    unfit: Mapping[str, str],
    limit_seconds: float,
    limit_gigabytes: float,
) -> Case:
    """Return the case of one current file; ``unfit`` says which tools cannot run at all, and why."""
    files = {
        "reference": folder / "reference.parquet",
        "current": folder / "current.parquet",
        "baseline": folder / "baseline.bin",
    }
    entries = []
    for name in tools:
        tool = DRIFT[name]
        arguments = tuple(argument.format_map(files) for argument in tool.arguments)
        refusal = tool.needs.refusal(rows, limit_seconds=limit_seconds, limit_gigabytes=limit_gigabytes)
        entries.append(
            Entry(
                name=name,
                title=tool.title,
                command=(python_of(tool.environment), str(TOOLS / tool.script), *arguments),
                skip=unfit.get(name, "") or refusal,
            )
        )
    reads = (files["reference"], files["current"])
    return Case(
        scenario="drift", title=f"{rows:,} rows", against="vernal", entries=tuple(entries), rows=rows, reads=reads
    )


def window_case(folder: Path, *, days: int, rows_per_hour: int) -> Case:
    """Return the case of the hourly check; ``days`` is the longest window there is data for."""
    weeks = sorted({1, 7, days})
    entries = [_window(folder, "incremental", day) for day in weeks]
    entries += [_window(folder, "rescan", day) for day in weeks[1:]]
    return Case(
        scenario="windows",
        title=f"{rows_per_hour:,} rows an hour",
        against="incremental-7",
        entries=tuple(entries),
        rows=rows_per_hour,
        reads=tuple(sorted(folder.glob("day-*.parquet"))),
    )


def _window(folder: Path, mode: str, days: int) -> Entry:
    what = {"incremental": "rolled on by the new hour", "rescan": "every row again"}[mode]
    return Entry(
        name=f"{mode}-{days}",
        title=f"{days} day{'s' if days > 1 else ''}, {what}",
        command=_own("vernal_windows.py", mode, str(folder), str(24 * days)),
    )


def fleet_case(store: Path, *, models: int) -> Case:
    """Return the case of many models in one hour."""
    entry = Entry(name="fleet", title=f"{models:,} models", command=_own("vernal_fleet.py", "roll", str(store)))
    title = f"{models:,} models of 50 features"
    return Case(scenario="fleet", title=title, against="fleet", entries=(entry,), rows=models, reads=(store,))


def paired_cases(*, rows: int, resamples: int) -> list[Case]:
    """Return the cases of two models on the same rows."""
    named = {"accuracy": "difference of accuracy", "area": "difference of the area under the ROC curve"}
    cases = []
    for metric, what in named.items():
        own = Entry(name=metric, title="Vernal", command=_own("paired.py", metric, "vernal", str(rows)))
        plain = Entry(
            name=f"{metric}-bootstrap",
            title=f"bootstrap of the rows, {resamples:,} resamples",
            command=_own("paired.py", metric, "bootstrap", str(rows), str(resamples)),
        )
        title = f"{what}, {rows:,} rows"
        cases.append(Case(scenario="paired", title=title, against=metric, entries=(own, plain), rows=rows))
    return cases


def _own(script: str, *arguments: str) -> tuple[str, ...]:
    return (python_of(OWN), str(TOOLS / script), *arguments)
