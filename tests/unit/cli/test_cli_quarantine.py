"""``vernal quarantine``: what was refused, brought in after a fix or given up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main

from commandline import Vernal, document
from vernal.bootstrap import open_system
from vernal.cli.app import FAMILIES, app

ROWS = """\
prediction_id,event_time,x,noise,c,model_version,prediction,score
007,2024-01-01T00:00:00Z,0.5,0.1,01,1,1,0.8
008,2024-01-01T00:01:00Z,many,0.2,b,1,0,0.3
009,2024-01-01T00:02:00Z,0.1,0.2,b,1,0,1.3
010,2024-01-01T00:03:00Z,0.1,0.2,b,1,0,1.4
"""
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
WITHOUT_X = {"numerical: [x, noise]": "numerical: [noise]"}
BELOW = [
    (family, name)
    for families in FAMILIES.values()
    for family, group in families.items()
    for name in (typer.main.get_group(group).commands)
]


@pytest.fixture
def refused(project: Path, tmp_path: Path, vernal: Vernal) -> Path:
    """Return a project with three rows in quarantine."""
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    assert vernal("ingest", "m", "--predictions", path, "--project", project).exit_code == 0
    return project


def change(project: Path, changes: dict[str, str]) -> None:
    path = project / "m.yaml"
    for found, wanted in changes.items():
        assert found in path.read_text()
        path.write_text(path.read_text().replace(found, wanted))


def test_what_waits_is_listed_by_reason_with_an_example(refused: Path, vernal: Vernal) -> None:
    told = vernal("quarantine", "m", "--project", refused)
    assert told.exit_code == 0
    assert told.stdout.startswith("3 rows of m wait in quarantine\n")
    assert "2     predictions  score: expected a probability from 0 to 1" in told.stdout
    assert "prediction_id=008, event_time=2024-01-01T00:01:00Z, x=many" in told.stdout
    assert told.stdout == vernal("quarantine", "list", "m", "--project", refused).stdout


def test_the_list_for_machines_has_every_row_that_is_asked_for(refused: Path, vernal: Vernal) -> None:
    told = document(vernal("quarantine", "m", "--json", "--limit", "5", "--project", refused))
    assert (told["model"], told["waiting"], told["resolved"]) == ("m", 3, {})
    assert [(one["kind"], one["reason"], one["rows"], one["batches"]) for one in told["reasons"]] == [
        ("predictions", "score: expected a probability from 0 to 1", 2, 1),
        ("predictions", "x: expected a number", 1, 1),
    ]
    assert [row["row"]["score"] for row in told["reasons"][0]["examples"]] == [1.4, 1.3]
    assert (
        document(vernal("quarantine", "m", "--json", "--limit", "0", "--project", refused))["reasons"][0]["examples"]
        == []
    )


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--reason", "x: expected"], 1),
        (["--since", "2024-01-01"], 3),
        (["--until", "2024-01-01"], 0),
        (["--since", "2199-01-01T00:00"], 0),
    ],
)
def test_the_list_goes_by_reason_and_by_the_time_of_refusal(
    options: list[str], count: int, refused: Path, vernal: Vernal
) -> None:
    assert document(vernal("quarantine", "m", "--json", *options, "--project", refused))["waiting"] == count


def test_rows_that_a_change_of_the_model_file_makes_fit_are_brought_in(refused: Path, vernal: Vernal) -> None:
    command = ("quarantine", "replay", "m", "--project", refused)
    change(refused, WITHOUT_X)
    dry = vernal(*command, "--dry-run")
    assert dry.stdout == (
        "1 row would be brought into the lake\n2 rows still refused: score: expected a probability from 0 to 1\n"
    )
    assert vernal(*command).stdout.startswith("1 row brought into the lake\n")
    assert document(vernal(*command, "--json")) == {
        "model": "m",
        "dry_run": False,
        "replayed": 0,
        "present": 0,
        "refused": [{"reason": "score: expected a probability from 0 to 1", "rows": 2}],
    }
    with open_system(refused, read_only=True) as system:
        (entry,) = system.store.audit()
    assert (entry.action, entry.subject, entry.after) == ("replay_refused", "m", '{"replayed":"1","present":"0"}')
    listed = vernal("quarantine", "m", "--project", refused).stdout
    assert listed.startswith("2 rows of m wait in quarantine; of earlier ones 1 replayed\n")


def test_rows_are_given_up_with_a_note(refused: Path, vernal: Vernal) -> None:
    told = document(
        vernal("quarantine", "discard", "m", "--reason", "x:", "--note", "a test", "--json", "--project", refused)
    )
    assert (told["discarded"], told["note"]) == (1, "a test")
    told = vernal("quarantine", "discard", "m", "--all", "--note", "the rest", "--project", refused)
    assert told.stdout.startswith("2 rows given up by ")
    assert vernal("quarantine", "replay", "m", "--project", refused).stdout == "No such row waits.\n"
    with open_system(refused, read_only=True) as system:
        kept = [(entry.action, entry.reason, entry.after) for entry in system.store.audit()]
    assert kept == [
        ("discard_refused", "a test", '{"rows":"1","reason":"x:"}'),
        ("discard_refused", "the rest", '{"rows":"2","reason":""}'),
    ]


@pytest.mark.parametrize("options", [["--note", "all of it"], ["--note", "what", "--all", "--reason", "x"], ["--all"]])
def test_giving_up_needs_a_note_and_either_a_choice_or_all(options: list[str], refused: Path, vernal: Vernal) -> None:
    assert vernal("quarantine", "discard", "m", *options, "--project", refused).exit_code == 2
    assert document(vernal("quarantine", "m", "--json", "--project", refused))["waiting"] == 3


@pytest.mark.parametrize("command", [["m"], ["replay", "m"], ["replay", "m", "--dry-run"]])
def test_a_project_in_which_nothing_was_refused_has_nothing_to_show(
    command: list[str], project: Path, vernal: Vernal
) -> None:
    told = vernal("quarantine", *command, "--project", project)
    assert (told.exit_code, told.stderr) == (0, "")


def test_status_says_how_many_rows_wait(refused: Path, vernal: Vernal) -> None:
    assert "3 rows wait: `vernal quarantine m`" in vernal("status", "--project", refused).stdout
    (standing,) = document(vernal("status", "--json", "--project", refused))["models"]
    assert standing["quarantined"] == 3


@pytest.mark.parametrize("time", ["yesterday", "9999-12-31", "0001-01-01T00:00+05:00"])
def test_a_time_that_is_none_or_beyond_what_the_lake_counts_is_refused(
    time: str, project: Path, vernal: Vernal
) -> None:
    told = vernal("quarantine", "m", "--since", time, "--project", project)
    assert told.exit_code == 2
    assert "--since" in told.stderr


@pytest.mark.parametrize(("family", "name"), BELOW)
def test_every_verb_below_a_noun_prints_json_and_says_what_each_option_is(
    family: str, name: str, vernal: Vernal
) -> None:
    assert "--json" in vernal(family, name, "--help").stdout
    command = typer.main.get_group(app).commands[family]
    assert isinstance(command, typer.core.TyperGroup)
    below = command.commands[name]
    assert below.help
    assert [parameter.name for parameter in below.params if not getattr(parameter, "help", None)] == []


def test_a_noun_alone_shows_its_help(vernal: Vernal) -> None:
    told = vernal("quarantine")
    assert told.exit_code == 2
    assert "replay" in told.stdout + told.stderr


def leave(project: Path, rows: dict[str, list[object]]) -> None:
    """Leave predictions of the model in the inbox, as a client does."""
    table = pa.table(rows).set_column(1, "event_time", pa.array([NOON] * 3, pa.timestamp("us", tz="UTC")))
    folder = project / ".vernal" / "inbox" / "m" / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "1.parquet")


def test_a_check_tells_what_waits_in_the_inbox_and_takes_none_of_it_in(project: Path, vernal: Vernal) -> None:
    columns: dict[str, list[object]] = {"prediction_id": ["a", "b", "c"], "event_time": [None] * 3}
    leave(project, columns | {"x": [1.0, -1.0, 2.0], "noise": [0.1] * 3, "c": ["a"] * 3, "basket": [1] * 3})
    with (project / "m.yaml").open("a") as file:
        file.write("quality: {expectations: [{column: x, min: 0}, {column: noise, max: 0, action: warn}]}\n")
    for _ in range(2):
        told = vernal("check", "--project", project).stdout
        assert "1 file of 3 rows wait for the next tick" in told
        assert "will be refused: x: expected at least 0 (1)" in told
        assert "warning: noise: expected at most 0 (2)" in told
        assert "predictions have a column basket (int64) that the model does not know" in told
    (judged,) = document(vernal("check", "--json", "--project", project))["models"]
    preview = judged["evidence"]["quality"]
    assert (preview["rows"], preview["accepted"], preview["refused"]) == (3, 2, 1)
    assert document(vernal("quarantine", "m", "--json", "--project", project))["waiting"] == 0
    vernal("tick", "--project", project)
    check = document(vernal("why", "m", "--json", "--project", project))["check"]
    assert check["evidence"]["evidence"]["quality"] == preview
    assert "1 of 3 arriving rows (33.3%) went to quarantine: x: expected at least 0 (1)." in (
        vernal("why", "m", "--project", project).stdout
    )
    assert "warning" not in vernal("check", "--project", project).stdout


@pytest.mark.parametrize(("limit", "outcome"), [("0.5", "insufficient"), ("0.9", "healthy")])
def test_a_model_whose_rows_are_largely_refused_is_not_called_healthy(
    limit: str, outcome: str, project: Path, vernal: Vernal
) -> None:
    change(project, {"volume: off": "volume: {labels: 100000}"})
    columns: dict[str, list[object]] = {"prediction_id": ["a", "b", "c"], "event_time": [None] * 3}
    leave(project, columns | {"x": [1.0, -1.0, -2.0], "noise": [0.1] * 3, "c": ["a"] * 3})
    with (project / "m.yaml").open("a") as file:
        file.write(f"quality: {{expectations: [{{column: x, min: 0}}], max_refused_share: {limit}}}\n")
    (judged,) = document(vernal("check", "--json", "--project", project))["models"]
    assert judged["outcome"] == outcome
    (decision,) = document(vernal("tick", "--json", "--project", project))["decisions"]
    assert decision["outcome"] == outcome
    assert ("2 of 3 arriving rows were refused" in decision["reason"]) is (outcome == "insufficient")
