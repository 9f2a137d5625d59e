"""Who answers: champions, routes and the columns of the lake's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vernal.records.base import Record


class Champion(Record, frozen=True, kw_only=True):
    """The model version that production trusts, since when and through which run.

    ``importances`` is each feature's share of the importance of all, at least 0 and 1 in sum; ``None`` while unknown.
    """

    model: str
    version: str
    since: datetime
    run_id: str | None
    previous: str | None = None
    importances: dict[str, float] | None = None


class Route(Record, frozen=True, kw_only=True):
    """How requests of a model are shared out.

    ``share`` is the challenger's part of the entities, 0 to 1. ``salt`` makes the assignment of this rollout
    independent of every other one. ``paired`` asks the model that does not answer to score too.
    """

    model: str
    champion: str
    challenger: str | None = None
    share: float = 0.0
    salt: str = ""
    paired: bool = False
    updated_at: datetime


class Predictions:
    """Columns of the ``predictions`` table; the feature columns of the model follow them."""

    ID: Final = "prediction_id"
    VERSION: Final = "model_version"
    ROLE: Final = "role"
    ENTITY: Final = "entity"
    EVENT_TIME: Final = "event_time"
    RECEIVED_TIME: Final = "received_time"
    PREDICTION: Final = "prediction"
    SCORE: Final = "score"
    OTHER_VERSION: Final = "other_version"
    OTHER_PREDICTION: Final = "other_prediction"
    OTHER_SCORE: Final = "other_score"
    DAY: Final = "day"

    ALL: Final = (
        ID,
        VERSION,
        ROLE,
        ENTITY,
        EVENT_TIME,
        RECEIVED_TIME,
        PREDICTION,
        SCORE,
        OTHER_VERSION,
        OTHER_PREDICTION,
        OTHER_SCORE,
        DAY,
    )


class Labels:
    """Columns of the ``labels`` table.

    ``source`` is ``true``, or none, for the truth, and :data:`PROXY` for what only stands in for it.
    """

    ID: Final = "prediction_id"
    LABEL: Final = "label"
    EVENT_TIME: Final = "event_time"
    ARRIVAL_TIME: Final = "arrival_time"
    SOURCE: Final = "source"
    DAY: Final = "day"

    ALL: Final = (ID, LABEL, EVENT_TIME, ARRIVAL_TIME, SOURCE, DAY)

    TRUE: Final = "true"
    PROXY: Final = "proxy"
