from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from vernal.spec import ModelSpec, json_schema
from vernal.spec.problems import keys_of
from vernal.spec.schema import ROOTS, Kind

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "flights"
SMALLEST: dict[str, Any] = {
    "model": "fraud",
    "task": "binary",
    "code": "fraud.py",
    "features": {"numerical": ["amount"]},
}


def accepts(kind: Kind, values: object) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schema(kind)).is_valid(values))


@pytest.mark.parametrize("kind", ["project", "model"])
def test_the_schema_is_one_that_other_tools_can_use(kind: Kind) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))

    assert json.loads(json.dumps(json_schema(kind))) == json_schema(kind)


@pytest.mark.parametrize(("kind", "file"), [("project", "vernal.yaml"), ("model", "late_arrival.yaml")])
def test_the_example_is_valid_by_the_schema_as_another_reader_sees_it(kind: Kind, file: str) -> None:
    assert accepts(kind, YAML(typ="safe", pure=True).load(EXAMPLE / file))


@pytest.mark.parametrize("kind", ["project", "model"])
def test_every_key_is_described_for_editors(kind: Kind) -> None:
    schema = json_schema(kind)
    sections = [schema, *schema["$defs"].values()]

    described = {
        name
        for section in sections
        for name, key in section["properties"].items()
        if key.get("description") or schema["$defs"][key["$ref"].rpartition("/")[2]]["description"]
    }

    assert described == {str(location[-1]) for location, _ in keys_of(ROOTS[kind])}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"triggers": {"drift": "off", "volume": False, "schedule": None}},
        {"training": {"lookback": "all"}, "label_delay": "0s"},
        {"metric": "roc_auc", "gates": {"floor": 0.6}},
        {"budget": {"monthly_usd": 100}},
        {"quality": {"expectations": [{"column": "amount", "min": 0}, {"column": "amount", "allowed_values": [1, 2]}]}},
        {"policy": {"combine": "all", "circuit_breaker": "off"}},
        {"policy": {"combine": {"at_least": 2}, "circuit_breaker": {"after": 5, "pause": "1d"}}},
    ],
)
def test_what_the_loader_accepts_the_schema_accepts(changes: dict[str, Any]) -> None:
    values = {**SMALLEST, **changes}
    spec = ModelSpec.model_validate(values)

    assert accepts("model", values)
    assert accepts("model", spec.model_dump(mode="json"))


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"task": "ranking"},
        {"model": "Fraud"},
        {"label_delay": 7},
        {"label_delay": "7 days"},
        {"triggers": {"drift": "on"}},
        {"training": {"lookback": None}},
        {"policy": {"combine": "most"}},
        {"policy": {"combine": {"at_least": 0}}},
        {"gates": {"certainty": 95}},
        {"rollout": {"steps": []}},
        {"risky": "yes"},
    ],
)
def test_what_is_wrong_by_itself_the_schema_refuses(changes: dict[str, Any]) -> None:
    assert not accepts("model", {**SMALLEST, **changes})


def test_defaults_are_written_as_a_file_would_write_them() -> None:
    sections = json_schema("model")["$defs"]

    assert sections["TrainingSpec"]["properties"]["lookback"]["default"] == "90d"
    assert sections["ApprovalSpec"]["properties"]["cost_above_usd"]["default"] == 500
    assert sections["RolloutSpec"]["properties"]["steps"]["default"] == [
        {"share": 0.05, "duration": "3d"},
        {"share": 0.25, "duration": "4d"},
    ]


def test_a_default_that_hangs_on_another_key_is_in_words() -> None:
    performance = json_schema("model")["$defs"]["TriggersSpec"]["properties"]["performance"]

    assert "default" not in performance
    assert performance["description"].endswith(
        "Default: on for accuracy; off for other metrics until `threshold` is given."
    )


def test_reading_a_policy_imports_nothing_heavy() -> None:
    heavy = ("cronsim", "deltalake", "mlflow", "numpy", "pandas", "pyarrow", "sklearn", "sqlalchemy", "vernal.stats")
    script = f"import sys, vernal.spec; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
