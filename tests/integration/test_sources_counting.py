"""What a database counts is what is counted here from the same rows, whatever the rows are."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from sourcedatabases import UsersDatabase
from sourcetables import HOUR, START, layout
from vernal.adapters.sources import sqlcounting
from vernal.adapters.sources.sql import SqlTable
from vernal.adapters.sources.table import EPOCH, count_hours
from vernal.profile import Baseline, FeatureKind, build_baseline, profile_by_hour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vernal.profile import Profile

KINDS = {"x": "numerical", "whole": "numerical", "flag": "numerical", "c": "categorical", "code": "categorical"}
TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "at": sa.DateTime(timezone=True),
    "id": sa.Text(),
    "x": sa.Double(),
    "whole": sa.BigInteger(),
    "flag": sa.Boolean(),
    "c": sa.Text(),
    "code": sa.Integer(),
}
NUMBERS = [
    0.0,
    -0.0,
    0.1,
    0.30000000000000004,
    1.0,
    1.0,
    2.0,
    -1.5,
    5e-324,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
]
NAMES = ["a", "A", "ä", "a\u0308", "日本", "'", '"', ":x", "%s", "\\", " a", "a ", "", "x" * 300]

number = st.one_of(st.none(), st.sampled_from([*NUMBERS, math.nan]), st.floats())
name = st.one_of(
    st.none(), st.sampled_from(NAMES), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
row = st.fixed_dictionaries(
    {
        "minute": st.integers(0, 239),
        "x": number,
        "whole": st.one_of(st.none(), st.integers(-(2**53), 2**53)),
        "flag": st.one_of(st.none(), st.booleans()),
        "c": name,
        "code": st.one_of(st.none(), st.integers(-3, 3)),
    }
)
rows = st.lists(row, min_size=1, max_size=30)


def features(found: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as the lake would hold them."""
    flags = [None if one["flag"] is None else float(one["flag"]) for one in found]
    codes = [None if one["code"] is None else str(one["code"]) for one in found]
    return pa.table(
        {
            "x": pa.array([one["x"] for one in found], pa.float64()),
            "whole": pa.array([one["whole"] for one in found], pa.float64()),
            "flag": pa.array(flags, pa.float64()),
            "c": pa.array([one["c"] or None for one in found], pa.string()),
            "code": pa.array(codes, pa.string()),
        }
    )


def baseline_of(found: Sequence[Mapping[str, Any]]) -> Baseline:
    return build_baseline(features(found), {one: FeatureKind(kind) for one, kind in KINDS.items()})


