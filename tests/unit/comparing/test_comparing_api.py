"""``vernal.compare`` from what people have: files, tables, frames, baselines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

import vernal
from vernal.comparing import Verdict
from vernal.errors import DataError, ProfileError

ROWS = 4000


def rows(seed: int, *, shift: float = 0.0, rows: int = ROWS, extra: dict[str, Any] | None = None) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "amount": np.exp(rng.normal(shift, 1.0, rows)),
            "age": rng.integers(18, 90, rows),
            "carrier": rng.choice(["AA", "UA", "DL"], rows, p=[0.5, 0.3, 0.2]),
            **(extra or {}),
        }
    )


@pytest.fixture(scope="module")
def reference() -> pa.Table:
    return rows(1)


@pytest.fixture(scope="module")
def shifted() -> pa.Table:
    return rows(2, shift=0.6)


def test_only_the_column_that_moved_is_found(reference: pa.Table, shifted: pa.Table) -> None:
    found = vernal.compare(reference, shifted)
    assert found.drifted == ("amount",)
    assert found.has_drifted
    assert {one.feature: one.verdict for one in found} == {
        "amount": Verdict.DRIFTED,
        "age": Verdict.STABLE,
        "carrier": Verdict.STABLE,
    }


def test_how_far_a_column_moved_is_told_in_standard_deviations(reference: pa.Table, shifted: pa.Table) -> None:
    then, now = (np.asarray(table["amount"]) for table in (reference, shifted))
    moved = vernal.compare(reference, shifted)["amount"].measured.wasserstein
    assert moved == pytest.approx(float((now.mean() - then.mean()) / then.std(ddof=1)), rel=0.05)


def test_two_draws_from_one_source_have_not_drifted(reference: pa.Table) -> None:
    found = vernal.compare(reference, rows(3))
    assert not found.has_drifted
    assert found.drifted == ()


def test_the_farthest_above_its_threshold_comes_first(reference: pa.Table) -> None:
    rng = np.random.default_rng(5)
    moved = reference.set_column(1, "age", pa.array(rng.integers(40, 140, ROWS)))
    moved = moved.set_column(0, "amount", pa.array(np.exp(rng.normal(0.5, 1.0, ROWS))))
    assert vernal.compare(reference, moved).drifted == ("age", "amount")


def test_every_way_of_handing_over_the_same_rows_gives_the_same_numbers(
    reference: pa.Table, shifted: pa.Table, tmp_path: Path
) -> None:
    expected = [one.measured for one in vernal.compare(reference, shifted)]
    pq.write_table(reference, tmp_path / "reference.parquet", row_group_size=700)
    (tmp_path / "folder").mkdir()
    pq.write_table(shifted.slice(0, 1500), tmp_path / "folder" / "a.parquet")
    pq.write_table(shifted.slice(1500), tmp_path / "folder" / "b.parquet")
    write_deltalake(tmp_path / "delta", shifted.slice(0, 3000))
    write_deltalake(tmp_path / "delta", shifted.slice(3000), mode="append")
    frame = shifted.to_pandas()
    frame.index = pd.RangeIndex(7, 7 + ROWS)
    for current in (tmp_path / "folder", str(tmp_path / "delta"), frame, shifted.to_reader(), shifted.combine_chunks()):
        found = vernal.compare(tmp_path / "reference.parquet", current)
        assert len(found) == 3
        for one, other in zip(found, expected, strict=True):
            assert one.measured.psi is not None
            assert other.psi is not None
            assert one.measured.psi.score == pytest.approx(other.psi.score, rel=1e-12)
            assert one.measured.mean == (None if other.mean is None else pytest.approx(other.mean, rel=1e-12))


def test_a_stored_baseline_gives_what_its_rows_give(reference: pa.Table, shifted: pa.Table, tmp_path: Path) -> None:
    baseline = vernal.build_baseline(reference)
    path = tmp_path / "reference.baseline"
    path.write_bytes(baseline.to_bytes())
    expected = vernal.compare(reference, shifted)
    for older in (baseline, path, str(path)):
        assert vernal.compare(older, shifted).features == expected.features
    assert len(path.read_bytes()) < 3 * 4096


def test_a_stored_baseline_compares_the_columns_that_are_still_there(reference: pa.Table, shifted: pa.Table) -> None:
    found = vernal.compare(vernal.build_baseline(reference), shifted.drop_columns(["age"]))
    assert [one.feature for one in found] == ["amount", "carrier"]
    assert [(one.feature, one.reason) for one in found.unknown] == [("age", "only in the reference")]
    assert found.features == vernal.compare(reference, shifted, features=["amount", "carrier"]).features


def test_what_cannot_be_compared_is_listed_with_its_reason(reference: pa.Table) -> None:
    lists = pa.array([[1]] * ROWS)
    older = reference.append_column("tags", lists).append_column("gone", pa.array([1.0] * ROWS))
    newer = reference.append_column("tags", lists).append_column("born", pa.array([1.0] * ROWS))
    newer = newer.set_column(1, "age", newer["age"].cast(pa.string()))
    found = vernal.compare(older, newer)
    assert {one.feature: one.reason for one in found.unknown} == {
        "age": "numbers in the reference, string now",
        "tags": "list<item: int64> cannot be compared",
        "gone": "only in the reference",
        "born": "only in the current rows",
    }
    with pytest.raises(KeyError, match="gone: was not compared: only in the reference"):
        found["gone"]
    with pytest.raises(KeyError, match="nope: no such column"):
        found["nope"]


def test_a_column_whose_type_changed_is_compared_and_noted(reference: pa.Table) -> None:
    coded = reference.append_column("code", pa.array(["1", "2"] * (ROWS // 2)))
    numbers = reference.append_column("code", pa.array([1, 2] * (ROWS // 2)))
    found = vernal.compare(coded, numbers)
    assert found["code"].score == pytest.approx(0.0, abs=1e-9)
    assert found.notes == ("code: was string in the reference and is int64 now; compared as categorical",)


def test_numbers_that_became_times_are_noted(reference: pa.Table) -> None:
    times = reference.set_column(1, "age", reference["age"].cast(pa.timestamp("us")))
    [note] = vernal.compare(reference, times).notes
    assert note == "age: was int64 in the reference and is timestamp[us] now; compared as numerical"


def test_a_file_whose_name_is_no_text_cannot_be_read_by_arrow_and_is_refused(
    reference: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"ref\xff.parquet")
    with path.open("wb") as file:
        pq.write_table(reference, file)
    with pytest.raises(DataError, match="reference: cannot read"):
        vernal.compare(path, reference)


def test_with_few_rows_the_numbers_come_without_a_verdict(reference: pa.Table) -> None:
    found = vernal.compare(reference, rows(2, shift=3.0, rows=200))
    amount = found["amount"]
    assert (amount.verdict, amount.reason) == (Verdict.INSUFFICIENT, "200 rows < 1000 needed")
    assert amount.score is not None
    assert amount.score > 1
    assert vernal.compare(reference, rows(2, shift=3.0, rows=200), min_rows=200).drifted == ("amount",)


def test_no_current_rows_are_insufficient(reference: pa.Table) -> None:
    found = vernal.compare(reference, reference.slice(0, 0))
    assert {one.verdict for one in found} == {Verdict.INSUFFICIENT}
    assert found["age"].score is None


def test_a_column_of_nulls_on_both_sides_says_nothing(reference: pa.Table) -> None:
    nothing = reference.append_column("empty", pa.nulls(ROWS, pa.float64()))
    assert vernal.compare(nothing, nothing)["empty"].reason == "nothing but nulls on both sides"


def test_a_column_that_became_null_has_drifted(reference: pa.Table) -> None:
    lost = reference.set_column(0, "amount", pa.nulls(ROWS, pa.float64()))
    found = vernal.compare(reference, lost)
    assert found.drifted == ("amount",)
    assert found["amount"].measured.null_share == 1.0


def test_columns_can_be_chosen(reference: pa.Table, shifted: pa.Table) -> None:
    found = vernal.compare(reference, shifted, features=["carrier", "age"])
    assert [one.feature for one in found] == ["carrier", "age"]
    assert found.unknown == ()


def test_a_number_can_be_compared_as_a_category(reference: pa.Table, shifted: pa.Table) -> None:
    found = vernal.compare(reference, shifted, kinds={"age": "categorical"})
    assert found["age"].statistic == "js"
    assert vernal.compare(reference, shifted)["age"].statistic == "psi"


@pytest.mark.parametrize(("option", "feature"), [({"psi": 0.9}, "amount"), ({"js": 0.9}, "carrier")], ids=["psi", "js"])
def test_a_higher_threshold_lets_a_shift_pass(reference: pa.Table, option: dict[str, Any], feature: str) -> None:
    rng = np.random.default_rng(9)
    moved = rows(2, shift=0.6).set_column(
        2, "carrier", pa.array(rng.choice(["AA", "UA", "DL"], ROWS, p=[0.2, 0.3, 0.5]))
    )
    assert feature in vernal.compare(reference, moved).drifted
    lenient = vernal.compare(reference, moved, **option)
    assert feature not in lenient.drifted
    assert lenient[feature].threshold == 0.9


def test_kolmogorov_smirnov_decides_only_when_it_is_asked_to(reference: pa.Table) -> None:
    slightly = rows(2, shift=0.3)
    assert vernal.compare(reference, slightly).drifted == ()
    found = vernal.compare(reference, slightly, ks=0.1)
    assert found.drifted == ("amount",)
    assert (found["amount"].statistic, found["amount"].threshold) == ("ks", 0.1)


def test_a_shift_above_the_threshold_but_within_chance_is_stable_and_says_so(reference: pa.Table) -> None:
    few = rows(11, rows=40)
    found = vernal.compare(reference, few, min_rows=40, psi=0.1)["amount"]
    assert found.verdict is Verdict.STABLE
    assert found.score is not None
    assert found.score > 0.1
    assert "but chance alone gives" in found.reason


def test_a_stricter_false_discovery_level_asks_for_more(reference: pa.Table, shifted: pa.Table) -> None:
    lax, strict = (vernal.compare(reference, shifted, false_discovery=level)["age"].critical for level in (0.2, 0.001))
    assert lax is not None
    assert strict is not None
    assert lax < strict


def test_the_number_of_bins_is_what_was_asked_for(reference: pa.Table, shifted: pa.Table) -> None:
    ten, five = (vernal.compare(reference, shifted, bins=bins)["amount"].measured.chi_square for bins in (10, 5))
    assert ten is not None
    assert five is not None
    assert (ten.dof, five.dof) == (9, 4)


def test_the_result_does_not_depend_on_threads(reference: pa.Table, shifted: pa.Table) -> None:
    assert (
        vernal.compare(reference, shifted, threads=1).features == vernal.compare(reference, shifted, threads=3).features
    )


def test_the_result_as_plain_values_is_json(reference: pa.Table, shifted: pa.Table) -> None:
    plain = vernal.compare(reference, shifted).to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False))["drifted"] == ["amount"]
    assert plain["features"][0]["measured"]["psi"]["score"] > 0.15


def test_what_a_reference_with_rare_categories_costs_is_noted() -> None:
    rare = pa.table({"id": [f"user {i}" for i in range(2000)]})
    found = vernal.compare(rare, rare)
    assert "half of the reference's rows" in found.notes[0]
    assert 900 < found["id"].measured.reference_rows < 1100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": ["nope"]}, "features: found nope, which the reference does not have"),
        ({"features": "age"}, "expected a list of column names"),
        ({"kinds": {"nope": "numerical"}}, "kinds: found nope"),
        ({"kinds": {"age": "ordinal"}}, "found 'ordinal' for age, expected numerical or categorical"),
        ({"psi": 0.0}, "psi: found 0.0, expected a threshold above 0"),
        ({"js": -1.0}, "js: found -1.0"),
        ({"ks": float("nan")}, "ks: found nan"),
        ({"false_discovery": 1.0}, "false_discovery: found 1.0"),
        ({"bins": 1}, "bins: found 1, expected at least 2"),
        ({"min_rows": 0}, "min_rows: found 0, expected at least 1"),
        ({"threads": 0}, "threads: found 0, expected at least 1"),
    ],
)
def test_what_is_asked_wrongly_is_refused(reference: pa.Table, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        vernal.compare(reference, reference, **arguments)


def test_text_cannot_be_compared_as_numbers(reference: pa.Table) -> None:
    with pytest.raises(DataError, match="numbers in the reference, string now"):
        vernal.compare(reference, reference, features=["carrier"], kinds={"carrier": "numerical"})


def test_kinds_of_a_stored_baseline_are_its_own(reference: pa.Table) -> None:
    with pytest.raises(DataError, match="stored baseline, which has its own"):
        vernal.compare(vernal.build_baseline(reference), reference, kinds={"age": "categorical"})


def test_nothing_in_common_is_an_error(reference: pa.Table) -> None:
    with pytest.raises(DataError, match="found nothing to compare"):
        vernal.compare(reference, pa.table({"other": [1.0]}))


def test_a_reference_without_rows_is_an_error(reference: pa.Table) -> None:
    with pytest.raises(DataError, match="reference: found no rows"):
        vernal.compare(reference.slice(0, 0), reference)


def test_what_is_no_table_is_an_error() -> None:
    with pytest.raises(DataError, match=r"current rows: .*found float in a list"):
        vernal.compare(pa.table({"a": [1.0]}), [1.0])
    with pytest.raises(DataError, match="reference: found nothing at nowhere"):
        vernal.compare("nowhere", pa.table({"a": [1.0]}))


def test_a_damaged_baseline_is_refused(reference: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "reference.baseline"
    path.write_bytes(vernal.build_baseline(reference).to_bytes()[:-5])
    with pytest.raises(ProfileError, match="damaged"):
        vernal.compare(path, reference)


def test_importing_vernal_imports_nothing_else_and_comparing_files_no_pandas(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pq.write_table(rows(1), tmp_path / f"{name}.parquet")
    script = (
        "import sys, vernal\n"
        "assert 'numpy' not in sys.modules\n"
        "vernal.compare('a.parquet', 'b.parquet')\n"
        "assert not {'pandas', 'sklearn', 'scipy', 'sqlalchemy', 'mlflow', 'deltalake'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_too_few_rows_are_counted_before_rare_categories_halve_them() -> None:
    rare = pa.table({"id": [f"user {i}" for i in range(999)]})
    assert vernal.compare(rare, rare)["id"].reason == "999 rows < 1000 needed"


def test_two_distances_that_decide_share_the_false_discovery_level(reference: pa.Table, shifted: pa.Table) -> None:
    alone, both = vernal.compare(reference, shifted)["age"], vernal.compare(reference, shifted, ks=0.9)["age"]
    halved = vernal.compare(reference, shifted, false_discovery=0.005)["age"]
    assert both.critical == halved.critical
    assert alone.adjusted_p is not None
    assert both.adjusted_p == pytest.approx(min(1.0, 2 * alone.adjusted_p))


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_is_told_column_by_column(reference: pa.Table, shifted: pa.Table, threads: int) -> None:
    told: list[tuple[int, int]] = []
    vernal.compare(reference, shifted, threads=threads, progress=lambda done, of: told.append((done, of)))
    assert told == [(done, 6) for done in range(1, 7)]
    told.clear()
    baseline = vernal.build_baseline(reference, progress=lambda done, of: told.append((done, of)))
    vernal.compare(baseline, shifted, progress=lambda done, of: told.append((done, of)))
    assert told == 2 * [(1, 3), (2, 3), (3, 3)]


def test_a_baseline_given_second_is_told_to_come_first(reference: pa.Table, tmp_path: Path) -> None:
    baseline = vernal.build_baseline(reference)
    path = tmp_path / "reference.baseline"
    path.write_bytes(baseline.to_bytes())
    for second in (baseline, path):
        with pytest.raises(DataError, match="current rows: found a stored baseline") as caught:
            vernal.compare(reference, second)
        assert caught.value.hint is not None
