"""The queue of events on the command line: poll, work, acknowledge."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

import loopworld
from commandline import Vernal, document, error_of


@pytest.fixture
def eventful(tmp_path: Path) -> Path:
    """Return the folder of a project in which four things happened."""
    world = loopworld.build(tmp_path / "eventful")
    world.system.store.sync_models(("m", "n"), now=loopworld.START)
    for version in ("1", "2", "3"):
        world.system.store.set_champion("m", version, actor="ada", reason=f"try {version}", now=loopworld.START)
    world.retrain()
    world.close()
    return world.root


def numbers(told: dict[str, list[dict[str, str]]]) -> list[str]:
    return [event["sequence"] for event in told["events"]]


def test_people_read_a_table(eventful: Path, vernal: Vernal) -> None:
    lines = vernal("events", "--project", eventful).stdout.splitlines()
    assert lines[0].split() == ["number", "time", "(UTC)", "type", "subject", "reason"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert lines[1].endswith("dev.vernal.champion.set       m        try 1")
    assert lines[4].split()[2:] == ["dev.vernal.retrain.requested", "m-1", "asked"]


def test_systems_poll_behind_the_cursor_of_the_answer_before(eventful: Path, vernal: Vernal) -> None:
    first = document(vernal("events", "--limit", "3", "--json", "--project", eventful))
    assert (numbers(first), first["cursor"]) == (["1", "2", "3"], 3)
    second = document(vernal("events", "--after", "3", "--json", "--project", eventful))
    assert (numbers(second), second["cursor"]) == (["4"], 4)
    third = document(vernal("events", "--after", "4", "--json", "--project", eventful))
    assert third == {"events": [], "cursor": 4}


def test_events_are_chosen_by_type_and_model_and_the_cursor_passes_the_others(eventful: Path, vernal: Vernal) -> None:
    told = document(vernal("events", "--type", "retrain.*", "--json", "--project", eventful))
    assert (numbers(told), told["cursor"]) == (["4"], 4)
    told = document(vernal("events", "--model", "n", "--model", "x*", "--json", "--project", eventful))
    assert told == {"events": [], "cursor": 4}


def test_a_consumer_is_remembered(eventful: Path, vernal: Vernal) -> None:
    assert len(document(vernal("events", "--consumer", "erp", "--json", "--project", eventful))["events"]) == 4
    assert len(document(vernal("events", "--consumer", "erp", "--json", "--project", eventful))["events"]) == 4
    told = document(vernal("events", "--consumer", "erp", "--ack", "3", "--json", "--project", eventful))
    assert numbers(told) == ["4"]
    assert numbers(document(vernal("events", "--consumer", "erp", "--json", "--project", eventful))) == ["4"]
    assert len(document(vernal("events", "--consumer", "crm", "--json", "--project", eventful))["events"]) == 4


def test_what_has_not_happened_cannot_be_acknowledged(eventful: Path, vernal: Vernal) -> None:
    error = error_of(vernal("events", "--consumer", "erp", "--ack", "9", "--json", "--project", eventful))
    assert "got 9 to acknowledge, expected a number from 0 to 4" in error["message"]


@pytest.mark.parametrize("words", [["--ack", "3"], ["--after", "1", "--consumer", "erp"], ["--after", "-1"]])
def test_what_cannot_be_meant_ends_with_2(words: list[str], eventful: Path, vernal: Vernal) -> None:
    assert vernal("events", *words, "--project", eventful).exit_code == 2


def test_nothing_happened_yet(project: Path, vernal: Vernal) -> None:
    assert vernal("events", "--project", project).stdout == "There are no such events.\n"
    assert vernal("events", "--after", "4", "--project", project).stdout == "There are no such events behind 4.\n"
    assert not (project / ".vernal").exists()


def test_events_fit_the_schema_that_is_printed(eventful: Path, vernal: Vernal) -> None:
    schema = document(vernal("schema", "event"))
    for event in document(vernal("events", "--json", "--project", eventful))["events"]:
        jsonschema.Draft202012Validator(schema).validate(event)
