"""What the guides on alerts and events show is what happens."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vernal.adapters.events.webhook import signed
from vernal.decide.conditions import CONDITIONS
from vernal.decide.events import PREFIX, SCHEMAS, TYPES, schema
from vernal.errors import SpecError
from vernal.records import Phase
from vernal.spec import load_project

MODEL = "model: m\ntask: binary\ncode: m.py\nfeatures: {numerical: [a]}\n"
EVENTS, ALERTS = "consume-events", "send-alerts"


def blocks(repository: Path, page: str, language: str) -> list[str]:
    text = (repository / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    assert found
    return found


@pytest.mark.parametrize("page", [EVENTS, ALERTS])
def test_every_file_that_is_shown_loads(page: str, repository: Path, tmp_path: Path) -> None:
    for number, shown in enumerate(blocks(repository, page, "yaml")):
        root = tmp_path / str(number)
        (root / "models").mkdir(parents=True)
        (root / "vernal.yaml").write_text(shown)
        (root / "models" / "m.yaml").write_text(MODEL)
        (root / "models" / "m.py").touch()
        try:
            load_project(root)
        except SpecError as error:
            pytest.fail(str(error))


def test_the_event_that_is_shown_is_one(repository: Path) -> None:
    (shown,) = blocks(repository, EVENTS, "json")
    jsonschema.Draft202012Validator(schema()).validate(json.loads(shown))


def test_the_code_that_is_shown_tells_a_genuine_request_from_another(repository: Path) -> None:
    (code,) = [block for block in blocks(repository, EVENTS, "python") if "def is_genuine" in block]
    defined: dict[str, Any] = {}
    exec(code, defined)  # noqa: S102 - the page's own code
    is_genuine = defined["is_genuine"]
    key, body = bytes(range(32)), b'{"id": "e1"}'
    headers = signed("e1", body, keys=(b"another key, of 24 bytes", key), at=datetime(2026, 3, 2, tzinfo=UTC))
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert is_genuine(headers, body, secret)
    assert not is_genuine(headers, body + b" ", secret)
    assert not is_genuine(headers | {"webhook-id": "e2"}, body, secret)
    assert not is_genuine(headers, body, "whsec_" + "A" * 32)


def test_every_type_of_event_is_listed_with_its_schema(repository: Path) -> None:
    text = (repository / "docs" / "how-to" / f"{EVENTS}.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `") and "urn:vernal:event" in line]
    listed: dict[str, str] = {}
    for row in rows:
        types, _, name = (cell.strip() for cell in row.strip("| ").split(" | "))
        phases = [f"run.{phase}" for phase in re.findall(r"`(\w+)`", row.split("phase:")[-1]) if phase in tuple(Phase)]
        for kind in phases if types == "`run.PHASE`" else re.findall(r"`([\w.]+)`", types):
            listed[kind] = name.strip("`")
    assert listed == {kind: SCHEMAS[data] for kind, data in TYPES.items()}
    assert PREFIX in text


def test_every_kind_of_alert_is_listed(repository: Path) -> None:
    text = (repository / "docs" / "how-to" / f"{ALERTS}.md").read_text(encoding="utf-8")
    listed = {
        kind for row in re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE) for kind in re.findall("`(.*?)`", row)
    }
    source = repository / "src" / "vernal"
    made = set(CONDITIONS)
    for path in (*source.glob("act/*.py"), *source.glob("adapters/state/*.py")):
        code = path.read_text(encoding="utf-8")
        made |= set(re.findall(r'about_(?:run|model)\(\s*[\w.]+,\s*"([a-z-]+)"', code))
    assert {"failed", "rolled-back", "requested"} <= made, "the search has to find something"
    assert made - listed == set()
