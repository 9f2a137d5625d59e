"""``vernal check``: what a tick would decide now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from vernal.cli.options import AsJson, Models, ProjectFolder
from vernal.cli.output import Output
from vernal.cli.quality import remarks
from vernal.cli.reporting import FAILED, described
from vernal.cli.text import measured, moment

if TYPE_CHECKING:
    from vernal.act.check import Judgement
    from vernal.act.system import System
    from vernal.errors import VernalError
    from vernal.records import CheckEvidence, DriftEvidence, ModelState, QualityEvidence, TriggerResult

MOST_REASONS = 5
"""Reasons for refusing rows that are shown."""

MOST_FEATURES = 5
"""Drift scores shown; ``--json`` has all."""


class _Judged(NamedTuple):
    model: str
    waiting: int
    judgement: Judgement | None
    error: VernalError | None


def check(models: Models = None, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """Judge models now: what was measured, and what each trigger says.

    Changes nothing: no row is taken in, no decision recorded, no run requested. `vernal tick` does these.
    """
    from vernal.bootstrap import open_system
    from vernal.cli.opening import chosen

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        known = {state.model: state for state in system.store.models()}
        judged = [_judge(system, name, known.get(name)) for name in chosen(system, models)]
    output.document({"models": [_as_dict(one) for one in judged]})
    for index, one in enumerate(judged):
        _print(output, one, first=index == 0)
    if any(one.error for one in judged):
        raise typer.Exit(FAILED)


def _judge(system: System, name: str, state: ModelState | None) -> _Judged:
    from vernal.act.check import judge_model
    from vernal.act.ingest import preview_inbox
    from vernal.errors import VernalError
    from vernal.records import ModelState

    if state is None:
        state = ModelState(model=name, fence=0, attempt=0, next_check_at=system.clock.now())
    try:
        arrived = preview_inbox(system.lake, system.project.models[name], now=system.clock.now())
        return _Judged(name, len(system.lake.inbox(name)), judge_model(system, state, arrived), None)
    except VernalError as error:
        return _Judged(name, 0, None, error)


def _as_dict(judged: _Judged) -> dict[str, Any]:
    if judged.judgement is None:
        error = described(judged.error) if judged.error else None
        return {"model": judged.model, "outcome": "error", "error": error}
    observation, results, ruling, shadows = judged.judgement
    return {
        "model": judged.model,
        "outcome": ruling.outcome,
        "reason": ruling.reason,
        "trigger": ruling.trigger,
        "triggers": [result.to_dict() for result in results],
        "policy": ruling.to_dict(),
        "shadow": {name: shadow.to_dict() for name, shadow in shadows.items()},
        "evidence": observation.evidence.to_dict(),
        "inbox": judged.waiting,
    }


def _print(output: Output, judged: _Judged, *, first: bool) -> None:
    if not first:
        output.line()
    if judged.judgement is None:
        output.line(f"{judged.model}: error\n  {judged.error}")
        return
    observation, results, ruling, shadows = judged.judgement
    output.line(f"{judged.model}: {ruling.outcome}")
    inbox = _inbox(judged.waiting, observation.evidence.quality)
    output.fields([*_measured(observation.evidence), ("inbox", inbox)])
    rows = [[result.kind, _answer(result), result.reason] for result in results]
    if rows:
        output.table(("trigger", "answer", "reason"), rows, indent="  ")
    for name, shadow in shadows.items():
        output.line(f"  Shadow policy {name}: {shadow.ruling.outcome} ({shadow.ruling.reason})")
    if ruling.outcome == "requested":
        output.line("  The next tick would request a run.")
    elif ruling.outcome == "suppressed":
        output.line(f"  No run: {ruling.reason.rpartition('; suppressed: ')[2]}.")


def _inbox(files: int, quality: QualityEvidence | None) -> str:
    """Say what waits for the next tick, and what it will say of the rows."""
    if not files or quality is None:
        return ""
    told = [f"{files} file{'' if files == 1 else 's'} of {quality.rows:,} rows wait for the next tick"]
    told += [f"will be refused: {one.rule} ({one.rows:,})" for one in quality.refused_by[:MOST_REASONS]]
    return "\n".join([*told, *remarks(quality)])


def _measured(evidence: CheckEvidence) -> list[tuple[str, str]]:
    since = f" since {moment(evidence.labels_since)} UTC" if evidence.labels_since else ""
    worth = f"counted {evidence.proxy_weight:g} each" if evidence.proxy_weight else "left out"
    proxies = f"; {evidence.new_proxies} proxy labels {worth}" if evidence.new_proxies else ""
    performance = evidence.performance
    live = ""
    if performance is not None:
        coverage = "" if performance.coverage is None else f" ({performance.coverage:.0%} labelled)"
        live = f"{measured(performance.measure)}; {performance.labelled} of {performance.issued} predictions{coverage}"
        live += f"; {performance.sampled} of {performance.drawn} drawn ones answered" if performance.drawn else ""
        live += f"; {performance.proxies} by proxy" if performance.proxies else ""
        live += f"; {performance.unused_proxies} proxy labels left out" if performance.unused_proxies else ""
    return [
        ("champion", "none yet" if evidence.champion is None else f"version {evidence.champion}"),
        ("performance", live),
        ("estimated", _estimated(evidence)),
        ("drift", _drift(evidence.short_drift)),
        ("drift" if evidence.short_drift is None else "", _drift(evidence.drift)),
        ("", _beside(evidence.drift)),
        ("labels", f"{evidence.new_labels} new{since}{proxies}"),
        ("notes", "; ".join(evidence.notes)),
    ]


def _estimated(evidence: CheckEvidence) -> str:
    estimated = evidence.estimated
    if estimated is None:
        return ""
    rows = f"{estimated.measure.rows} predictions without labels since {moment(estimated.window_start)} UTC"
    alone = evidence.performance is not None and not evidence.performance.labelled
    only = "; no labels have come, so this is all there is to go by" if alone else ""
    return f"{measured(estimated.measure)}; {rows}; blind to concept drift{only}"


def _drift(drift: DriftEvidence | None) -> str:
    if drift is None:
        return ""
    ranked = sorted((f for f in drift.features if f.score is not None), key=lambda f: f.score or 0.0, reverse=True)
    top = ", ".join(f"{feature.feature} {feature.statistic} {feature.score:.3f}" for feature in ranked[:MOST_FEATURES])
    window = f"{drift.rows} predictions since {moment(drift.window_start)} UTC"
    return f"{window}; highest {top}" if top else window


def _beside(drift: DriftEvidence | None) -> str:
    if drift is None:
        return ""
    beside = (*drift.answers, *(() if drift.labels is None else (drift.labels,)))
    told = [f"{one.feature}s {one.statistic} {one.score:.3f}" for one in beside if one.score is not None]
    return f"beside them: {', '.join(told)}" if told else ""


def _answer(result: TriggerResult) -> str:
    if not result.sufficient:
        return "insufficient"
    if result.warning:
        return "warning"
    return "fired" if result.fired else "quiet"
