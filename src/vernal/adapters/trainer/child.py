"""The process that runs the user's code: ``python -m vernal.adapters.trainer.child FOLDER WORKER``.

It fits the model, stores it, reads it back, and scores the held-out rows with what it read back, so that the gates
judge what will serve. The champion is scored on the same rows by the same code, and the importance of the features is
measured on them.
"""

from __future__ import annotations

import math
import os
import random
import resource
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernal.adapters.trainer.folder import JobFolder, Order, Outcome, write_atomically
from vernal.adapters.trainer.processes import data_bytes, die_with
from vernal.clock import monotonic
from vernal.errors import TrainingError, UserCodeError, VernalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import pandas as pd
    import pyarrow as pa

    from vernal.adapters.models import LoadedModel

LABEL = "label"
_SHARE_OF_THE_REST = 0.25
"""Part of the remaining time that measuring importances may take: a model that is trained must not be lost to it."""
_KEYS = ("prediction_id", "event_time")


def main(folder: JobFolder, *, worker: int) -> None:
    """Run the job in a folder and leave its outcome there."""
    started = monotonic()
    die_with(worker)
    try:
        outcome = _run(folder, folder.order(), started=started)
    except VernalError as error:
        outcome = Outcome(message=str(error))
    except MemoryError:
        traceback.print_exc()
        outcome = Outcome(message="the training process ran out of memory outside the user's code")
    write_atomically(folder.outcome_path, outcome.to_json())


def _run(folder: JobFolder, order: Order, *, started: float) -> Outcome:
    import numpy as np

    from vernal.adapters.models import ModelColumns, design_matrix, labels, load_predictor, save_artefact
    from vernal.adapters.models.digest import digest_bytes
    from vernal.adapters.trainer.importance import SECONDS, Importances, importances_within
    from vernal.adapters.user_code import load_function

    code = Path(order.code)
    columns = ModelColumns(order.features, order.categorical, order.task)
    champion = None
    if order.champion_version is not None:  # first, since without it a long training would be in vain
        champion = load_predictor(order.champion_version, allow_pickle=order.allow_pickle)
    training = _read(Path(order.training), [*order.features, LABEL], "training set")
    holdout = _read(Path(order.holdout), None, "holdout")
    rows = training.to_pandas()
    X = design_matrix(rows, columns, subject="training set")
    y = labels(rows[LABEL], order.task, subject="training set")
    held = holdout.to_pandas()
    truth = labels(_column(held, LABEL), order.task, subject="holdout")
    del training, rows

    random.seed(order.seed)
    np.random.seed(order.seed % 2**32)  # noqa: NPY002 - the generator that libraries without their own seed draw from
    _limit(order)
    before = set(sys.modules)
    train = _users(code, "importing it", lambda: load_function(code, "train"))
    digest = digest_bytes(code.read_bytes())
    model = _users(code, "`train`", lambda: train(X, y))
    _require_methods(model, code, order.task)
    artefact_digest = save_artefact(
        model,
        folder.artefact_path,
        columns=columns,
        allow_pickle=order.allow_pickle,
        by_value=_modules_beside(code, before),
    )
    del model
    challenger = _read_back(folder, artefact_digest, allow_pickle=order.allow_pickle)
    _write_scores(folder.scores_path, holdout, held, truth, challenger, champion)
    found = Importances(None)
    if order.importance_metric is not None:
        left = order.time_limit_seconds - (monotonic() - started)
        found = importances_within(
            challenger,
            design_matrix(held, columns, subject="holdout"),
            truth,
            judged_by=order.importance_metric,
            seed=order.seed,
            seconds=min(SECONDS, left * _SHARE_OF_THE_REST),
        )
    return Outcome(artefact_digest=artefact_digest, code_digest=digest, importances=found.shares, note=found.note)


