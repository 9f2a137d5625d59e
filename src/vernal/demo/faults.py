"""Things that go wrong in production but not in training.

``worse-model``: the first challenger of the year that passes the offline gates is installed on serving hosts with two
faults that no offline test sees. The hosts' clock is in UTC, so it reads departure times four to five hours late, and
their weather feed is down. The champion on the same requests is fine. Only what the challenger is handed changes: all
decisions are the production code's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from vernal.ports import ModelLoader, Predictor, RegisteredVersion

UTC_SHIFT_MINUTES = 300
DAY_MINUTES = 24 * 60
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")


class _Misinstalled:
    """A predictor on a host with the wrong clock and no weather feed."""

    def __init__(self, inner: Predictor) -> None:
        self._inner = inner

    def predict(self, features: pd.DataFrame) -> tuple[Sequence[object], Sequence[float] | None]:
        return self._inner.predict(misread(features))


def misread(features: pd.DataFrame) -> pd.DataFrame:
    """Return the features as the badly installed host computes them."""
    seen = features.copy()
    seen["sched_min"] = (seen["sched_min"] + UTC_SHIFT_MINUTES) % DAY_MINUTES
    for name in WEATHER:
        if name in seen:
            seen[name] = float("nan")
    return seen


def misinstall(load: ModelLoader, *, is_victim: Callable[[str], bool]) -> ModelLoader:
    """Return a loader that installs the chosen versions badly."""

    def loader(version: RegisteredVersion) -> Predictor:
        predictor = load(version)
        return _Misinstalled(predictor) if is_victim(version.version) else predictor

    return loader