def counted_here(baseline: Baseline, found: Sequence[Mapping[str, Any]]) -> dict[int, Profile]:
    first = (START - EPOCH) // HOUR
    hours = np.array([first + one["minute"] // 60 for one in found])
    return profile_by_hour(baseline, features(found), hours)


def is_same(one: Profile, other: Profile, *, reach: float = 0.0) -> bool:
    """Tell whether counts and extremes are the same to the last one, and sums but for their rounding.

    Sums are taken about the mean of the reference, so numbers as large as ``reach`` are rounded in them.
    """
    assert one.moments is not None
    assert other.moments is not None
    exact = one.rows == other.rows and np.array_equal(one.counts, other.counts)
    extremes = np.array_equal(one.moments[:, [0, 3, 4]], other.moments[:, [0, 3, 4]])
    largest = np.maximum(np.where(other.moments[:, [0]] > 0, np.abs(other.moments[:, 3:]), 0.0).max(axis=1), reach)
    calm = largest < 1e100
    means = np.abs(one.moments[calm, 1] - other.moments[calm, 1]) <= 1e-14 * other.rows * largest[calm]
    squares = np.abs(one.moments[calm, 2] - other.moments[calm, 2]) <= 1e-13 * other.rows * largest[calm] ** 2
    return bool(exact and extremes and means.all() and squares.all())


def reach_of(found: Sequence[Mapping[str, Any]]) -> float:
    values = [abs(one["x"]) for one in found if one["x"] is not None and math.isfinite(one["x"])]
    return float(max([*values, *(abs(one["whole"] or 0) for one in found)]))


def table_of(database: UsersDatabase, kinds: dict[str, str] = KINDS) -> SqlTable:
    made = layout("scores", columns={"prediction_id": "id", "event_time": "at"}, features={}, kinds=kinds)
    return SqlTable(made, database.opened(), lateness=timedelta(0))


def stored(database: UsersDatabase, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as the database can hold them: SQLite has no NaN."""
    kept = [dict(one) for one in found]
    if database.backend == "sqlite":
        for one in kept:
            one["x"] = None if one["x"] is not None and math.isnan(one["x"]) else one["x"]
    return kept


def counted_there(
    database: UsersDatabase, baseline: Baseline, found: Sequence[Mapping[str, Any]]
) -> dict[int, Profile]:
    table = database.create("scores", TYPES)
    timed = [
        {
            "id": str(place),
            "at": START + timedelta(minutes=one["minute"]),
            **{name: one[name] for name in KINDS},
        }
        for place, one in enumerate(found)
    ]
    database.add(table, timed)
    counted = count_hours(table_of(database), baseline, since=None, start=START, end=START + 4 * HOUR)
    return {(hour - EPOCH) // HOUR: profile for hour, profile in counted.profiles.items()}


def special(x: float | None, c: str | None) -> dict[str, Any]:
    return {"minute": 0, "x": x, "whole": None, "flag": True, "c": c, "code": 1}


@pytest.mark.slow
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(reference=rows, window=rows)
@example(reference=[special(x, "a") for x in NUMBERS], window=[special(x, "a") for x in [*NUMBERS, math.nan, None]])
@example(reference=[special(1.0, c) for c in NAMES], window=[special(1.0, c) for c in [*NAMES, None, "new"]])
def test_the_database_counts_what_is_counted_here(
    database_url: str, reference: list[dict[str, Any]], window: list[dict[str, Any]]
) -> None:
    database = UsersDatabase(database_url)
    window = stored(database, window)
    baseline = baseline_of(reference)
    there, here = counted_there(database, baseline, window), counted_here(baseline, window)
    assert list(there) == list(here)
    assert all(is_same(there[hour], here[hour], reach=reach_of(reference)) for hour in here)


def many(count: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "minute": int(rng.integers(0, 240)),
            "x": float(rng.normal(1e6, 1.0)),
            "whole": int(rng.integers(0, 1000)),
            "flag": bool(rng.random() < 0.5),
            "c": f"c{int(rng.exponential(30))}",
            "code": int(rng.integers(0, 50)),
        }
        for _ in range(count)
    ]


def test_grids_of_hundreds_of_edges_and_names_are_counted_the_same(database_url: str) -> None:
    database = UsersDatabase(database_url)
    baseline, window = baseline_of(many(3000, 1)), many(2000, 2)
    there, here = counted_there(database, baseline, window), counted_here(baseline, window)
    assert all(is_same(there[hour], here[hour]) for hour in here)


def test_fetching_the_rows_counts_the_same(database_url: str) -> None:
    database = UsersDatabase(database_url)
    baseline, window = baseline_of(many(300, 1)), many(500, 2)
    there = counted_there(database, baseline, window)
    fetched = table_of(database)
    fetched.database.dialect.counts = False
    here = count_hours(fetched, baseline, since=None, start=START, end=START + 4 * HOUR)
    assert all(is_same(there[(hour - EPOCH) // HOUR], profile) for hour, profile in here.profiles.items())


def test_wide_tables_are_counted_in_several_statements(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = UsersDatabase(database_url)
    baseline, window = baseline_of(many(300, 1)), many(500, 2)
    whole = counted_there(database, baseline, window)
    monkeypatch.setattr(sqlcounting, "_CELLS", 1)
    parts = counted_there(database, baseline, window)
    assert all(is_same(parts[hour], whole[hour]) for hour in whole)


def test_vocabularies_too_large_to_travel_are_counted_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = UsersDatabase(database_url)
    baseline, window = baseline_of(many(300, 1)), many(500, 2)
    monkeypatch.setattr(sqlcounting, "_NAMES", 1)
    there, here = counted_there(database, baseline, window), counted_here(baseline, window)
    assert all(is_same(there[hour], here[hour]) for hour in here)


def test_categories_that_are_numbers_with_a_point_are_written_as_in_the_lake(database_url: str) -> None:
    database = UsersDatabase(database_url)
    table = database.create("scores", {"id": sa.Text(), "at": sa.DateTime(timezone=True), "rate": sa.Numeric(10, 2)})
    rates = [1, 1, 2.5, None, 19]
    database.add(table, [{"id": str(n), "at": START, "rate": rate} for n, rate in enumerate(rates)])
    reference = pa.table({"rate": ["1", "1", "2.5", "3"]})
    baseline = build_baseline(reference, {"rate": FeatureKind.CATEGORICAL})
    found = table_of(database, {"rate": "categorical"})
    assert found.scan(columns=("rate",))["rate"].to_pylist() == ["1", "1", "2.5", None, "19"]
    counted = count_hours(found, baseline, since=None, start=START, end=START + HOUR)
    here = profile_by_hour(baseline, pa.table({"rate": ["1", "1", "2.5", None, "19"]}), [0] * 5)[0]
    assert is_same(counted.profiles[START], here)


def test_the_first_and_the_last_microsecond_of_an_hour_are_told_apart(database_url: str) -> None:
    database = UsersDatabase(database_url)
    table = database.create("scores", TYPES)
    moments = [
        START + hour * HOUR + off for hour in range(1, 200) for off in (timedelta(0), -timedelta(microseconds=1))
    ]
    one = special(1.0, "a")
    database.add(
        table, [{"id": str(n), "at": at, **{name: one[name] for name in KINDS}} for n, at in enumerate(moments)]
    )
    counted = count_hours(table_of(database), baseline_of([one]), since=None, start=START, end=START + 300 * HOUR)
    rows = {(hour - START) // HOUR: profile.rows for hour, profile in counted.profiles.items()}
    assert rows == {0: 1, 199: 1} | dict.fromkeys(range(1, 199), 2)
    assert table_of(database).scan(columns=("event_time",))["event_time"].to_pylist() == sorted(moments)
