"""Rows of every form of table, and what is said of those that cannot be read."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from vernal.adapters import tables
from vernal.adapters.tables import open_rows
from vernal.errors import DataError, ProfileError, VernalError
from vernal.profile import ColumnSource, FeatureKind, Profile, build_baseline, profile_rows

KINDS = {"x": FeatureKind.NUMERICAL, "k": FeatureKind.NUMERICAL, "c": FeatureKind.CATEGORICAL}
ROWS = 3_000


def rows(count: int = ROWS, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "x": pa.array(rng.normal(size=count), mask=rng.random(count) < 0.1),
            "k": rng.integers(0, 9, count).astype(np.int32),
            "c": pa.array([f"c{i}" for i in rng.integers(0, 40, count)], mask=rng.random(count) < 0.1),
            "day": [f"2024-03-0{1 + i * 5 // count}" for i in range(count)],
        }
    )


def counted(source: ColumnSource) -> Profile:
    """Return the rows of a source on the grids that the rows in memory cut."""
    return profile_rows(build_baseline(rows(), KINDS), source)


def assert_all_rows(source: ColumnSource) -> None:
    """Assert that a source has the rows in memory, which are counted alike and have the same moments up to rounding."""
    found, expected = counted(source), build_baseline(rows(), KINDS).reference
    assert (found.grid_id, found.rows, found.counts.tolist()) == (
        expected.grid_id,
        expected.rows,
        expected.counts.tolist(),
    )
    assert found.moments is not None
    assert expected.moments is not None
    np.testing.assert_allclose(found.moments, expected.moments, rtol=1e-10)


def column(source: ColumnSource, name: str) -> list[Any]:
    return [value for chunk in source.chunks(name) for value in chunk.to_pylist()]


def opened(data: object) -> ColumnSource:
    return open_rows(data, subject="rows")


class Exporting:
    """What a Polars frame is to us: an object with one method."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._table.schema, self._table.to_batches(max_chunksize=100))
        return reader.__arrow_c_stream__(requested_schema)


# ---------------------------------------------------------------------------------------------------- memory

IN_MEMORY: dict[str, Callable[[pa.Table], object]] = {
    "table": lambda table: table,
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "list of batches": lambda table: table.to_batches(max_chunksize=700),
    "generator of batches": lambda table: (batch for batch in table.to_batches(max_chunksize=1)),
    "reader": lambda table: pa.RecordBatchReader.from_batches(table.schema, table.to_batches()),
    "exporting object": Exporting,
    "frame": lambda table: table.to_pandas(),
    "frame with Arrow's types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "frame with an index": lambda table: table.to_pandas().set_index(np.arange(ROWS)[::-1]),
}


@pytest.mark.parametrize("form", IN_MEMORY)
def test_rows_in_memory_are_the_same_in_every_form(form: str) -> None:
    source = opened(IN_MEMORY[form](rows()))
    assert source.rows == ROWS
    assert source.schema.names == ["x", "k", "c", "day"]
    assert_all_rows(source)


