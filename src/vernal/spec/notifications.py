"""Who is told what, in which words, and when nobody is disturbed."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator
from pydantic.json_schema import WithJsonSchema

from vernal.spec.base import DefaultNote, Delay, Duration, Fault, ListOf, LocalPath, Off, Section, refuse
from vernal.spec.secrets import SecretSpec
from vernal.spec.timezones import TimeZone
from vernal.spec.wording import shown

Severity = Literal["info", "warning", "error", "critical"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]

Pattern = Annotated[str, Field(min_length=1, max_length=255)]
"""A name, or a pattern with ``*`` and ``?``."""

_CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

TITLE: Final = "{{ title }}"
BODY: Final = "{{ body }}"

_SAMPLE: Final[dict[str, Any]] = {
    "project": "p",
    "model": "m",
    "kind": "failed",
    "severity": "error",
    "state": "event",
    "title": "t",
    "body": "b",
    "run_id": "m-1",
    "id": "m-1:failed",
    "at": datetime(2026, 1, 1),  # noqa: DTZ001 - templates format it, nobody compares it
}


def _clock(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(_CLOCK, value):
        return time.fromisoformat(value)
    if isinstance(value, time):
        return value
    raise ValueError(f'got {shown(value)}, expected a time of day such as "22:00", in quotes')


ClockTime = Annotated[
    time,
    BeforeValidator(_clock),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _CLOCK}),
]
"""A time of day, to the minute."""


def _template(text: str) -> str:
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    try:
        SandboxedEnvironment(undefined=StrictUndefined).from_string(text).render(_SAMPLE)
    except TemplateError as error:
        known = ", ".join(_SAMPLE)
        raise ValueError(f"got a template that cannot be filled in: {error}; expected Jinja2 with {known}") from None
    except Exception as error:  # noqa: BLE001 - a template may call anything that its values have
        raise ValueError(f"got a template that cannot be filled in: {type(error).__name__}: {error}") from None
    return text


Template = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(_template)]


class QuietHoursSpec(Section):
    """When a target is not disturbed. What comes meanwhile is summed up in one message afterwards."""

    start: ClockTime = Field(description="Beginning, as a time of day in quotes.", examples=["22:00"])
    end: ClockTime = Field(
        description="End, not included; before `start` it is that of the next day.", examples=["07:00"]
    )
    timezone: TimeZone = Field(default="UTC", description="IANA time zone of both times.", examples=["Europe/Berlin"])
    passing: Severity = Field(default="critical", description="What is at least this severe disturbs all the same.")

    @model_validator(mode="after")
    def _is_a_stretch(self) -> QuietHoursSpec:
        if self.start == self.end:
            refuse([Fault(("end",), f"got {self.end:%H:%M}, the time of `start`; expected another one")])
        return self


class RateLimitSpec(Section):
    """How many messages a target gets at most. What is more is summed up as soon as there is room."""

    messages: Annotated[int, Field(ge=1, le=10_000)] = Field(default=20, description="Number of messages.")
    per: Duration = Field(default=timedelta(hours=1), description="Length of the stretch that they are counted over.")


class TargetSpec(Section):
    """Somebody who is told, through Apprise: a chat, a mailbox, a pager."""

    name: Name = Field(description="Name of the target: lower-case letters, digits, `_` and `-`.", examples=["on-call"])
    url: SecretSpec = Field(
        description="Where the Apprise URL is read from; it holds the credentials, so it never stands here itself."
    )
    severity: Severity = Field(default="warning", description="What is less severe is not sent.")
    kinds: Annotated[Annotated[tuple[Pattern, ...], ListOf, Field(min_length=1)] | None, DefaultNote("all kinds")] = (
        Field(
            default=None,
            description="Kinds of alerts to send, as names or patterns.",
            examples=[["failed", "rolled-back", "approve-*"]],
        )
    )
    models: Annotated[Annotated[tuple[Pattern, ...], ListOf, Field(min_length=1)] | None, DefaultNote("all models")] = (
        Field(
            default=None,
            description="Models whose alerts to send, as names or patterns.",
            examples=[["fraud", "payments-*"]],
        )
    )
    title: Template = Field(
        default=TITLE,
        description="Jinja2 template of the title, with `project`, `model`, `kind`, `severity`, `state`, `title`, "
        "`body`, `run_id`, `id` and `at`.",
        examples=["[{{ severity }}] {{ title }}"],
    )
    body: Template = Field(default=BODY, description="Jinja2 template of the text, with the same values.")
    quiet_hours: Annotated[QuietHoursSpec | None, *Off, DefaultNote("off")] = Field(
        default=None, description="When this target is not disturbed."
    )
    repeat_after: Delay = Field(
        default=timedelta(hours=4),
        description="The same alert (of one model, kind and run or cause) is sent again only after this long, with the "
        "number of times it came meanwhile; sooner if it has become more severe. With 0s each one is sent.",
    )
    rate_limit: RateLimitSpec = Field(default=RateLimitSpec(), description="How many messages this target gets.")


class NotificationsSpec(Section):
    """Where alerts go."""

    file: LocalPath = Field(
        default=".vernal/notifications.jsonl",
        description="File that gets one JSON object per line and alert; the path is relative to the project.",
    )
    give_up_after: Duration = Field(
        default=timedelta(days=3),
        description="What cannot be delivered is tried again, ever less often, for this long. Then it is `failed`: "
        "kept, listed by `vernal outbox`, and sent when asked for with `--retry`.",
    )
    targets: Annotated[tuple[TargetSpec, ...], ListOf] = Field(default=(), description="Who is told.")

    @model_validator(mode="after")
    def _are_told_apart(self) -> NotificationsSpec:
        names = [target.name for target in self.targets]
        refuse(
            Fault(("targets", index, "name"), f"got {shown(name)}, the name of another target already")
            for index, name in enumerate(names)
            if name in names[:index]
        )
        return self
