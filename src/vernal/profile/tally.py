"""Rows per category of a column, counted chunk by chunk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from vernal.profile.columns import Counts, encoded, labels_of
from vernal.profile.dealing import dealt


class _Part(NamedTuple):
    dictionary: pa.Array
    rows: Counts


class Tally:
    """Rows per distinct value, kept apart for each dictionary until they are taken.

    Looking categories up costs more than counting them; so it is done for many chunks at once, and chunks that share
    their dictionary, as most of one file do, are added up before.

    Parameters
    ----------
    feature
        For messages.
    split
        Whether rows are dealt to two parts, each counted for itself.
    """

    def __init__(self, feature: str, *, split: bool = False) -> None:
        self._feature = feature
        self._split = split
        self._parts = 2 if split else 1
        self._counted: list[_Part] = []
        self._rows = 0
        self.waiting = 0
        self.nulls = np.zeros(self._parts, np.int64)
        """Rows without a category so far, shape ``(parts,)``."""

    def add(self, chunk: pa.Array) -> None:
        """Count a chunk.

        Raises
        ------
        ProfileError
            If the column has values without a written form.
        """
        codes, dictionary = encoded(self._feature, chunk)
        if self._split:
            cells = 2 * codes
            cells += dealt(self._rows, codes.size)
            rows = np.bincount(cells + 2, minlength=2 * len(dictionary) + 2).reshape(-1, 2)
        else:
            rows = np.bincount(codes + 1, minlength=len(dictionary) + 1).reshape(-1, 1)
        self._rows += codes.size
        self.nulls += rows[0]
        if self._counted and _same(self._counted[-1].dictionary, dictionary):
            self._counted[-1].rows[:] += rows[1:]
        else:
            self._counted.append(_Part(dictionary, rows[1:].astype(np.int64)))
            self.waiting += len(dictionary)

    def take(self) -> tuple[pa.Array, Counts]:
        """Return what was counted since the last time.

        Returns
        -------
        labels, rows
            Labels as ``large_string``, some of which may be null or repeated; rows of shape ``(labels, parts)``.

        Raises
        ------
        ProfileError
            If values have no written form.
        """
        labels = [labels_of(self._feature, one.dictionary) for one in self._counted]
        rows = [one.rows for one in self._counted]
        self._counted, self.waiting = [], 0
        joined = pa.concat_arrays(labels) if labels else pa.nulls(0, pa.large_string())
        return joined, np.concatenate([np.empty((0, self._parts), np.int64), *rows])


def _same(one: pa.Array, other: pa.Array) -> bool:
    return len(one) == len(other) and one.type == other.type and bool(one.equals(other))
