"""Everything that production is held against: what a model was trained on, and how it answered then."""

from __future__ import annotations

from typing import Any, Self

import msgspec

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline
from vernal.profile.encoding import BASELINE, REFERENCE, seal, unseal
from vernal.profile.weekly import WeeklyCounts


class Reference(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is kept of a model version to hold production against.

    ``baseline`` has the model's features, counted on its training rows, and then what it ``answered``, counted on its
    holdout; ``weekly`` are the training rows by the hour of the week, and ``labels`` is the baseline of their labels.
    Whatever an older Vernal did not keep is ``None``.
    """

    baseline: Baseline
    answered: tuple[str, ...] = ()
    weekly: WeeklyCounts | None = None
    labels: Baseline | None = None

    def to_bytes(self) -> bytes:
        """Return the reference as compact, checksummed bytes, to be read back by :meth:`from_bytes`."""
        content = {
            "baseline": self.baseline.to_bytes(),
            "answered": self.answered,
            "weekly": None if self.weekly is None else self.weekly.to_bytes(),
            "labels": None if self.labels is None else self.labels.to_bytes(),
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
            return cls(baseline=Baseline.from_bytes(data))
        try:
            content: dict[str, Any] = msgspec.msgpack.decode(unseal(REFERENCE, data))
            weekly, labels = content["weekly"], content["labels"]
            return cls(
                baseline=Baseline.from_bytes(content["baseline"]),
                answered=tuple(content["answered"]),
                weekly=None if weekly is None else WeeklyCounts.from_bytes(weekly),
                labels=None if labels is None else Baseline.from_bytes(labels),
            )
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            raise ProfileError(f"reference: found content that does not decode ({error})") from None


__all__ = ["Reference"]
