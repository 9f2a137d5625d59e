"""Make the benchmark's rows: 25 columns of many shapes, seeded, written in chunks so that any number of rows fits.

    python -m benchmarks.data FOLDER --rows 1000000
    python -m benchmarks.data FOLDER --rows 100000 --days 30 --rows-per-hour 10000

write ``reference.parquet`` of ``--rows`` rows, beside it ``current.parquet`` of as many or a file for every day with a
row group for every hour, and ``data.json``, which says in what columns the current rows were made to differ.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK_ROWS = 250_000
"""Rows made and written together, as one row group: the memory that any file needs."""

Random = np.random.Generator
Numbers = npt.NDArray[np.float64]
Column = Callable[[Random, int, bool], pa.Array]
"""Makes ``rows`` values of a column, for the drifted or for the undrifted file."""


def _floats(draw: Callable[[Random, int], Numbers], *, single: bool = False, nulls: float = 0.0) -> Column:
    def make(rng: Random, rows: int, _: bool) -> pa.Array:  # noqa: FBT001 - Column's signature
        values = draw(rng, rows).astype(np.float32 if single else np.float64)
        return pa.array(values, mask=rng.random(rows) < nulls if nulls else None)

    return make


def _whole(draw: Callable[[Random, int], npt.NDArray[np.int64]], *, nulls: float = 0.0) -> Column:
    def make(rng: Random, rows: int, _: bool) -> pa.Array:  # noqa: FBT001 - Column's signature
        return pa.array(draw(rng, rows).astype(np.int64), mask=rng.random(rows) < nulls if nulls else None)

    return make


def _zeros(share: float, draw: Callable[[Random, int], Numbers]) -> Callable[[Random, int], Numbers]:
    return lambda rng, rows: np.where(rng.random(rows) < share, 0.0, draw(rng, rows))


def _drifting(before: Column, after: Column) -> Column:
    return lambda rng, rows, drifted: (after if drifted else before)(rng, rows, drifted)


def _categories(distinct: int, *, skew: float, skew_after: float | None = None) -> Column:
    """Return a column of ``distinct`` names, the first ones more frequent the larger ``skew`` is."""
    names = pa.array([f"value-{number:06d}" for number in range(distinct)])

    def make(rng: Random, rows: int, drifted: bool) -> pa.Array:  # noqa: FBT001 - Column's signature
        power = skew_after if drifted and skew_after is not None else skew
        codes = (distinct * rng.random(rows) ** power).astype(np.int32)
        return pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())

    return make


NUMERICAL: dict[str, Column] = {
    "n_normal": _floats(lambda rng, n: rng.normal(50, 10, n)),
    "n_uniform": _floats(lambda rng, n: rng.random(n)),
    "n_exponential": _floats(lambda rng, n: rng.exponential(3, n)),
    "n_lognormal": _floats(lambda rng, n: rng.lognormal(2, 1.5, n)),
    "n_student": _floats(lambda rng, n: rng.standard_t(2, n)),
    "n_pareto": _floats(lambda rng, n: rng.pareto(1.2, n)),
    "n_two_peaks": _floats(lambda rng, n: rng.normal(0, 1, n) + rng.choice([0, 6], n, p=[0.7, 0.3])),
    "n_price": _floats(lambda rng, n: np.round(rng.lognormal(3, 0.8, n), 2)),
    "n_nulls": _floats(lambda rng, n: rng.normal(0, 1, n), nulls=0.05),
    "n_many_nulls": _floats(lambda rng, n: rng.gamma(2, 5, n), nulls=0.3),
    "n_zeros": _floats(_zeros(0.6, lambda rng, n: rng.exponential(20, n))),
    "n_single": _floats(lambda rng, n: rng.normal(0, 1, n), single=True),
    "n_single_gamma": _floats(lambda rng, n: rng.gamma(3, 2, n), single=True),
    "n_single_nulls": _floats(lambda rng, n: rng.laplace(0, 1, n), single=True, nulls=0.1),
    "n_count": _whole(lambda rng, n: rng.poisson(4, n)),
    "n_wide": _whole(lambda rng, n: rng.integers(0, 10**12, n)),
    "n_geometric": _whole(lambda rng, n: rng.geometric(0.01, n), nulls=0.02),
    "n_moved": _drifting(_floats(lambda rng, n: rng.normal(0, 1, n)), _floats(lambda rng, n: rng.normal(0.5, 1, n))),
    "n_lost": _drifting(
        _floats(lambda rng, n: rng.normal(0, 1, n), nulls=0.05), _floats(lambda rng, n: rng.normal(0, 1, n), nulls=0.2)
    ),
    "n_fewer_zeros": _drifting(
        _floats(_zeros(0.6, lambda rng, n: rng.exponential(20, n)), single=True),
        _floats(_zeros(0.4, lambda rng, n: rng.exponential(20, n)), single=True),
    ),
}
CATEGORICAL: dict[str, Column] = {
    "c_5": _categories(5, skew=1.0),
    "c_50": _categories(50, skew=1.5),
    "c_50_moved": _categories(50, skew=1.5, skew_after=2.5),
    "c_1k": _categories(1000, skew=1.5),
    "c_100k": _categories(100_000, skew=2.0),
}
COLUMNS = NUMERICAL | CATEGORICAL
PLANTED = ("c_50_moved", "n_fewer_zeros", "n_lost", "n_moved")
"""Columns whose current rows come from another distribution; every other one has the same on both sides."""


def batch(rng: Random, rows: int, *, drifted: bool) -> pa.RecordBatch:
    """Return rows of all columns."""
    return pa.RecordBatch.from_pydict({name: make(rng, rows, drifted) for name, make in COLUMNS.items()})


def write(path: Path, rows: int, *, seed: int, drifted: bool, group: int = CHUNK_ROWS) -> None:
    """Write a Parquet file of ``rows`` rows in row groups of ``group`` rows."""
    rng = np.random.default_rng(seed)
    partial = path.with_suffix(".partial")
    writer = None
    for size in _sizes(rows, group):
        part = batch(rng, size, drifted=drifted)
        writer = writer or pq.ParquetWriter(partial, part.schema)
        writer.write_batch(part, row_group_size=group)
    if writer is not None:
        writer.close()
        partial.rename(path)


def _sizes(rows: int, group: int) -> Iterator[int]:
    for start in range(0, rows, group):
        yield min(group, rows - start)


def main() -> None:
    """Write the files and what is known of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--days", type=int, default=0)
    parser.add_argument("--rows-per-hour", type=int, default=0)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "reference.parquet", options.rows, seed=1, drifted=False)
    if not options.days:
        write(folder / "current.parquet", options.rows, seed=2, drifted=True)
    for day in range(options.days):
        path = folder / f"day-{day:03d}.parquet"
        write(path, 24 * options.rows_per_hour, seed=100 + day, drifted=True, group=options.rows_per_hour)
    (folder / "data.json").write_text(json.dumps({"planted": PLANTED}) + "\n")


if __name__ == "__main__":
    main()