FRAMES: dict[str, tuple[Any, list[Any]]] = {
    "mixed objects": (pd.Series([1, "a", None, 2.5], dtype=object), ["1", "a", None, "2.5"]),
    "huge numbers": (pd.Series([2**70, 1, None], dtype=object), [str(2**70), "1", None]),
    "text that UTF-8 does not have": (pd.Series(["\ud800", "a"], dtype=object), ["\\ud800", "a"]),
    "complex": (pd.Series([1j, 2j]), ["1j", "2j"]),
    "sparse": (pd.Series(pd.arrays.SparseArray([0, 0, 1])), [0, 0, 1]),
    "category": (pd.Series(["a", None, "b"], dtype="category"), ["a", None, "b"]),
    "category of numbers": (pd.Series([7, 8, 7], dtype="category"), [7, 8, 7]),
    "nullable whole": (pd.Series([1, None], dtype="Int64"), [1, None]),
    "nullable boolean": (pd.Series([True, None], dtype="boolean"), [True, None]),
    "string": (pd.Series(["a", None], dtype="string"), ["a", None]),
    "NaN": (pd.Series([1.0, float("nan")]), [1.0, None]),
    "half": (pd.Series(np.array([1.5, 2], np.float16)), [1.5, 2.0]),
    "decimal": (pd.Series([Decimal("1.5"), None]), [Decimal("1.5"), None]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_column_of_a_frame_is_read(name: str) -> None:
    column_of_frame, expected = FRAMES[name]
    assert column(opened(pd.DataFrame({"a": column_of_frame})), "a") == expected


def test_times_of_a_frame_keep_their_zone() -> None:
    frame = pd.DataFrame({"a": pd.date_range("2024-03-31", periods=3, freq="h", tz="Europe/Berlin")})
    assert opened(frame).schema.field("a").type.tz == "Europe/Berlin"
    assert [time.isoformat() for time in column(opened(frame), "a")] == [time.isoformat() for time in frame["a"]]


def test_a_frame_may_have_odd_names_and_no_rows() -> None:
    assert opened(pd.DataFrame({("a", "b"): [1], 3: [2]})).schema.names == ["('a', 'b')", "3"]
    assert opened(pd.DataFrame({"a": []})).rows == 0
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ProfileError, match="2 columns of this name"):
        column(opened(twice), "a")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "rows: found NoneType, expected a path, an Arrow table, a pandas frame or record batches"),
        (3, "rows: found int"),
        ([1, 2], "found int in a list, expected a path"),
        ({"x": [1]}, "found str in a dict"),
        (pd.Series([1.0]), "rows: cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_refused(data: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(data)


# ---------------------------------------------------------------------------------------------------- files

WRITTEN: dict[str, dict[str, Any]] = {
    "plain": {},
    "row groups": {"row_group_size": 700},
    "without dictionaries": {"use_dictionary": False},
    "without statistics": {"write_statistics": False, "compression": "NONE"},
    "zstd": {"compression": "zstd", "row_group_size": 999},
    "small pages": {"data_page_size": 100, "write_batch_size": 10, "dictionary_pagesize_limit": 50},
    "newer pages": {"data_page_version": "2.0", "version": "2.6"},
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_parquet_file_is_counted_like_its_rows_however_it_was_written(tmp_path: Path, how: str) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(rows(), path, **WRITTEN[how])
    for place in (path, str(path)):
        source = opened(place)
        assert (source.rows, source.schema.names) == (ROWS, ["x", "k", "c", "day"])
        assert_all_rows(source)
    baseline = build_baseline(opened(path), KINDS, threads=2)
    assert baseline.to_bytes() == build_baseline(rows(), KINDS).to_bytes()


def test_a_file_read_in_many_chunks_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(rows(), tmp_path / "rows.parquet", row_group_size=1_100)
    monkeypatch.setattr(tables, "_CHUNK_ROWS", 64)
    monkeypatch.setattr(tables, "_TEXT_ROWS", 100)
    source = opened(tmp_path / "rows.parquet")
    assert max(len(chunk) for chunk in source.chunks("x")) <= 64
    assert_all_rows(source)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_text_of_any_type_comes_back_from_a_file(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ["a", None, "", "\u05e9\u05dc", "a", "\U0001f469\u200d\U0001f680"]
    pq.write_table(pa.table({"c": pa.array(texts, pa.string()).cast(kind)}), tmp_path / "t.parquet")
    assert column(opened(tmp_path / "t.parquet"), "c") == texts


NAMES = {"a": [1, 2], "a.b": ["x", "y"], "s": [{"a": 1, "b": "q"}] * 2, "s.b": [7, 8], "s.a.b": [0.5, 1.5]}


@pytest.mark.parametrize("folder", [False, True])
def test_a_dot_in_a_name_is_no_path_into_a_column(tmp_path: Path, folder: bool) -> None:
    pq.write_table(pa.table(NAMES), tmp_path / "dots.parquet")
    source = opened(tmp_path if folder else tmp_path / "dots.parquet")
    for name, values in NAMES.items():
        assert column(source, name) == values
    with pytest.raises(ProfileError, match=r"feature s\.c: found no such column, expected one among a, a\.b"):
        column(source, "s.c")
    pq.write_table(pa.table({"a": [{"b": 1}]}), tmp_path / "dots.parquet")
    with pytest.raises(ProfileError, match=r"feature a\.b: found no such column"):
        column(opened(tmp_path if folder else tmp_path / "dots.parquet"), "a.b")


def test_the_same_name_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([[1], [2]], names=["a", "a"]), tmp_path / "twice.parquet")
    with pytest.raises(ProfileError, match="2 columns of this name"):
        column(opened(tmp_path / "twice.parquet"), "a")


@pytest.mark.parametrize("count", [0, 5])
@pytest.mark.parametrize("form", ["file", "folder", "memory"])
def test_a_missing_column_is_refused_with_the_names_there_are(tmp_path: Path, form: str, count: int) -> None:
    pq.write_table(rows(5).slice(0, count), tmp_path / "rows.parquet")
    source = opened({"file": tmp_path / "rows.parquet", "folder": tmp_path, "memory": rows(5).slice(0, count)}[form])
    assert source.rows == count
    with pytest.raises(ProfileError, match="feature z: found no such column, expected one among x, k, c, day"):
        column(source, "z")


def test_a_file_without_rows_has_columns(tmp_path: Path) -> None:
    pq.write_table(rows(0), tmp_path / "none.parquet")
    assert counted(opened(tmp_path / "none.parquet")).rows == 0


# ---------------------------------------------------------------------------------------------------- folders


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    for place in range(3):
        pq.write_table(rows().slice(place * 1_000, 1_000), tmp_path / f"{place}.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden").write_text("not Parquet")
    assert_all_rows(opened(tmp_path))


def test_folders_named_after_values_are_a_column(tmp_path: Path) -> None:
    pq.write_to_dataset(rows(), tmp_path, partition_cols=["day"])
    source = opened(tmp_path)
    assert source.rows == ROWS
    assert set(column(source, "day")) == {f"2024-03-0{day}" for day in range(1, 6)}
    assert_all_rows(source)


def test_files_of_a_folder_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"x": ["a"]}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match="rows: cannot read"):
        column(opened(tmp_path), "x")


