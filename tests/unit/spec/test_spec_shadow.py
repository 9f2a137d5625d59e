"""Shadow policies in a model's file: what they leave out, and what they cannot change."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from vernal.spec import ModelSpec

SMALLEST: dict[str, Any] = {
    "model": "fraud",
    "task": "binary",
    "code": "fraud.py",
    "features": {"numerical": ["amount"]},
}


def model(*shadow: Any, **changes: Any) -> ModelSpec:  # noqa: ANN401 - whatever a file may say
    return ModelSpec.model_validate({**SMALLEST, **changes, "shadow": list(shadow)})


def refused(*shadow: Any, **changes: Any) -> str:  # noqa: ANN401 - whatever a file may say
    with pytest.raises(ValidationError) as caught:
        model(*shadow, **changes)
    return str(caught.value)


def test_what_a_shadow_leaves_out_is_as_in_the_active_settings() -> None:
    active = {"drift": {"psi": 0.3, "share": 0.5}, "volume": "off", "performance": {"threshold": 0.8}}
    spec = model(
        {"name": "tighter", "triggers": {"drift": {"psi": 0.1}}, "policy": {"consecutive": 2}},
        triggers=active,
        policy={"cooldown": "3d", "combine": {"at_least": 2}},
    )
    (shadow,) = spec.shadow
    assert spec.triggers.drift is not None
    assert shadow.triggers.drift == spec.triggers.drift.model_copy(update={"psi": 0.1})
    assert (shadow.triggers.volume, shadow.triggers.performance) == (None, spec.triggers.performance)
    assert shadow.policy == spec.policy.model_copy(update={"consecutive": 2})


def test_a_shadow_may_switch_triggers_on_and_off_and_replace_how_they_combine() -> None:
    (shadow,) = model(
        {
            "name": "other",
            "triggers": {"drift": "off", "volume": {"labels": 10}},
            "policy": {"combine": {"at_least": 2}},
        },
        triggers={"volume": "off"},
        policy={"combine": "all"},
    ).shadow
    assert shadow.triggers.drift is None
    assert shadow.triggers.volume is not None
    assert shadow.policy.combine == 2


def test_a_spec_with_shadows_written_as_json_reads_back_the_same() -> None:
    spec = model({"name": "tighter", "triggers": {"drift": {"psi": 0.1}}, "policy": {"circuit_breaker": "off"}})
    assert ModelSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("shadow", "words"),
    [
        ({"name": "x", "triggers": {"drift": {"window": "14d"}}}, "differs from what the evidence is measured by"),
        ({"name": "x", "triggers": {"drift": {"short_window": "off"}}}, "differs from what the evidence is measured"),
        ({"name": "x", "triggers": {"drift": {"false_discovery": 0.1}}}, "differs from what the evidence is measured"),
        ({"name": "x", "triggers": {"performance": {"certainty": 0.5}}}, "differs from what the evidence is measured"),
        ({"name": "x", "triggers": {"drift": {"features": ["amuont"]}}}, "expected one of the model's features"),
        ({"name": "x", "triggers": {"performance": {"threshold": 2.0}}}, "expected a accuracy between 0 and 1"),
        ({"name": "x", "policy": {"combine": {"at_least": 4}}}, "got at_least: 4, expected at most 3"),
        ({"name": "active"}, "expected another name"),
        ({"name": "Not a name"}, "name"),
        ({"triggers": {}}, "name"),
        ("tighter", "shadow"),
    ],
)
def test_what_a_shadow_cannot_say_is_refused_in_its_place(shadow: object, words: str) -> None:
    text = refused(shadow)
    assert words in text
    assert "shadow" in text


def test_a_shadow_of_a_trigger_that_is_off_is_held_against_what_is_measured_then() -> None:
    assert model({"name": "x", "triggers": {"drift": {"psi": 0.1}}}, triggers={"drift": "off"}).shadow
    text = refused({"name": "x", "triggers": {"drift": {"window": "14d"}}}, triggers={"drift": "off"})
    assert "differs from what the evidence is measured by" in text


def test_two_shadows_do_not_share_a_name() -> None:
    assert "twice" in refused({"name": "x"}, {"name": "x"})


def test_beside_wrong_triggers_a_shadow_makes_no_problem_of_its_own() -> None:
    text = refused({"name": "x", "triggers": {"drift": {"psi": 0.1}}}, triggers={"drift": {"psi": -1}})
    assert "1 validation error" in text
