"""``vernal outbox``: what has not reached its receiver, and how to send it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vernal.cli.options import AsJson, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import NOTHING, due, moment, relative

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.records import ChannelState, Delivery


def outbox(
    channel: Annotated[
        str | None, typer.Argument(metavar="[CHANNEL]", help="One channel, such as file; by default all.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Send what waits or failed with the next tick, as if it were new.")
    ] = False,
    messages: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="With --retry: only messages of this id; may be repeated."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List what was sent, too.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most this many, the newest.")] = 50,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """List alerts and events that wait or could not be delivered, per channel; send them again on request.

    A delivery that fails is tried again, ever less often, and given up after `notifications.give_up_after`. It is then
    failed: kept, and sent when asked for. A receiver may get a message twice; its id is the same every time.
    """
    from vernal.bootstrap import open_system
    from vernal.records import DeliveryStatus

    if messages and not retry:
        raise typer.BadParameter("it goes with --retry", param_hint="--id")
    statuses = None if everything else (DeliveryStatus.WAITING, DeliveryStatus.FAILED)
    output = Output(as_json=as_json)
    with open_system(project, read_only=not retry) as system:
        asked = system.store.redeliver(channel=channel, message_ids=messages) if retry else None
        found = system.store.deliveries(channel=channel, statuses=statuses, limit=limit)
        channels = {one.name: one for one in system.store.channels() if channel in {None, one.name}}
        now = system.store.machine_now()
    states = [one for one in channels.values() if one.closed_at]
    output.document(
        {
            "asked_again": asked,
            "closed": [_closed(one) for one in states],
            "deliveries": [_as_dict(one) for one in found],
        }
    )
    if asked is not None:
        output.line(f"{asked} {'delivery' if asked == 1 else 'deliveries'} will be tried by the next tick.")
    for state in states:
        output.line(f"{state.name} is closed since {moment(state.closed_at)} UTC: {state.closed_because}")
    if not found:
        output.line("Nothing waits and nothing failed." if not everything else "The outbox is empty.")
        return
    columns = ("channel", "id", "status", "attempts", "queued", "next try", "about", "last error")
    output.table(columns, [_row(one, channels.get(one.channel), now) for one in found])


def _closed(state: ChannelState) -> dict[str, Any]:
    return {"channel": state.name, "since": state.closed_at, "reason": state.closed_because}


def _as_dict(delivery: Delivery) -> dict[str, Any]:
    facts = delivery.to_dict()
    return {"id": delivery.id} | {key: facts[key] for key in facts if key not in {"number", "owner"}}


def _about(delivery: Delivery) -> str:
    if delivery.message is not None:
        return delivery.message.title
    return f"{delivery.event.model}: {delivery.event.type}" if delivery.event is not None else NOTHING


def _next_try(delivery: Delivery, channel: ChannelState | None, now: datetime) -> str:
    if delivery.ended_at is not None or (channel is not None and channel.closed_at):
        return NOTHING
    rest = channel.resting_until if channel is not None else None
    return due(max(delivery.due_at, rest) if rest is not None else delivery.due_at, now)


def _row(delivery: Delivery, channel: ChannelState | None, now: datetime) -> list[str]:
    return [
        delivery.channel,
        delivery.id,
        str(delivery.status),
        str(delivery.attempts),
        relative(delivery.queued_at, now),
        _next_try(delivery, channel, now),
        _about(delivery),
        delivery.last_error or NOTHING,
    ]