# ---------------------------------------------------------------------------------------------------- Delta


def test_a_delta_table_is_what_its_last_version_says(tmp_path: Path) -> None:
    path = tmp_path / "delta"
    write_deltalake(path, rows().slice(0, 1_000), partition_by=["day"])
    write_deltalake(path, rows().slice(1_000), mode="append")
    assert_all_rows(opened(path))
    DeltaTable(path).delete("k >= 5")
    left = rows().filter(pa.array(np.asarray(rows()["k"]) < 5))
    source = opened(str(path))
    assert source.rows == left.num_rows
    assert counted(source).counts.tolist() == profile_rows(build_baseline(rows(), KINDS), left).counts.tolist()


def test_a_delta_table_that_has_lost_its_files_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "delta", rows())
    source = opened(tmp_path / "delta")
    for file in (tmp_path / "delta").glob("*.parquet"):
        file.unlink()
    with pytest.raises(DataError, match="rows: cannot read"):
        column(source, "x")


@pytest.mark.parametrize("log", [None, "", "{}", "not json"])
def test_a_delta_table_with_a_damaged_log_is_refused(tmp_path: Path, log: str | None) -> None:
    (tmp_path / "_delta_log").mkdir()
    if log is not None:
        (tmp_path / "_delta_log" / f"{0:020}.json").write_text(log)
    with pytest.raises(DataError, match="rows: cannot read the Delta table"):
        opened(tmp_path)


# ---------------------------------------------------------------------------------------------------- damage


def test_what_is_not_there_or_no_parquet_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "nothing.parquet").touch()
    for place, message in (
        ("missing.parquet", "found nothing at"),
        ("text.csv", "cannot read"),
        ("nothing.parquet", "cannot read"),
        ("empty", "found no file in"),
        ("texts", "cannot read"),
        ("a" * 5_000, "cannot read"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            opened(tmp_path / place)
        assert str(tmp_path / place) in str(caught.value)
        assert "rows: " in str(caught.value)


def test_a_file_that_vanishes_after_it_was_opened_is_refused_with_its_place(tmp_path: Path) -> None:
    for form in ("file", "folder"):
        path = tmp_path / form / "rows.parquet"
        path.parent.mkdir()
        pq.write_table(rows(), path)
        source = opened(path if form == "file" else path.parent)
        shutil.rmtree(path.parent)
        with pytest.raises(DataError, match="rows: cannot read") as caught:
            column(source, "x")
        assert str(path.parent) in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(rows(), tmp_path / "rows.parquet")
    whole = (tmp_path / "rows.parquet").read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        (tmp_path / "part.parquet").write_bytes(whole[:length])
        with pytest.raises(DataError, match="rows: cannot read"):
            counted(opened(tmp_path / "part.parquet"))


def test_a_damaged_file_gives_a_deliberate_error_or_none_at_all(tmp_path: Path) -> None:
    """Parquet has no checksum by default, so a flipped bit within a page can also pass for another value."""
    pq.write_table(rows(), tmp_path / "rows.parquet", row_group_size=1_000)
    whole = (tmp_path / "rows.parquet").read_bytes()
    chance = random.Random(1)
    refused = 0
    for _ in range(250):
        damaged = bytearray(whole)
        place = chance.randrange(len(whole)) if chance.random() < 0.5 else len(whole) - 1 - chance.randrange(2_000)
        damaged[place] ^= 1 << chance.randrange(8)
        (tmp_path / "damaged.parquet").write_bytes(bytes(damaged))
        try:
            build_baseline(opened(tmp_path / "damaged.parquet"), KINDS)
        except VernalError:
            refused += 1
    assert refused > 50
