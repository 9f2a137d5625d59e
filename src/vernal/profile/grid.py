"""What is counted: the cells of a feature, cut once on the reference and then fixed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.profile.columns import Codes, Numbers, strings

QUANTILES: Final = 320
"""Reference quantiles of a numerical grid: a multiple of 10, so that bins of a tenth are exact."""

TOP_CATEGORIES: Final = 1000
"""Categories counted one by one; the rarer ones of the reference are counted together."""

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

    ``vocabulary`` (Arrow ``large_string``) holds every category of the reference, the ``top`` most frequent first, so
    that a rare category is told from one never seen.
    """

    name: str
    vocabulary: pa.Array
    top: int

    kind: ClassVar[FeatureKind] = FeatureKind.CATEGORICAL

    @property
    def other(self) -> int:
        """Cell of the rarer categories of the reference."""
        return self.top

    @property
    def new(self) -> int:
        """Cell of the categories that the reference does not have."""
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


def cut(name: str, values: Numbers) -> NumericalGrid:
    """Return the grid of a numerical feature.

    Parameters
    ----------
    name
        The feature.
    values
        The reference's values without nulls, in any order, shape ``(n,)``; non-finite ones are left out.

    Returns
    -------
    NumericalGrid
        At most ``QUANTILES`` intervals of about equal mass, two outside the range, and two for each repeated quantile.
    """
    narrow = values.dtype in {np.dtype(np.float32), np.dtype(np.float16)}
    finite = np.sort(values[np.isfinite(values)] if values.dtype.kind == "f" else values)
    if not finite.size:
        return NumericalGrid(name=name, edges=np.empty(0), narrow=narrow)
    precise = finite.astype(np.float32 if narrow else np.float64)
    ranks = np.ceil(np.arange(1, QUANTILES) / QUANTILES * finite.size).astype(np.int64) - 1
    inner, repeats = np.unique(precise[np.clip(ranks, 0, finite.size - 1)], return_counts=True)
    atoms = np.concatenate((inner[repeats > 1], precise[:1]))
    below = np.nextafter(atoms, precise.dtype.type(-np.inf))  # an edge under an atom gives it an interval of its own
    edges = np.unique(np.concatenate((inner, below, precise[-1:])))
    return NumericalGrid(name=name, edges=edges[np.isfinite(edges)].astype(np.float64), narrow=narrow)


def rank(name: str, counted: dict[str, int]) -> CategoryGrid:
    """Return the grid of a categorical feature from the reference's counts.

    Parameters
    ----------
    name
        The feature.
    counted
        Rows per category. Equal counts are ordered by the category, so the grid does not hang on the order of rows.
    """
    ordered = sorted(counted, key=lambda category: (-counted[category], category))
    return CategoryGrid(name=name, vocabulary=strings(ordered), top=min(len(ordered), TOP_CATEGORIES))


def describe(grid: Grid) -> dict[str, Any]:
    """Return a grid as plain values, byte for byte the same for the same grid."""
    if isinstance(grid, NumericalGrid):
        return {"name": grid.name, "narrow": grid.narrow, "edges": grid.edges.tobytes()}
    ends, text = grid.vocabulary.buffers()[1:]
    return {
        "name": grid.name,
        "top": grid.top,
        "ends": b"" if ends is None else ends.to_pybytes(),
        "text": b"" if text is None else text.to_pybytes(),
    }


def restore(described: dict[str, Any]) -> Grid:
    """Return the grid that :func:`describe` described.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is no description of a grid.
    """
    if "edges" in described:
        edges = np.frombuffer(described["edges"], dtype=np.float64)
        return NumericalGrid(name=described["name"], edges=edges, narrow=described["narrow"])
    size = len(described["ends"]) // 8 - 1
    buffers = [None, pa.py_buffer(described["ends"]), pa.py_buffer(described["text"])]
    vocabulary = pa.Array.from_buffers(pa.large_string(), size, buffers)
    vocabulary.validate(full=True)
    return CategoryGrid(name=described["name"], vocabulary=vocabulary, top=described["top"])
