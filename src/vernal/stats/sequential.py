"""Evidence that may be looked at as often as one likes: confidence sequences for a mean difference.

Rows arrive in blocks (an hour of one rollout step) and only the sums of a block are kept, so a sequence costs the same
for a thousand rows and a billion.
"""

from __future__ import annotations

import functools
import math

import msgspec
import numpy as np
import numpy.typing as npt

from vernal.errors import SampleError
from vernal.stats.arrays import Floats, Ints, check_level

_HOURS_PER_DAY = 24
_ENOUGH_DAYS = 14


class BlockSums(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Paired differences summed per block, a block being one hour of one rollout step.

    ``steps`` and ``hours`` name the blocks (any integers, hours since an epoch), in rising order and each pair once;
    ``rows``, ``sums`` and ``squares`` are the number of differences, their sum and their sum of squares, all of shape
    ``(k,)``.
    """

    steps: Ints
    hours: Ints
    rows: Ints
    sums: Floats
    squares: Floats

    @property
    def count(self) -> int:
        """Number of blocks that hold rows."""
        return int((self.rows > 0).sum())

    def add(self, other: BlockSums) -> BlockSums:
        """Return both together; a block that is in both is added up."""
        return _grouped(
            np.concatenate((self.steps, other.steps)),
            np.concatenate((self.hours, other.hours)),
            np.concatenate((self.rows, other.rows)),
            np.concatenate((self.sums, other.sums)),
            np.concatenate((self.squares, other.squares)),
        )

    def by_day(self) -> BlockSums:
        """Return the blocks added up to days of a step (24 hours from the epoch), hours then counting days."""
        return _grouped(self.steps, self.hours // _HOURS_PER_DAY, self.rows, self.sums, self.squares)


def _grouped(steps: Ints, hours: Ints, rows: Ints, sums: Floats, squares: Floats) -> BlockSums:
    names, codes = np.unique(np.column_stack((steps, hours)), axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    k = len(names)
    total = [np.bincount(codes, weights=part, minlength=k).astype(np.float64) for part in (rows, sums, squares)]
    return BlockSums(
        steps=names[:, 0], hours=names[:, 1], rows=total[0].astype(np.int64), sums=total[1], squares=total[2]
    )


def block_sums(steps: npt.ArrayLike, hours: npt.ArrayLike, differences: npt.ArrayLike) -> BlockSums:
    """Sum per-row differences by step and hour.

    Parameters
    ----------
    steps, hours
        The block of each row, integers, shape ``(n,)``; ``n`` may be 0.
    differences
        Challenger minus champion, higher being better for the challenger, shape ``(n,)``.

    Raises
    ------
    SampleError
        If the shapes differ or a difference is not finite.

    Examples
    --------
    >>> block_sums([0, 0, 0], [7, 7, 8], [0.0, 1.0, -1.0]).sums.tolist()
    [1.0, -1.0]
    """
    d = np.asarray(differences, dtype=np.float64)
    step, hour = np.asarray(steps, dtype=np.int64), np.asarray(hours, dtype=np.int64)
    if d.ndim != 1 or step.shape != d.shape or hour.shape != d.shape:
        raise SampleError(f"blocks: found shapes {step.shape} and {hour.shape}, expected {d.shape}, one per difference")
    bad = d.size - int(np.isfinite(d).sum())
    if bad:
        raise SampleError(f"differences: found {bad} of {d.size} that are NaN or infinite, expected finite numbers")
    return _grouped(step, hour, np.ones(d.size, np.int64), d, d * d)


class ConfidenceSequence(msgspec.Struct, frozen=True, kw_only=True):
    """A mean difference and bounds that hold at every look at once.

    At any look the truth is below ``lower`` with probability at most ``alpha``, and above ``upper`` likewise. Both are
    ``None`` until there are enough blocks; ``note`` then says so. ``method`` names what varied most: ``rows``,
    ``hours`` or ``days``.
    """

    estimate: float | None
    lower: float | None
    upper: float | None
    alpha: float
    rows: int
    blocks: int
    method: str
    note: str = ""


def stratified_sequence(
    blocks: BlockSums, *, alpha: float = 0.05, tuned_rows: int = 2000, min_blocks: int = 6, largest: float = 1.0
) -> ConfidenceSequence:
    """Return the row-weighted mean difference with a normal-mixture confidence sequence.

    Each difference is taken within a row, so within one step and hour: a change of traffic shares cannot shift it.
    The bounds are the widest of those from rows as if independent, from the residual sums of hours, and from those of
    days once there are 14, because rows of one hour share their weather. Few blocks tell little about their own
    spread; Student's quantile with ``blocks - 1`` degrees of freedom replaces the normal one of the same tail.

    Parameters
    ----------
    blocks
        Sums per step and hour; see :func:`block_sums`.
    alpha
        Error probability of each bound, over all looks together.
    tuned_rows
        Number of rows at which the bounds are tightest; they are valid whatever it is.
    min_blocks
        Blocks needed before there are bounds at all.
    largest
        Largest difference that one row can have (1 for accuracy and for Brier scores). Two such rows that cancel out
        are added to the variance, so that a few rows without any difference are not taken for certainty.

    Raises
    ------
    SampleError
        If a parameter is out of range.

    Notes
    -----
    The guarantee is asymptotic: it needs differences without extreme tails. Proportions of rare events want an exact
    sequence instead.

    References
    ----------
    I. Waudby-Smith et al. (2024). Time-uniform central limit theory and asymptotic confidence sequences. Annals of
    Statistics 52.
    H. Robbins (1970). Statistical methods related to the law of the iterated logarithm. Ann. Math. Stat. 41.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> blocks = block_sums(np.zeros(4000), np.arange(4000) // 40, rng.normal(-0.1, 0.5, 4000))
    >>> result = stratified_sequence(blocks)
    >>> result.upper < 0, result.blocks
    (True, 100)
    """
    check_level("alpha", alpha)
    if tuned_rows < 1 or min_blocks < 2 or largest < 0:  # noqa: PLR2004 - one block has no spread
        raise SampleError(
            f"sequence: found tuned_rows={tuned_rows}, min_blocks={min_blocks}, largest={largest}, "
            "expected at least 1, 2 and 0"
        )
    rows, count = int(blocks.rows.sum()), blocks.count
    estimate = float(blocks.sums.sum()) / rows if rows else None
    if estimate is None or count < min_blocks:
        return ConfidenceSequence(
            estimate=estimate,
            lower=None,
            upper=None,
            alpha=alpha,
            rows=rows,
            blocks=count,
            method="none",
            note=f"{count} blocks, bounds need {min_blocks}",
        )
    reach, method = _reach(blocks, estimate, _boundary(rows / tuned_rows, alpha), 2 * largest**2)
    return ConfidenceSequence(
        estimate=estimate,
        lower=estimate - reach / rows,
        upper=estimate + reach / rows,
        alpha=alpha,
        rows=rows,
        blocks=count,
        method=method,
    )


def _reach(blocks: BlockSums, estimate: float, z: float, unseen: float) -> tuple[float, str]:
    """Return how far the centred sum may stray, and which way of adding up rows varied most."""
    rows = int(blocks.rows.sum())
    of_rows = max(0.0, float(blocks.squares.sum()) - rows * estimate**2) * rows / max(rows - 1, 1)
    days = blocks.by_day()
    found = [(z * math.sqrt(of_rows + unseen), "rows"), (_clustered(blocks, estimate, z, unseen), "hours")]
    if days.count >= _ENOUGH_DAYS:
        found.append((_clustered(days, estimate, z, unseen), "days"))
    return max(found)


def _clustered(blocks: BlockSums, estimate: float, z: float, unseen: float) -> float:
    """Return the reach from the residual sums of blocks, inside which rows may vary together."""
    from scipy.special import ndtr, stdtrit

    residuals = blocks.sums - estimate * blocks.rows
    variance = float(residuals @ residuals) * blocks.count / (blocks.count - 1)
    return -float(stdtrit(blocks.count - 1, ndtr(-z))) * math.sqrt(variance + unseen)


def _boundary(time: float, alpha: float) -> float:
    """Return how many standard errors the sum may stray over all looks, ``time`` being 1 where this is tuned."""
    return math.sqrt(_squared_boundary(time * _best_ratio(alpha), alpha))


def _squared_boundary(x: float, alpha: float) -> float:
    """Return the one-sided normal-mixture bound in squared standard errors, ``x`` being elapsed / prior variance."""
    return 2 * (x + 1) / x * math.log1p(math.sqrt(x + 1) / (2 * alpha))


@functools.lru_cache(maxsize=64)
def _best_ratio(alpha: float) -> float:
    """Return the ratio of elapsed to prior variance at which the bound is tightest (ternary search)."""
    low, high = math.log(1e-3), math.log(1e4)
    for _ in range(100):
        third = (high - low) / 3
        if _squared_boundary(math.exp(low + third), alpha) < _squared_boundary(math.exp(high - third), alpha):
            high -= third
        else:
            low += third
    return math.exp((low + high) / 2)
