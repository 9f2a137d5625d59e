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

    ``source`` is ``true``, or none, for the truth, ``proxy`` for what only stands in for it, and ``sampled`` for the
    truth about a prediction that was drawn to be labelled.
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
    SAMPLED: Final = "sampled"


class Quarantine:
    """Columns of the ``quarantine`` table: one row for each row that was refused.

    ``entry`` names the refused row: its table, its batch and its place there. ``rule`` is what it broke and ``reason``
    the same with what was found. ``row`` is the row as it came, in JSON; ``schema`` its Arrow schema, kept with the
    first row of each batch. ``event_time`` is when it was refused.
    """

    ID: Final = "prediction_id"
    KIND: Final = "kind"
    RULE: Final = "rule"
    REASON: Final = "reason"
    ROW: Final = "row"
    SCHEMA: Final = "schema"
    BATCH: Final = "batch"
    ENTRY: Final = "entry"
    EVENT_TIME: Final = "event_time"

    ALL: Final = (ID, KIND, RULE, REASON, ROW, SCHEMA, BATCH, ENTRY, EVENT_TIME)


class Resolutions:
    """Columns of the ``resolutions`` table: what became of refused rows later, by whom, when and why.

    ``outcome`` is ``replayed`` (in the lake now), ``present`` (its like was in the lake already) or ``discarded``.
    """

    ENTRY: Final = "entry"
    OUTCOME: Final = "outcome"
    ACTOR: Final = "actor"
    NOTE: Final = "note"
    EVENT_TIME: Final = "event_time"

    ALL: Final = (ENTRY, OUTCOME, ACTOR, NOTE, EVENT_TIME)


class Samples:
    """Columns of the ``samples`` table: predictions that were drawn to be labelled, once each.

    ``event_time`` is the prediction's. ``inclusion`` is the chance with which it was drawn out of ``population``
    predictions made in ``[frame_start, frame_end)`` that had no true label and had not been drawn before; ``picks`` of
    them were. ``rule`` and ``seed`` say how.
    """

    ID: Final = "prediction_id"
    EVENT_TIME: Final = "event_time"
    DRAW: Final = "draw"
    DRAWN_AT: Final = "drawn_at"
    INCLUSION: Final = "inclusion"
    POPULATION: Final = "population"
    PICKS: Final = "picks"
    START: Final = "frame_start"
    END: Final = "frame_end"
    RULE: Final = "rule"
    SEED: Final = "seed"
    DAY: Final = "day"

    ALL: Final = (ID, EVENT_TIME, DRAW, DRAWN_AT, INCLUSION, POPULATION, PICKS, START, END, RULE, SEED, DAY)
