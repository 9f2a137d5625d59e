"""How far production lies from what the champion was trained on, window by window."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vernal.observe.columns import keep, micros, strings_equal, take, to_micros
from vernal.observe.labelled import first_of_each
from vernal.observe.reference import LABEL, canonical
from vernal.observe.windows import EPOCH, hours_of
from vernal.profile import Binning, FeatureKind, Profile, compare_profiles, profile_rows
from vernal.profile.weekly import HOURS as WEEK
from vernal.records import DriftEvidence, FeatureDrift, Labels
from vernal.spec import DriftTrigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vernal.observe.windows import Held, Window
    from vernal.ports import Lake, StateStore
    from vernal.profile import Baseline, FeatureComparison, Reference
    from vernal.spec import ModelSpec


def measure_drift(
    lake: Lake, store: StateStore, spec: ModelSpec, held: Held, windows: Sequence[Window], *, now: datetime
) -> tuple[DriftEvidence, ...]:
    """Measure the drift of each window, the longest last; it also has the drift of answers and labels."""
    trigger = spec.triggers.drift or DriftTrigger()
    binning = Binning.of(held.reference.features)
    last_run = _last_run(store, spec, held)
    found = [_of_features(held, trigger, binning, window, last_run.get(hours_of(window.length))) for window in windows]
    last = last_run.get(hours_of(windows[-1].length))
    answers, answers_since = _of_answers(held, trigger, windows[-1], None if last is None else last.profile)
    labels, labels_since = _of_labels(lake, spec, held, trigger, now=now, last=None if last is None else last.until)
    full = found[-1].evolve(
        answers=answers,
        labels=labels,
        since_last_run=(*found[-1].since_last_run, *answers_since, *labels_since),
    )
    return (*found[:-1], full)


class _LastRun(NamedTuple):
    """A window as it was when a check last opened a run, and when that was."""

    profile: Profile
    until: datetime


def _last_run(store: StateStore, spec: ModelSpec, held: Held) -> dict[int, _LastRun]:
    """Return the windows of the last run by their hours, as far as they are on the grid of today."""
    windows = [window for window in store.windows(spec.model, "last_run") if window.baseline_version == held.version]
    found = {window.hours: _LastRun(Profile.from_bytes(window.data), window.until) for window in windows}
    return {hours: one for hours, one in found.items() if one.profile.grid_id == held.joint.grid_id}


def _of_features(
    held: Held, trigger: DriftTrigger, binning: Binning, window: Window, before: _LastRun | None
) -> DriftEvidence:
    baseline = held.reference.features
    now, _ = held.reference.parted(window.profile)
    then = _reference_of(held.reference, trigger, binning, window)
    found = _lean(trigger, baseline, then.rows, now, binning=binning, fine=then.fine)
    since: tuple[FeatureDrift, ...] = ()
    if before is not None:
        last, _ = held.reference.parted(before.profile)
        since = _facts(_lean(trigger, baseline, last, now, binning=binning))
    return DriftEvidence(
        window_start=window.first,
        window_end=window.until,
        rows=now.rows,
        features=_facts(found),
        since_last_run=since,
        against=then.told,
    )


class _Then(NamedTuple):
    """The rows that a window is held against, in words, and whether they are counted as fine as the grid is."""

    rows: Profile
    told: str
    fine: bool


def _reference_of(reference: Reference, trigger: DriftTrigger, binning: Binning, window: Window) -> _Then:
    """Return all training rows for whole weeks, and those of the same hours of the week for any other window."""
    all_rows = reference.features.reference
    if hours_of(window.length) % WEEK == 0 or reference.weekly is None:
        return _Then(all_rows, "the training data", fine=True)
    first, until = hours_of(window.first - EPOCH), hours_of(window.until - EPOCH)
    same = reference.weekly.of_hours(range(first, until), reference.features, binning)
    if same.rows < trigger.min_rows:
        return _Then(all_rows, f"all the training data, with {same.rows} rows of the same hours of the week", fine=True)
    return _Then(same, "the training data of the same hours of the week", fine=False)


def _of_answers(
    held: Held, trigger: DriftTrigger, window: Window, before: Profile | None
) -> tuple[tuple[FeatureDrift, ...], tuple[FeatureDrift, ...]]:
    """Return how the version's answers differ from those on its holdout, and from those in the last run's window."""
    baseline = held.reference.answers
    _, now = held.reference.parted(window.profile)
    if baseline is None or now is None:
        return (), ()
    found = _facts(_lean(trigger, baseline, baseline.reference, now))
    _, last = (None, None) if before is None else held.reference.parted(before)
    if last is None:
        return found, ()
    return found, _facts(_lean(trigger, baseline, last, now))


def _of_labels(
    lake: Lake, spec: ModelSpec, held: Held, trigger: DriftTrigger, *, now: datetime, last: datetime | None
) -> tuple[FeatureDrift | None, tuple[FeatureDrift, ...]]:
    """Return how the newest matured labels differ from those of the training data, and from those at the last run."""
    baseline = held.reference.labels
    if baseline is None:
        return None, ()
    profile = _labels_at(lake, spec, baseline, trigger, now)
    if not profile.rows:
        return None, ()
    (found,) = _facts(_lean(trigger, baseline, baseline.reference, profile))
    if last is None:
        return found, ()
    before = _labels_at(lake, spec, baseline, trigger, last)
    return found, _facts(_lean(trigger, baseline, before, profile))


def _labels_at(lake: Lake, spec: ModelSpec, baseline: Baseline, trigger: DriftTrigger, moment: datetime) -> Profile:
    """Count the labels of the predictions that had matured within the window, as they were known at a moment."""
    end = moment - spec.label_delay
    columns = (Labels.ID, Labels.LABEL, Labels.ARRIVAL_TIME, Labels.SOURCE)
    labels = lake.scan(spec.model, "labels", columns=columns, start=end - trigger.window, end=end)
    proxy = strings_equal(labels[Labels.SOURCE], Labels.PROXY)
    known = micros(labels[Labels.ARRIVAL_TIME]) <= to_micros(moment)
    labels = keep(labels, known & (~proxy | (spec.labels.proxy_weight > 0)))
    proxy = strings_equal(labels[Labels.SOURCE], Labels.PROXY)
    labels = take(labels, np.lexsort((-micros(labels[Labels.ARRIVAL_TIME]), proxy)))  # the truth first, then the latest
    labels = keep(labels, first_of_each(labels[Labels.ID]))
    return profile_rows(baseline, pa.table({LABEL: canonical(spec, LABEL, labels[Labels.LABEL])}))


def _lean(
    trigger: DriftTrigger,
    baseline: Baseline,
    reference: Profile,
    current: Profile,
    *,
    binning: Binning | None = None,
    fine: bool = True,
) -> tuple[FeatureComparison, ...]:
    """Measure what the trigger judges; the Kolmogorov-Smirnov distance only of rows counted as fine as the grid is."""
    return compare_profiles(
        baseline,
        reference,
        current,
        alpha=trigger.false_discovery,
        min_rows=1,
        binning=binning,
        thorough=False,
        ks=fine and trigger.ks is not None,
    )


def _facts(comparisons: Iterable[FeatureComparison]) -> tuple[FeatureDrift, ...]:
    return tuple(_fact(comparison) for comparison in comparisons)


def _fact(comparison: FeatureComparison) -> FeatureDrift:
    statistic = "psi" if comparison.kind == FeatureKind.NUMERICAL else "js"
    scored = comparison.psi if statistic == "psi" else comparison.js
    ks = comparison.ks
    return FeatureDrift(
        feature=comparison.feature,
        statistic=statistic,
        score=None if scored is None else scored.score,
        critical=None if scored is None else scored.critical,
        p_value=None if scored is None else scored.p_value,
        adjusted_p=None if scored is None else scored.adjusted_p,
        rows=comparison.rows,
        reference_rows=comparison.reference_rows,
        null_share=comparison.null_share,
        reference_null_share=comparison.reference_null_share,
        new_share=comparison.new_share,
        reference_new_share=comparison.reference_new_share,
        out_of_range_share=comparison.out_of_range_share,
        ks=None if ks is None else ks.score,
        ks_critical=None if ks is None else ks.critical,
    )


__all__ = ["measure_drift"]
