"""A reference by the hour of the week, for windows that are no whole number of weeks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Self

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline
from vernal.profile.binning import Binning
from vernal.profile.columns import indices, taken
from vernal.profile.counts import Profile
from vernal.profile.dealing import dealt
from vernal.profile.encoding import WEEKLY, pack, seal, unpack, unseal
from vernal.profile.grid import CategoryGrid, Grid
from vernal.profile.hourly import profile_by_hour

HOURS: Final = 168
"""Hours of a week, counted from Thursday 0:00 UTC, when hours since 1970 begin."""

_Counts = npt.NDArray[np.int64]


class WeeklyCounts(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Rows of a reference per hour of the week.

    ``rows`` has shape ``(168,)``; ``counts`` holds each hour's rows per bin of the baseline's layout with 10 bins,
    shape ``(168, bins)``: as fine as the population stability index and the Jensen-Shannon distance look.
    """

    grid_id: str
    rows: _Counts
    counts: _Counts

    def of_hours(self, hours: Iterable[int], baseline: Baseline, binning: Binning) -> Profile:
        """Return the reference's rows of some hours of the week.

        Parameters
        ----------
        hours
            Hours since 1970 or any other multiple of a week before; an hour named twice counts twice.
        baseline, binning
            Whose grid the rows were counted on, and its layout with 10 bins.

        Returns
        -------
        Profile
            All rows of a bin are in its first cell, so that only distances over bins can be taken. Without moments.

        Raises
        ------
        ProfileError
            If the baseline or the layout is another one.
        """
        if not self.grid_id == baseline.grid_id == binning.grid_id or binning.bins.size != self.counts.shape[1]:
            raise ProfileError(f"hours of the week: found grid {self.grid_id}, expected that of {baseline.grid_id}")
        chosen = np.fromiter(hours, dtype=np.int64) % HOURS
        counts = np.zeros(baseline.width, dtype=np.int64)
        counts[binning.bins] = self.counts[chosen].sum(axis=0)
        return Profile(grid_id=baseline.grid_id, rows=int(self.rows[chosen].sum()), counts=counts, moments=None)

    def to_bytes(self) -> bytes:
        """Return the counts as compact, checksummed bytes, to be read back by :meth:`from_bytes`."""
        content = _Stored(grid_id=self.grid_id, rows=pack(self.rows), counts=pack(self.counts.reshape(-1)))
        return seal(WEEKLY, msgspec.msgpack.encode(content))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the counts that :meth:`to_bytes` wrote.

        Raises
        ------
        ProfileError
            If the bytes are something else, of another version, or damaged.
        """
        try:
            found = msgspec.msgpack.decode(unseal(WEEKLY, data), type=_Stored)
            rows, counts = unpack(found.rows), unpack(found.counts)
            return cls(grid_id=found.grid_id, rows=rows.reshape(HOURS), counts=counts.reshape(HOURS, -1))
        except (msgspec.MsgspecError, ValueError) as error:
            raise ProfileError(f"hours of the week: found content that does not decode ({error})") from None


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    grid_id: Annotated[str, msgspec.Meta(min_length=1)]
    rows: tuple[int, bytes]
    counts: tuple[int, bytes]


def count_weekly(baseline: Baseline, rows: pa.Table, hours: npt.ArrayLike) -> WeeklyCounts:
    """Count a reference by the hour of the week.

    Parameters
    ----------
    baseline
        Cut on these rows. Features that they lack, such as what a model answered, are counted as without rows.
    rows
        The rows that the baseline was cut on, in the same order.
    hours
        The hour of each row, in hours since 1970, shape ``(n,)``.

    Raises
    ------
    ProfileError
        If ``hours`` does not fit, or a feature has a type that cannot be counted as its kind.
    """
    week = np.asarray(hours, dtype=np.int64) % HOURS
    if week.shape != (rows.num_rows,):
        raise ProfileError(f"hours: found shape {week.shape}, expected ({rows.num_rows},), one per row")
    order = np.argsort(week, kind="stable")
    # Of a reference with rare categories only one half was counted, and so is here.
    half = order[dealt(0, week.size)[order] == 1]
    present = set(rows.column_names)
    parts = []
    for grid in baseline.grids:
        places = half if isinstance(grid, CategoryGrid) and grid.split else order
        column = rows.column(grid.name) if grid.name in present else None
        parts.append(_of_feature(baseline, grid, column, places, week))
    return WeeklyCounts(
        grid_id=baseline.grid_id, rows=np.bincount(week, minlength=HOURS), counts=np.concatenate(parts, axis=1)
    )


def _of_feature(baseline: Baseline, grid: Grid, column: Any, places: _Counts, week: _Counts) -> _Counts:  # noqa: ANN401 - pa.ChunkedArray or None
    """Return one feature's rows per hour of the week and bin."""
    alone = baseline.select([grid.name])
    bins = Binning.of(alone).bins
    counts = np.zeros((HOURS, bins.size), dtype=np.int64)
    if column is None:
        return counts
    batch = pa.Table.from_arrays([taken(column, indices(places))], names=[grid.name])
    for hour, profile in profile_by_hour(alone, batch, week[places]).items():
        counts[hour] = np.add.reduceat(profile.counts, bins)
    return counts


__all__ = ["HOURS", "WeeklyCounts", "count_weekly"]
