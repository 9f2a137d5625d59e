"""``vernal notify``: who is told what, and whether it would reach them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vernal.cli.family import family
from vernal.cli.options import AsJson, ProjectFolder
from vernal.cli.output import Output, warn
from vernal.cli.reporting import FAILED
from vernal.cli.text import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vernal.act.system import System
    from vernal.decide.alerts import Memory
    from vernal.records import Event, Message
    from vernal.spec import TargetSpec

Target = Annotated[str | None, typer.Argument(metavar="[TARGET]", help="A target of vernal.yaml; by default all.")]
Receiver = Annotated[
    str | None, typer.Argument(metavar="[TARGET]", help="A target, or event:NAME for a sink of events; by default all.")
]


def listed(target: Target = None, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """List who is told of what, when they are not disturbed, and what is held back for them. Changes nothing."""
    from vernal.act.deliver import alert_channel, memory_of
    from vernal.bootstrap import open_system
    from vernal.decide.alerts import is_quiet

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        targets = _chosen(system, target)
        states = {state.name: state for state in system.store.channels()}
        memories = {name: memory_of(states.get(alert_channel(name))) for name in targets}
        now = system.clock.now()
    documents = [_as_dict(one, memories[name], quiet=is_quiet(one.quiet_hours, now)) for name, one in targets.items()]
    output.document({"targets": documents})
    if not targets:
        output.line("Nobody is told: vernal.yaml has no notifications.targets. Alerts go to the notifications file.")
        return
    columns = ("target", "url from", "from severity", "kinds", "models", "quiet hours", "held back")
    output.table(columns, [_row(one) for one in documents])


def tried(target: Receiver = None, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Send a test message now, past all rules of when to send, and say whether it was taken.

    Sinks of events get an event of the type `dev.vernal.test`. Exits with 1 if one was not taken.
    """
    from vernal.bootstrap import open_system
    from vernal.errors import VernalError

    output = Output(as_json=as_json)
    results: list[dict[str, str | None]] = []
    with open_system(project, read_only=True) as system:
        for name, send in _senders(system, target).items():
            try:
                send()
            except VernalError as error:
                results.append({"target": name, "error": error.message, "hint": error.hint})
            else:
                results.append({"target": name, "error": None, "hint": None})
    output.document({"results": results})
    for result in results:
        if result["error"] is None:
            output.line(f"{result['target']}: taken")
        elif not as_json:
            hint = f"\nHint: {result['hint']}" if result["hint"] else ""
            warn(f"Error: {result['error']}{hint}")
    if not results:
        output.line("Nobody is told: vernal.yaml has neither notifications.targets nor sinks of events.")
    if any(result["error"] for result in results):
        raise typer.Exit(FAILED)


notify = family({"list": listed, "test": tried}, about="Show who is told of what, and send a test message.")


def _chosen(system: System, target: str | None) -> Mapping[str, TargetSpec]:
    from vernal.errors import ProjectError

    targets = {one.name: one for one in system.project.spec.notifications.targets}
    if target is None:
        return targets
    if target not in targets:
        known = ", ".join(targets) or "none"
        raise ProjectError(f"found no target {target!r} in notifications.targets, expected one of: {known}")
    return {target: targets[target]}


def _senders(system: System, target: str | None) -> Mapping[str, Callable[[], None]]:
    from vernal.act.deliver import event_channel
    from vernal.errors import ProjectError

    message, event = _message(system), _event(system)
    senders: dict[str, Callable[[], None]] = {
        name: partial(notifier.send, message) for name, notifier in system.targets.items()
    }
    senders |= {event_channel(name): partial(sink.send, event) for name, sink in system.sinks.items()}
    if target is None:
        return senders
    if target not in senders:
        known = ", ".join(senders) or "none"
        raise ProjectError(f"found no target {target!r} in vernal.yaml, expected one of: {known}")
    return {target: senders[target]}


def _event(system: System) -> Event:
    from uuid import uuid4

    from vernal.decide.events import TEST, TEST_SCHEMA
    from vernal.records import Event

    return Event(
        seq=0,
        id=uuid4().hex,
        type=TEST,
        at=system.clock.now(),
        model=next(iter(system.project.models), "test"),
        run_id=None,
        schema=TEST_SCHEMA,
        data={},
    )


def _message(system: System) -> Message:
    from vernal.records import Message

    now = system.clock.now()
    return Message(
        id=f"test:{now.isoformat()}",
        at=now,
        model=next(iter(system.project.models), "test"),
        kind="test",
        severity="info",
        title="Test message of Vernal",
        body=f"The project {system.project.name} can tell you of its models.",
    )


def _as_dict(target: TargetSpec, memory: Memory, *, quiet: bool) -> dict[str, Any]:
    hours = target.quiet_hours
    return {
        "target": target.name,
        "url_from": target.url.where,
        "severity": target.severity,
        "kinds": target.kinds,
        "models": target.models,
        "quiet_hours": None if hours is None else hours.model_dump(mode="json"),
        "quiet_now": quiet,
        "held": len(memory.held) + memory.more_held,
    }


def _row(target: dict[str, Any]) -> list[str]:
    hours = target["quiet_hours"]
    quiet = f"{hours['start']} to {hours['end']} {hours['timezone']}" if hours else NOTHING
    return [
        target["target"],
        target["url_from"],
        target["severity"],
        ", ".join(target["kinds"] or ("all",)),
        ", ".join(target["models"] or ("all",)),
        f"{quiet}, now" if target["quiet_now"] else quiet,
        str(target["held"]),
    ]
