"""The law that a score follows when nothing has drifted: chi-squared, scaled and shifted, or a table of its values."""

from __future__ import annotations

import msgspec
import numpy as np

from vernal.stats.arrays import Floats, Ints, check_level
from vernal.stats.special import gamma_isf, gamma_sf

ROUNDING = 1e-9
"""Relative difference up to which two scores are the same value of a score that takes few."""


class Null(msgspec.Struct, frozen=True, kw_only=True):
    """The law ``shift + scale * chi2(dof)`` of a score without drift.

    ``dof`` of 0 is a score that cannot be other than ``shift``. Where the law is exact instead, ``values`` are the
    scores that can be, rising, and ``tails`` the probabilities of at least each.
    """

    shift: float
    scale: float
    dof: float
    values: tuple[float, ...] = ()
    tails: tuple[float, ...] = ()

    def sf(self, score: float) -> float:
        """Return the probability of at least ``score`` without drift."""
        return float(self._alone().sf(np.array([score]))[0])

    def quantile(self, alpha: float) -> float:
        """Return the score exceeded with probability ``alpha`` without drift.

        Raises
        ------
        SampleError
            If ``alpha`` is not between 0 and 1.
        """
        return float(self._alone().quantile(alpha)[0])

    def _alone(self) -> Nulls:
        laws = Nulls(shift=np.array([self.shift]), scale=np.array([self.scale]), dof=np.array([self.dof]))
        if not self.values:
            return laws
        table = Table(places=np.zeros(1, dtype=np.int64), values=np.array([self.values]), tails=np.array([self.tails]))
        return msgspec.structs.replace(laws, table=table)


class Table(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Exact laws of scores that take few values.

    ``places`` are the scores that they belong to, shape ``(e,)``; ``values`` and ``tails`` have shape ``(e, w)``, the
    values rising and the tails being the probabilities of at least each.
    """

    places: Ints
    values: Floats
    tails: Floats

    def sf(self, score: Floats) -> Floats:
        """Return the probabilities of at least ``score``, shape ``(e,)``."""
        below = (self.values < score[:, None] * (1 - ROUNDING)).sum(axis=1)
        beyond = np.zeros((below.size, 1))
        tails: Floats = np.concatenate((self.tails, beyond), axis=1)[np.arange(below.size), below]
        return tails

    def quantile(self, alpha: float) -> Floats:
        """Return the largest values reached with probability above ``alpha``, shape ``(e,)``: beyond, p <= alpha."""
        reached = (self.tails > alpha).sum(axis=1) - 1
        values: Floats = self.values[np.arange(reached.size), reached] * (1 + ROUNDING)
        return values


class Nulls(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The laws of many scores: :class:`Null` with arrays of shape ``(f,)``; NaN where there is none."""

    shift: Floats
    scale: Floats
    dof: Floats
    table: Table | None = None

    def at(self, index: int) -> Null:
        """Return the law of one score."""
        law = Null(shift=float(self.shift[index]), scale=float(self.scale[index]), dof=float(self.dof[index]))
        if self.table is None or index not in self.table.places:
            return law
        row = int(np.flatnonzero(self.table.places == index)[0])
        values, tails = tuple(self.table.values[row].tolist()), tuple(self.table.tails[row].tolist())
        return msgspec.structs.replace(law, values=values, tails=tails)

    def replaced(self, index: Ints, others: Nulls) -> Nulls:
        """Return these laws with ``others`` in the places ``index``."""
        merged = [part.copy() for part in (self.shift, self.scale, self.dof)]
        for part, other in zip(merged, (others.shift, others.scale, others.dof), strict=True):
            part[index] = other
        return Nulls(shift=merged[0], scale=merged[1], dof=merged[2], table=self.table)

    def sf(self, score: Floats) -> Floats:
        """Return the probabilities of at least ``score`` without drift, shape ``(f,)``."""
        certain = self.dof == 0
        half = np.where(certain, 1.0, self.dof) / 2
        p: Floats = np.where(certain, 1.0, gamma_sf(half, np.maximum(0.0, (score - self.shift) / self.scale / 2)))
        if self.table is not None:
            p[self.table.places] = self.table.sf(score[self.table.places])
        return p

    def quantile(self, alpha: float) -> Floats:
        """Return the scores exceeded with probability ``alpha`` without drift, shape ``(f,)``.

        Raises
        ------
        SampleError
            If ``alpha`` is not between 0 and 1.
        """
        check_level("alpha", alpha)
        certain = self.dof == 0
        half = np.where(certain, 1.0, self.dof) / 2
        beyond = np.maximum(0.0, self.shift + self.scale * 2 * gamma_isf(half, alpha))
        quantile: Floats = np.where(certain, self.shift, beyond)
        if self.table is not None:
            quantile[self.table.places] = self.table.quantile(alpha)
        return quantile
