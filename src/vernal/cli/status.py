"""``vernal status``: how each model stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vernal.cli.options import AsJson, Models, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.text import NOTHING, due, moment, relative, standing, traffic

if TYPE_CHECKING:
    from datetime import datetime

    from vernal.act.system import System
    from vernal.records import Approval, Decision, ModelState, Run

RECENT = 200
"""Decisions of a model among which its last check is looked for; a rollout writes as many as the checks beside it."""


class _Standing(NamedTuple):
    model: str
    state: ModelState | None
    last_check: Decision | None
    open_run: Run | None
    approval: Approval | None
    quarantined: int


def status(models: Models = None, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Show who serves each model, since when, what the last check said and what is under way."""
    from vernal.bootstrap import open_system
    from vernal.cli.opening import chosen

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        now = system.clock.now()
        found = _standings(system, chosen(system, models))
    output.document({"project": system.project.name, "at": now, "models": [_as_dict(one) for one in found]})
    if len(found) == 1:
        output.line(found[0].model)
        output.fields(_details(found[0], now))
        return
    columns = (
        "model",
        "champion",
        "since (UTC)",
        "open run",
        "traffic",
        "next check",
        "quarantined",
        "last check",
        "reason",
    )
    output.table(columns, [_row(one, now) for one in found])


def _standings(system: System, names: tuple[str, ...]) -> list[_Standing]:
    from vernal.act.quarantine import count_waiting

    states = {state.model: state for state in system.store.models()}
    runs = {run.model: run for run in system.store.runs(open_only=True)}
    approvals = {approval.run_id: approval for approval in system.store.pending_approvals()}
    found = []
    for name in names:
        recent = system.store.decisions(name, limit=RECENT)
        last = next((decision for decision in reversed(recent) if decision.kind == "check"), None)
        run = runs.get(name)
        approval = approvals.get(run.id) if run else None
        found.append(_Standing(name, states.get(name), last, run, approval, count_waiting(system.lake, name)))
    return found


def _as_dict(one: _Standing) -> dict[str, Any]:
    state = one.state
    return {
        "model": one.model,
        "champion": state.champion.to_dict() if state and state.champion else None,
        "route": state.route.to_dict() if state and state.route else None,
        "next_check_at": state.next_check_at if state else None,
        "last_check": one.last_check.to_dict() if one.last_check else None,
        "open_run": one.open_run.to_dict() if one.open_run else None,
        "pending_approval": one.approval.to_dict() if one.approval else None,
        "quarantined": one.quarantined,
        "warnings": _warnings(one.last_check),
    }


def _warnings(check: Decision | None) -> list[str]:
    """Return what the last check warned of without asking for anything."""
    triggers = (check.evidence or {}).get("triggers", ()) if check else ()
    return [f"{found['kind']}: {found['reason']}" for found in triggers if found.get("warning")]


def _row(one: _Standing, now: datetime) -> list[str]:
    champion = one.state.champion if one.state else None
    return [
        one.model,
        champion.version if champion else NOTHING,
        moment(champion.since) if champion else NOTHING,
        standing(one.open_run) if one.open_run else NOTHING,
        traffic(one.state.route if one.state else None),
        due(one.state.next_check_at, now) if one.state else "due now",
        f"{one.quarantined:,}",
        one.last_check.outcome if one.last_check else "never",
        one.last_check.reason if one.last_check else NOTHING,
    ]


def _details(one: _Standing, now: datetime) -> list[tuple[str, str]]:
    champion = one.state.champion if one.state else None
    champion_text = "none yet"
    if champion is not None:
        origin = f", by {champion.run_id}" if champion.run_id else ""
        since = f"{moment(champion.since)} UTC ({relative(champion.since, now)})"
        champion_text = f"version {champion.version} since {since}{origin}"
    last, run = one.last_check, one.open_run
    waits = one.approval
    return [
        ("champion", champion_text),
        ("traffic", traffic(one.state.route if one.state else None)),
        ("last check", f"{last.outcome}, {relative(last.at, now)}\n{last.reason}" if last else "never"),
        ("warns", "\n".join(_warnings(last))),
        ("open run", f"{standing(run)} for {relative(run.phase_since, now).removesuffix(' ago')}" if run else "none"),
        ("asked for", run.reason if run else ""),
        ("waits for", f"`vernal approve {waits.run_id}` until {moment(waits.expires_at)} UTC" if waits else ""),
        ("quarantined", _waiting(one) if one.quarantined else ""),
        ("next check", due(one.state.next_check_at, now) if one.state else "due now"),
    ]


def _waiting(one: _Standing) -> str:
    rows = "1 row waits" if one.quarantined == 1 else f"{one.quarantined:,} rows wait"
    return f"{rows}: `vernal quarantine {one.model}`"
