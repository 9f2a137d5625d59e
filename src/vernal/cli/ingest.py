"""``vernal ingest``: files of predictions and labels, into the lake."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from vernal.cli.options import AsJson, Model, ProjectFolder
from vernal.cli.output import Output, warn
from vernal.cli.quality import remarks
from vernal.cli.reporting import FAILED

if TYPE_CHECKING:
    import pyarrow as pa

    from vernal.act.system import System
    from vernal.spec import ModelSpec

ROWS_PER_BATCH = 250_000
"""Rows appended in one commit of the lake."""


class _Taken(NamedTuple):
    """What became of one file."""

    kind: str
    file: Path
    accepted: int
    quarantined: int
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    known: bool


def ingest(
    model: Model,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Parquet or CSV: prediction_id, event_time, features."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Parquet or CSV: prediction_id, label, event_time."
        ),
    ] = None,
    as_json: AsJson = False,
    project: ProjectFolder = None,
) -> None:
    """Take a file of predictions, of labels, or one of each into the lake.

    Rows that cannot be used are kept in quarantine with the reason. The same file again changes nothing. Exits with 1
    if a file had rows and none could be used.
    """
    from vernal.bootstrap import open_system

    if predictions is None and labels is None:
        raise typer.BadParameter("name a file with --predictions, --labels, or one with each")
    output = Output(as_json=as_json)
    with open_system(project) as system:
        spec = system.project.model(model)
        files = (("predictions", predictions), ("labels", labels))
        taken = [_take_in(system, spec, kind, path) for kind, path in files if path is not None]
    output.document({"model": model, **{one.kind: _as_dict(one) for one in taken}})
    for one in taken:
        output.line(f"{one.kind}: {_told(one)}")
    if not as_json:
        for one in taken:
            for reason in one.reasons:
                warn(f"Quarantined {one.kind}: {reason}")
            for remark in one.remarks:
                warn(f"Note on {one.kind}: {remark}")
    if any(one.quarantined and not one.accepted for one in taken):
        raise typer.Exit(FAILED)


def _take_in(system: System, spec: ModelSpec, kind: str, path: Path) -> _Taken:
    from vernal.act.ingest import ingest as append

    rows, name = read_rows(path, spec), writer_of(path)
    before = _versions(system, spec.model, kind)
    accepted = quarantined = 0
    reasons: dict[str, None] = {}
    remarked: dict[str, None] = {}
    for number, start in enumerate(range(0, max(rows.num_rows, 1), ROWS_PER_BATCH), 1):
        report = append(
            system.lake,
            spec.model,
            kind,
            rows.slice(start, ROWS_PER_BATCH),
            features=spec.features.kinds,
            task=spec.task,
            quality=spec.quality,
            writer=name,
            sequence=number,
            now=system.clock.now(),
        )
        accepted, quarantined = accepted + report.accepted, quarantined + report.quarantined
        reasons |= dict.fromkeys(report.reasons)
        remarked |= dict.fromkeys(remarks(report.quality))
    known = rows.num_rows > 0 and _versions(system, spec.model, kind) == before
    return _Taken(kind, path, accepted, quarantined, tuple(reasons), tuple(remarked), known)


def _versions(system: System, model: str, kind: str) -> tuple[int | None, int | None]:
    return system.lake.version(model, kind), system.lake.version(model, "quarantine")


def writer_of(path: Path) -> str:
    """Return a name that only a file of the same content has, so that a file is taken in once."""
    with path.open("rb") as file:
        return f"file:{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}"


def read_rows(path: Path, spec: ModelSpec) -> pa.Table:
    """Return the rows of a Parquet file, or of a CSV with a header.

    Raises
    ------
    LakeError
        If it cannot be read as what its name says.
    """
    import pyarrow as pa

    from vernal.errors import LakeError

    try:
        return _read_csv(path, spec) if path.suffix.lower() in {".csv", ".txt"} else _read_parquet(path)
    except pa.ArrowException as error:
        raise LakeError(
            f"{path}: cannot be read: {error}", hint="Expected Parquet, or CSV with a header and a name in .csv."
        ) from error


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return file.read()


def _read_csv(path: Path, spec: ModelSpec) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    from vernal.records import Labels, Predictions

    # Ids and categories keep their leading zeros; a cell that is no number costs its own row, not the file.
    texts = [Predictions.ID, Predictions.ENTITY, Predictions.VERSION, Labels.SOURCE, *spec.features.names]
    if spec.task == "multiclass":
        texts += [Labels.LABEL, Predictions.PREDICTION, Predictions.OTHER_PREDICTION]
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(texts, pa.string()), null_values=[""], strings_can_be_null=True
    )
    rows = csv.read_csv(path, convert_options=options)
    for name in spec.features.numerical:
        # Only a column with cells that are no numbers stays as texts.
        if name in rows.column_names:
            with suppress(pa.ArrowInvalid):
                rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(pa.float64()))
    return rows


def _as_dict(one: _Taken) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "accepted": one.accepted,
        "quarantined": one.quarantined,
        "reasons": list(one.reasons),
        "remarks": list(one.remarks),
        "known": one.known,
    }


def _told(one: _Taken) -> str:
    if one.known:
        return f"{one.file} was taken in before; nothing has changed"
    refused = f", {one.quarantined} quarantined" if one.quarantined else ""
    return f"{one.accepted} rows of {one.file} taken in{refused}"
