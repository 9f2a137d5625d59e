"""Samples drawn to be labelled, their files, and the answers."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from commandline import Vernal, document, error_of
from vernal.cli.labels import RULES
from vernal.observe import sampling

SPAN = ("--since", "2024-01-01", "--until", "2024-01-02")
ROWS = 60


@pytest.fixture
def served(project: Path, tmp_path: Path, vernal: Vernal) -> Path:
    """Return a project with 60 predictions of two days."""
    lines = ["prediction_id,event_time,x,noise,c,model_version,prediction,score"]
    lines += [f"0{n},2024-01-0{1 + n % 2}T00:{n:02}:00Z,0.5,0.1,a,1,{n % 2},{n / ROWS}" for n in range(ROWS)]
    file = tmp_path / "predictions.csv"
    file.write_text("\n".join(lines))
    assert vernal("ingest", "m", "--predictions", file, "--project", project).exit_code == 0
    return project


def sample(served: Path, vernal: Vernal, out: Path, *options: str) -> dict[str, object]:
    told = vernal("labels", "sample", "m", "--n", "20", *SPAN, "--out", out, *options, "--json", "--project", served)
    found: dict[str, object] = document(told)
    return found


def filled(path: Path, *, labels: int) -> None:
    """Fill in the first labels, as a person would."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[:labels]:
        row["label"] = "1"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_sample_is_drawn_filled_in_and_taken_in(served: Path, tmp_path: Path, vernal: Vernal) -> None:
    out = tmp_path / "ask.csv"
    drawn = sample(served, vernal, out)
    assert (drawn["drawn"], drawn["population"], drawn["sample"]) == (20, ROWS, "m-sample-1")
    with out.open(newline="") as file:
        header = next(csv.reader(file))
    assert header == ["prediction_id", "label", "event_time", "inclusion", "x", "noise", "c"]

    filled(out, labels=15)
    told = vernal("labels", "import", "m", out, "--project", served)
    assert told.exit_code == 0, told.stderr
    assert told.stdout == "15 answers taken in, 5 rows without a label\nm-sample-1: 15 of 20 answered, 5 missing\n"
    again = vernal("labels", "import", "m", out, "--project", served)
    assert again.stdout.startswith(f"{out} was taken in before; nothing has changed")
    listed = document(vernal("labels", "m", "--json", "--project", served))
    assert [(one["answered"], one["drawn"]) for one in listed["samples"]] == [(15, 20)]


def test_the_missing_rows_of_a_sample_can_be_written_again(served: Path, tmp_path: Path, vernal: Vernal) -> None:
    out, rest = tmp_path / "ask.csv", tmp_path / "rest.parquet"
    sample(served, vernal, out)
    filled(out, labels=15)
    vernal("labels", "import", "m", out, "--project", served)
    told = vernal("labels", "sample", "m", "--again", "m-sample-1", "--out", rest, "--project", served)
    assert told.exit_code == 0, told.stderr
    assert pq.read_table(rest).num_rows == 5
    assert len(document(vernal("labels", "list", "m", "--json", "--project", served))["samples"]) == 1


def test_until_and_since_bound_what_is_drawn_from(served: Path, tmp_path: Path, vernal: Vernal) -> None:
    day = ("--since", "2024-01-02", "--until", "2024-01-02")
    told = document(
        vernal("labels", "sample", "m", *day, "--n", "5", "--out", tmp_path / "a.csv", "--json", "--project", served)
    )
    assert told["population"] == ROWS / 2


def test_the_seed_and_the_rule_are_told_and_change_what_is_drawn(served: Path, tmp_path: Path, vernal: Vernal) -> None:
    drawn = sample(served, vernal, tmp_path / "a.parquet", "--by", "score", "--seed", "3")
    assert (drawn["by"], drawn["seed"]) == ("score", 3)
    chances = pq.read_table(tmp_path / "a.parquet")["inclusion"].to_pylist()
    assert max(chances) > 2 * min(chances) > 0


def test_strata_need_a_feature_and_a_feature_needs_strata(served: Path, vernal: Vernal, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "a.csv", "--project", served)
    assert vernal("labels", "sample", "m", "--by", "stratified", *out).exit_code == 2
    assert vernal("labels", "sample", "m", "--strata", "c", *out).exit_code == 2
    assert vernal("labels", "sample", "m", *SPAN, "--by", "stratified", "--strata", "c", *out).exit_code == 0


@pytest.mark.parametrize("options", [["--by", "guess"], ["--out", "a.xlsx"], ["--n", "0"], ["--since", "then"]])
def test_what_no_sample_can_be_is_a_wrong_command_line(served: Path, vernal: Vernal, options: list[str]) -> None:
    assert vernal("labels", "sample", "m", *options, "--project", served).exit_code == 2


def test_a_file_that_is_there_is_not_overwritten_and_nothing_is_drawn(
    served: Path, tmp_path: Path, vernal: Vernal
) -> None:
    out = tmp_path / "a.csv"
    out.write_text("mine")
    told = error_of(vernal("labels", "sample", "m", *SPAN, "--out", out, "--json", "--project", served))
    assert "exists already" in told["message"]
    assert out.read_text() == "mine"
    assert vernal("labels", "m", "--project", served).stdout.startswith("No sample of m yet")


def test_answers_of_which_none_can_be_used_end_with_1(served: Path, tmp_path: Path, vernal: Vernal) -> None:
    file = tmp_path / "strange.csv"
    file.write_text("prediction_id,label\nnobody,1\n")
    told = vernal("labels", "import", "m", file, "--project", served)
    assert told.exit_code == 1
    assert "was never drawn" in told.stderr
    file.write_text("what,ever\n1,2\n")
    assert "expected prediction_id and label too" in vernal("labels", "import", "m", file, "--project", served).stderr


def test_every_rule_can_be_asked_for() -> None:
    assert tuple(sampling.RULES) == RULES
