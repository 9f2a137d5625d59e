"""What people ask for by hand: a run, an answer, a rollback; and what the other verbs then show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commandline import Vernal, document, error_of
from vernal.cli.tick import exit_code
from vernal.records import Decision


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_an_answer_to_a_run_that_waits_for_nobody_is_refused(answer: str, project: Path, vernal: Vernal) -> None:
    asked = document(vernal("retrain", "m", "--json", "--project", project))
    assert (asked["run"]["id"], asked["run"]["phase"]) == ("m-1", "requested")
    told = vernal(answer, "m-1", "--project", project)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith("Error: run m-1: no request for approval is pending")
    assert error_of(vernal(answer, "m-1", "--json", "--project", project))["kind"] == "NotFoundError"


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_an_answer_to_a_run_that_does_not_exist_is_refused(answer: str, project: Path, vernal: Vernal) -> None:
    error = error_of(vernal(answer, "m-9", "--json", "--project", project))
    assert (error["kind"], error["message"]) == ("NotFoundError", "run m-9: there is no such run")
    assert error["hint"] == "`vernal runs` lists them."


def test_a_run_that_waits_is_shown_with_how_to_answer(waiting: Path, vernal: Vernal) -> None:
    (approval,) = document(vernal("approvals", "--json", "--project", waiting))["approvals"]
    assert (approval["run_id"], approval["kind"], approval["status"]) == ("m-1", "spend", "pending")
    assert "`vernal approve m-1` until" in vernal("status", "--project", waiting).stdout
    (standing,) = document(vernal("status", "--json", "--project", waiting))["models"]
    assert standing["pending_approval"] == approval
    assert standing["open_run"]["phase"] == "awaiting_approval"
    (open_run,) = document(vernal("runs", "--open", "--json", "--project", waiting))["runs"]
    assert open_run == standing["open_run"]


@pytest.mark.parametrize(("answer", "status"), [("approve", "approved"), ("reject", "rejected")])
def test_an_answer_is_recorded_once(answer: str, status: str, waiting: Path, vernal: Vernal) -> None:
    given = document(vernal(answer, "m-1", "--note", "fine", "--json", "--project", waiting))["approval"]
    assert (given["status"], given["note"]) == (status, "fine")
    assert given["decided_by"]
    assert vernal("approvals", "--project", waiting).stdout == "Nothing waits for approval.\n"
    assert error_of(vernal("reject", "m-1", "--json", "--project", waiting))["kind"] == "NotFoundError"
    (recorded,) = document(vernal("runs", "m-1", "--json", "--project", waiting))["approvals"]
    assert recorded == given


def test_a_second_run_is_refused_while_one_is_open(project: Path, vernal: Vernal) -> None:
    assert vernal("retrain", "m", "--project", project).exit_code == 0
    error = error_of(vernal("retrain", "m", "--json", "--project", project))
    assert error["kind"] == "OpenRunError"
    assert "m-1" in error["message"]


def test_the_reason_for_a_run_is_kept_and_cannot_rewrite_the_terminal(project: Path, vernal: Vernal) -> None:
    vernal("retrain", "m", "--reason", "new \x1b[2Jtariff", "--project", project)
    (run,) = document(vernal("runs", "m", "--json", "--project", project))["runs"]
    assert run["reason"] == "new \x1b[2Jtariff"
    assert "new ?[2Jtariff" in vernal("runs", "m", "--project", project).stdout
    assert "\x1b" not in vernal("runs", "m-1", "--project", project).stdout


def test_a_model_that_never_had_a_champion_cannot_be_rolled_back(project: Path, vernal: Vernal) -> None:
    error = error_of(vernal("rollback", "m", "--json", "--project", project))
    assert error["kind"] == "NotFoundError"


def test_nothing_yet_is_told_in_words(project: Path, vernal: Vernal) -> None:
    assert vernal("runs", "--project", project).stdout == "No run yet.\n"
    assert vernal("runs", "--open", "--project", project).stdout == "No open run.\n"
    assert vernal("approvals", "--project", project).stdout == "Nothing waits for approval.\n"
    assert vernal("rollout", "m", "--project", project).stdout.splitlines() == [
        "m: no rollout is under way",
        "  nobody answers yet",
    ]
    assert vernal("check", "--project", project).stdout.splitlines()[1:] == [
        "  champion  none yet",
        "  labels    0 new",
    ]
    assert "champion    none yet" in vernal("status", "--project", project).stdout


def test_nothing_yet_is_told_as_json(project: Path, vernal: Vernal) -> None:
    assert document(vernal("runs", "--json", "--project", project)) == {"runs": []}
    assert document(vernal("approvals", "--json", "--project", project)) == {"approvals": []}
    assert document(vernal("rollout", "m", "--json", "--project", project)) == {
        "model": "m",
        "run": None,
        "route": None,
    }
    (standing,) = document(vernal("status", "--json", "--project", project))["models"]
    assert (standing.pop("model"), standing.pop("quarantined"), standing.pop("warnings")) == ("m", 0, [])
    assert set(standing.values()) == {None}


def test_a_tick_says_what_it_decided_and_when_to_come_again(project: Path, vernal: Vernal) -> None:
    told = document(vernal("tick", "--json", "--project", project))
    assert [(one["kind"], one["model"]) for one in told["decisions"]] == [("check", "m")]
    assert (told["runs"], told["errors"]) == ([], [])
    assert told["next_wake"] > told["at"]
    again = vernal("tick", "--project", project)
    assert again.stdout.startswith("nothing was due; next wake in ")


@pytest.mark.parametrize("kind", ["project", "model"])
def test_a_schema_is_json_with_and_without_the_option(kind: str, vernal: Vernal) -> None:
    schema = json.loads(vernal("schema", kind).stdout)
    assert "properties" in schema
    assert document(vernal("schema", kind, "--json")) == schema


def test_the_schema_of_a_model_is_the_default(vernal: Vernal) -> None:
    assert document(vernal("schema")) == document(vernal("schema", "model"))


def test_following_a_run_that_fails_ends_with_1_and_tells_why(project: Path, vernal: Vernal) -> None:
    told = vernal("retrain", "m", "--wait", "--json", "--project", project)
    assert told.exit_code == 1
    run = json.loads(told.stdout)["run"]
    assert run["phase"] == "failed"
    assert "expected at least 100" in run["outcome"]
    told = vernal("retrain", "m", "--wait", "--project", project)
    assert told.exit_code == 1
    assert told.stdout.startswith("m-2 requested\n")
    assert "\nm-2 failed: m: 0 labelled rows before " in told.stdout


def test_following_a_run_ends_where_a_person_is_asked(project: Path, vernal: Vernal) -> None:
    policy = project / "m.yaml"
    policy.write_text(policy.read_text() + "approval: {cost_above_usd: 0}\n")
    told = vernal("retrain", "m", "--wait", "--project", project)
    assert told.exit_code == 0
    assert told.stdout.splitlines()[-1] == "m-1 waits for a person: `vernal approve m-1` or `vernal reject m-1`."


def test_a_detailed_exit_code_tells_a_script_that_nobody_could_judge(project: Path, vernal: Vernal) -> None:
    assert vernal("tick", "--detailed-exit-code", "--project", project).exit_code == 20
    nothing_due = vernal("tick", "--detailed-exit-code", "--project", project)
    assert nothing_due.exit_code == 0


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ((), 0),
        (("healthy", "suppressed"), 0),
        (("healthy", "insufficient"), 20),
        (("insufficient", "requested"), 10),
    ],
)
def test_a_requested_run_matters_more_than_a_model_that_was_not_judged(outcomes: tuple[str, ...], status: int) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    checks = [Decision(model="m", at=at, kind="check", outcome=outcome, reason="") for outcome in outcomes]
    assert exit_code(checks) == status
