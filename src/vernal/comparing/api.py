"""``vernal.compare``: two data sets in, verdicts and numbers out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from vernal.adapters.tables import open_rows
from vernal.comparing.judging import judge
from vernal.comparing.pairing import Pairs, pair, pair_with
from vernal.comparing.result import Comparison, Limits, Sample
from vernal.errors import DataError
from vernal.profile import (
    Baseline,
    Binning,
    CategoryGrid,
    ColumnSource,
    compare_profiles,
    distribution,
    profile_rows,
)
from vernal.profile import build_baseline as cut_baseline

Progress = Callable[[int, int], None]

_MOST_THREADS = 4
"""Columns worked on at the same time by default: more gain little, and each holds a chunk of its column."""


def compare(  # noqa: PLR0913 - each a documented option of one question
    reference: object,
    current: object,
    *,
    features: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    psi: float = 0.15,
    js: float = 0.15,
    ks: float | None = None,
    false_discovery: float = 0.01,
    bins: int = 10,
    min_rows: int = 1000,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two data sets, column by column: what moved, how much, and how sure that is.

    Parameters
    ----------
    reference, current
        The older and the newer rows: a path (a Parquet file, a folder of them, a Delta table), an Arrow table or
        record batch, a pandas frame, or anything that exports itself to Arrow. The reference may also be a baseline:
        what :func:`vernal.build_baseline` returned, or the file it was saved to.
    features
        The columns to compare; by default all that both sides have.
    kinds
        ``"numerical"`` or ``"categorical"`` for columns that are not to be compared by their type, such as codes that
        are stored as numbers. A stored baseline has its kinds already.
    psi, js
        Thresholds of the population stability index, in nats, for numerical columns, and of the Jensen-Shannon
        distance, base 2, for categorical ones.
    ks
        Threshold of the Kolmogorov-Smirnov distance, which then can tell drift too (0.1 is usual); ``None`` leaves it
        out of the verdict.
    false_discovery
        Expected share of false ones among the columns found to have drifted. With ``ks`` each of the two distances is
        tested at half of it.
    bins
        Bins of a numerical column, of about equal mass in the reference.
    min_rows
        Rows that both sides need for a verdict; with fewer it is ``insufficient``, and the numbers are given all the
        same.
    threads
        Columns worked on at the same time; by default up to four. The result does not depend on it.
    progress
        Called as ``progress(done, of)`` whenever a column of either side has been read, from any thread, one at a time.

    Returns
    -------
    Comparison
        Print it for a table, or see its ``drifted``, ``to_dict`` and ``save_html``.

    Raises
    ------
    DataError
        If a side cannot be read, has no rows to cut bins on, no column in common with the other, or an option names a
        column that is not there or a value out of range.
    ProfileError
        If ``kinds`` asks for what a column's type does not allow, or a stored baseline is damaged.

    Examples
    --------
    >>> import vernal
    >>> then = pa.table({"delay": [float(i % 60) for i in range(2000)], "carrier": ["AA", "UA"] * 1000})
    >>> now = pa.table({"delay": [float(i % 60 + 25) for i in range(2000)], "carrier": ["UA", "AA"] * 1000})
    >>> vernal.compare(then, now).drifted
    ('delay',)
    """
    limits = Limits(psi=psi, js=js, ks=ks, false_discovery=false_discovery, bins=bins, min_rows=min_rows)
    _check(limits)
    workers, steps = _workers(threads), _Steps(progress)
    if isinstance(current, Baseline) or _stored(current) is not None:
        raise DataError(
            f"current rows: found a stored baseline ({_name(current)}), expected rows",
            hint="A baseline is the reference: give it first, and the rows second.",
        )
    rows = open_rows(current, subject="current rows")
    then = _reference(reference, rows.schema, steps, features=features, kinds=kinds, threads=workers)
    profile = profile_rows(then.baseline, rows, threads=workers, on_column=steps.next)
    binning = Binning.of(then.baseline, bins=bins)
    counted = then.baseline.reference
    results = tuple(
        judge(
            measured,
            distribution(then.baseline, binning, counted, profile, measured.feature),
            limits,
            data_type=str(rows.schema.field(measured.feature).type),
            fewest=min(then.baseline.rows, rows.rows),
        )
        for measured in compare_profiles(
            then.baseline, counted, profile, alpha=limits.level, min_rows=min_rows, binning=binning
        )
    )
    return Comparison(
        reference=Sample(name=_name(reference), rows=then.baseline.rows),
        current=Sample(name=_name(current), rows=rows.rows),
        limits=limits,
        features=results,
        unknown=then.pairs.unknown,
        notes=(*then.pairs.notes, *_notes(then.baseline)),
    )


