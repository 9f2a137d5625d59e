"""Notifications in the project file: what is accepted, what is refused, and in which words."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from vernal.errors import SpecError
from vernal.spec import NotificationsSpec, load_project

MODEL = "model: m\ntask: binary\ncode: m.py\nfeatures: {numerical: [a]}\n"


def loaded(root: Path, target: str) -> NotificationsSpec:
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / "m.yaml").write_text(MODEL)
    (root / "models" / "m.py").touch()
    (root / "vernal.yaml").write_text(f"project: p\nnotifications:\n  targets:\n    - {target}\n")
    return load_project(root).spec.notifications


def test_a_target_needs_a_name_and_where_its_url_is(tmp_path: Path) -> None:
    (target,) = loaded(tmp_path, "{name: chat, url: {env: CHAT}}").targets
    assert (target.severity, target.kinds, target.models, target.quiet_hours) == ("warning", None, None, None)
    assert (target.repeat_after, target.rate_limit.messages) == (timedelta(hours=4), 20)


def test_everything_can_be_said(tmp_path: Path) -> None:
    (target,) = loaded(
        tmp_path,
        '{name: chat, url: {file: u}, severity: info, kinds: ["a*"], models: [m], title: "{{ kind }}", '
        'quiet_hours: {start: "22:00", end: "07:30", timezone: Europe/Berlin, passing: error}, repeat_after: 0s, '
        "rate_limit: {messages: 3, per: 10m}}",
    ).targets
    assert target.quiet_hours is not None
    assert (target.quiet_hours.start, target.quiet_hours.end) == (time(22), time(7, 30))
    assert (target.quiet_hours.passing, target.rate_limit.per) == ("error", timedelta(minutes=10))


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("{name: chat}", "vernal.yaml:4: notifications.targets[0].url"),
        ("{name: chat, url: slack://token}", "vernal.yaml:4: notifications.targets[0].url"),
        ("{name: chat, url: {}}", "got neither, expected one of `env` and `file`"),
        ("{name: chat, url: {env: A, file: b}}", "got both, expected one of `env` and `file`"),
        ("{name: chat, url: {env: not-a-name}}", "notifications.targets[0].url.env"),
        ("{name: Chat, url: {env: A}}", "notifications.targets[0].name"),
        ("{name: c, url: {env: A}, severity: bad}", "notifications.targets[0].severity"),
        ("{name: c, url: {env: A}, kinds: []}", "notifications.targets[0].kinds"),
        ('{name: c, url: {env: A}, title: "{{ nope }}"}', "'nope' is undefined; expected Jinja2 with project, model"),
        ('{name: c, url: {env: A}, body: "{% if %}"}', "got a template that cannot be filled in"),
        ('{name: c, url: {env: A}, body: "{{ 1 / 0 }}"}', "ZeroDivisionError"),
        ('{name: c, url: {env: A}, body: "{{ title.__class__.__mro__ }}"}', "cannot be filled in"),
        (
            '{name: c, url: {env: A}, quiet_hours: {start: "7:00", end: "08:00"}}',
            'got "7:00", expected a time of day such as "22:00", in quotes',
        ),
        ('{name: c, url: {env: A}, quiet_hours: {start: 22, end: "08:00"}}', "got 22, expected a time of day"),
        (
            '{name: c, url: {env: A}, quiet_hours: {start: "08:00", end: "08:00"}}',
            "got 08:00, the time of `start`; expected another one",
        ),
        (
            '{name: c, url: {env: A}, quiet_hours: {start: "08:00", end: "09:00", timezone: Berlin}}',
            'did you mean "Europe/Berlin"?',
        ),
        ("{name: c, url: {env: A}, rate_limit: {messages: 0}}", "notifications.targets[0].rate_limit.messages"),
        (
            "{name: c, url: {env: A}}\n    - {name: c, url: {env: B}}",
            'vernal.yaml:5: notifications.targets[1].name: got "c"',
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(target: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, target)
    assert problem in str(caught.value)


@pytest.mark.parametrize("url", ["'slack://T0PS3CRET/token'", "{env: 'slack://T0PS3CRET/token'}"])
def test_a_secret_that_was_written_into_the_file_is_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, f"{{name: chat, url: {url}}}")
    assert "T0PS3CRET" not in str(caught.value)
