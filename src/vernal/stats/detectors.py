"""Detectors of changes in a stream of numbers, such as errors or scores, one value at a time."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable
from typing import Any, Literal, Protocol

from typing_extensions import override

from vernal.errors import SampleError, VernalError

_WARM_UP = 100


class Detector(Protocol):
    """Something that watches a stream."""

    def update(self, value: float) -> bool:
        """Take the next value and return whether a change is found now; it then starts afresh.

        Raises
        ------
        SampleError
            If the value is NaN or infinite; the detector is then as it was before.
        """
        ...


def find_changes(detector: Detector, values: Iterable[float]) -> tuple[int, ...]:
    """Return the positions of the values at which a change is found, counting from 0.

    Parameters
    ----------
    detector
        Any detector; it keeps what it has learnt, so further values may follow.
    values
        The stream in order of time, finite numbers.

    Raises
    ------
    SampleError
        If a value is NaN or infinite.

    Examples
    --------
    >>> find_changes(Cusum(mean=0.0, deviation=1.0), [0.1, -0.3, 4.0, 3.0, 5.0])
    (3,)
    """
    return tuple(position for position, value in enumerate(values) if detector.update(float(value)))


class Cusum(Detector):
    """Two-sided tabular CUSUM: finds a lasting shift of the mean by adding up standardised deviations.

    With ``z = (value - mean) / deviation`` the two sums ``max(0, sum + z - slack)`` and ``max(0, sum - z - slack)``
    are kept, and a change is found when one exceeds ``limit``. Both then start at 0 again; a mean that was learnt is
    learnt anew from the values that follow.

    Parameters
    ----------
    slack
        Half of the shift to be found soonest, in standard deviations; ``k`` in the literature.
    limit
        Where the alarm is raised, in standard deviations; ``h`` in the literature. For independent normal values with
        a known mean and ``slack`` 0.5 a false alarm comes every 168 values at 4 and every 465 at 5 on average; a shift
        of one deviation is found after 8.4 and 10.4.
    mean, deviation
        The level and standard deviation without a change, both or neither.
    warm_up
        Number of values from which they are learnt when not given, 100 by default. Nothing is found meanwhile. It goes
        on for as long as all values are equal. What is learnt is off by chance, so false alarms come sooner than above.

    Raises
    ------
    SampleError
        If a parameter is out of range, only one of ``mean`` and ``deviation`` is given, or both and ``warm_up``.

    References
    ----------
    E. S. Page (1954). Continuous inspection schemes. Biometrika 41.
    D. C. Montgomery (2013). Introduction to Statistical Quality Control, 7th ed., chapter 9 (the run lengths).

    Examples
    --------
    >>> detector = Cusum(warm_up=4)
    >>> find_changes(detector, [1.0, 2.0, 1.0, 2.0, 1.5, 9.0])
    (5,)
    """

    def __init__(
        self,
        *,
        slack: float = 0.5,
        limit: float = 5.0,
        mean: float | None = None,
        deviation: float | None = None,
        warm_up: int | None = None,
    ) -> None:
        if not (0.0 <= slack < math.inf and 0.0 < limit < math.inf):
            raise SampleError(f"cusum: found slack={slack} and limit={limit}, expected at least 0 and above 0")
        if (mean is None) != (deviation is None) or (mean is not None and warm_up is not None):
            raise SampleError(
                f"cusum: found mean={mean}, deviation={deviation}, warm_up={warm_up}, "
                "expected mean and deviation together, or warm_up, or none of them"
            )
        if warm_up is not None and warm_up < 2:  # noqa: PLR2004 - one value has no spread
            raise SampleError(f"cusum: found warm_up={warm_up}, expected at least 2")
        if mean is not None and deviation is not None and not (math.isfinite(mean) and 0.0 < deviation < math.inf):
            raise SampleError(f"cusum: found mean={mean} and deviation={deviation}, expected finite and above 0")
        self._slack = slack
        self._limit = limit
        self._given = None if mean is None or deviation is None else (mean, deviation)
        self._warm_up = _WARM_UP if warm_up is None else warm_up
        self._reference = self._given
        self._above = self._below = 0.0
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    @override
    def update(self, value: float) -> bool:
        _refuse_unless_finite("cusum", value)
        if self._reference is None:
            self._learn(value)
            return False
        mean, deviation = self._reference
        z = (value - mean) / deviation
        self._above = max(0.0, self._above + z - self._slack)
        self._below = max(0.0, self._below - z - self._slack)
        if max(self._above, self._below) <= self._limit:
            return False
        self._reference = self._given
        self._above = self._below = 0.0
        return True

    def _learn(self, value: float) -> None:
        # Welford's update: exact enough for values far from 0, and of one size however long all values are equal.
        self._count += 1
        step = value - self._mean
        self._mean += step / self._count
        self._squares += step * (value - self._mean)
        if self._count >= self._warm_up and self._squares > 0.0:
            self._reference = self._mean, math.sqrt(self._squares / (self._count - 1))
            self._count, self._mean, self._squares = 0, 0.0, 0.0


def page_hinkley(
    *,
    min_instances: int = 30,
    delta: float = 0.005,
    threshold: float = 50.0,
    alpha: float = 0.9999,
    mode: Literal["up", "down", "both"] = "both",
) -> Detector:
    """Return River's Page-Hinkley test: a CUSUM against the running mean, in the units of the values.

    Parameters
    ----------
    min_instances
        Values before anything is found.
    delta
        Deviation from the mean that is tolerated at each value.
    threshold
        Sum of deviations at which a change is found; ``lambda`` in the literature.
    alpha
        Forgetting factor of the sum, above 0 and at most 1.
    mode
        Whether to look for a rise, a fall, or both.

    Raises
    ------
    SampleError
        If a parameter is out of range.
    VernalError
        If River is not installed.

    References
    ----------
    E. S. Page (1954). Continuous inspection schemes. Biometrika 41.

    Examples
    --------
    >>> find_changes(page_hinkley(min_instances=5, threshold=3.0), [0.0] * 20 + [1.0] * 20)
    (23,)
    """
    if min_instances < 1 or delta < 0 or threshold <= 0 or not 0 < alpha <= 1 or mode not in ("up", "down", "both"):
        raise SampleError(
            f"page_hinkley: found min_instances={min_instances}, delta={delta}, threshold={threshold}, alpha={alpha}, "
            f"mode={mode!r}, expected at least 1, at least 0, above 0, in (0, 1], and 'up', 'down' or 'both'"
        )
    test = _river("page_hinkley").PageHinkley(
        min_instances=min_instances, delta=delta, threshold=threshold, alpha=alpha, mode=mode
    )
    return _FromRiver("page_hinkley", test)


def adwin(
    *,
    delta: float = 0.002,
    clock: int = 32,
    max_buckets: int = 5,
    min_window_length: int = 5,
    grace_period: int = 10,
) -> Detector:
    """Return River's ADWIN: a window that is cut wherever the means of its two parts differ too much.

    Parameters
    ----------
    delta
        Error probability of each comparison, inside (0, 1).
    clock
        Compare at every so manieth value.
    max_buckets
        Buckets of each size in which the window is summarised.
    min_window_length
        Values that each part needs.
    grace_period
        Values before anything is found.

    Raises
    ------
    SampleError
        If a parameter is out of range.
    VernalError
        If River is not installed.

    References
    ----------
    A. Bifet, R. Gavaldà (2007). Learning from time-changing data with adaptive windowing. SIAM SDM.

    Examples
    --------
    >>> find_changes(adwin(clock=1), [0.0, 1.0] * 50 + [4.0, 5.0] * 50)
    (107,)
    """
    if not 0 < delta < 1 or min(clock, max_buckets, min_window_length) < 1 or grace_period < 0:
        raise SampleError(
            f"adwin: found delta={delta}, clock={clock}, max_buckets={max_buckets}, "
            f"min_window_length={min_window_length}, grace_period={grace_period}, "
            "expected inside (0, 1), three numbers of at least 1, and at least 0"
        )
    window = _river("adwin").ADWIN(
        delta=delta,
        clock=clock,
        max_buckets=max_buckets,
        min_window_length=min_window_length,
        grace_period=grace_period,
    )
    return _FromRiver("adwin", window)


class _FromRiver(Detector):
    """A detector of River, which starts afresh by itself at the first value after a change."""

    def __init__(self, subject: str, detector: Any) -> None:  # noqa: ANN401 - river is optional and loaded late
        self._subject = subject
        self._detector = detector

    @override
    def update(self, value: float) -> bool:
        _refuse_unless_finite(self._subject, value)
        self._detector.update(value)
        return bool(self._detector.drift_detected)


def _river(subject: str) -> Any:  # noqa: ANN401 - as above
    try:
        return importlib.import_module("river.drift")
    except ModuleNotFoundError as error:
        raise VernalError(
            f"{subject}: needs the package river, which is not installed",
            hint="Install it with: pip install 'vernal[online]'",
        ) from error


def _refuse_unless_finite(subject: str, value: float) -> None:
    if not math.isfinite(value):
        raise SampleError(f"{subject}: found the value {value}, expected a finite number")
