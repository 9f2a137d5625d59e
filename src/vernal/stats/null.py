"""The law that a score follows when nothing has drifted: chi-squared, scaled and shifted."""

from __future__ import annotations

import msgspec
import numpy as np

from vernal.stats.arrays import Floats, Ints, check_level


class Null(msgspec.Struct, frozen=True, kw_only=True):
    """The law ``shift + scale * chi2(dof)`` of a score without drift.

    ``dof`` of 0 is a score that cannot be other than ``shift``.
    """

    shift: float
    scale: float
    dof: float

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
        return Nulls(shift=np.array([self.shift]), scale=np.array([self.scale]), dof=np.array([self.dof]))


class Nulls(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The laws of many scores: :class:`Null` with arrays of shape ``(f,)``; NaN where there is none."""

    shift: Floats
    scale: Floats
    dof: Floats

    def at(self, index: int) -> Null:
        """Return the law of one score."""
        return Null(shift=float(self.shift[index]), scale=float(self.scale[index]), dof=float(self.dof[index]))

    def replaced(self, index: Ints, others: Nulls) -> Nulls:
        """Return these laws with ``others`` in the places ``index``."""
        merged = [part.copy() for part in (self.shift, self.scale, self.dof)]
        for part, other in zip(merged, (others.shift, others.scale, others.dof), strict=True):
            part[index] = other
        return Nulls(shift=merged[0], scale=merged[1], dof=merged[2])

    def sf(self, score: Floats) -> Floats:
        """Return the probabilities of at least ``score`` without drift, shape ``(f,)``."""
        from scipy.special import gammaincc

        certain = self.dof == 0
        half = np.where(certain, 1.0, self.dof) / 2
        return np.where(certain, 1.0, gammaincc(half, np.maximum(0.0, (score - self.shift) / self.scale / 2)))

    def quantile(self, alpha: float) -> Floats:
        """Return the scores exceeded with probability ``alpha`` without drift, shape ``(f,)``.

        Raises
        ------
        SampleError
            If ``alpha`` is not between 0 and 1.
        """
        from scipy.special import gammainccinv

        check_level("alpha", alpha)
        certain = self.dof == 0
        half = np.where(certain, 1.0, self.dof) / 2
        return np.where(certain, self.shift, np.maximum(0.0, self.shift + self.scale * 2 * gammainccinv(half, alpha)))
