"""The Dockerfile, the dashboard, the alert rules and the systemd units: what they name exists."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import typer.main

from deploying import DEPLOY, TREE, documents
from vernal.adapters.telemetry.families import FAMILIES, exposed_name
from vernal.cli.app import app
from vernal.decide.directions import worse
from vernal.spec import METRICS

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "vernal.json").read_text())
RULES: list[dict[str, Any]] = [
    rule
    for document in documents((DEPLOY / "prometheus" / "vernal.rules.yaml").read_text())
    for group in document["groups"]
    for rule in group["rules"]
]


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "docker" / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def copied() -> Iterator[str]:
    """Return what is copied from the repository."""
    for instruction, rest in instructions():
        if instruction == "COPY" and "--from" not in rest:
            yield from (source.removeprefix("./") for source in rest.split()[:-1])


def test_everything_that_the_dockerfile_copies_exists() -> None:
    assert sorted(copied()) == [
        "LICENSE",
        "README.md",
        "constraints.txt",
        "examples/flights",
        "pyproject.toml",
        "src",
    ]
    assert [source for source in copied() if not (TREE / source).exists()] == []


def test_what_is_copied_travels_to_the_builder() -> None:
    lines = (TREE / ".dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert set(copied()) == allowed
    assert not any(fnmatch("src/vernal/cli/up.py", line) for line in lines if line.startswith("**"))


def test_the_image_runs_as_nobody_in_particular() -> None:
    users = [rest for instruction, rest in instructions() if instruction == "USER"]
    assert users == ["10001:10001"]


def test_the_image_is_built_at_the_tested_versions() -> None:
    installs = [rest for instruction, rest in instructions() if instruction == "RUN" and "pip install" in rest]
    assert len(installs) == 2
    assert [rest for rest in installs if "--constraint constraints.txt" not in rest] == []


def test_the_images_command_line_is_understood() -> None:
    commands = dict(instructions())
    assert json.loads(commands["ENTRYPOINT"]) == ["vernal"]
    check_command(json.loads(commands["CMD"]))


def check_command(words: list[str]) -> None:
    """See that a verb has the options that it is given."""
    command = typer.main.get_group(app).commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in words[1:] if word.startswith("-") and word.partition("=")[0] not in known] == []


def queries() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


QUERIES = sorted(queries())


@pytest.mark.parametrize("expression", [expression for _, expression in QUERIES])
def test_every_query_is_understood(expression: str) -> None:
    promql_parser.parse(expression)


@pytest.mark.parametrize(("name", "expression"), QUERIES)
def test_every_metric_and_label_of_a_query_exists(name: str, expression: str) -> None:
    known = {exposed_name(family): set(family.labels) for family in FAMILIES}
    known |= {f"{family.name}_bucket": {*family.labels, "le"} for family in FAMILIES if family.kind == "histogram"}
    found = re.findall(r"\b(vernal_\w+)(?:\{([^}]*)\})?", expression)
    assert found, name
    for metric, matchers in found:
        assert metric in known, f"{name}: {metric}"
        assert set(re.findall(r"(\w+)\s*[!=]", matchers)) <= known[metric], f"{name}: {metric}"


def test_every_metric_is_on_the_dashboard_or_in_a_rule_or_a_detail() -> None:
    used = set(re.findall(r"vernal_\w+", " ".join(expression for _, expression in QUERIES)))
    details = {
        "vernal_alerts_sent_total",
        "vernal_budget_limit_usd",
        "vernal_build_info",
        "vernal_champion_since_timestamp_seconds",
        "vernal_check_last_timestamp_seconds",
        "vernal_drift_window_rows",
        "vernal_labels_new",
        "vernal_labels_waiting",
        "vernal_live_metric_rows",
        "vernal_outbox_unrouted",
        "vernal_run_step_duration_seconds",
        "vernal_run_steps_total",
        "vernal_steps_repeated_total",
        "vernal_trigger_fired",
        "vernal_trigger_sufficient",
    }
    exposed = {exposed_name(family) for family in FAMILIES}
    assert exposed - {re.sub("_bucket$", "", name) for name in used} == details


def test_rules_know_which_metrics_are_better_when_they_are_lower() -> None:
    lower = {name for name in METRICS if worse(name, 2.0, 1.0)}
    for rule in RULES:
        for named in re.findall(r'metric!?=~"([^"]+)"', rule["expr"]):
            assert set(named.split("|")) == lower


def test_every_rule_says_what_it_is_about_and_how_bad_it_is() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_every_command_that_a_rule_names_exists() -> None:
    group = typer.main.get_group(app)
    text = " ".join(rule["annotations"]["description"] for rule in RULES)
    named = set(re.findall(r"`vernal (\w+)", text))
    assert named
    assert named - set(group.commands) == set()


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


@pytest.mark.parametrize("name", ["vernal.service", "vernal-tick.service"])
def test_a_units_command_line_is_understood(name: str) -> None:
    words = shlex.split(unit(DEPLOY / "systemd" / name)["Service"]["ExecStart"])
    assert words[0].endswith("/vernal")
    # The options before the verb come in pairs of name and value.
    assert words[1:5:2] == ["--log-format", "--log-level"]
    check_command(words[5:])


def test_the_timer_starts_the_service_of_its_name() -> None:
    assert unit(DEPLOY / "systemd" / "vernal-tick.timer")["Timer"]["OnCalendar"] == "*:0/5"
    assert (DEPLOY / "systemd" / "vernal-tick.service").is_file()


def test_the_crontabs_command_line_is_understood() -> None:
    [line] = [line for line in (DEPLOY / "systemd" / "crontab").read_text().splitlines() if not line.startswith("#")]
    words = shlex.split(line)
    assert words[5] == "vernal"  # the user
    start = words.index("/srv/venv/bin/vernal") + 1
    check_command(words[start : words.index(">>")])
