"""Guardrails on rates: an exact test that may be looked at after every single request."""

from __future__ import annotations

from math import lgamma, log

from vernal.errors import SampleError


def rate_exceeds(failures: int, trials: int, *, limit: float, alpha: float) -> bool:
    """Whether a failure rate surely lies above a limit, at every look at once.

    The likelihood of every rate above the limit, weighted uniformly, is held against that of the limit itself. Under
    any rate up to the limit the ratio is a supermartingale with start 1, so by Ville's inequality it ever reaches
    ``1 / alpha`` with probability at most ``alpha``. It needs no minimum count.

    Parameters
    ----------
    failures, trials
        Counts so far, ``0 <= failures <= trials``.
    limit
        The tolerated rate, inside (0, 1).
    alpha
        Probability of ever raising a false alarm, inside (0, 1).

    Raises
    ------
    SampleError
        If the counts or levels are impossible.

    References
    ----------
    J. Ville (1939). Étude critique de la notion de collectif.
    H. Robbins (1970). Statistical methods related to the law of the iterated logarithm.

    Examples
    --------
    >>> rate_exceeds(3, 3, limit=0.05, alpha=0.05), rate_exceeds(3, 60, limit=0.05, alpha=0.05)
    (True, False)
    """
    if not 0 <= failures <= trials:
        raise SampleError(f"rate: got {failures} failures in {trials} trials, expected 0 <= failures <= trials")
    if not (0 < limit < 1 and 0 < alpha < 1):
        raise SampleError(f"rate: got limit {limit:g} and alpha {alpha:g}, expected both inside (0, 1)")
    if not failures:
        return False
    from scipy.special import betaincc

    successes = trials - failures
    above = float(betaincc(failures + 1, successes + 1, limit))
    if above <= 0.0:
        return False
    log_beta = lgamma(failures + 1) + lgamma(successes + 1) - lgamma(trials + 2)
    log_ratio = log_beta + log(above) - log(1 - limit) - failures * log(limit) - successes * log(1 - limit)
    return log_ratio >= -log(alpha)
