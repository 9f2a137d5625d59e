"""The law of a score without drift: chi-squared, scaled and shifted, a mixture of such, or the few values there are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from vernal.stats.arrays import Floats, Ints, check_level
from vernal.stats.special import gamma_isf, gamma_sf

ROUNDING = 1e-9
"""Relative difference up to which two scores are the same value of a score that takes few."""


class Null(msgspec.Struct, frozen=True, kw_only=True):
    """The law ``shift + scale * chi2(dof)`` of a score without drift.

    ``dof`` of 0 is a score that cannot be other than ``shift``. Where the law is exact instead, ``values`` are the
    scores that can be, rising, and ``tails`` the probabilities of at least each. Where it is a mixture, ``parts`` are
    the weight, shift and scale of each part, with one degree of freedom.
    """

    shift: float
    scale: float
    dof: float
    values: tuple[float, ...] = ()
    tails: tuple[float, ...] = ()
    parts: tuple[tuple[float, float, float], ...] = ()

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
        place = np.zeros(1, dtype=np.int64)
        if self.values:
            table = Table(places=place, values=np.array([self.values]), tails=np.array([self.tails]))
            return msgspec.structs.replace(laws, table=table)
        if self.parts:
            weights, shift, scale = np.array(self.parts).T[:, None]
            mixture = Mixture(places=place, weights=weights, shift=shift, scale=scale)
            return msgspec.structs.replace(laws, mixture=mixture)
        return laws


class Table(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Exact laws of scores that take few values.

    ``places`` are the scores that they belong to, shape ``(e,)``; ``values`` and ``tails`` have shape ``(e, w)``, the
    values rising and the tails being the probabilities of at least each.
    """

    places: Ints
    values: Floats
    tails: Floats

    @classmethod
    def joined(cls, tables: Sequence[Table]) -> Table:
        """Return all laws in one table; the shorter ones are lengthened by values that are always reached."""
        widest = max(table.values.shape[1] for table in tables)
        padding = [((0, 0), (widest - table.values.shape[1], 0)) for table in tables]
        both = list(zip(tables, padding, strict=True))
        values = [np.pad(table.values, missing) for table, missing in both]
        tails = [np.pad(table.tails, missing, constant_values=1.0) for table, missing in both]
        places = np.concatenate([table.places for table in tables])
        return cls(places=places, values=np.concatenate(values), tails=np.concatenate(tails))

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


class Mixture(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Laws of scores that are ``shift + scale * chi2(1)`` with a weight for each of their parts.

    ``places`` are the scores that they belong to, shape ``(e,)``; the others have shape ``(e, w)``, the weights of a
    score adding up to 1.
    """

    places: Ints
    weights: Floats
    shift: Floats
    scale: Floats

    def sf(self, score: Floats) -> Floats:
        """Return the probabilities of at least ``score``, shape ``(e,)``."""
        above = np.maximum(0.0, score[:, None] - self.shift)
        certain = self.scale <= 0
        tails = np.where(certain, above <= 0, gamma_sf(0.5, above / np.where(certain, 1.0, self.scale) / 2))
        mixed: Floats = np.minimum(1.0, (self.weights * tails).sum(axis=1))
        return mixed

    def quantile(self, alpha: float) -> Floats:
        """Return the scores exceeded with probability ``alpha``, shape ``(e,)``."""
        low: Floats = np.zeros(self.places.size)
        high: Floats = (self.shift + self.scale * 2 * gamma_isf([0.5], alpha)).max(axis=1)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            beyond = self.sf(middle) > alpha
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return high


_HALVINGS = 50


class Nulls(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The laws of many scores: :class:`Null` with arrays of shape ``(f,)``; NaN where there is none."""

    shift: Floats
    scale: Floats
    dof: Floats
    table: Table | None = None
    mixture: Mixture | None = None

    def at(self, index: int) -> Null:
        """Return the law of one score."""
        law = Null(shift=float(self.shift[index]), scale=float(self.scale[index]), dof=float(self.dof[index]))
        if self.table is not None and index in self.table.places:
            row = int(np.flatnonzero(self.table.places == index)[0])
            values, tails = tuple(self.table.values[row].tolist()), tuple(self.table.tails[row].tolist())
            return msgspec.structs.replace(law, values=values, tails=tails)
        if self.mixture is not None and index in self.mixture.places:
            row = int(np.flatnonzero(self.mixture.places == index)[0])
            numbers = (part[row].tolist() for part in (self.mixture.weights, self.mixture.shift, self.mixture.scale))
            return msgspec.structs.replace(law, parts=tuple(zip(*numbers, strict=True)))
        return law

    def replaced(self, index: Ints, others: Nulls) -> Nulls:
        """Return these laws with ``others`` in the places ``index``."""
        merged = [part.copy() for part in (self.shift, self.scale, self.dof)]
        for part, other in zip(merged, (others.shift, others.scale, others.dof), strict=True):
            part[index] = other
        return msgspec.structs.replace(self, shift=merged[0], scale=merged[1], dof=merged[2])

    def sf(self, score: Floats) -> Floats:
        """Return the probabilities of at least ``score`` without drift, shape ``(f,)``."""
        certain = self.dof == 0
        half = np.where(certain, 1.0, self.dof) / 2
        p: Floats = np.where(certain, 1.0, gamma_sf(half, np.maximum(0.0, (score - self.shift) / self.scale / 2)))
        if self.table is not None:
            p[self.table.places] = self.table.sf(score[self.table.places])
        if self.mixture is not None:
            p[self.mixture.places] = self.mixture.sf(score[self.mixture.places])
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
        if self.mixture is not None:
            quantile[self.mixture.places] = self.mixture.quantile(alpha)
        return quantile
