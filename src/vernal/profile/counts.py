"""Profiles: counts on the cells of a baseline's grids, which add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
from typing_extensions import override

from vernal.errors import ProfileError
from vernal.profile.columns import Counts
from vernal.profile.encoding import decode_profile, encode_profile

Moments = npt.NDArray[np.float64]

COUNT, MEAN, M2, MINIMUM, MAXIMUM = range(5)
"""Columns of the moments of a profile."""

NO_MOMENTS = (0.0, 0.0, 0.0, math.inf, -math.inf)
"""Moments of no values."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Moments of one feature's finite values; the variance is that of a sample (``n - 1``), 0 for one value."""

    count: int
    mean: float
    variance: float
    minimum: float
    maximum: float


class Profile(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Rows counted on a baseline's cells.

    ``counts`` holds the cells of all features one after another, shape ``(cells,)``. ``moments`` holds, per numerical
    feature in order, count, mean, sum of squared deviations (M2), minimum and maximum of its finite values, shape
    ``(numerical features, 5)``; it is ``None`` after :meth:`subtract`, which cannot know them. Arrays are read-only.
    """

    grid_id: str
    rows: int
    counts: Counts
    moments: Moments | None

    def merge(self, other: Profile) -> Profile:
        """Return the profile of both sets of rows.

        Counts, minima and maxima are exact in any order; means and M2 are exact up to rounding.

        Raises
        ------
        ProfileError
            If the profiles are on different grids.
        """
        check_same_grid(self, other)
        return Profile(
            grid_id=self.grid_id,
            rows=self.rows + other.rows,
            counts=self.counts + other.counts,
            moments=joint_moments(self, other),
        )

    def subtract(self, other: Profile) -> Profile:
        """Return the profile of the rows that are in this one and not in ``other``, without moments.

        Raises
        ------
        ProfileError
            If the profiles are on different grids, or ``other`` holds rows that this one does not.
        """
        check_same_grid(self, other)
        counts = self.counts - other.counts
        if self.rows < other.rows or (counts < 0).any():
            raise ProfileError(
                f"profile: found {other.rows} rows to take away that are not all among its {self.rows}, "
                "expected a profile that was merged into it"
            )
        return Profile(grid_id=self.grid_id, rows=self.rows - other.rows, counts=counts, moments=None)

    def to_bytes(self) -> bytes:
        """Return the profile as compact, checksummed bytes, to be read back by :meth:`from_bytes`."""
        return encode_profile(self.grid_id, self.rows, self.counts, self.moments)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the profile that :meth:`to_bytes` wrote.

        Raises
        ------
        ProfileError
            If the bytes are something else, of another version, or damaged.
        """
        sparse = decode_profile(data)
        counts = np.zeros(sparse.cells, dtype=np.int64)
        counts[sparse.occupied] = sparse.counts
        return cls(grid_id=sparse.grid_id, rows=sparse.rows, counts=counts, moments=sparse.moments)

    @override
    def __eq__(self, other: object) -> bool:
        """Tell whether grid, rows, counts and moments are the same."""
        if not isinstance(other, Profile):
            return NotImplemented
        if self.moments is None or other.moments is None:
            same_moments = self.moments is other.moments
        else:
            same_moments = np.array_equal(self.moments, other.moments, equal_nan=True)
        return (
            same_moments
            and self.grid_id == other.grid_id
            and self.rows == other.rows
            and np.array_equal(self.counts, other.counts)
        )

    @override
    def __hash__(self) -> int:
        """Return a hash that equal profiles share."""
        return hash((self.grid_id, self.rows, self.counts.tobytes()))


def check_same_grid(one: Profile, other: Profile) -> None:
    """Refuse two profiles that were not counted on the same cells.

    Raises
    ------
    ProfileError
        If their grids differ.
    """
    if one.grid_id != other.grid_id or one.counts.shape != other.counts.shape:
        raise ProfileError(
            f"profiles: found grids {one.grid_id} and {other.grid_id}, expected the same",
            hint="A new baseline means a new grid: count the window again on it.",
        )


def empty_moments(features: int) -> Moments:
    """Return the moments of no rows, shape ``(features, 5)``."""
    return np.tile(NO_MOMENTS, (features, 1))


def merge_moments(parts: npt.NDArray[np.float64]) -> Moments:
    """Return the moments of all parts together.

    Parameters
    ----------
    parts
        Moments of disjoint rows, shape ``(parts, features, 5)``, at least one part.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque (1983). Algorithms for computing the sample variance. American Statistician.
    """
    count = parts[..., COUNT]
    total = count.sum(axis=0)
    some = np.where(total > 0, total, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float have no finite moments
        mean = (count * parts[..., MEAN]).sum(axis=0) / some
        m2 = (parts[..., M2] + count * (parts[..., MEAN] - mean) ** 2).sum(axis=0)
    return np.stack((total, mean, m2, parts[..., MINIMUM].min(axis=0), parts[..., MAXIMUM].max(axis=0)), axis=-1)


def joint_moments(one: Profile, other: Profile) -> Moments | None:
    """Return the moments of the rows of both, ``None`` where either does not know its own."""
    if one.moments is None or other.moments is None:
        return None
    return merge_moments(np.stack((one.moments, other.moments)))


def summary(moments: Sequence[float]) -> Summary | None:
    """Return one feature's moments by name, or ``None`` without finite values."""
    count = int(moments[COUNT])
    if not count:
        return None
    return Summary(
        count=count,
        mean=float(moments[MEAN]),
        variance=float(moments[M2]) / (count - 1) if count > 1 else 0.0,
        minimum=float(moments[MINIMUM]),
        maximum=float(moments[MAXIMUM]),
    )
