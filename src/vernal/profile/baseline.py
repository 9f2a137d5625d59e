"""The reference that windows are held against: grids cut on it, and its own counts on them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.columns import Counts
from vernal.profile.counts import Moments, Profile, Summary, empty_moments, merge_moments, summary
from vernal.profile.encoding import BASELINE, decode_profile, seal, unseal
from vernal.profile.grid import Grid, NumericalGrid, describe, restore


class Baseline(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Grids of all features, and the reference counted on them.

    ``grid_id`` is a digest of the grids: profiles go together when it is the same. ``offsets`` says where each
    feature's cells start in a profile's counts.
    """

    grids: tuple[Grid, ...]
    offsets: tuple[int, ...]
    grid_id: str
    reference: Profile

    MAGIC: ClassVar[bytes] = BASELINE
    """What stored baselines begin with."""

    @property
    def rows(self) -> int:
        """Rows of the reference."""
        return self.reference.rows

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in the order of their cells."""
        return tuple(grid.name for grid in self.grids)

    @property
    def width(self) -> int:
        """Number of cells of all features."""
        return sum(grid.width for grid in self.grids)

    @property
    def numerical(self) -> int:
        """Number of numerical features."""
        return sum(isinstance(grid, NumericalGrid) for grid in self.grids)

    def check(self, profile: Profile) -> None:
        """Refuse a profile that was not counted on these grids.

        Raises
        ------
        ProfileError
            If its grid is another one.
        """
        if profile.grid_id != self.grid_id or profile.counts.size != self.width:
            raise ProfileError(
                f"profile: found grid {profile.grid_id}, expected the baseline's {self.grid_id}",
                hint="A new baseline means a new grid: count the window again on it.",
            )

    def cells(self, profile: Profile, feature: str) -> Counts:
        """Return a profile's counts of one feature: intervals, non-finite, null; or categories, other, new, null.

        Raises
        ------
        ProfileError
            If the profile is on another grid or there is no such feature.
        """
        self.check(profile)
        place = self._place(feature)
        return profile.counts[self.offsets[place] : self.offsets[place] + self.grids[place].width]

    def summary(self, profile: Profile, feature: str) -> Summary | None:
        """Return a profile's moments of one feature; ``None`` if categorical, without values, or subtracted.

        Raises
        ------
        ProfileError
            If the profile is on another grid or there is no such feature.
        """
        self.check(profile)
        place = self._place(feature)
        if profile.moments is None or not isinstance(self.grids[place], NumericalGrid):
            return None
        return summary(profile.moments[self._row(place)].tolist())

    def select(self, features: Iterable[str]) -> Baseline:
        """Return the baseline of some of its features, in the order given.

        Raises
        ------
        ProfileError
            If there is no such feature, one is named twice, or none is named.
        """
        places = [self._place(feature) for feature in features]
        if not places or len(set(places)) < len(places):
            named = ", ".join(self.grids[place].name for place in places) or "none"
            raise ProfileError(f"features: found {named}, expected at least one, and each only once")
        if places == list(range(len(self.grids))):
            return self
        grids = tuple(self.grids[place] for place in places)
        grid_id = grid_digest(grids)
        moments = self.reference.moments
        if moments is not None:
            moments = moments[[self._row(place) for place in places if isinstance(self.grids[place], NumericalGrid)]]
        reference = Profile(
            grid_id=grid_id,
            rows=self.rows,
            counts=np.concatenate([self.cells(self.reference, grid.name) for grid in grids]),
            moments=moments,
        )
        return Baseline(grids=grids, offsets=offsets_of(grids), grid_id=grid_id, reference=reference)

    def beside(self, other: Baseline) -> Baseline:
        """Return the baseline of the features of both, whose references may have other rows.

        Its ``rows`` are this one's.

        Raises
        ------
        ProfileError
            If a feature is in both.
        """
        twice = sorted({*self.features} & {*other.features})
        if twice:
            raise ProfileError(f"features: found {', '.join(twice)} in both baselines, expected other names")
        grids = self.grids + other.grids
        grid_id = grid_digest(grids)
        one, two = self.reference, other.reference
        reference = Profile(
            grid_id=grid_id,
            rows=one.rows,
            counts=np.concatenate((one.counts, two.counts)),
            moments=None if one.moments is None or two.moments is None else np.concatenate((one.moments, two.moments)),
        )
        return Baseline(grids=grids, offsets=offsets_of(grids), grid_id=grid_id, reference=reference)

    def to_bytes(self) -> bytes:
        """Return the baseline as compact, checksummed bytes, to be read back by :meth:`from_bytes`."""
        content = {"grids": [describe(grid) for grid in self.grids], "reference": self.reference.to_bytes()}
        return seal(BASELINE, msgspec.msgpack.encode(content))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the baseline that :meth:`to_bytes` wrote.

        Raises
        ------
        ProfileError
            If the bytes are something else, of another version, or damaged.
        """
        try:
            content: dict[str, Any] = msgspec.msgpack.decode(unseal(BASELINE, data))
            grids = tuple(restore(described) for described in content["grids"])
            reference = Profile.from_bytes(content["reference"])
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise ProfileError(f"baseline: found content that does not decode ({error})") from None
        baseline = cls(grids=grids, offsets=offsets_of(grids), grid_id=grid_digest(grids), reference=reference)
        baseline.check(reference)
        return baseline

    def _row(self, place: int) -> int:
        """Return the row of the moments that belongs to a numerical feature."""
        return sum(isinstance(grid, NumericalGrid) for grid in self.grids[:place])

    def _place(self, feature: str) -> int:
        try:
            return self.features.index(feature)
        except ValueError:
            names = ", ".join(self.features)
            raise ProfileError(f"feature {feature}: found none of this name, expected one of {names}") from None


