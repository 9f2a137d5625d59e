"""What was measured: numbers with their sizes and intervals, before anybody judges them."""

from __future__ import annotations

from datetime import datetime

from vernal.records.base import Record
from vernal.records.quality import QualityEvidence
from vernal.records.verdicts import Verdict


class Measure(Record, frozen=True, kw_only=True):
    """A metric with its interval.

    ``value`` is ``None`` when the metric is undefined on these rows (one class only, no rows); ``note`` then says why.
    Where rows count unequally, ``effective_rows`` is how many equal ones would say as much.
    """

    metric: str
    value: float | None
    rows: int
    lower: float | None = None
    upper: float | None = None
    certainty: float | None = None
    note: str = ""
    effective_rows: float | None = None


class PairedMeasure(Record, frozen=True, kw_only=True):
    """Challenger against champion on the same rows; positive differences favour the challenger.

    ``lower`` is the one-sided bound at ``certainty``; ``method`` names how it was computed.
    """

    metric: str
    champion: float | None
    challenger: float | None
    difference: float | None
    lower: float | None
    certainty: float
    rows: int
    blocks: int
    method: str
    note: str = ""


class FeatureDrift(Record, frozen=True, kw_only=True):
    """One feature's distribution now, against the baseline or another window."""

    feature: str
    statistic: str
    score: float | None
    critical: float | None
    p_value: float | None
    adjusted_p: float | None
    rows: int
    reference_rows: int
    null_share: float | None
    reference_null_share: float | None
    new_share: float | None = None
    reference_new_share: float | None = None
    out_of_range_share: float | None = None
    ks: float | None = None
    ks_critical: float | None = None


class DriftEvidence(Record, frozen=True, kw_only=True):
    """Drift of all features over one window.

    ``against`` says in words which rows of the training data the window is held against. ``answers`` are the
    champion's predictions and scores against those on its holdout, ``labels`` matured labels against those of the
    training data. ``since_last_run`` holds features, answers and labels against the
    window of the last run.
    """

    window_start: datetime
    window_end: datetime
    rows: int
    features: tuple[FeatureDrift, ...]
    since_last_run: tuple[FeatureDrift, ...] = ()
    against: str = "the training data"
    answers: tuple[FeatureDrift, ...] = ()
    labels: FeatureDrift | None = None


class PerformanceEvidence(Record, frozen=True, kw_only=True):
    """The live metric on matured, labelled predictions.

    Of the ``labelled`` ones ``proxies`` have a label that only stands in for the truth. ``unused_proxies`` have nothing
    but such a label, which is left out: they are not among the labelled ones. ``drawn`` predictions were picked for a
    sample to be labelled and have no label otherwise; ``sampled`` of them were answered, and are among the labelled
    ones, which then stand for ``represented`` predictions.
    """

    window_start: datetime
    window_end: datetime
    measure: Measure
    issued: int
    labelled: int
    unmatched_labels: int = 0
    proxies: int = 0
    unused_proxies: int = 0
    drawn: int = 0
    sampled: int = 0
    represented: float | None = None

    @property
    def coverage(self) -> float | None:
        """Share of the window's matured predictions that have a label; ``None`` without predictions."""
        return self.labelled / self.issued if self.issued else None

    @property
    def represented_share(self) -> float | None:
        """Share of the matured predictions that the labelled ones stand for; ``None`` without predictions."""
        if not self.issued:
            return None
        return min(1.0, (self.labelled if self.represented is None else self.represented) / self.issued)


class EstimatedPerformance(Record, frozen=True, kw_only=True):
    """The metric of predictions whose labels are missing, guessed from how the version did on its holdout.

    ``method`` is ``cbpe`` (calibrated scores) or ``dle`` (a model of the errors), fitted on ``fitted_on`` rows. Two
    standard errors make up the interval of ``measure``: ``sampling_error`` and ``calibration_error``. ``blind_to`` says
    what no such estimate can see.
    """

    window_start: datetime
    window_end: datetime
    measure: Measure
    method: str
    sampling_error: float | None
    calibration_error: float | None
    fitted_on: int
    blind_to: str


class CheckEvidence(Record, frozen=True, kw_only=True):
    """Everything that one check of one model saw.

    ``short_drift`` is drift in the shorter of two windows. ``new_labels`` are as many as count: true ones, and the
    ``new_proxies`` (predictions that got only a proxy) at ``proxy_weight``. ``quality`` is about the rows that the
    check took in from the inbox, and ``quarantined`` counts the refused ones of them; ``None`` where it was not kept.
    ``holdout`` is the champion's metric on the holdout that it was promoted by; ``estimated`` that of predictions whose
    labels are missing.
    """

    model: str
    at: datetime
    champion: str | None
    new_rows: int
    quarantined: int
    quality: QualityEvidence | None = None
    drift: DriftEvidence | None = None
    short_drift: DriftEvidence | None = None
    performance: PerformanceEvidence | None = None
    estimated: EstimatedPerformance | None = None
    holdout: Measure | None = None
    new_labels: int = 0
    new_proxies: int = 0
    proxy_weight: float = 1.0
    labels_since: datetime | None = None
    notes: tuple[str, ...] = ()


class TriggerResult(Record, frozen=True, kw_only=True):
    """One trigger's answer in one check; ``window_hours`` is the length of the window it looked at, where it did.

    A ``warning`` asks for nothing: what was measured is on the bad side already, but not surely so, or only estimated.
    """

    kind: str
    fired: bool
    sufficient: bool
    reason: str
    window_hours: int | None = None
    warning: bool = False


class GateResult(Record, frozen=True, kw_only=True):
    """One gate's answer for one candidate."""

    gate: str
    verdict: Verdict
    reason: str
    measured: float | None = None
    lower: float | None = None
    limit: float | None = None
    rows: int = 0
