"""Everything that one check measures, without judging it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vernal.observe.label_count import count_labels
from vernal.observe.performance import live_performance
from vernal.observe.windows import Roller, hours_of, lengths_of, profile_new_rows
from vernal.profile import Baseline, FeatureKind, Profile, compare, compare_profiles
from vernal.records import CheckEvidence, DriftEvidence, FeatureDrift

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from vernal.observe.windows import Window
    from vernal.ports import Lake, StateStore
    from vernal.profile import FeatureComparison
    from vernal.records import ModelState, WindowProfile
    from vernal.spec import ModelSpec


DEFAULT_LEVEL = 0.01
"""False-discovery level of the drift table when drift triggers nothing."""


class Observation(NamedTuple):
    """The evidence of a check and the profiles it leaves behind."""

    evidence: CheckEvidence
    profiled_version: int | None
    baseline_version: str | None = None
    hours: Mapping[datetime, bytes] = MappingProxyType({})
    windows: tuple[WindowProfile, ...] = ()


def observe(lake: Lake, store: StateStore, spec: ModelSpec, state: ModelState, *, now: datetime) -> Observation:
    """Measure drift, live performance and label volume of one model at one moment."""
    arrived = count_labels(lake, spec, since=state.trained_until, until=now)
    evidence = CheckEvidence(
        model=spec.model,
        at=now,
        champion=None if state.champion is None else state.champion.version,
        new_rows=0,
        quarantined=0,
        new_labels=arrived.counted,
        new_proxies=arrived.proxies,
        proxy_weight=spec.labels.proxy_weight,
        labels_since=state.trained_until,
    )
    version = evidence.champion
    if version is None:
        return Observation(evidence, state.profiled_version)
    evidence = evidence.evolve(performance=live_performance(lake, spec, version=version, now=now))
    data = store.baseline(spec.model, version)
    if data is None:
        note = f"version {version} has no stored baseline, so drift is not measured"
        return Observation(evidence.evolve(notes=(note,)), state.profiled_version)
    baseline = Baseline.from_bytes(data)
    lengths = lengths_of(spec)
    stored = {window.hours: window for window in store.windows(spec.model, "running")}
    # Without its windows (they are new, or longer than before) a model is counted again as far back as they reach.
    goes_on = all(hours_of(length) in stored for length in lengths)
    new = profile_new_rows(
        lake,
        store,
        spec,
        baseline_version=version,
        baseline=baseline,
        since=state.profiled_version if goes_on else None,
        now=now,
    )
    roller = Roller(store, spec.model, baseline=baseline, baseline_version=version, stored=stored, hours=new)
    windows = [roller.roll(length, now=now) for length in lengths]
    drift = _drift(store, spec, version, baseline, windows[-1])
    return Observation(
        evidence.evolve(drift=drift, new_rows=new.new_rows),
        profiled_version=new.version,
        baseline_version=version,
        hours={hour: profile.to_bytes() for hour, profile in new.profiles.items()},
        windows=tuple(window.stored(version) for window in windows),
    )


def _drift(store: StateStore, spec: ModelSpec, version: str, baseline: Baseline, window: Window) -> DriftEvidence:
    level = DEFAULT_LEVEL if spec.triggers.drift is None else spec.triggers.drift.false_discovery
    return DriftEvidence(
        window_start=window.first,
        window_end=window.until,
        rows=window.profile.rows,
        features=_facts(compare(baseline, window.profile, alpha=level, min_rows=1)),
        since_last_run=_since_last_run(store, spec, version, baseline, window, level=level),
    )


def _since_last_run(
    store: StateStore, spec: ModelSpec, version: str, baseline: Baseline, window: Window, *, level: float
) -> tuple[FeatureDrift, ...]:
    """Compare with the last run's window of the same length, while its profile is on the same grid."""
    for last in store.windows(spec.model, "last_run"):
        if last.hours == hours_of(window.length) and last.baseline_version == version:
            then = Profile.from_bytes(last.data)
            return _facts(compare_profiles(baseline, then, window.profile, alpha=level, min_rows=1))
    return ()


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
