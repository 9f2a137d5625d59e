"""Boosted trees as plain arrays: to be kept, and asked without the library that grew them."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import numpy as np

from vernal.stats.arrays import Floats


class Trees(msgspec.Struct, frozen=True, kw_only=True):
    """Regression trees added up on a log scale.

    The nodes of all trees lie one after another, ``roots`` are the first of each. At an inner node a row goes to
    ``left`` if its ``feature`` is at most ``threshold``, or missing where ``missing_left`` says so, else to ``right``.
    A leaf has itself for both. Arrays are kept as bytes of little-endian numbers.
    """

    start: float
    roots: bytes
    feature: bytes
    threshold: bytes
    left: bytes
    right: bytes
    missing_left: bytes
    value: bytes
    depth: int

    @classmethod
    def of(cls, fitted: Any) -> Self:  # noqa: ANN401 - scikit-learn has no types
        """Return the trees of a histogram gradient boosting regressor with a log link, without categorical splits."""
        nodes = [tree.nodes for (tree,) in fitted._predictors]  # noqa: SLF001 - there is no public way to the trees
        sizes = np.array([len(one) for one in nodes])
        roots = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        every = np.concatenate(nodes)
        own, offset = np.arange(len(every)), np.repeat(roots, sizes)
        leaf = every["is_leaf"].astype(bool)
        return cls(
            start=float(np.ravel(fitted._baseline_prediction)[0]),  # noqa: SLF001 - as above
            roots=roots.astype("<i4").tobytes(),
            feature=np.where(leaf, 0, every["feature_idx"]).astype("<i2").tobytes(),
            threshold=np.where(leaf, 0.0, every["num_threshold"]).astype("<f8").tobytes(),
            left=np.where(leaf, own, every["left"] + offset).astype("<i4").tobytes(),
            right=np.where(leaf, own, every["right"] + offset).astype("<i4").tobytes(),
            missing_left=every["missing_go_to_left"].astype("u1").tobytes(),
            value=np.where(leaf, every["value"], 0.0).astype("<f8").tobytes(),
            depth=int(every["depth"].max()),
        )

    def predict(self, table: Floats) -> Floats:
        """Return the prediction for each row, shape ``(n, d)`` to ``(n,)``; NaN is a missing value."""
        feature, left, right = (
            np.frombuffer(data, kind) for data, kind in ((self.feature, "<i2"), (self.left, "<i4"), (self.right, "<i4"))
        )
        threshold, value = np.frombuffer(self.threshold, "<f8"), np.frombuffer(self.value, "<f8")
        missing_left = np.frombuffer(self.missing_left, "u1").astype(bool)
        rows, total = np.arange(len(table)), np.full(len(table), self.start)
        for root in np.frombuffer(self.roots, "<i4").tolist():
            node = np.full(len(table), root)
            for _ in range(self.depth):
                x = table[rows, feature[node]]
                goes_left = np.where(np.isnan(x), missing_left[node], x <= threshold[node])
                node = np.where(goes_left, left[node], right[node])
            total += value[node]
        predicted: Floats = np.exp(total)
        return predicted
