"""Everything that production is held against: what a model was trained on, and how it answered then."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import numpy as np

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline
from vernal.profile.counts import Profile
from vernal.profile.encoding import BASELINE, REFERENCE, seal, unseal
from vernal.profile.weekly import WeeklyCounts
from vernal.records import Measure


class Reference(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is kept of a model version to hold production against.

    ``features`` is the baseline of the rows it was trained on, ``weekly`` the same rows by the hour of the week,
    ``labels`` the baseline of their labels, and ``answers`` that of what it answered on its holdout. ``holdout`` is its
    metric there, and ``estimator`` what :mod:`vernal.observe.estimated` fitted to it. Whatever an older Vernal did not
    keep is ``None``.
    """

    features: Baseline
    answers: Baseline | None = None
    weekly: WeeklyCounts | None = None
    labels: Baseline | None = None
    holdout: Measure | None = None
    estimator: bytes | None = None

    def joint(self) -> Baseline:
        """Return the baseline that production is counted on: the features, and then the answers."""
        return self.features if self.answers is None else self.features.beside(self.answers)

    def join(self, features: Profile | None, answers: Profile | None, *, joint: Baseline) -> Profile:
        """Return the profile on the joint baseline of rows counted on either; ``None`` is none of them.

        ``rows`` of the result are those of the features. It is without moments.
        """
        counts = np.zeros(joint.width, dtype=np.int64)
        if features is not None:
            counts[: self.features.width] = features.counts
        if answers is not None:
            counts[self.features.width :] = answers.counts
        rows = 0 if features is None else features.rows
        return Profile(grid_id=joint.grid_id, rows=rows, counts=counts, moments=None)

    def parted(self, profile: Profile) -> tuple[Profile, Profile | None]:
        """Return the parts of a profile on the joint baseline: on the features, and on the answers."""
        width = self.features.width
        features = Profile(
            grid_id=self.features.grid_id, rows=profile.rows, counts=profile.counts[:width], moments=None
        )
        if self.answers is None:
            return features, None
        counts = profile.counts[width:]
        rows = int(counts[: self.answers.grids[0].width].sum())  # every row is in some cell of the first answer
        return features, Profile(grid_id=self.answers.grid_id, rows=rows, counts=counts, moments=None)

    def to_bytes(self) -> bytes:
        """Return the reference as compact, checksummed bytes, to be read back by :meth:`from_bytes`."""
        content = {
            "features": self.features.to_bytes(),
            "answers": None if self.answers is None else self.answers.to_bytes(),
            "weekly": None if self.weekly is None else self.weekly.to_bytes(),
            "labels": None if self.labels is None else self.labels.to_bytes(),
            "holdout": None if self.holdout is None else self.holdout.to_json(),
            "estimator": self.estimator,
        }
        return seal(REFERENCE, msgspec.msgpack.encode(content))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the reference that :meth:`to_bytes` wrote, or that has nothing but a stored baseline.

        Raises
        ------
        ProfileError
            If the bytes are something else, of another version, or damaged.
        """
        if data.startswith(BASELINE):
            return cls(features=Baseline.from_bytes(data))
        try:
            content: dict[str, Any] = msgspec.msgpack.decode(unseal(REFERENCE, data))
            answers, weekly, labels = content["answers"], content["weekly"], content["labels"]
            holdout = content.get("holdout")
            return cls(
                features=Baseline.from_bytes(content["features"]),
                answers=None if answers is None else Baseline.from_bytes(answers),
                weekly=None if weekly is None else WeeklyCounts.from_bytes(weekly),
                labels=None if labels is None else Baseline.from_bytes(labels),
                holdout=None if holdout is None else Measure.from_json(holdout),
                estimator=content.get("estimator"),
            )
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise ProfileError(f"reference: found content that does not decode ({error})") from None


__all__ = ["Reference"]
