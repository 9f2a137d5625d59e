"""Hourly profiles counted by the database: only histograms travel.

Numbers find their cell by halving the edges; categories are counted by name first and sorted into cells afterwards, a
few names instead of all rows. Moments of all features are told in one pass.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from vernal.act.canonical import as_texts
from vernal.act.refused import texts
from vernal.adapters.sources.sqltext import LARGEST, Numbers
from vernal.errors import LakeError
from vernal.profile import CategoryGrid, NumericalGrid, Profile
from vernal.profile.columns import labels_of, positions
from vernal.profile.counts import NO_MOMENTS, empty_moments, merge_moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vernal.adapters.sources.dialects import Expression
    from vernal.adapters.sources.sql import SqlTable
    from vernal.profile import Baseline
    from vernal.profile.counts import Moments

    Grid = CategoryGrid | NumericalGrid

_SUMS: Final = 5
"""Numbers that moments are told from."""

_FEATURES: Final = 100
"""Most features in one statement: each brings columns and selections, of which databases take a few hundred."""

_CELLS: Final = 8_000
"""Cells of the features that are counted in one statement, which bounds its length and its parameters."""

_NAMES: Final = 2_000
"""Names of categories that may travel with a statement; of larger vocabularies the names in the rows travel back."""

_REACH: Final = 1e150
"""How far from the mean a number may be so that its square is a number still, and how near as its inverse."""


class _Hour:
    """An hour while it is counted."""

    def __init__(self, baseline: Baseline) -> None:
        self.counts = np.zeros(baseline.width, dtype=np.int64)
        self.moments = empty_moments(baseline.numerical)


class _Feature(NamedTuple):
    """A feature: its grid, where its cells start, its place among all and among the numerical ones, about its mean."""

    grid: Grid
    offset: int
    place: int
    number: int
    centre: float


def can_count(baseline: Baseline) -> bool:
    """Tell whether a database would count as here: not on grids in single precision, which it does not compare in."""
    return not any(isinstance(grid, NumericalGrid) and grid.narrow for grid in baseline.grids)


def counted_in_database(
    table: SqlTable, connection: sa.Connection, baseline: Baseline, conditions: Sequence[Expression]
) -> dict[int, Profile]:
    """Return the profiles of the hours of the rows that meet conditions; what is read must be of one moment.

    Raises
    ------
    LakeError
        If rows came or went between two statements, in a database that cannot hold a moment still.
    """
    counting = _Counting(table, connection, baseline, conditions)
    for features in _together(_features(baseline)):
        counting.add(features)
    return {hour: _profile(baseline, found, table) for hour, found in sorted(counting.hours.items())}


class _Counting:
    """The hours of some rows while their features are counted."""

    def __init__(
        self, table: SqlTable, connection: sa.Connection, baseline: Baseline, conditions: Sequence[Expression]
    ) -> None:
        self._table = table
        self._connection = connection
        self._baseline = baseline
        self._conditions = conditions
        self.hours: dict[int, _Hour] = {}

    def add(self, features: Sequence[_Feature]) -> None:
        """Count features."""
        there = [feature for feature in features if not self._travels(feature.grid)]
        if there:
            by_place = {feature.place: feature for feature in there}
            for hour, place, cell, rows in self._found(sa.union_all(*[self._cells(one) for one in there])):
                hour.counts[by_place[place].offset + cell] += rows
        for feature in features:
            if self._travels(feature.grid):
                self._add_names(feature)
        numerical = [feature for feature in features if feature.number >= 0]
        if numerical:
            for hour, *sums in self._found(self._moments(numerical)):
                for feature, start in zip(numerical, range(0, len(sums), _SUMS), strict=True):
                    part = _moments_of(sums[start : start + _SUMS], feature.centre)
                    both = np.stack((hour.moments[feature.number], part))[:, None]
                    hour.moments[feature.number] = merge_moments(both)[0]

    def _travels(self, grid: Grid) -> bool:
        """Tell whether the names in the rows have to come here to be told apart."""
        if isinstance(grid, NumericalGrid):
            return False
        return not self._table.is_text(grid.name) or len(grid.vocabulary) > _NAMES

    def _found(self, statement: sa.Select[Any] | sa.CompoundSelect[Any]) -> Iterator[tuple[_Hour, *tuple[Any, ...]]]:
        """Yield the hour of each row found, and the rest of the row."""
        found = self._connection.execute(statement).all()
        hour_of = self._table.hours_of(sorted({int(row[0]) for row in found}))
        for hour in hour_of.values():
            if hour not in self.hours:
                self.hours[hour] = _Hour(self._baseline)
        for slot, *rest in found:
            yield self.hours[hour_of[int(slot)]], *rest

    def _rows(self, features: Sequence[_Feature]) -> sa.Subquery:
        """Return slots and columns of features, to select from; each column is ``x`` and the feature's place."""
        columns = [self._table.feature(feature.grid.name).label(f"x{feature.place}") for feature in features]
        chosen = sa.select(self._table.slot().label("h"), *columns).select_from(self._table.rows)
        return chosen.where(*self._conditions).subquery("r")

    def _cells(self, feature: _Feature) -> sa.Select[Any]:
        """Return slot, feature, cell and rows."""
        if isinstance(feature.grid, CategoryGrid):
            return self._cells_of_names(feature, feature.grid)
        grid, x = feature.grid, f"x{feature.place}"
        dialect = self._table.database.dialect
        numbers = Numbers(x if dialect.binds_edges else None)
        cell = (
            f"CASE WHEN {x} IS NULL THEN {grid.width - 1} WHEN {_is_finite(x, numbers)} "
            f"THEN {dialect.edges_below(x, grid.edges.tolist(), numbers)} ELSE {grid.width - 2} END AS c"
        )
        columns = [sa.text("h"), sa.text(f"{feature.place} AS f"), numbers.bound(cell), sa.text("COUNT(*) AS n")]
        return sa.select(*columns).select_from(self._rows([feature])).group_by(sa.text("h"), sa.text("c"))

    def _cells_of_names(self, feature: _Feature, grid: CategoryGrid) -> sa.Select[Any]:
        names = self._names(feature).subquery("g")
        cells = {label: min(place, grid.other) for place, label in enumerate(grid.vocabulary.to_pylist())}
        known = sa.case(cells, value=names.c.v, else_=grid.new) if cells else sa.literal(grid.new)
        cell = sa.case((names.c.v.is_(None), grid.width - 1), else_=known).label("c")
        place: sa.Label[Any] = sa.literal_column(str(feature.place)).label("f")
        total = sa.cast(sa.func.sum(names.c.n), sa.BigInteger()).label("n")
        return sa.select(names.c.h, place, cell, total).group_by(names.c.h, sa.text("c"))

    def _names(self, feature: _Feature) -> sa.Select[Any]:
        rows = self._rows([feature])
        value = rows.c[f"x{feature.place}"]
        return sa.select(rows.c.h, value.label("v"), sa.func.count().label("n")).group_by(rows.c.h, value)

    def _add_names(self, feature: _Feature) -> None:
        """Count a feature whose names come here to be told apart."""
        grid = feature.grid
        if not isinstance(grid, CategoryGrid):
            raise TypeError(f"{grid.name}: asked for the names of numbers")
        found = list(self._found(self._names(feature)))
        if not found:
            return
        values = [value for _, value, _ in found]
        names = texts(values) if self._table.is_text(grid.name) else as_texts(_floats(values), grid.name)
        cells = grid.cells(positions(labels_of(grid.name, names), grid.vocabulary)).tolist()
        for (hour, _, rows), cell in zip(found, cells, strict=True):
            hour.counts[feature.offset + cell] += rows

    def _moments(self, features: Sequence[_Feature]) -> sa.Select[Any]:
        """Return slot, and for each feature its finite values' number, sums about its centre, minimum and maximum."""
        columns: list[sa.TextClause] = [sa.text("h")]
        for feature in features:
            x = f"x{feature.place}"
            numbers = Numbers(x if self._table.database.dialect.binds_edges else None)
            finite = f"CASE WHEN {_is_finite(x, numbers)} THEN {x} END"
            low, high = numbers.written(feature.centre - _REACH), numbers.written(feature.centre + _REACH)
            off = f"({x} - {numbers.written(feature.centre)} )"
            near = f"CASE WHEN {x} BETWEEN {low} AND {high} THEN {off} END"
            square = f"CASE WHEN ABS({near}) > {numbers.written(1 / _REACH)} THEN {off} * {off} END"
            asked = (f"COUNT({finite})", f"SUM({near})", f"SUM({square})", f"MIN({finite})", f"MAX({finite})")
            columns += [numbers.bound(aggregate) for aggregate in asked]
        return sa.select(*columns).select_from(self._rows(features)).group_by(sa.text("h"))


