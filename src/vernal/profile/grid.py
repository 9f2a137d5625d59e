"""What is counted: the cells of a feature, cut once on the reference and then fixed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.profile.columns import Codes, Numbers

QUANTILES: Final = 320
"""Reference quantiles of a numerical grid: a multiple of 10, so that bins of a tenth are exact."""

TOP_CATEGORIES: Final = 1000
"""Most categories that are counted one by one; the rarer ones of the reference are counted together."""

VOCABULARY: Final = 200_000
"""Categories of the reference that are known by name."""

_TAIL = 0.5 ** np.arange(1, 11) / QUANTILES
"""Shares beyond further edges in either tail, where a single interval would be as wide as all others together."""

_LEVELS = np.sort(np.concatenate((np.arange(1, QUANTILES) / QUANTILES, _TAIL, 1 - _TAIL)))

Edges = npt.NDArray[np.float64]


class FeatureKind(StrEnum):
    """How a feature's values are compared."""

    NUMERICAL = "numerical"
    CATEGORICAL = "categorical"


class NumericalGrid(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Cells of a numerical feature: right-closed intervals between edges, then non-finite values, then nulls.

    The first and the last interval lie outside the range of the reference. A value that holds many rows has an
    interval of its own. ``narrow`` says that the reference was in single precision, in which values are then compared.
    Without any finite value in the reference there are no edges and one interval.
    """

    name: str
    edges: Edges
    narrow: bool = False

    kind: ClassVar[FeatureKind] = FeatureKind.NUMERICAL

    @property
    def intervals(self) -> int:
        """Number of intervals."""
        return self.edges.size + 1

    @property
    def width(self) -> int:
        """Number of cells."""
        return self.intervals + 2

    @property
    def points(self) -> npt.NDArray[np.bool_]:
        """Whether each interval holds a single value, shape ``(intervals,)``."""
        edges = self.edges.astype(np.float32) if self.narrow else self.edges
        single = np.zeros(self.intervals, dtype=np.bool_)
        single[1:-1] = np.nextafter(edges[:-1], edges.dtype.type(np.inf)) == edges[1:]
        return single


class CategoryGrid(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Cells of a categorical feature: the top categories, then other, new and null.

    ``vocabulary`` (Arrow ``large_string``) holds the categories of the reference, the ``top`` most frequent first, so
    that a rare category is told from a new one. ``split`` says that half of the reference's rows chose the vocabulary
    and only the other half was counted, so that the reference too has rows whose category is new. Unless the
    vocabulary is ``complete`` it holds only the most frequent of very many.
    """

    name: str
    vocabulary: pa.Array
    top: int
    complete: bool = True
    split: bool = False

    kind: ClassVar[FeatureKind] = FeatureKind.CATEGORICAL

    @property
    def other(self) -> int:
        """Cell of the rarer categories of the reference."""
        return self.top

    @property
    def new(self) -> int:
        """Cell of the categories that the vocabulary lacks."""
        return self.top + 1

    @property
    def width(self) -> int:
        """Number of cells."""
        return self.top + 3

    def cells(self, places: Codes) -> Codes:
        """Return the cells of places in the vocabulary, where -1 is not in it and -2 is null."""
        cells = np.minimum(places, self.other)
        cells[places == -1] = self.new
        cells[places == -2] = self.width - 1  # noqa: PLR2004 - named in the docstring
        return cells


Grid = NumericalGrid | CategoryGrid


def cut(name: str, ordered: Numbers, *, narrow: bool) -> NumericalGrid:
    """Return the grid of a numerical feature.

    Parameters
    ----------
    name
        The feature.
    ordered
        Finite values of the reference (all, or an even sample with the extremes) in rising order, shape ``(n,)``.
    narrow
        Whether the reference is in single precision.

    Returns
    -------
    NumericalGrid
        At most ``QUANTILES`` intervals of about equal mass, the outermost divided further, two outside the range, and
        two for each repeated quantile.
    """
    if not ordered.size:
        return NumericalGrid(name=name, edges=np.empty(0), narrow=narrow)
    ranks = np.ceil(_LEVELS * ordered.size).astype(np.int64) - 1
    precision = np.dtype(np.float32 if narrow else np.float64)
    inner, repeats = np.unique(ordered[np.clip(ranks, 0, ordered.size - 1)].astype(precision), return_counts=True)
    least, most = ordered[:1].astype(precision), ordered[-1:].astype(precision)
    atoms = np.concatenate((inner[repeats > 1], least))
    with np.errstate(over="ignore"):  # under the least of all numbers lies minus infinity, which is an edge like others
        below = np.nextafter(atoms, precision.type(-np.inf))  # an edge under an atom gives it an interval of its own
    edges = np.unique(np.concatenate((inner, below, most))).astype(np.float64)
    return NumericalGrid(name=name, edges=edges + 0.0, narrow=narrow)  # there are two zeros, and one grid


def describe(grid: Grid) -> dict[str, Any]:
    """Return a grid as plain values, byte for byte the same for the same grid."""
    if isinstance(grid, NumericalGrid):
        return {"name": grid.name, "narrow": grid.narrow, "edges": grid.edges.tobytes()}
    described = {"name": grid.name, "top": grid.top, **_text(grid.vocabulary)}
    unusual = {"complete": grid.complete, "split": grid.split}
    return described if grid.complete and not grid.split else {**described, **unusual}


def _text(vocabulary: pa.Array) -> dict[str, bytes]:
    """Return where each string ends and all of them joined, for equal arrays the same whatever else is in memory."""
    _, ends, text = vocabulary.buffers()
    if ends is None or not len(vocabulary):
        return {"ends": b"", "text": b""}
    places = np.frombuffer(ends, dtype=np.int64, count=len(vocabulary) + 1, offset=8 * vocabulary.offset)
    joined = b"" if text is None else text.slice(places[0], places[-1] - places[0]).to_pybytes()
    return {"ends": (places - places[0]).tobytes(), "text": joined}


def restore(described: dict[str, Any]) -> Grid:
    """Return the grid that :func:`describe` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is no description of a grid.
    """
    if not isinstance(described["name"], str):
        raise TypeError(f"a feature named {described['name']!r}")
    if "edges" in described:
        edges = np.frombuffer(described["edges"], dtype=np.float64)
        return NumericalGrid(name=described["name"], edges=edges, narrow=described["narrow"])
    size = max(0, len(described["ends"]) // 8 - 1)
    buffers = [None, pa.py_buffer(described["ends"]), pa.py_buffer(described["text"])]
    vocabulary = pa.Array.from_buffers(pa.large_string(), size, buffers)
    vocabulary.validate(full=True)
    if not 0 <= described["top"] <= size:
        raise ValueError(f"{described['top']} top categories of {size}")
    return CategoryGrid(
        name=described["name"],
        vocabulary=vocabulary,
        top=described["top"],
        complete=described.get("complete", True),
        split=described.get("split", False),
    )
