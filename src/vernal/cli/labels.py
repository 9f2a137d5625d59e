"""``vernal labels``: predictions drawn to be labelled, and the answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vernal.cli.family import family
from vernal.cli.ingest import read_rows, writer_of
from vernal.cli.moments import moment_of
from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output, warn
from vernal.cli.reporting import FAILED
from vernal.cli.text import moment

if TYPE_CHECKING:
    import pyarrow as pa

    from vernal.act.labelling import Drawn, Standing

RULES = ("random", "score", "uncertainty", "drift", "stratified")

Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Predictions made then or later; by default those that the live metric is measured on."
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Predictions made before then; a day alone stands for its end.")
]


def listed(model: Model, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """List the samples that were drawn, and how many of each have been answered. Changes nothing."""
    from vernal.act.labelling import standings
    from vernal.bootstrap import open_system

    output = Output(as_json=as_json)
    with open_system(project, read_only=True) as system:
        name = system.project.model(model).model
        found = standings(system, name)
    output.document({"model": name, "samples": [_standing(one) for one in found]})
    if not found:
        output.line(f"No sample of {name} yet. `vernal labels sample {name}` draws one.")
        return
    columns = ("sample", "drawn (UTC)", "by", "from (UTC)", "until (UTC)", "out of", "drawn", "answered", "missing")
    output.table(columns, [_row(one) for one in found])


def sample(  # noqa: PLR0913, PLR0917 - the options of a verb
    model: Model,
    picks: Annotated[int, typer.Option("--n", min=1, max=1_000_000, help="How many predictions to draw.")] = 200,
    rule: Annotated[
        str, typer.Option("--by", metavar="RULE", help=f"Which ones more often: {', '.join(RULES)}.")
    ] = "random",
    feature: Annotated[
        str | None, typer.Option("--strata", metavar="FEATURE", help="With `--by stratified`: as many of each value.")
    ] = None,
    since: Since = None,
    until: Until = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other predictions.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write them, .csv or .parquet; SAMPLE.csv here by default."),
    ] = None,
    again: Annotated[
        str | None, typer.Option(metavar="SAMPLE", help="Write the unanswered rows of an earlier sample; draw nothing.")
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Draw predictions to be labelled, and write them to a file whose column `label` is to be filled in.

    Every prediction without a true label has a known chance above 0, which is recorded: whatever the rule, metrics of
    the answers are weighted back to all predictions. None is drawn twice.
    """
    from vernal.act.labelling import default_span, draw_sample, drawn_again
    from vernal.bootstrap import open_system

    if rule not in RULES:
        raise typer.BadParameter(f"found {rule!r}, expected one of {', '.join(RULES)}", param_hint="--by")
    if (feature is not None) != (rule == "stratified"):
        raise typer.BadParameter("goes with --by stratified, and that with it", param_hint="--strata")
    start = moment_of(since, option="--since", end_of_day=False)
    end = moment_of(until, option="--until", end_of_day=True)
    output = Output(as_json=as_json)
    with open_system(project) as system:
        spec = system.project.model(model)
        if out is not None:
            _check_writable(out)
        usual = default_span(spec, system.clock.now())
        if again is not None:
            drawn = drawn_again(system, spec, again)
        else:
            span = {"start": start or usual[0], "end": end or usual[1]}
            drawn = draw_sample(system, spec, picks=picks, rule=rule, feature=feature, seed=seed, **span)
    path = _written(drawn, out or Path(f"{drawn.draw}.csv"))
    output.document({"model": spec.model, **_drawn(drawn), "file": str(path)})
    rows = f"{drawn.rows.num_rows} of {drawn.population} predictions"
    output.line(f"{drawn.draw}: {rows} made from {moment(drawn.start)} to {moment(drawn.end)} UTC, by {drawn.rule}")
    output.line(f"Fill in the column label of {path}, then: vernal labels import {spec.model} {path}")


