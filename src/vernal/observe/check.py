"""Everything that one check measures, without judging it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from vernal.observe.drift import measure_drift
from vernal.observe.estimated import estimated_performance
from vernal.observe.label_count import count_labels
from vernal.observe.performance import live_performance
from vernal.observe.windows import Held, Roller, hours_of, lengths_of, profile_new_rows
from vernal.profile import Reference
from vernal.records import CheckEvidence
from vernal.tracing import span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vernal.ports import Lake, StateStore
    from vernal.records import ModelState, WindowProfile
    from vernal.spec import ModelSpec


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
    reference = Reference.from_bytes(data)
    if reference.holdout is not None and reference.holdout.metric == spec.metric:
        evidence = evidence.evolve(holdout=reference.holdout)
    if reference.estimator is not None and evidence.performance is not None:
        estimated = estimated_performance(
            lake, spec, reference.estimator, version=version, live=evidence.performance, now=now
        )
        evidence = evidence.evolve(estimated=estimated)
    held = Held(version, reference, reference.joint())
    lengths = lengths_of(spec)
    stored = {window.hours: window for window in store.windows(spec.model, "running")}
    # Without its windows (they are new, or longer than before) a model is counted again as far back as they reach.
    goes_on = all(hours_of(length) in stored for length in lengths)
    with span("profile") as current:
        new = profile_new_rows(lake, store, spec, held=held, since=state.profiled_version if goes_on else None, now=now)
        current.set(new_rows=new.new_rows)
    with span("compare"):
        roller = Roller(store, spec.model, baseline=held.joint, baseline_version=version, stored=stored, hours=new)
        windows = [roller.roll(length, now=now) for length in lengths]
        drift = measure_drift(lake, store, spec, held, windows, now=now)
    left_out = {} if state.profiled_version is None else lake.left_out(spec.model, since=state.profiled_version)
    if left_out:
        rules = "; ".join(f"{rule} ({rows})" for rule, rows in left_out.items())
        note = f"{sum(left_out.values())} predictions that came since the last check cannot be used: {rules}"
        evidence = evidence.evolve(notes=(*evidence.notes, note))
    return Observation(
        evidence.evolve(drift=drift[-1], short_drift=drift[0] if len(drift) > 1 else None, new_rows=new.new_rows),
        profiled_version=new.version,
        baseline_version=version,
        hours={hour: profile.to_bytes() for hour, profile in new.profiles.items()},
        windows=tuple(window.stored(version) for window in windows),
    )