def _features(baseline: Baseline) -> Iterator[_Feature]:
    number = 0
    for place, (grid, offset) in enumerate(zip(baseline.grids, baseline.offsets, strict=True)):
        if isinstance(grid, NumericalGrid):
            summary = baseline.summary(baseline.reference, grid.name)
            centre = 0.0 if summary is None or not abs(summary.mean) < _REACH else summary.mean
            yield _Feature(grid, offset, place, number, centre)
            number += 1
        else:
            yield _Feature(grid, offset, place, -1, 0.0)


def _together(features: Iterable[_Feature]) -> Iterator[list[_Feature]]:
    """Yield the features of one statement after another."""
    chosen: list[_Feature] = []
    cells = 0
    for feature in features:
        if chosen and (cells + feature.grid.width > _CELLS or len(chosen) == _FEATURES):
            yield chosen
            chosen, cells = [], 0
        chosen.append(feature)
        cells += feature.grid.width
    yield chosen


def _is_finite(x: str, numbers: Numbers) -> str:
    return f"{x} BETWEEN {numbers.written(-LARGEST)} AND {numbers.written(LARGEST)}"


def _moments_of(sums: Sequence[Any], centre: float) -> Moments:
    """Return moments from number, sum and sum of squares about a centre, minimum and maximum.

    About the centre the squares of large numbers do not swallow their differences.
    """
    count, total, squares, least, most = sums
    if not count:
        return np.array(NO_MOMENTS)
    squares = squares or 0.0  # those of the least numbers are none
    if max(abs(least - centre), abs(most - centre)) > _REACH:
        return np.array([count, math.nan, math.inf, least, most])
    return np.array([count, centre + total / count, max(0.0, squares - total * total / count), least, most])


def _floats(values: Sequence[float | None]) -> pa.Array:
    valid = np.array([value is not None for value in values], dtype=np.bool_)
    data = np.array(values, dtype=np.float64)
    buffers = [pa.py_buffer(np.packbits(valid, bitorder="little").tobytes()), pa.py_buffer(data.tobytes())]
    return pa.Array.from_buffers(pa.float64(), len(values), buffers)


def _profile(baseline: Baseline, hour: _Hour, table: SqlTable) -> Profile:
    rows = {
        int(hour.counts[offset : offset + grid.width].sum())
        for grid, offset in zip(baseline.grids, baseline.offsets, strict=True)
    }
    if len(rows) != 1:
        raise LakeError(
            f"{table.layout.subject}: found {min(rows)} to {max(rows)} rows in one hour, expected as many for each "
            "feature: rows came or went while they were counted",
            hint="The check is tried again by itself.",
        )
    return Profile(grid_id=baseline.grid_id, rows=rows.pop(), counts=hour.counts, moments=hour.moments)


__all__ = ["can_count", "counted_in_database"]