def offsets_of(grids: Iterable[Grid]) -> tuple[int, ...]:
    """Return where each grid's cells start when they lie one after another."""
    return tuple(itertools.accumulate((grid.width for grid in grids), initial=0))[:-1]


def grid_digest(grids: Iterable[Grid]) -> str:
    """Return the digest that names these grids."""
    digest = hashlib.blake2b(msgspec.msgpack.encode([describe(grid) for grid in grids]), digest_size=8)
    return digest.hexdigest()


def empty_profile(baseline: Baseline) -> Profile:
    """Return the profile of no rows, which changes nothing it is merged with."""
    return Profile(
        grid_id=baseline.grid_id,
        rows=0,
        counts=np.zeros(baseline.width, dtype=np.int64),
        moments=empty_moments(baseline.numerical),
    )


def merge_all(baseline: Baseline, blobs: Iterable[bytes]) -> Profile:
    """Return the profile of a window from the stored profiles of its hours, in one pass.

    Parameters
    ----------
    baseline
        The grids that all of them must be on.
    blobs
        What :meth:`Profile.to_bytes` wrote, in any order; none give the empty profile.

    Raises
    ------
    ProfileError
        If bytes are not those of a profile, are damaged, or are on another grid.
    """
    counts, rows, hours = np.zeros(baseline.width, dtype=np.int64), 0, 0
    moments: list[Moments] = [empty_moments(baseline.numerical)]
    for blob in blobs:  # one at a time: spread over all cells, the hours of a month would fill the memory
        hour = decode_profile(blob)
        if hour.grid_id != baseline.grid_id or hour.cells != baseline.width:
            raise ProfileError(
                f"profile: found grid {hour.grid_id}, expected the baseline's {baseline.grid_id}",
                hint="A new baseline means a new grid: count the window again on it.",
            )
        counts[hour.occupied] += hour.counts
        rows, hours = rows + hour.rows, hours + 1
        if hour.moments is not None:
            moments.append(hour.moments)
    known = len(moments) == hours + 1
    return Profile(
        grid_id=baseline.grid_id, rows=rows, counts=counts, moments=merge_moments(np.stack(moments)) if known else None
    )
