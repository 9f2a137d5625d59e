"""Whether the arms of a split get the shares they were promised: the sequential sample-ratio test."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints, check_level

_SUM_TOLERANCE = 1e-9


class SampleRatio(msgspec.Struct, frozen=True, kw_only=True):
    """What the entities say of the shares.

    ``log_evidence`` is the natural log of the e-value, at least ``-log(alpha)`` when there is a ``mismatch``;
    ``p_value`` is valid at every look at once. ``observed`` holds the shares that the arms got, step by step, and an
    empty row for a step without entities. ``expected`` holds the shares promised, in the same shape.
    """

    mismatch: bool
    p_value: float
    log_evidence: float
    alpha: float
    entities: int
    observed: tuple[tuple[float, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    note: str = ""


def sample_ratio(
    counts: npt.ArrayLike, shares: npt.ArrayLike, *, alpha: float = 0.001, concentration: float = 100.0
) -> SampleRatio:
    """Test whether entities fell to the arms with the shares that were set, at every look at once.

    Within a step the likelihood of all allocations, weighted by a Dirichlet prior around the promised shares, is held
    against that of the promised shares themselves; the ratios of the steps are multiplied. If the shares are kept the
    product is a martingale that begins at 1, so by Ville's inequality it ever reaches ``1 / alpha`` with probability
    at most ``alpha``, however often one looks and whatever makes a step end.

    Parameters
    ----------
    counts
        Number of entities by step and arm, shape ``(steps, arms)``. Each entity counts once, in the step and for the
        arm where it was first seen. Requests must not be counted: an entity sticks to its arm, so requests vary more
        than the multinomial law allows and correct splits would be called wrong.
    shares
        Shares promised, shape ``(steps, arms)``, each row adding up to 1. A share of 0 is an arm that is off: one
        entity in it is a mismatch.
    alpha
        Probability of ever raising a false alarm.
    concentration
        How many entities' worth the prior clings to the promised shares, above 0; the test is valid whatever it is.
        Larger values find small mismatches a little sooner and large ones much later. At 100 an even split that is
        really 48 to 52 takes about 10,000 entities, and one of 30 to 70 about 140.

    Raises
    ------
    SampleError
        If the shapes differ, a count is negative or no whole number, shares do not add up to 1, or a parameter is out
        of range.

    References
    ----------
    M. Lindon, A. Malek (2022). Anytime-valid inference for multinomial count data. NeurIPS 35.

    Examples
    --------
    >>> sample_ratio([[950, 50], [700, 300]], [[0.95, 0.05], [0.75, 0.25]]).mismatch
    False
    >>> sample_ratio([[950, 50], [600, 400]], [[0.95, 0.05], [0.75, 0.25]]).mismatch
    True
    """
    check_level("alpha", alpha)
    if not 0.0 < concentration < math.inf:
        raise SampleError(f"sample ratio: found concentration {concentration}, expected a finite number above 0")
    found, promised = _checked(counts, shares)
    per_step = found.sum(axis=1)
    entities = int(per_step.sum())
    log_evidence = float(_log_evidence(found, promised, concentration))
    return SampleRatio(
        mismatch=log_evidence >= -math.log(alpha),
        p_value=math.exp(-max(0.0, log_evidence)),
        log_evidence=log_evidence,
        alpha=alpha,
        entities=entities,
        observed=tuple(
            tuple((row / total).tolist()) if total else () for row, total in zip(found, per_step, strict=True)
        ),
        expected=tuple(tuple(row) for row in promised.tolist()),
        note="" if entities else "no entities",
    )


def _log_evidence(counts: Ints, shares: Floats, concentration: float) -> Floats:
    """Return the log evidence of counts of shape ``(..., steps, arms)``, one number per allocation."""
    from scipy.special import gammaln, xlogy

    prior = np.where(shares > 0, concentration * shares, 1.0)  # an arm that is off has no count and cancels out
    of_arms = gammaln(prior + counts) - gammaln(prior) - xlogy(counts, np.where(shares > 0, shares, 1.0))
    of_steps = gammaln(concentration) - gammaln(concentration + counts.sum(axis=-1))
    impossible = ((shares == 0) & (counts > 0)).any(axis=(-2, -1))
    return np.asarray(np.where(impossible, math.inf, of_arms.sum(axis=(-2, -1)) + of_steps.sum(axis=-1)))


def _checked(counts: npt.ArrayLike, shares: npt.ArrayLike) -> tuple[Ints, Floats]:
    found, promised = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if found.ndim != 2 or found.shape != promised.shape or not found.shape[1]:  # noqa: PLR2004 - steps and arms
        raise SampleError(
            f"sample ratio: found counts of shape {found.shape} and shares of shape {promised.shape}, "
            "expected one row per step and one column per arm in both"
        )
    if not (np.isfinite(found).all() and (found == np.floor(found)).all() and (found >= 0).all()):
        raise SampleError("sample ratio: found counts that are negative or no whole numbers, expected counts")
    sums = promised.sum(axis=1)
    if not ((promised >= 0).all() and (np.abs(sums - 1.0) <= _SUM_TOLERANCE).all()):
        raise SampleError(
            f"sample ratio: found shares that add up to {sums.round(6).tolist()}, expected shares of at least 0 "
            "that add up to 1 in each step"
        )
    return found.astype(np.int64), promised
