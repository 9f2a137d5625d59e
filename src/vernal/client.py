"""What a serving process imports to log predictions and labels.

Logging writes one Parquet file into the project's inbox and nothing else: no lock, no database, no lake. The next tick
brings it into the lake. Importing this module imports neither pandas nor anything of Vernal's control plane.
"""

from __future__ import annotations

import os
import secrets
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.clock import SystemClock
from vernal.errors import LakeError, ProjectError
from vernal.records import Labels, Predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from vernal.clock import Clock

Rows: TypeAlias = "pa.Table | pd.DataFrame | Iterable[Mapping[str, Any]]"
"""What can be logged."""

_TIME: Final = pa.timestamp("us", tz="UTC")
_MOMENTS: Final = (pa.types.is_timestamp, pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
_MICROSECONDS: Final = 1_000_000


class Client:
    """Logs predictions and labels of one model.

    Safe to share between threads and to use in forked workers. A crash while logging leaves no half-written segment.

    Parameters
    ----------
    project_dir
        Folder of the project: the one with ``vernal.yaml``.
    model
        Name of the model.
    clock
        Says when a row was received, where the row does not; the machine's clock by default.

    Raises
    ------
    ProjectError
        If there is no project in that folder, or the name cannot be a model's.

    Examples
    --------
    >>> import tempfile
    >>> project = Path(tempfile.mkdtemp())
    >>> (project / "vernal.yaml").touch()
    >>> client = Client(project, "late_arrival")
    >>> answered = datetime(2013, 2, 1, 5, tzinfo=UTC)
    >>> row = {"prediction_id": "a", "event_time": answered, "prediction": 1, "score": 0.7, "distance": 229.0}
    >>> segment = client.log_predictions([row], model_version="3")
    >>> segment.parent.relative_to(project).as_posix()
    '.vernal/inbox/late_arrival/predictions'
    """

    def __init__(self, project_dir: Path | str, model: str, *, clock: Clock | None = None) -> None:
        root = Path(project_dir)
        if not (root / "vernal.yaml").is_file() and not (root / ".vernal").is_dir():
            message = f"client: found no project in {root.absolute()}, expected a folder with vernal.yaml"
            raise ProjectError(message, hint="Name the folder that `vernal init` was run in.")
        if not model or Path(model).name != model or model.startswith("."):
            raise ProjectError(f"client: got model {model!r}, expected the name of one of the project's models")
        self._inbox = root / ".vernal" / "inbox" / model
        self._model = model
        self._clock = clock or SystemClock()

    def log_predictions(self, rows: Rows, *, model_version: str | None = None) -> Path | None:
        """Leave predictions for the lake.

        Parameters
        ----------
        rows
            A pyarrow Table, a pandas DataFrame (or another data frame that speaks Arrow), or dictionaries. Needs
            ``prediction_id`` and ``event_time`` (time-zone aware), the model's features as they were served, and
            ``prediction``. Optional: ``model_version``, ``role``, ``entity``, ``received_time`` (now by default),
            ``score``, ``other_version``, ``other_prediction``, ``other_score``. Columns that the model does not
            declare are dropped later.
        model_version
            Version that answered all these rows, instead of a column ``model_version``.

        Returns
        -------
        Path or None
            The segment, which is on disk when this returns; ``None`` if there were no rows.

        Raises
        ------
        LakeError
            If a column is missing or cannot be understood, or the segment cannot be written. Nothing was logged.
        """
        table = self._table("predictions", rows)
        if model_version is not None:
            if Predictions.VERSION in table.column_names:
                message = f"{self._model}: got model_version={model_version!r} and a column model_version"
                raise LakeError(f"{message}, expected one of the two")
            table = table.append_column(Predictions.VERSION, _constant(model_version, table.num_rows))
        needed = [Predictions.ID, Predictions.EVENT_TIME]
        if Predictions.VERSION in table.column_names:
            needed.append(Predictions.PREDICTION)
        self._require("predictions", table, needed)
        return self._leave("predictions", self._timed("predictions", table, Predictions.RECEIVED_TIME))

    def log_labels(self, rows: Rows) -> Path | None:
        """Leave labels for the lake.

        A label that is logged again corrects the earlier one.

        Parameters
        ----------
        rows
            As for :meth:`log_predictions`. Needs ``prediction_id``, ``label`` and the prediction's ``event_time``.
            Optional: ``arrival_time``, when the label became known (now by default), and ``source``, ``"true"`` (the
            default) or ``"proxy"``.

        Returns
        -------
        Path or None
            The segment, which is on disk when this returns; ``None`` if there were no rows.

        Raises
        ------
        LakeError
            If a column is missing or cannot be understood, or the segment cannot be written. Nothing was logged.
        """
        table = self._table("labels", rows)
        self._require("labels", table, [Labels.ID, Labels.LABEL, Labels.EVENT_TIME])
        table = self._timed("labels", table, Labels.ARRIVAL_TIME)
        if Labels.SOURCE not in table.column_names:
            table = table.append_column(Labels.SOURCE, _constant("true", table.num_rows))
        return self._leave("labels", table)

    def _table(self, kind: str, rows: Rows) -> pa.Table:
        if isinstance(rows, pa.Table):
            return rows
        try:
            if hasattr(rows, "__arrow_c_stream__"):
                return pa.table(rows)
            records: list[Mapping[str, Any]] = list(rows)
            names = dict.fromkeys(name for record in records for name in record)
        except (pa.ArrowException, TypeError, ValueError) as error:
            message = f"{self._model}: cannot understand {type(rows).__name__} as {kind}: {error}"
            hint = "Hand in a pyarrow Table, a pandas DataFrame or a list of dictionaries."
            raise LakeError(message, hint=hint) from error
        return pa.table({name: self._column(kind, name, [record.get(name) for record in records]) for name in names})

    def _column(self, kind: str, name: str, values: list[object]) -> pa.Array:
        try:
            return pa.array(values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            message = f"{self._model}: {kind}: cannot make a column of {name}: {error}"
            raise LakeError(message, hint="Every value of a column must be of one type, or None.") from error

    def _require(self, kind: str, table: pa.Table, needed: list[str]) -> None:
        missing = [name for name in needed if name not in table.column_names]
        if missing and table.num_rows:
            found = ", ".join(table.column_names)
            raise LakeError(
                f"{self._model}: {kind} need the columns {', '.join(needed)}; found no {', '.join(missing)} in {found}"
            )

    def _timed(self, kind: str, table: pa.Table, received: str) -> pa.Table:
        """Return the rows with times in UTC, and the time of receipt where it was not given."""
        for name in (Predictions.EVENT_TIME, received):
            if name in table.column_names:
                table = table.set_column(
                    table.column_names.index(name), name, self._moments(kind, name, table.column(name))
                )
        if received not in table.column_names:
            table = table.append_column(received, _constant(self._clock.now(), table.num_rows))
        return table

    def _moments(self, kind: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        stored = column.type
        if (pa.types.is_timestamp(stored) and stored.tz is None) or pa.types.is_date(stored):
            message = f"{self._model}: {kind}: {name} has no time zone, expected one"
            raise LakeError(message, hint='With pandas: rows["event_time"].dt.tz_localize("UTC").')
        hint = "Expected time-zone aware datetimes, or ISO 8601 texts with a zone."
        if not any(holds(stored) for holds in _MOMENTS):
            raise LakeError(f"{self._model}: {kind}: cannot read {name}: found a column of {stored}", hint=hint)
        try:
            return column.cast(_TIME, safe=False)
        except pa.ArrowException as error:
            raise LakeError(f"{self._model}: {kind}: cannot read {name}: {error}", hint=hint) from error

    def _leave(self, kind: str, table: pa.Table) -> Path | None:
        """Write a segment aside, force it to disk and only then give it its name."""
        if not table.num_rows:
            return None
        # The time orders segments; the random part keeps apart those of threads, forks and machines.
        stamp = self._clock.now().astimezone(UTC)
        segment = f"{stamp:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(8)}"
        folder = self._inbox / kind
        final, aside = folder / f"{segment}.parquet", folder / f".{segment}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                with aside.open("xb") as file:
                    pq.write_table(table, file, compression="zstd")
                    file.flush()
                    os.fsync(file.fileno())
                aside.rename(final)
                _sync(folder)
            except BaseException:
                for path in (aside, final):
                    path.unlink(missing_ok=True)
                raise
        except (OSError, pa.ArrowException) as error:
            message = f"{self._model}: cannot write {kind} to {final}: {error}"
            raise LakeError(message, hint="Nothing was logged. Free some space or check permissions.") from error
        return final


def _sync(folder: Path) -> None:
    """Force a folder's entries to disk, so that a file renamed into it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _constant(value: str | datetime, count: int) -> pa.Array:
    """Return a column that repeats a value; made from bytes, because ``pa.scalar`` imports pandas."""
    if isinstance(value, datetime):
        moment = struct.pack("<q", round(value.timestamp() * _MICROSECONDS))
        one = pa.Array.from_buffers(_TIME, 1, [None, pa.py_buffer(moment)])
    else:
        text = value.encode()
        ends = struct.pack("<ii", 0, len(text))
        one = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(ends), pa.py_buffer(text)])
    return pa.repeat(one[0], count)
