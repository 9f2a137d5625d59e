"""Shadow policies: other settings that are evaluated beside the active ones and never act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from vernal.spec.base import DefaultNote, Fault, Section
from vernal.spec.policy import PolicySpec
from vernal.spec.triggers import DriftTrigger, PerformanceTrigger, TriggersSpec

_MEASURED: Final = {"drift": ("window", "short_window", "false_discovery"), "performance": ("window", "certainty")}
"""What the evidence is measured by: a shadow policy sees the evidence of the active one."""
_MEASURED_WHEN_OFF: Final = {"drift": DriftTrigger(), "performance": PerformanceTrigger(threshold=0.9)}


def _not_active(name: str) -> str:
    if name == "active":
        raise ValueError('got "active", expected another name: that is what the policy is called that acts')
    return name


class ShadowSpec(Section):
    """Settings to be tried beside the active ones. What is left out is as there."""

    name: Annotated[str, AfterValidator(_not_active)] = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="Name of the shadow policy, unique in the file and not `active`: lower-case letters, digits, `_` "
        "and `-`, at most 63, starting with a letter.",
        examples=["tighter"],
    )
    triggers: Annotated[TriggersSpec, DefaultNote("as the active ones")] = Field(
        default=TriggersSpec(),
        description="Triggers that differ. What they are measured by cannot: the windows, `drift.false_discovery` and "
        "`performance.certainty`.",
        examples=[{"drift": {"psi": 0.1}}],
    )
    policy: Annotated[PolicySpec, DefaultNote("as the active one")] = Field(
        default=PolicySpec(), description="Policies that differ.", examples=[{"consecutive": 2}]
    )


def overlaid(shadow: object, *, triggers: TriggersSpec | None, policy: PolicySpec | None) -> object:
    """Return a shadow policy as a file has it, with everything that it leaves out taken from the active settings."""
    if not isinstance(shadow, Mapping):
        return shadow
    active = {"triggers": triggers, "policy": policy}
    base = {key: section.model_dump(mode="json") for key, section in active.items() if section is not None}
    return _over(base, shadow)


def _over(base: Any, changes: Any) -> Any:  # noqa: ANN401 - values of a file
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    if set(changes) == {"at_least"}:  # one value that is written as a mapping
        return changes
    return {**base, **{key: _over(base.get(key), value) for key, value in changes.items()}}


def faults_of(shadows: tuple[ShadowSpec, ...], triggers: TriggersSpec) -> list[Fault]:
    """Return names that stand there twice, and settings that a shadow policy cannot change."""
    names = [shadow.name for shadow in shadows]
    faults = [
        Fault((place, "name"), f'got "{name}" twice, expected a name of its own')
        for place, name in enumerate(names)
        if name in names[:place]
    ]
    for place, shadow in enumerate(shadows):
        for kind, keys in _MEASURED.items():
            section = getattr(shadow.triggers, kind)
            measured = getattr(triggers, kind) or _MEASURED_WHEN_OFF[kind]
            faults += [
                Fault(
                    (place, "triggers", kind, key),
                    "differs from what the evidence is measured by, expected the value of the active triggers",
                )
                for key in keys
                if section is not None and getattr(section, key) != getattr(measured, key)
            ]
    return faults


__all__ = ["ShadowSpec", "faults_of", "overlaid"]
