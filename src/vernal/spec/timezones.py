"""Time zones, by their names in the IANA database."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from vernal.spec.wording import guess, shown


def _time_zone(name: str) -> str:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"got {shown(name)}, expected a time zone of the IANA database such as Europe/Berlin or UTC"
            f"{guess(name, available_timezones())}"
        ) from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""A name such as ``Europe/Berlin``."""
