"""Things that go wrong in production but not in training.

``worse-model``: the first challenger of the year that passes the offline gates is installed on serving hosts whose
wrapper reads the wrong column of the class probabilities, so it calls late what the model means to be on time. The
gates score the model itself and see nothing of it. The champion, on the same requests, is fine. Only what the
challenger answers changes: all decisions are the production code's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from vernal.ports import ModelLoader, Predictor, RegisteredVersion


class _Misinstalled:
    """A binary predictor behind a wrapper that takes one class for the other."""

    def __init__(self, inner: Predictor) -> None:
        self._inner = inner

    def predict(self, features: pd.DataFrame) -> tuple[Sequence[object], Sequence[float] | None]:
        predictions, scores = self._inner.predict(features)
        other = [float(prediction != 1) for prediction in predictions]
        return other, None if scores is None else [1.0 - score for score in scores]


def misinstall(load: ModelLoader, *, is_victim: Callable[[str], bool]) -> ModelLoader:
    """Return a loader that installs the chosen versions badly."""

    def loader(version: RegisteredVersion) -> Predictor:
        predictor = load(version)
        return _Misinstalled(predictor) if is_victim(version.version) else predictor

    return loader
