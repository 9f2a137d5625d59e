"""Why something happened, or why nothing did: the story that the stored decisions tell, in plain words.

Every sentence is rendered from evidence that was stored when the decision was made. Nothing is measured again, so the
story of a day long past is what was known on that day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from vernal.records import (
    CheckEvidence,
    Decision,
    DriftEvidence,
    EstimatedPerformance,
    FeatureDrift,
    PerformanceEvidence,
    QualityEvidence,
    Record,
    Ruling,
    ShadowRuling,
    Suppression,
    TriggerResult,
)

_MOST_FEATURES = 3
_MOST_REASONS = 5
_POLICIES = {
    "consecutive": "one look may be chance, so it has to fire in several checks that count",
    "warm_up": "the champion is new, and its window still holds what came before it",
    "combine": "the model's policy asks for more triggers together",
    "open_run": "a model has one open run at a time",
    "cooldown": "the last run has only just ended",
    "circuit_breaker": "the last runs came to nothing, and another one is unlikely to do better before somebody looks",
}
_NOTABLE = 0.01
"""Share of rows by which missing or unseen values must have grown to be mentioned."""


class Paragraph(Record, frozen=True, kw_only=True):
    """Sentences about one thing."""

    about: str
    sentences: tuple[str, ...]


class Story(Record, frozen=True, kw_only=True):
    """What is to be said of a model at a moment; ``check`` is the decision that it is mainly about."""

    model: str
    at: datetime
    headline: str
    paragraphs: tuple[Paragraph, ...]
    check: Decision | None = None


def tell(model: str, *, at: datetime, checks: Sequence[Decision], steps: Sequence[Decision]) -> Story:
    """Tell why a model was, or was not, asked to be retrained.

    Parameters
    ----------
    model
        Its name.
    at
        The moment that is asked about.
    checks
        The model's checks up to then, oldest first; the last one is explained.
    steps
        The decisions of its last run up to then, oldest first.

    Returns
    -------
    Story
        Also without any check: then that is what there is to say.
    """
    check = checks[-1] if checks else None
    paragraphs = [] if check is None else [*_of_check(check), *_before(checks)]
    return Story(
        model=model,
        at=at,
        headline=_headline(model, check, at),
        paragraphs=(*paragraphs, *_of_run(steps)),
        check=check,
    )


def _headline(model: str, check: Decision | None, at: datetime) -> str:
    if check is None:
        return f"No check had looked at {model} by {_moment(at)}."
    when = f"At {_moment(check.at)}"
    match check.outcome:
        case "healthy":
            return f"{when} nothing called for retraining {model}."
        case "insufficient":
            return f"{when} Vernal could not tell whether {model} needs retraining: there was too little to go by."
        case "requested":
            return f"{when} retraining {model} was asked for."
        case "suppressed":
            return f"{when} retraining {model} was called for and held back: {_held_back_by(check)}."
        case _:
            return f"{when} the check of {model} ended with {check.outcome}: {check.reason}."


def _held_back_by(check: Decision) -> str:
    ruling = _ruling(check)
    if ruling is None:  # a check of an older version
        return check.reason.rpartition("suppressed: ")[2]
    return "; ".join(one.reason for one in ruling.suppressions)


def _ruling(check: Decision) -> Ruling | None:
    stored = (check.evidence or {}).get("policy")
    return None if stored is None else _read(stored, Ruling)


def _of_check(check: Decision) -> Iterator[Paragraph]:
    stored = check.evidence or {}
    if "evidence" in stored:
        yield Paragraph(about="What the check saw", sentences=tuple(_seen(_read(stored["evidence"], CheckEvidence))))
    triggers = [_read(one, TriggerResult) for one in stored.get("triggers", ())]
    if triggers:
        yield Paragraph(about="What each trigger said", sentences=tuple(_said(one) for one in triggers))
    ruling = _ruling(check)
    if ruling is not None:
        told = tuple(_ruled(ruling))
        if told:
            yield Paragraph(about="What the policies made of it", sentences=told)
    beside = tuple(_tried(name, shadow.ruling) for name, shadow in _shadows(check).items())
    if beside:
        yield Paragraph(about="What the shadow policies would have done", sentences=beside)


def _read(stored: Any, kind: type[Any]) -> Any:  # noqa: ANN401 - stored evidence, of the kind that is asked for
    return msgspec.convert(stored, kind)


def _seen(evidence: CheckEvidence) -> Iterator[str]:
    if evidence.champion is None:
        yield "No version served yet."
    else:
        yield f"Version {evidence.champion} was the champion."
    yield f"{_count(evidence.new_rows, 'new prediction')} had come in since the check before."
    if evidence.quality is not None:
        yield from _arrived(evidence.quality)
    elif evidence.quarantined:
        yield f"{_count(evidence.quarantined, 'row')} could not be used and went to quarantine."
    if evidence.performance is not None:
        yield from _performed(evidence.performance)
    if evidence.estimated is not None:
        yield from _estimated(evidence.estimated, evidence.performance)
    for drift in (evidence.short_drift, evidence.drift):
        if drift is not None:
            window = f"{drift.rows:,} predictions since {_moment(drift.window_start)}"
            yield from _drifted(drift, window)
    if evidence.drift is not None:
        newest = evidence.short_drift if evidence.short_drift and evidence.short_drift.rows else evidence.drift
        yield from _odd(newest.features)
        yield from _beside(evidence.drift)
    yield from _labels(evidence)
    for note in evidence.notes:
        yield f"Note: {note}."


def _arrived(quality: QualityEvidence) -> Iterator[str]:
    if quality.refused:
        most = ", ".join(f"{one.rule} ({one.rows:,})" for one in quality.refused_by[:_MOST_REASONS])
        more = f" and {len(quality.refused_by) - _MOST_REASONS} more" if len(quality.refused_by) > _MOST_REASONS else ""
        arriving = f"{_count(quality.rows, 'arriving row')} ({quality.refused_share:.1%})"
        yield f"{quality.refused:,} of {arriving} went to quarantine: {most}{more}."
    for one in quality.warned[:_MOST_REASONS]:
        yield f"{_count(one.rows, 'row')} entered with a warning: {one.rule}."
    for nulls in quality.null_shares:
        arriving = f"{nulls.share:.1%} of {_count(nulls.rows, 'arriving row')}"
        yield f"{nulls.column} had no value in {arriving}, where at most {nulls.limit:.1%} is expected."
    for new in quality.new_columns[:_MOST_REASONS]:
        yield f"The {new.table} had a column {new.column} ({new.type}) that the model does not know; it was dropped."
    if len(quality.new_columns) > _MOST_REASONS:
        yield f"So were {_count(len(quality.new_columns) - _MOST_REASONS, 'column')} more."
    if quality.late:
        yield f"{_count(quality.late, 'prediction')} came late and went to the hour of the event."
    if quality.out_of_order:
        yield f"{_count(quality.out_of_order, 'prediction')} came after one of a later event, which does no harm."


def _labels(evidence: CheckEvidence) -> Iterator[str]:
    since = f" since the last training cut at {_moment(evidence.labels_since)}" if evidence.labels_since else ""
    yield f"{_count(evidence.new_labels, 'label')} had arrived{since}."
    if evidence.new_proxies:
        counted = f"counted {evidence.proxy_weight:g} each" if evidence.proxy_weight else "left out, as the file says"
        yield f"{_count(evidence.new_proxies, 'label')} among those that came only stood in for the truth: {counted}."


def _performed(evidence: PerformanceEvidence) -> Iterator[str]:
    measure = evidence.measure
    if measure.value is None:
        yield f"The live {measure.metric} could not be computed: {measure.note}."
    else:
        bounds = ""
        if measure.lower is not None and measure.upper is not None and measure.certainty is not None:
            between = f"{measure.lower:.3f} and {measure.upper:.3f}"
            bounds = f", between {between} with a certainty of {measure.certainty:.0%} for either bound"
        matured = f"{_count(measure.rows, 'prediction')} whose labels had time to come and came"
        yield f"On {matured}, {measure.metric} was {measure.value:.3f}{bounds}."
    if measure.effective_rows is not None:
        yield f"They count unequally and say as much as {measure.effective_rows:,.0f} equal ones."
    if evidence.drawn:
        missing = evidence.drawn - evidence.sampled
        told = f"; the {missing:,} missing ones are taken to be like them" if evidence.sampled and missing else ""
        yield (
            f"{_count(evidence.drawn, 'prediction')} had been drawn to be labelled, and "
            f"{evidence.sampled:,} were ({evidence.sampled / evidence.drawn:.0%}){told}."
        )
    if evidence.represented is not None:
        yield f"With their weights the labelled ones stand for {evidence.represented:,.0f} of {evidence.issued:,}."
    if evidence.proxies:
        yield f"Of the labels {evidence.proxies:,} only stood in for the truth."
    if evidence.unused_proxies:
        yield f"{_count(evidence.unused_proxies, 'prediction')} had only such a label, which is left out."
    if evidence.coverage is not None and evidence.represented is None and evidence.labelled < evidence.issued:
        missing = evidence.issued - evidence.labelled
        yield f"{_count(missing, 'label')} of {evidence.issued:,} were missing ({1 - evidence.coverage:.0%})."


def _estimated(evidence: EstimatedPerformance, live: PerformanceEvidence | None) -> Iterator[str]:
    measure = evidence.measure
    if live is not None and not live.labelled:
        yield "No label has come for any of them, so how good the answers are is only estimated."
    if measure.value is None or measure.lower is None or measure.upper is None:
        yield f"The {measure.metric} could not be estimated: {measure.note}."
        return
    between = f"between {measure.lower:.3f} and {measure.upper:.3f}"
    since = f"{_count(measure.rows, 'prediction')} since {_moment(evidence.window_start)} that cannot be judged yet"
    yield f"On {since}, {measure.metric} is estimated at {measure.value:.3f}, {between}."
    how = "calibrated scores" if evidence.method == "cbpe" else "a model of the errors"
    if evidence.sampling_error is not None and evidence.calibration_error is not None:
        yield (
            f"The estimate comes from {how}, fitted on {evidence.fitted_on:,} rows; its errors are "
            f"{evidence.sampling_error:.3f} (chance) and {evidence.calibration_error:.3f} (the fit)."
        )
    yield f"It cannot see {evidence.blind_to}."


def _drifted(drift: DriftEvidence, window: str) -> Iterator[str]:
    features = drift.features
    scored = [one for one in features if one.score is not None and one.critical is not None]
    if not scored:
        yield f"No feature could be compared with {drift.against} ({window})."
        return
    real = [one for one in scored if (one.score or 0.0) > (one.critical or 0.0)]
    differ = "differs" if len(real) == 1 else "differ"
    share = f"{len(real)} of {_count(len(scored), 'feature')}"
    yield f"{share} {differ} from {drift.against} by more than chance ({window})."
    far = sorted(real, key=lambda one: one.score or 0.0, reverse=True)[:_MOST_FEATURES]
    if far:
        told = ", ".join(f"{one.feature} ({one.statistic} {one.score:.3f})" for one in far)
        yield f"Farthest: {told}. Whether that matters is for the drift trigger's thresholds to say."


def _odd(features: Sequence[FeatureDrift]) -> Iterator[str]:
    """Tell of values that are missing, unknown or out of range more often than they were."""
    for one in features:
        then, now = one.reference_null_share, one.null_share
        if then is not None and now is not None and now - then > _NOTABLE:
            yield f"{one.feature} was missing in {now:.1%} of the rows, against {then:.1%} in the baseline."
        if one.new_share is not None and one.new_share - (one.reference_new_share or 0.0) > _NOTABLE:
            usual = f", against {one.reference_new_share:.1%} as is usual" if one.reference_new_share else ""
            yield f"{one.feature} had an unknown category in {one.new_share:.1%} of the rows{usual}."
        if one.out_of_range_share is not None and one.out_of_range_share > _NOTABLE:
            yield f"{one.feature} was outside the baseline's range in {one.out_of_range_share:.1%} of the rows."


def _beside(drift: DriftEvidence) -> Iterator[str]:
    """Tell of predictions, scores and labels where they moved beyond chance."""
    then = {"label": "those of the training data"}
    for one in (*drift.answers, *(() if drift.labels is None else (drift.labels,))):
        if one.score is not None and one.critical is not None and one.score > one.critical:
            known = then.get(one.feature, "those on the champion's holdout")
            yield f"The {one.feature}s differ from {known} by more than chance ({one.statistic} {one.score:.3f})."


def _said(trigger: TriggerResult) -> str:
    answer = "could not tell" if not trigger.sufficient else "fired" if trigger.fired else "stayed quiet"
    if trigger.warning:
        answer = "warned"
    return f"{trigger.kind} {answer}: {trigger.reason}."


def _ruled(ruling: Ruling) -> Iterator[str]:
    for one in ruling.suppressions:
        until = f", until {_moment(one.until)} at the soonest" if one.until is not None else ""
        yield f"{_listed(one.triggers)} {'was' if len(one.triggers) == 1 else 'were'} held back{until}: {_why(one)}."
    if ruling.supersedes is not None:
        yield f"This was an emergency, so it took the place of {ruling.supersedes}, which served nobody yet."


def _shadows(check: Decision) -> dict[str, ShadowRuling]:
    return msgspec.convert((check.evidence or {}).get("shadow", {}), dict[str, ShadowRuling])


def _tried(name: str, ruling: Ruling) -> str:
    match ruling.outcome:
        case "requested":
            return f"{name} would have asked for a run: {ruling.reason}."
        case "suppressed":
            reasons = "; ".join(one.reason for one in ruling.suppressions)
            return f"{name} would have held {ruling.trigger} back: {reasons}."
        case "insufficient":
            return f"{name} could not have told."
        case _:
            return f"{name} would have stayed quiet."


def _why(suppression: Suppression) -> str:
    return f"{_POLICIES.get(suppression.policy, suppression.policy)} ({suppression.reason})"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _before(checks: Sequence[Decision]) -> Iterator[Paragraph]:
    """Return how long it has been so, and when it was last otherwise."""
    last = checks[-1]
    same = 0
    for check in reversed(checks):
        if check.outcome != last.outcome:
            break
        same += 1
    sentences = []
    if same > 1:
        sentences.append(f"So ended the last {same} checks, since {_moment(checks[-same].at)}.")
    if last.outcome != "requested":
        asked = next((check for check in reversed(checks) if check.outcome == "requested"), None)
        if asked is not None:
            sentences.append(f"Retraining was last asked for at {_moment(asked.at)}: {asked.reason}.")
    if sentences:
        yield Paragraph(about="Before", sentences=tuple(sentences))


def _of_run(steps: Sequence[Decision]) -> Iterator[Paragraph]:
    if steps:
        told = tuple(f"{_moment(step.at)}, {step.kind} {step.outcome}: {step.reason}." for step in _folded(steps))
        yield Paragraph(about=f"The last run, {steps[-1].run_id}", sentences=told)


def _folded(steps: Sequence[Decision]) -> Iterator[Decision]:
    """Yield decisions without those that the next one only repeats, such as one hold after another."""
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if following is None or (step.kind, step.outcome) != (following.kind, following.outcome):
            yield step


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