def build_baseline(
    data: object,
    *,
    features: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Baseline:
    """Profile a reference once, to hold many data sets against it.

    Its :meth:`~vernal.profile.baseline.Baseline.to_bytes` are a few kilobytes a column, whatever the number of rows;
    write them to a file, and give :func:`vernal.compare` the path.

    Parameters
    ----------
    data
        The reference, in any form that :func:`vernal.compare` takes.
    features
        The columns to profile; by default all that can be compared.
    kinds
        ``"numerical"`` or ``"categorical"`` for columns that are not to be compared by their type.
    threads
        Columns worked on at the same time; by default up to four.
    progress
        Called as ``progress(done, of)`` whenever a column has been read.

    Raises
    ------
    DataError
        If the data cannot be read, have no rows, or lack a column that is named.
    ProfileError
        If ``kinds`` asks for what a column's type does not allow.

    Examples
    --------
    >>> import vernal
    >>> table = pa.table({"delay": [float(i % 60) for i in range(2000)]})
    >>> baseline = vernal.build_baseline(table)
    >>> vernal.compare(baseline, table).drifted
    ()
    """
    source = open_rows(data, subject="reference")
    pairs = pair(source.schema, source.schema, features=features, kinds=kinds or {})
    steps = _Steps(progress, of=len(pairs.kinds))
    return _cut(source, pairs, _workers(threads), steps)


class _Reference(NamedTuple):
    baseline: Baseline
    pairs: Pairs


def _reference(
    reference: object,
    current: pa.Schema,
    steps: _Steps,
    *,
    features: Sequence[str] | None,
    kinds: Mapping[str, str] | None,
    threads: int,
) -> _Reference:
    stored = reference if isinstance(reference, Baseline) else _stored(reference)
    if stored is None:
        source = open_rows(reference, subject="reference")
        pairs = pair(source.schema, current, features=features, kinds=kinds or {})
        steps.of = 2 * len(pairs.kinds)
        return _Reference(_cut(source, pairs, threads, steps), pairs)
    if kinds:
        raise DataError("kinds: found some for a stored baseline, which has its own; expected none")
    pairs = pair_with(stored, current, features=features)
    steps.of = len(pairs.kinds)
    return _Reference(stored.select(pairs.kinds), pairs)


class _Steps:
    """Counts the columns that are done, and tells.

    Parameters
    ----------
    progress
        Whom to tell.
    of
        How many columns there are.
    """

    def __init__(self, progress: Progress | None, of: int = 0) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._done = 0
        self.of = of

    def next(self) -> None:
        """Count one more."""
        if self._progress is None:
            return
        with self._lock:
            self._done += 1
            self._progress(self._done, self.of)


def _cut(source: ColumnSource, pairs: Pairs, threads: int, steps: _Steps) -> Baseline:
    if not source.rows:
        raise DataError("reference: found no rows, expected at least 1")
    return cut_baseline(source, pairs.kinds, threads=threads, on_column=steps.next)


def _stored(data: object) -> Baseline | None:
    """Return the baseline in a file, or ``None`` if it is no such file."""
    if not isinstance(data, str | Path) or not Path(data).is_file():
        return None
    try:
        with Path(data).open("rb") as file:
            head = file.read(len(Baseline.MAGIC))
            return Baseline.from_bytes(head + file.read()) if head == Baseline.MAGIC else None
    except OSError as error:
        raise DataError(f"comparison: cannot read {data}: {error}") from error


def _check(limits: Limits) -> None:
    for name, threshold in (("psi", limits.psi), ("js", limits.js), ("ks", limits.ks)):
        if threshold is not None and not threshold > 0:
            raise DataError(f"{name}: found {threshold}, expected a threshold above 0")
    if not 0 < limits.false_discovery < 1:
        raise DataError(f"false_discovery: found {limits.false_discovery}, expected a number between 0 and 1")
    for name, number, least in (("bins", limits.bins, 2), ("min_rows", limits.min_rows, 1)):
        if number < least:
            raise DataError(f"{name}: found {number}, expected at least {least}")


def _workers(threads: int | None) -> int:
    if threads is not None and threads < 1:
        raise DataError(f"threads: found {threads}, expected at least 1")
    return threads or min(_MOST_THREADS, os.cpu_count() or 1)


def _name(data: object) -> str:
    return str(data) if isinstance(data, str | Path) else type(data).__name__


def _notes(baseline: Baseline) -> list[str]:
    categorical = [grid for grid in baseline.grids if isinstance(grid, CategoryGrid)]
    split = [grid.name for grid in categorical if grid.split]
    partial = [grid.name for grid in categorical if not grid.complete]
    notes = []
    if split:
        notes.append(
            f"{', '.join(split)}: rare categories; so half of the reference's rows chose those that are compared one "
            "by one, and the other half was counted"
        )
    if partial:
        notes.append(
            f"{', '.join(partial)}: more categories than are kept by name; so `new` means not among the most "
            "frequent of the reference"
        )
    return notes
