"""Where a secret is, never what it is: files name an environment variable or a file of its own."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from vernal.spec.base import Fault, LocalPath, Section, refuse

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def _variable(name: str) -> str:
    # Not repeated: somebody may have written the secret itself here.
    if not _NAME.fullmatch(name):
        raise ValueError("found no name of an environment variable, expected one such as SLACK_URL")
    return name


class SecretSpec(Section):
    """Where a secret is read from, each time that it is used. One of the two keys is needed."""

    env: Annotated[str, AfterValidator(_variable)] | None = Field(
        default=None, description="Name of the environment variable that holds it.", examples=["SLACK_URL"]
    )
    file: LocalPath | None = Field(
        default=None,
        description="File that holds nothing else, such as a mounted Kubernetes secret; relative to the project.",
        examples=["/run/secrets/slack-url"],
    )

    @model_validator(mode="before")
    @classmethod
    def _is_not_written_here(cls, value: object) -> object:
        if isinstance(value, str | int | float):
            raise ValueError(  # noqa: TRY004 - what pydantic collects
                "found a value, which is not repeated here, expected where it is: {env: NAME} or {file: PATH}"
            )
        return value

    @model_validator(mode="after")
    def _is_in_one_place(self) -> SecretSpec:
        if (self.env is None) == (self.file is None):
            found = "neither" if self.env is None else "both"
            refuse([Fault((), f"got {found}, expected one of `env` and `file`")])
        return self

    @property
    def where(self) -> str:
        """Where it is, for messages."""
        return f"the environment variable {self.env}" if self.env is not None else f"the file {self.file}"