def import_(
    model: Model,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The file of a sample with its labels."),
    ],
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Take in the answers to samples: a file with `prediction_id` and `label`, of one sample or several.

    Rows without a label are left for later. Ids that were never drawn, and labels that are none, go to the quarantine.
    Exits with 1 if the file had answers and none could be used.
    """
    from vernal.act.labelling import standings, take_answers
    from vernal.bootstrap import open_system

    output = Output(as_json=as_json)
    with open_system(project) as system:
        spec = system.project.model(model)
        before = system.lake.version(spec.model, "labels"), system.lake.version(spec.model, "quarantine")
        taken = take_answers(system, spec, read_rows(file, spec), writer=f"answers:{writer_of(file)}")
        after = system.lake.version(spec.model, "labels"), system.lake.version(spec.model, "quarantine")
        known = before == after and bool(taken.accepted or taken.quarantined)
        found = standings(system, spec.model)
    output.document(
        {
            "model": spec.model,
            "file": str(file),
            **taken._asdict(),
            "known": known,
            "samples": [_standing(one) for one in found],
        }
    )
    if known:
        output.line(f"{file} was taken in before; nothing has changed")
    else:
        refused = f", {taken.quarantined} quarantined" if taken.quarantined else ""
        output.line(f"{taken.accepted} answers taken in, {taken.unanswered} rows without a label{refused}")
    for one in found:
        missing = one.picks - one.answered - one.by_itself
        output.line(f"{one.draw}: {one.answered} of {one.picks} answered, {missing} missing")
    if not as_json and not known:
        for reason in taken.reasons:
            warn(f"Quarantined: {reason}")
    if taken.quarantined and not taken.accepted:
        raise typer.Exit(FAILED)


labels = family(
    {"list": listed, "sample": sample, "import": import_},
    about="Predictions drawn to be labelled, and the answers: `list MODEL` (or only MODEL), `sample`, `import`.",
)


def _check_writable(path: Path) -> None:
    from vernal.errors import ProjectError

    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise typer.BadParameter(f"found {path.name}, expected a name in .csv or .parquet", param_hint="--out")
    if path.exists():
        raise ProjectError(f"{path}: exists already", hint="Name another file with --out.")
    if not path.resolve().parent.is_dir():
        raise ProjectError(f"{path}: found no folder {path.resolve().parent}", hint="Make it, or name another file.")


def _written(drawn: Drawn, path: Path) -> Path:
    """Write a sample's file, complete or not at all; the sample itself is recorded and can be written again."""
    from vernal.errors import ProjectError

    aside = path.with_name(f".{path.name}.aside")
    try:
        _check_writable(path)
        _write(drawn.rows, aside, csv=path.suffix.lower() == ".csv")
        aside.rename(path)
    except (OSError, ProjectError) as error:
        told = error.message if isinstance(error, ProjectError) else f"{path}: cannot be written: {error}"
        hint = f"The sample is recorded: `vernal labels sample ... --again {drawn.draw} --out FILE` writes it."
        raise ProjectError(told, hint=hint) from error
    finally:
        aside.unlink(missing_ok=True)
    return path


def _write(rows: pa.Table, path: Path, *, csv: bool) -> None:
    if csv:
        from pyarrow import csv as arrow_csv

        arrow_csv.write_csv(rows, path)
    else:
        from pyarrow import parquet

        parquet.write_table(rows, path)


def _drawn(drawn: Drawn) -> dict[str, Any]:
    return {
        "sample": drawn.draw,
        "by": drawn.rule,
        "seed": drawn.seed,
        "drawn": drawn.rows.num_rows,
        "population": drawn.population,
        "since": drawn.start,
        "until": drawn.end,
    }


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "sample": one.draw,
        "at": one.drawn_at,
        "by": one.rule,
        "seed": one.seed,
        "drawn": one.picks,
        "population": one.population,
        "since": one.start,
        "until": one.end,
        "answered": one.answered,
        "labelled_otherwise": one.by_itself,
    }


def _row(one: Standing) -> list[str]:
    return [
        one.draw,
        moment(one.drawn_at),
        one.rule,
        moment(one.start),
        moment(one.end),
        str(one.population),
        str(one.picks),
        f"{one.answered} ({one.answered / one.picks:.0%})",
        str(one.picks - one.answered - one.by_itself),
    ]
