"""Answering requests by the route: the assigned model answers, in a paired rollout the other one scores beside it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from vernal.act.canonical import UnfitError, as_numbers, as_texts
from vernal.decide.routing import gets_challenger
from vernal.errors import UserCodeError, VernalError
from vernal.records import Predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import pandas as pd

    from vernal.ports import ModelLoader, Predictor, Registry
    from vernal.records import Route
    from vernal.spec import ModelSpec

log = logging.getLogger(__name__)

TIME = pa.timestamp("us", tz="UTC")


class Requests(NamedTuple):
    """Requests to answer, one per row: raw inputs, ids, entities for sticky assignment and event times."""

    rows: pd.DataFrame
    ids: Sequence[str]
    entities: Sequence[str]
    event_times: Sequence[datetime]


class _Answer(NamedTuple):
    version: str
    predictions: Sequence[object]
    scores: Sequence[float] | None


class Server:
    """Serves one model in batches, keeping loaded versions in memory.

    A version that was loaded goes on serving whatever happens to its artefact, the registry or the store. A
    challenger that cannot be loaded, raises, or answers nonsense is answered for by the champion; its silence is
    logged with the row and counts against it.

    Parameters
    ----------
    features
        The user's feature function: raw rows in, one row of features per request out.
    """

    def __init__(
        self,
        spec: ModelSpec,
        *,
        features: Callable[[pd.DataFrame], pd.DataFrame],
        registry: Registry,
        loader: ModelLoader,
    ) -> None:
        self._spec = spec
        self._features = features
        self._registry = registry
        self._loader = loader
        self._loaded: dict[str, Predictor] = {}

    def answer(self, requests: Requests, route: Route | None, *, received: datetime | None = None) -> pa.Table:
        """Return the prediction log of some requests: who answered what, and the features as they were served.

        Without a route nobody answers yet: only the features are logged, so that a first model can be trained on
        them. ``received`` is when the requests came in; by default each came in at its event time.

        Raises
        ------
        VernalError
            If the champion cannot answer, or the user's function does not return the features of the requests.
        """
        features = self._featured(requests.rows)
        count = len(features)
        log_columns: dict[str, pa.Array] = {
            Predictions.ID: pa.array(requests.ids, pa.string()),
            Predictions.ENTITY: pa.array(requests.entities, pa.string()),
            Predictions.EVENT_TIME: pa.array(requests.event_times, TIME),
            Predictions.RECEIVED_TIME: pa.array([received] * count if received else requests.event_times, TIME),
        }
        log_columns |= self._answers(features, requests.entities, route)
        for name in self._spec.features.numerical:
            log_columns[name] = self._logged_numbers(features[name])
        for name in self._spec.features.categorical:
            log_columns[name] = self._logged_texts(features[name])
        return pa.table(log_columns)

    def _featured(self, rows: pd.DataFrame) -> pd.DataFrame:
        subject, names = f"{self._spec.model}: `features`", self._spec.features.names
        try:
            features = self._features(rows)
            found = [str(name) for name in features.columns]
        except VernalError:
            raise
        except Exception as error:  # the user's function may raise and return anything
            expected = f"expected a data frame with the columns {', '.join(names)}"
            raise UserCodeError(f"{subject} raised {type(error).__name__}: {error}; {expected}") from error
        wrong = [name for name in names if found.count(name) != 1]
        if wrong:
            raise UserCodeError(f"{subject} returned {', '.join(found)}; expected {', '.join(wrong)} once each")
        if len(features) != len(rows):
            raise UserCodeError(f"{subject} returned {len(features)} rows for {len(rows)} requests, expected as many")
        return features

    def _logged_numbers(self, column: pd.Series[Any]) -> pa.Array:
        raw = self._logged(column, "numbers")
        if pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type):
            raise self._illegible(column, "texts", "numbers")
        return self._canonical(lambda: as_numbers(raw, str(column.name))[0])

    def _logged_texts(self, column: pd.Series[Any]) -> pa.Array:
        raw = self._logged(column, "texts")
        return self._canonical(lambda: as_texts(raw, str(column.name)))

    def _logged(self, column: pd.Series[Any], expected: str) -> pa.Array:
        """Return a column as Arrow sees it, in one piece."""
        try:
            raw = pa.array(column, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise self._illegible(column, f"a mixture ({error})", expected) from error
        raw = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
        return raw.dictionary_decode() if pa.types.is_dictionary(raw.type) else raw

    def _canonical(self, convert: Callable[[], pa.Array]) -> pa.Array:
        try:
            return convert()
        except UnfitError as error:
            raise UserCodeError(f"{self._spec.model}: `features` returned {error}") from error

    def _illegible(self, column: pd.Series[Any], found: str, expected: str) -> UserCodeError:
        return UserCodeError(f"{self._spec.model}: `features` returned {found} in {column.name}, expected {expected}")

    def _answers(self, features: pd.DataFrame, entities: Sequence[str], route: Route | None) -> dict[str, pa.Array]:
        count = len(features)
        if route is None:
            return _columns([None] * count, [None] * count, None, [None] * count, None)
        champion = self._ask(route.champion, features)
        if route.challenger is None:
            return _columns([route.champion] * count, ["champion"] * count, champion, [None] * count, None)
        wanted = [gets_challenger(route.salt, entity, route.share) for entity in entities]
        challenger = self._ask_challenger(route.challenger, features)
        if challenger is None:
            # The champion answers for everybody; naming the silent challenger beside it is what the rollout counts.
            others: list[str | None] = [route.challenger] * count
            return _columns([route.champion] * count, ["champion"] * count, champion, others, None)
        served = [route.challenger if hit else route.champion for hit in wanted]
        beside = [route.champion if hit else route.challenger for hit in wanted] if route.paired else [None] * count
        roles = ["challenger" if hit else "champion" for hit in wanted]
        return _columns(served, roles, _mix(wanted, challenger, champion), beside, _mix(wanted, champion, challenger))

    def _ask(self, version: str, features: pd.DataFrame) -> _Answer:
        if version not in self._loaded:
            self._loaded[version] = self._loader(self._registry.fetch(self._spec.model, version))
        return _Answer(version, *self._loaded[version].predict(features))

    def _ask_challenger(self, version: str, features: pd.DataFrame) -> _Answer | None:
        try:
            return self._ask(version, features)
        except Exception as error:  # noqa: BLE001 - whatever a challenger does, the champion answers
            reason = error if isinstance(error, VernalError) else f"{type(error).__name__}: {error}"
            log.warning("%s: challenger %s gave no answer: %s", self._spec.model, version, reason)
            return None


def _mix(wanted: Sequence[bool], first: _Answer, second: _Answer) -> _Answer:
    """Take the first answer where wanted, the second elsewhere."""
    pairs = zip(wanted, first.predictions, second.predictions, strict=True)
    predictions = [mine if hit else other for hit, mine, other in pairs]
    if first.scores is None or second.scores is None:
        return _Answer("", predictions, None)
    scores = [mine if hit else other for hit, mine, other in zip(wanted, first.scores, second.scores, strict=True)]
    return _Answer("", predictions, scores)


def _columns(
    versions: Sequence[str | None],
    roles: Sequence[str | None],
    answer: _Answer | None,
    others: Sequence[str | None],
    beside: _Answer | None,
) -> dict[str, pa.Array]:
    return {
        Predictions.VERSION: pa.array(versions, pa.string()),
        Predictions.ROLE: pa.array(roles, pa.string()),
        Predictions.PREDICTION: _predictions(answer, len(versions)),
        Predictions.SCORE: _scores(answer, len(versions)),
        Predictions.OTHER_VERSION: pa.array(others, pa.string()),
        Predictions.OTHER_PREDICTION: _predictions(beside, len(versions)),
        Predictions.OTHER_SCORE: _scores(beside, len(versions)),
    }


def _predictions(answer: _Answer | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.float64()) if answer is None else pa.array(list(answer.predictions))


def _scores(answer: _Answer | None, count: int) -> pa.Array:
    if answer is None or answer.scores is None:
        return pa.nulls(count, pa.float64())
    return pa.array(list(answer.scores), pa.float64())
