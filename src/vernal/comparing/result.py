"""What a comparison found: which features moved, how much, how sure that is, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from vernal.profile import Bar, FeatureComparison, FeatureKind

if TYPE_CHECKING:
    from rich.table import Table


class Verdict(StrEnum):
    """What is to be said of a feature."""

    DRIFTED = "drifted"
    STABLE = "stable"
    INSUFFICIENT = "insufficient"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a comparison: what it is called and how many rows it has."""

    name: str
    rows: int


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdicts are judged by; see :func:`vernal.compare`."""

    psi: float
    js: float
    ks: float | None
    false_discovery: float
    bins: int
    min_rows: int

    @property
    def level(self) -> float:
        """The false-discovery level of each family of tests: with ``ks`` there are two, which share what was asked."""
        return self.false_discovery if self.ks is None else self.false_discovery / 2


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A column of which nothing can be said, and why."""

    feature: str
    reason: str


class FeatureResult(msgspec.Struct, frozen=True, kw_only=True):
    """One feature: the verdict with its reason, every number behind it, and its distribution then and now.

    ``statistic`` is what decided (``psi``, ``js`` or ``ks``) and ``score`` its value; ``threshold`` is the limit asked
    for, ``critical`` what chance alone exceeds, at the level that controls false discoveries over all features,
    and ``adjusted_p`` the p-value after that control. They are ``None`` for a feature that has no rows on a side.
    ``data_type`` is the Arrow type of the current column.
    """

    feature: str
    kind: FeatureKind
    data_type: str
    verdict: Verdict
    reason: str
    statistic: str
    score: float | None
    threshold: float
    critical: float | None
    adjusted_p: float | None
    measured: FeatureComparison
    distribution: tuple[Bar, ...]

    @property
    def has_drifted(self) -> bool:
        """Whether the verdict is ``drifted``."""
        return self.verdict is Verdict.DRIFTED


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The result of :func:`vernal.compare`.

    ``features`` come in the order of the reference's columns. ``unknown`` lists the columns that were not compared,
    and ``notes`` says what else limits the result.
    """

    reference: Sample
    current: Sample
    limits: Limits
    features: tuple[FeatureResult, ...]
    unknown: tuple[Unknown, ...]
    notes: tuple[str, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the features that drifted, the one farthest above its threshold first."""
        found = [one for one in self.features if one.has_drifted and one.score is not None]
        return tuple(one.feature for one in sorted(found, key=_excess, reverse=True))

    @property
    def has_drifted(self) -> bool:
        """Whether any feature drifted."""
        return any(one.has_drifted for one in self.features)

    def __len__(self) -> int:
        return len(self.features)

    def __iter__(self) -> Iterator[FeatureResult]:
        return iter(self.features)

    def __getitem__(self, feature: str) -> FeatureResult:
        """Return the result of one feature.

        Raises
        ------
        KeyError
            If it was not compared; the message says why, where that is known.
        """
        for one in self.features:
            if one.feature == feature:
                return one
        for other in self.unknown:
            if other.feature == feature:
                raise KeyError(f"{feature}: was not compared: {other.reason}")
        raise KeyError(f"{feature}: no such column")

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values that JSON can hold; floats are finite or ``None``."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {**plain, "drifted": list(self.drifted)}

    def to_html(self) -> str:
        """Return a report as one HTML document that needs no network: verdicts, numbers, distributions then and now."""
        from vernal.comparing.report import render

        return render(self)

    def save_html(self, path: str | Path) -> Path:
        """Write the report of :meth:`to_html` to a file, and return its path.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        target = Path(path)
        target.write_text(self.to_html(), encoding="utf-8")
        return target

    @override
    def __repr__(self) -> str:
        from vernal.comparing.text import plain

        return plain(self)

    def __rich__(self) -> Table:
        from vernal.comparing.text import rich_table

        return rich_table(self)

    def _repr_html_(self) -> str:
        from vernal.comparing.report import fragment

        return fragment(self)


def _excess(result: FeatureResult) -> float:
    return (result.score or 0.0) / result.threshold
