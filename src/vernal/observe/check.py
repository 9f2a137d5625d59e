"""Everything that one check measures, without judging it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vernal.observe.columns import keep, micros, to_micros
from vernal.observe.performance import live_performance
from vernal.observe.windows import profile_new_rows, window_of, window_profile
from vernal.profile import Baseline, FeatureKind, Profile, compare, compare_profiles
from vernal.records import CheckEvidence, DriftEvidence, FeatureDrift, Labels

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vernal.ports import Lake, StateStore
    from vernal.profile import FeatureComparison
    from vernal.records import ModelState
    from vernal.spec import ModelSpec


DEFAULT_LEVEL = 0.01
"""False-discovery level of the drift table when drift triggers nothing."""

LABEL_LOOKBACK = timedelta(days=7)
"""How long before the last training cut an event may lie whose label still counts as new; at least two label delays."""


class Observation(NamedTuple):
    """The evidence of a check and the profiles it leaves behind."""

    evidence: CheckEvidence
    hours: dict[datetime, bytes]
    profiled_version: int | None
    baseline_version: str | None
    window_profile: bytes | None


def observe(lake: Lake, store: StateStore, spec: ModelSpec, state: ModelState, *, now: datetime) -> Observation:
    """Measure drift, live performance and label volume of one model at one moment."""
    evidence = CheckEvidence(
        model=spec.model,
        at=now,
        champion=None if state.champion is None else state.champion.version,
        new_rows=0,
        quarantined=0,
        new_labels=count_labels(lake, spec, since=state.trained_until, until=now),
        labels_since=state.trained_until,
    )
    version = evidence.champion
    if version is None:
        return Observation(evidence, {}, state.profiled_version, None, None)
    evidence = evidence.evolve(performance=live_performance(lake, spec, version=version, now=now))
    data = store.baseline(spec.model, version)
    if data is None:
        note = f"version {version} has no stored baseline, so drift is not measured"
        return Observation(evidence.evolve(notes=(note,)), {}, state.profiled_version, None, None)
    baseline = Baseline.from_bytes(data)
    new = profile_new_rows(
        lake, store, spec, baseline_version=version, baseline=baseline, since=state.profiled_version, now=now
    )
    start = now - window_of(spec)
    window = window_profile(
        store, spec.model, baseline_version=version, baseline=baseline, hours=new.profiles, start=start, end=now
    )
    level = DEFAULT_LEVEL if spec.triggers.drift is None else spec.triggers.drift.false_discovery
    drift = DriftEvidence(
        window_start=start,
        window_end=now,
        rows=window.rows,
        features=_facts(compare(baseline, window, alpha=level, min_rows=1)),
        since_last_run=_since_last_run(store, spec, version, baseline, window, level=level),
    )
    return Observation(
        evidence.evolve(drift=drift, new_rows=new.new_rows),
        {hour: profile.to_bytes() for hour, profile in new.profiles.items()},
        new.version,
        version,
        window.to_bytes(),
    )


def count_labels(lake: Lake, spec: ModelSpec, *, since: datetime | None, until: datetime) -> int:
    """Return how many predictions got a label in ``(since, until]``, each counted once.

    Labels of events more than ``LABEL_LOOKBACK`` and two label delays before ``since`` are not looked for.
    """
    columns = (Labels.ID, Labels.ARRIVAL_TIME)
    start = None if since is None else since - max(LABEL_LOOKBACK, 2 * spec.label_delay)
    labels = lake.scan(spec.model, "labels", columns=columns, start=start)
    if not labels.num_rows:
        return 0
    arrived = micros(labels[Labels.ARRIVAL_TIME])
    fresh = arrived <= to_micros(until)
    if since is not None:
        fresh &= arrived > to_micros(since)
    return len(keep(labels, np.asarray(fresh))[Labels.ID].unique())


def _since_last_run(
    store: StateStore, spec: ModelSpec, version: str, baseline: Baseline, window: Profile, *, level: float
) -> tuple[FeatureDrift, ...]:
    """Compare with the last run's window, while its profile is on the same grid."""
    last = store.last_run_window(spec.model)
    if last is None or last[0] != version:
        return ()
    return _facts(compare_profiles(baseline, Profile.from_bytes(last[1]), window, alpha=level, min_rows=1))


def _facts(comparisons: Iterable[FeatureComparison]) -> tuple[FeatureDrift, ...]:
    return tuple(_fact(comparison) for comparison in comparisons)


def _fact(comparison: FeatureComparison) -> FeatureDrift:
    statistic = "psi" if comparison.kind == FeatureKind.NUMERICAL else "js"
    scored = comparison.psi if statistic == "psi" else comparison.js
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
    )
