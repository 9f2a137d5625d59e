"""Opening the project that a command is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vernal.act.system import System


def chosen(system: System, models: Sequence[str] | None) -> tuple[str, ...]:
    """Return the named models, or all of the project.

    Raises
    ------
    ProjectError
        If the project has no model of a name.
    """
    return tuple(dict.fromkeys(system.project.model(name).model for name in models or system.project.models))


def actor() -> str:
    """Return the name under which this person's actions are recorded."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return f"uid {os.getuid()}"
