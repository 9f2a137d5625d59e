"""``vernal why`` over what a project's store holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from commandline import Vernal, document, error_of


def test_a_model_that_nobody_has_looked_at_says_so(vernal: Vernal, project: Path) -> None:
    told = vernal("why", "m", "--project", project)
    assert told.exit_code == 0
    assert told.stdout.startswith("No check had looked at m by ")


def test_the_last_check_and_the_run_are_told(vernal: Vernal, waiting: Path) -> None:
    told = vernal("why", "m", "--project", waiting)
    assert told.exit_code == 0
    assert "What the check saw" in told.stdout
    assert "The last run, m-1" in told.stdout


def test_json_holds_the_story_and_the_check_it_is_about(vernal: Vernal, waiting: Path) -> None:
    story = document(vernal("why", "m", "--json", "--project", waiting))
    assert story["model"] == "m"
    assert story["check"]["kind"] == "check"
    assert {"about", "sentences"} == set(story["paragraphs"][0])


def test_an_earlier_moment_knows_nothing_of_what_came_later(vernal: Vernal, waiting: Path) -> None:
    now = document(vernal("why", "m", "--json", "--project", waiting))
    day = now["check"]["at"][:10]
    before = document(vernal("why", "m", "--at", f"{day}T00:00+00:01", "--json", "--project", waiting))
    assert (before["check"], before["paragraphs"]) == (None, [])
    for moment in (day, f"{day}T00:00", f"{day}T23:59:59"):
        then = document(vernal("why", "m", "--at", moment, "--json", "--project", waiting))
        assert then["check"] == now["check"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01"])
def test_what_is_no_moment_is_called_wrongly(vernal: Vernal, project: Path, text: str) -> None:
    told = vernal("why", "m", "--at", text, "--project", project)
    assert told.exit_code == 2
    assert "expected a date or time" in told.stderr


def test_an_unknown_model_is_an_error(vernal: Vernal, project: Path) -> None:
    assert "nope" in error_of(vernal("why", "nope", "--json", "--project", project))["message"]
