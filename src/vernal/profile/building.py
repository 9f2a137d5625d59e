"""Cutting a baseline from a reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from vernal.errors import ProfileError
from vernal.profile.baseline import Baseline, empty_profile, grid_digest, offsets_of
from vernal.profile.columns import Numbers, categories, column_of, numbers
from vernal.profile.counting import profile_batch
from vernal.profile.counts import Profile
from vernal.profile.grid import FeatureKind, Grid, NumericalGrid, cut, rank


def build_baseline(data: pa.Table | Iterable[pa.RecordBatch], features: Mapping[str, FeatureKind]) -> Baseline:
    """Cut the grids of all features on a reference and count it on them.

    Parameters
    ----------
    data
        The reference, as a table or in batches (which are kept until the end); other columns are ignored.
    features
        The features to watch and how each is compared.

    Returns
    -------
    Baseline
        A feature without any value in the reference has cells for values and nulls all the same.

    Raises
    ------
    ProfileError
        If there are no rows or no features, or a feature is missing or has a type that cannot be counted as its kind.

    Examples
    --------
    >>> table = pa.table({"delay": pa.array([1.0, 2.0, 2.5, None])})
    >>> baseline = build_baseline(table, {"delay": FeatureKind.NUMERICAL})
    >>> baseline.rows, baseline.summary(baseline.reference, "delay").maximum
    (4, 2.5)
    """
    batches = data.to_batches() if isinstance(data, pa.Table) else list(data)
    if not features:
        raise ProfileError("baseline: found no features, expected at least one to watch")
    if not sum(batch.num_rows for batch in batches):
        raise ProfileError("baseline: found no reference rows, expected at least 1")
    grids = tuple(_grid(name, FeatureKind(kind), batches) for name, kind in features.items())
    unfilled = _on(grids)
    reference = empty_profile(unfilled)
    for batch in batches:
        reference = reference.merge(profile_batch(unfilled, batch))
    return _on(grids, reference)


def _on(grids: tuple[Grid, ...], reference: Profile | None = None) -> Baseline:
    grid_id = grid_digest(grids)
    nothing = Profile(grid_id=grid_id, rows=0, counts=np.empty(0, dtype=np.int64), moments=None)
    return Baseline(grids=grids, offsets=offsets_of(grids), grid_id=grid_id, reference=reference or nothing)


def _grid(name: str, kind: FeatureKind, batches: list[pa.RecordBatch]) -> Grid:
    columns = (column_of(batch, name) for batch in batches)
    if kind is FeatureKind.NUMERICAL:
        return _numerical(name, columns)
    counted: dict[str, int] = {}
    for column in columns:
        codes, labels = categories(name, column)
        rows = np.bincount(codes + 1, minlength=len(labels) + 1)[1:]
        for label, count in zip(labels.to_pylist(), rows.tolist(), strict=True):
            if label is not None and count:
                counted[label] = counted.get(label, 0) + count
    return rank(name, counted)


def _numerical(name: str, columns: Iterable[pa.Array]) -> NumericalGrid:
    parts: list[Numbers] = []
    for column in columns:
        values, valid = numbers(name, column)
        parts.append(values if valid is None else values[valid])
    return cut(name, np.concatenate(parts))