def _read(path: Path, names: list[str] | None, subject: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            present = set(file.schema_arrow.names)
            missing = [name for name in names or () if name not in present]
            if missing:
                found = ", ".join(sorted(present))
                raise TrainingError(f"{subject}: columns {', '.join(missing)} are missing in {path}; found {found}")
            table = file.read(columns=names)
    except (OSError, pa.ArrowException) as error:
        raise TrainingError(f"{subject}: cannot read {path}: {error}") from error
    if not table.num_rows:
        raise TrainingError(f"{subject}: {path} has no rows, expected at least one")
    return table


def _column(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in rows.columns:
        raise TrainingError(f"holdout: column {name} is missing; found {', '.join(map(str, rows.columns))}")
    return rows[name]


def _limit(order: Order) -> None:
    """Let the kernel refuse memory beyond the limit, so that the user's code gets a MemoryError that says where."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = math.ceil(order.time_limit_seconds * (os.cpu_count() or 1)) + 1
    _lower(resource.RLIMIT_CPU, seconds)
    if order.memory_limit_bytes is not None:
        asked_for, occupied = data_bytes()
        # Libraries ask for far more than they touch (Arrow for a gigabyte at once): only what comes from now on counts.
        _lower(resource.RLIMIT_DATA, asked_for + max(order.memory_limit_bytes - occupied, 0))


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _users(code: Path, what: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the user's code returns
    """Call the user's code; whatever it raises becomes one sentence with its place, and a traceback in the log."""
    try:
        return call()
    except UserCodeError as error:
        if error.__cause__ is None:
            raise
        raised: BaseException = error.__cause__
    except BaseException as error:  # noqa: BLE001 - also sys.exit() and KeyboardInterrupt end `train`, not this process
        raised = error
    sys.stdout.flush()
    traceback.print_exception(raised)
    said = "".join(traceback.format_exception_only(raised)).strip().splitlines()[-1]
    place = _place(raised, code)
    raise UserCodeError(f"{code.name}: {what} raised {said}{place}") from raised


def _place(raised: BaseException, code: Path) -> str:
    """Return the last line of the user's file that was being run, or that cannot be parsed."""
    if isinstance(raised, SyntaxError) and raised.filename:
        return f" ({Path(raised.filename).name}, line {raised.lineno})"
    lines = [frame.lineno for frame in traceback.extract_tb(raised.__traceback__) if Path(frame.filename) == code]
    return f" ({code.name}, line {lines[-1]})" if lines else ""


def _require_methods(model: object, code: Path, task: str) -> None:
    kind = type(model).__name__
    for method in ("predict", *(("predict_proba",) if task == "binary" else ())):
        if not callable(getattr(model, method, None)):
            message = f"{code.name}: `train` returned a {kind} without `{method}`, expected a fitted model with it"
            hints = {
                "predict": "End `train` with `return model`.",
                "predict_proba": "A binary model is judged by its scores too; CalibratedClassifierCV adds them.",
            }
            raise UserCodeError(message, hint=hints[method])


def _modules_beside(code: Path, before: set[str]) -> list[ModuleType]:
    """Return the user's own modules: those loaded from the folder of the user's file or below it."""
    found = [module for name, module in list(sys.modules.items()) if name not in before]
    return [module for module in found if _lies_in(getattr(module, "__file__", None), code.parent)]


def _lies_in(file: str | None, folder: Path) -> bool:
    return file is not None and Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts


def _read_back(folder: JobFolder, digest: str, *, allow_pickle: bool) -> LoadedModel:
    from vernal.adapters.models import LoadedModel, load_model

    stored = load_model(folder.artefact_path, digest, subject="the new model", allow_pickle=allow_pickle)
    return LoadedModel(stored.model, stored.manifest.columns, subject="the new model")


def _write_scores(
    path: Path,
    holdout: pa.Table,
    held: pd.DataFrame,
    truth: pd.Series[Any],
    challenger: LoadedModel,
    champion: LoadedModel | None,
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: holdout[name] for name in _KEYS}
    columns[LABEL] = pa.array(truth.tolist())
    for prefix, model in (("", challenger), ("champion_", champion)):
        if model is None:
            continue
        predictions, scores = model.predict(held)
        columns[f"{prefix}prediction"] = pa.array(predictions)
        columns[f"{prefix}score"] = pa.nulls(len(truth), pa.float64()) if scores is None else pa.array(scores)
    aside = path.with_suffix(".aside")
    pq.write_table(pa.table(columns), aside, compression="zstd")
    aside.rename(path)


if __name__ == "__main__":
    main(JobFolder(Path(sys.argv[1])), worker=int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the outcome is written: threads that the user's code left behind must not keep the process
