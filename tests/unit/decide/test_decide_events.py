"""Events: which change makes which, and that they read as CloudEvents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from vernal.decide.events import (
    SCHEMAS,
    TYPES,
    asked_for,
    champion_changed,
    check_ended,
    cloudevent,
    run_opened,
    run_stepped,
    schema,
)
from vernal.records import (
    Champion,
    Decision,
    Event,
    Happening,
    Phase,
    Route,
    Run,
    RunFacts,
    Transition,
    TriggerKind,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(phase: Phase) -> Run:
    return Run(
        id="m-2",
        model="m",
        number=2,
        phase=phase,
        trigger=TriggerKind.DRIFT,
        reason="psi 0.31 > 0.15",
        requested_by="vernal",
        requested_at=NOON,
        phase_since=NOON,
        wake_at=NOON,
        fence=1,
        attempt=1,
        facts=RunFacts(champion="1", version="2"),
    )


def route(share: float) -> Route:
    return Route(model="m", champion="1", challenger="2", share=share, updated_at=NOON)


def stepped(before: Phase, after: Phase, **more: Any) -> list[Happening]:  # noqa: ANN401 - parts of a transition
    transition = Transition(phase=after, wake_at=NOON, at=NOON, facts=RunFacts(), outcome="why", **more)
    return list(run_stepped(run(before), run(after), transition, actor="vernal"))


CHAMPION = Champion(model="m", version="2", since=NOON, run_id="m-2", previous="1")


@pytest.mark.parametrize(
    ("before", "after", "more", "types"),
    [
        (Phase.REQUESTED, Phase.BUILDING, {}, ["run.building"]),
        (Phase.TRAINING, Phase.TRAINING, {}, []),
        (Phase.EVALUATING, Phase.REJECTED, {}, ["run.rejected"]),
        (Phase.EVALUATING, Phase.ROLLING_OUT, {"route": route(0.05)}, ["run.rolling_out", "rollout.started"]),
        (Phase.ROLLING_OUT, Phase.ROLLING_OUT, {}, []),
        (Phase.ROLLING_OUT, Phase.ROLLING_OUT, {"route": route(0.25)}, ["rollout.advanced"]),
        (Phase.ROLLING_OUT, Phase.SOAKING, {"route": route(1.0)}, ["run.soaking", "rollout.advanced"]),
        (Phase.SOAKING, Phase.ROLLED_BACK, {"route": route(0.0)}, ["run.rolled_back", "rollout.rolled_back"]),
        (
            Phase.SOAKING,
            Phase.PROMOTED,
            {"route": route(0.0), "champion": CHAMPION},
            ["run.promoted", "rollout.completed", "champion.promoted"],
        ),
        (
            Phase.EVALUATING,
            Phase.PROMOTED,
            {"route": route(0.0), "champion": CHAMPION},
            ["run.promoted", "champion.promoted"],
        ),
    ],
)
def test_a_step_makes_the_events_of_what_it_changes(
    before: Phase, after: Phase, more: dict[str, Any], types: list[str]
) -> None:
    assert [happening.type for happening in stepped(before, after, **more)] == types


def test_a_rollout_tells_the_challengers_share() -> None:
    shares = [
        happening.data.to_dict()["share"]
        for before, after, share in (
            (Phase.EVALUATING, Phase.ROLLING_OUT, 0.05),
            (Phase.ROLLING_OUT, Phase.ROLLED_BACK, 0.0),
            (Phase.SOAKING, Phase.PROMOTED, 0.0),
        )
        for happening in stepped(before, after, route=route(share))
        if happening.type.startswith("rollout.")
    ]
    assert shares == [0.05, 0.0, 1.0]


def everything() -> list[Happening]:
    insufficient = Decision(model="m", at=NOON, kind="check", outcome="insufficient", reason="12 rows < 1000 needed")
    return [
        *run_opened(run(Phase.REQUESTED)),
        *stepped(Phase.EVALUATING, Phase.ROLLING_OUT, route=route(0.05)),
        *stepped(Phase.SOAKING, Phase.PROMOTED, route=route(0.0), champion=CHAMPION),
        champion_changed(CHAMPION.evolve(run_id=None), "champion.set", actor="ada", reason="by hand"),
        *check_ended([insufficient], None),
    ]


def event(happening: Happening, seq: int = 7) -> Event:
    return Event(
        seq=seq,
        id=f"id{seq}",
        type=happening.type,
        at=happening.at,
        model=happening.model,
        run_id=happening.run_id,
        schema=SCHEMAS[type(happening.data)],
        data=happening.data.to_dict(),
    )


def test_every_event_fits_the_schema_that_it_names() -> None:
    whole = schema()
    named = {described["$id"]: described for described in whole["$defs"].values()}
    for happening in everything():
        told = cloudevent(event(happening), source="/vernal/p")
        jsonschema.Draft202012Validator(whole).validate(told)
        own = {"$schema": whole["$schema"]} | named[told["dataschema"]]
        jsonschema.Draft202012Validator(own).validate(told["data"])
        assert TYPES[happening.type] is type(happening.data)


def test_the_schema_refuses_what_is_no_event() -> None:
    told = cloudevent(event(everything()[0]), source="/vernal/p")
    for wrong in ({"type": "dev.vernal.run.exploded"}, {"specversion": "0.3"}, {"data": {"model": 3}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema()).validate(told | wrong)


def test_an_event_reads_as_a_cloudevent() -> None:
    told = cloudevent(event(everything()[0]), source="/vernal/p")
    data = told.pop("data")
    assert told == {
        "specversion": "1.0",
        "id": "id7",
        "source": "/vernal/p",
        "type": "dev.vernal.retrain.requested",
        "subject": "m-2",
        "time": "2026-03-02T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:vernal:event:run:1",
        "sequence": "7",
        "partitionkey": "m",
    }
    assert (data["reason"], data["trigger"], data["previous_phase"]) == ("psi 0.31 > 0.15", "drift", None)


def test_what_belongs_to_no_run_is_about_the_model() -> None:
    assert cloudevent(event(everything()[-1]), source="s")["subject"] == "m"


@pytest.mark.parametrize(
    ("types", "models", "wanted"),
    [
        (None, None, True),
        (["run.*"], None, False),
        (["run.*", "retrain.requested"], None, True),
        (None, ["fraud", "?"], True),
        (["retrain.*"], ["fraud"], False),
    ],
)
def test_sinks_ask_for_types_and_models(types: list[str] | None, models: list[str] | None, wanted: bool) -> None:
    assert asked_for(types, models, event(everything()[0])) is wanted
