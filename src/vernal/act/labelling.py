"""Sampled ground truth: predictions drawn to be labelled, each with its chance, and the answers that come back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vernal.act.canonical import as_texts
from vernal.act.ingest import enter
from vernal.act.refused import Why, texts
from vernal.act.screening import Findings, Screened, screen
from vernal.errors import LakeError, SampleError
from vernal.observe.columns import column_of, first_match, floats, keep, strings_equal, take, to_micros
from vernal.observe.performance import DEFAULT_WINDOW
from vernal.observe.sampling import frame, wanted
from vernal.records import Labels, Predictions, Samples
from vernal.stats.sampling import inclusion_chances, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vernal.act.system import System
    from vernal.spec import ModelSpec

UNKNOWN = f"{Samples.ID}: was never drawn by `vernal labels sample`"
TWICE = f"{Samples.ID}: occurs twice in this file"

_TIME = pa.timestamp("us", tz="UTC")


class Drawn(NamedTuple):
    """A sample with the rows of its file: ids, times, chances, an empty ``label``, and the features."""

    draw: str
    rule: str
    seed: int
    start: datetime
    end: datetime
    population: int
    rows: pa.Table


class Standing(NamedTuple):
    """How far a sample has been answered."""

    draw: str
    drawn_at: datetime
    rule: str
    seed: int
    start: datetime
    end: datetime
    population: int
    picks: int
    answered: int
    by_itself: int


class Taken(NamedTuple):
    """What became of a file of answers; ``reasons`` say why rows were refused."""

    accepted: int
    unanswered: int
    quarantined: int
    reasons: tuple[str, ...]


def default_span(spec: ModelSpec, now: datetime) -> tuple[datetime, datetime]:
    """Return the stretch that the live metric is measured on now."""
    trigger = spec.triggers.performance
    end = now - spec.label_delay
    return end - (DEFAULT_WINDOW if trigger is None else trigger.window), end


def draw_sample(
    system: System,
    spec: ModelSpec,
    *,
    picks: int,
    rule: str,
    feature: str | None,
    start: datetime,
    end: datetime,
    seed: int,
) -> Drawn:
    """Draw predictions of ``[start, end)`` to be labelled, and record them with their chances.

    Only answered predictions without a true label, and none that was drawn before. The same seed on the same lake draws
    the same ones.

    Raises
    ------
    SampleError
        If there are none to draw from, or the rule cannot be applied.
    LakeError
        If the sample cannot be recorded, or another one was recorded at the same moment.
    """
    now = system.clock.now()
    end = min(end, now)  # predictions that are still to come are not among those that were drawn from
    found = frame(system.lake, spec, start=start, end=end, as_of=now)
    if not found.rows.num_rows:
        span = f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        raise SampleError(
            f"{spec.model}: found no answered prediction without a true label {span} that was not drawn before",
            hint="Name another stretch with --since and --until.",
        )
    champion = system.store.model(spec.model).champion if rule == "drift" else None
    baseline = None if champion is None else system.store.baseline(spec.model, champion.version)
    sizes, strata = wanted(found.rows, spec, rule, baseline=baseline, feature=feature)
    chances = inclusion_chances(sizes, picks)
    number = len(standings(system, spec.model)) + 1
    chosen = pick(chances, np.random.default_rng([seed, number]), groups=strata)
    rows = take(found.rows, chosen)
    name = f"{spec.model}-sample-{number}"
    how = rule if feature is None else f"{rule} by {feature}"
    drawn = Drawn(name, how, seed, start, end, found.rows.num_rows, _file_of(spec, rows, chances[chosen]))
    _record(system, spec.model, drawn, rows, chances[chosen], now)
    return drawn


def drawn_again(system: System, spec: ModelSpec, name: str) -> Drawn:
    """Return a sample that was drawn before, with the rows that have no true label yet.

    Raises
    ------
    SampleError
        If there is no such sample.
    """
    table = system.lake.scan(spec.model, "samples")
    mine = keep(table, strings_equal(table[Samples.DRAW], name)) if table.num_rows else table
    if not mine.num_rows:
        known = ", ".join(one.draw for one in standings(system, spec.model)) or "none so far"
        raise SampleError(f"{spec.model}: found no sample {name}, expected one of {known}")
    first = mine.slice(0, 1).to_pylist()[0]
    labels = _labels(system, spec.model)
    true = keep(labels, ~strings_equal(labels[Labels.SOURCE], Labels.PROXY)) if labels.num_rows else labels
    mine = keep(mine, first_match(mine[Samples.ID], true[Labels.ID]) < 0) if true.num_rows else mine
    columns = (Predictions.ID, Predictions.EVENT_TIME, *spec.features.names)
    span = {"start": first[Samples.START], "end": first[Samples.END]}
    predictions = system.lake.scan(spec.model, "predictions", columns=columns, **span)
    rows = take(predictions, first_match(mine[Samples.ID], predictions[Predictions.ID]))
    return Drawn(
        name,
        first[Samples.RULE],
        int(first[Samples.SEED]),
        first[Samples.START],
        first[Samples.END],
        int(first[Samples.POPULATION]),
        _file_of(spec, rows, floats(mine[Samples.INCLUSION])),
    )


def standings(system: System, model: str) -> tuple[Standing, ...]:
    """Return every sample of a model, oldest first, and how far it has been answered."""
    table = system.lake.scan(model, "samples")
    if not table.num_rows:
        return ()
    labels = _labels(system, model)
    asked = _has(table, labels, only=Labels.SAMPLED)
    alone = _has(table, labels, without=(Labels.SAMPLED, Labels.PROXY))
    names = np.array(table[Samples.DRAW].to_pylist())
    found = []
    for name in dict.fromkeys(names.tolist()):
        mine = names == name
        first = keep(table, mine).slice(0, 1).to_pylist()[0]
        found.append(
            Standing(
                draw=name,
                drawn_at=first[Samples.DRAWN_AT],
                rule=first[Samples.RULE],
                seed=int(first[Samples.SEED]),
                start=first[Samples.START],
                end=first[Samples.END],
                population=int(first[Samples.POPULATION]),
                picks=int(mine.sum()),
                answered=int((asked & mine).sum()),
                by_itself=int((alone & ~asked & mine).sum()),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.drawn_at, one.draw)))


def take_answers(system: System, spec: ModelSpec, rows: pa.Table, *, writer: str) -> Taken:
    """Bring answers to samples into the lake as true labels that stand for others.

    Rows with an empty label are unanswered and may come later. Ids that were never drawn, and the second row of an id,
    go to the quarantine; so does what no label can be.

    Parameters
    ----------
    rows
        At least ``prediction_id`` and ``label``; ``arrival_time`` if the answers were known before now.
    writer
        Name of the file: the same one again changes nothing.

    Raises
    ------
    LakeError
        If a column is missing, or the lake cannot be written.
    """
    missing = [name for name in (Labels.ID, Labels.LABEL) if name not in rows.column_names]
    if missing:
        found = ", ".join(rows.column_names) or "none"
        raise LakeError(
            f"answers: found the columns {found}, expected {' and '.join(missing)} too",
            hint="Fill in the column `label` of the file that `vernal labels sample` wrote.",
        )
    now, lake, model = system.clock.now(), system.lake, spec.model
    ids = pa.chunked_array([as_texts(rows[Labels.ID].combine_chunks(), Labels.ID)])
    rows = rows.set_column(rows.column_names.index(Labels.ID), Labels.ID, ids)
    empty = _empty(rows[Labels.LABEL])
    places = np.flatnonzero(~empty)
    rows = keep(rows, ~empty)
    samples = lake.scan(model, "samples", columns=(Samples.ID, Samples.EVENT_TIME))
    drawn = first_match(rows[Labels.ID], samples[Samples.ID]) if samples.num_rows else np.full(rows.num_rows, -1)
    repeated = first_match(rows[Labels.ID], rows[Labels.ID]) != np.arange(rows.num_rows)
    bad = (drawn < 0) | repeated
    whys = tuple(Why(rule, rule) for rule in np.where(drawn < 0, UNKNOWN, TWICE)[bad].tolist())
    if whys:
        refused = Screened(pa.table({}), keep(rows, bad), whys, places[bad], Findings({}, {}))
        enter(lake, model, "labels", refused, writer=f"{writer}:strangers", sequence=1, now=now)
    known = keep(rows, ~bad)
    names = [name for name in (Labels.ID, Labels.LABEL, Labels.ARRIVAL_TIME) if name in known.column_names]
    answers = known.select(names)
    if samples.num_rows:
        answers = answers.append_column(Labels.EVENT_TIME, take(samples, drawn[~bad])[Samples.EVENT_TIME])
        answers = answers.append_column(Labels.SOURCE, texts([Labels.SAMPLED] * answers.num_rows))
    screened = screen("labels", answers, features=spec.features.kinds, task=spec.task, now=now, quality=spec.quality)
    enter(lake, model, "labels", screened, writer=writer, sequence=1, now=now)
    reasons = dict.fromkeys(why.rule for why in (*whys, *screened.whys))
    return Taken(screened.rows.num_rows, int(empty.sum()), len(whys) + len(screened.whys), tuple(reasons))


def _record(
    system: System, model: str, drawn: Drawn, rows: pa.Table, chances: NDArray[np.float64], now: datetime
) -> None:
    count = rows.num_rows
    same = {Samples.DRAW: drawn.draw, Samples.RULE: drawn.rule}
    numbers = {Samples.POPULATION: drawn.population, Samples.PICKS: count, Samples.SEED: drawn.seed}
    moments = {Samples.DRAWN_AT: now, Samples.START: drawn.start, Samples.END: drawn.end}
    table = pa.table(
        {
            Samples.ID: rows[Predictions.ID],
            Samples.EVENT_TIME: rows[Predictions.EVENT_TIME],
            Samples.INCLUSION: column_of(chances),
            **{name: texts([text] * count) for name, text in same.items()},
            **{name: column_of(np.full(count, number, dtype=np.float64)) for name, number in numbers.items()},
            **{name: _moments(moment, count) for name, moment in moments.items()},
        }
    )
    # Whoever draws at the same moment names the sample alike; the later one finds that its rows are not in the table.
    system.lake.append(model, "samples", table, writer=drawn.draw, sequence=1)
    stored = system.lake.scan(model, "samples", columns=(Samples.ID, Samples.DRAW))
    mine = keep(stored, strings_equal(stored[Samples.DRAW], drawn.draw))
    if (first_match(table[Samples.ID], mine[Samples.ID]) < 0).any():
        raise LakeError(f"{model}: another sample was drawn at the same moment", hint="Draw again.")


def _file_of(spec: ModelSpec, rows: pa.Table, chances: NDArray[np.float64]) -> pa.Table:
    """Return the rows for whoever labels them: without the model's answer, which would lead them."""
    columns = {
        Labels.ID: rows[Predictions.ID],
        Labels.LABEL: pa.nulls(rows.num_rows, pa.string() if spec.task == "multiclass" else pa.float64()),
        Labels.EVENT_TIME: rows[Predictions.EVENT_TIME],
        Samples.INCLUSION: column_of(chances),
    }
    # A feature may be named like the chance, which is kept in the lake anyway.
    return pa.table({**columns, **{name: rows[name] for name in spec.features.names}})


def _labels(system: System, model: str) -> pa.Table:
    return system.lake.scan(model, "labels", columns=(Labels.ID, Labels.SOURCE))


def _has(
    table: pa.Table, labels: pa.Table, *, only: str | None = None, without: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Tell which drawn rows have a label, of one source or of none of some."""
    if not labels.num_rows:
        return np.zeros(table.num_rows, dtype=np.bool_)
    wanted_ones = np.ones(labels.num_rows, dtype=np.bool_)
    if only is not None:
        wanted_ones &= strings_equal(labels[Labels.SOURCE], only)
    for source in without:
        wanted_ones &= ~strings_equal(labels[Labels.SOURCE], source)
    return np.asarray(first_match(table[Samples.ID], keep(labels, wanted_ones)[Labels.ID]) >= 0, dtype=np.bool_)


def _empty(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell which labels were left empty; NaN, which data frames write there, is empty too."""
    return np.array([value in (None, "") or value != value for value in column.to_pylist()], dtype=np.bool_)  # noqa: PLR0124


def _moments(moment: datetime, count: int) -> pa.Array:
    same = np.full(count, to_micros(moment), dtype=np.int64)
    return pa.Array.from_buffers(_TIME, count, [None, pa.py_buffer(same.tobytes())])
