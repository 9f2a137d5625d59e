"""Model versions in MLflow: one MLflow run and one model version per trained candidate.

MLflow verifies nothing, so the digest of every artefact is kept with its version and checked whenever it is fetched.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from vernal.adapters.models.digest import digest_directory, read_verified
from vernal.adapters.registry.mlflow_client import is_server, locked_file, open_client, translated
from vernal.errors import DigestMismatchError, RegistryError
from vernal.ports import RegisteredVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

    from vernal.records import Run, TrainingResult

RUN_ID: Final = "vernal.run_id"
DIGEST: Final = "vernal.digest"
_FOLDER = "model"
_IMPORTANCES = "importances.json"
_LINEAGE = ("data_digest", "labels_version", "predictions_version")
_PAGE = 1000


class MlflowRegistry:
    """The registry on MLflow's tracking server or database.

    MLflow is imported when the registry is first asked for something.

    Parameters
    ----------
    tracking_uri
        An SQLAlchemy URL such as ``sqlite:////srv/project/mlflow.db``, or the address of an MLflow server.
    artifact_root
        Folder of artefacts. A server has its own place for them; the folder then only holds copies.
    """

    def __init__(self, tracking_uri: str, *, artifact_root: Path) -> None:
        self._uri = tracking_uri
        self._root = artifact_root.absolute()
        self._opened: MlflowClient | None = None

    def register(
        self,
        model: str,
        run: Run,
        result: TrainingResult,
        *,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
    ) -> str:
        """Record a trained candidate and return its version.

        Registering the same result of a run again, also after a crash half-way, returns the same version.

        Parameters
        ----------
        parameters
            What the candidate was trained on and why; ``data_digest``, ``predictions_version`` and ``labels_version``
            also become tags, by which MLflow can search.

        Raises
        ------
        DigestMismatchError
            If the artefact is not the one that the training job left behind, or was damaged on its way.
        RegistryError
            If MLflow cannot be reached or refuses.
        """
        artefact = Path(result.artefact)
        read_verified(artefact, result.artefact_digest, subject=f"{model}: candidate of {run.id}")
        key = {RUN_ID: run.id, DIGEST: result.artefact_digest}
        lineage = {f"vernal.{name}": parameters[name] for name in _LINEAGE if name in parameters}
        tags = key | lineage | {"vernal.code_digest": result.code_digest, "vernal.trigger": str(run.trigger)}
        measured = {
            "training_wall_seconds": result.wall_seconds,
            "training_cpu_seconds": result.cpu_seconds,
            "training_peak_bytes": float(result.peak_bytes),
        }
        with translated(f"{model}: registering {run.id}"), locked_file(self._root / ".lock"):
            known = self._versions(model, key)
            if known:
                return str(known[0].version)
            self._require_model(model)
            mlflow_run = self._run(model, run, key)
            run_id = mlflow_run.info.run_id
            self._log(run_id, run, parameters, measured | dict(metrics), tags)
            self._client.log_artifacts(run_id, str(artefact), _FOLDER)
            if result.importances is not None:
                self._client.log_dict(run_id, result.importances, _IMPORTANCES)
            source = f"{mlflow_run.info.artifact_uri}/{_FOLDER}"
            copy = _local(source)
            if copy is not None and digest_directory(copy) != result.artefact_digest:
                raise DigestMismatchError(
                    f"{model}: the artefact of {run.id} was damaged while it was copied to {copy}"
                )
            version = self._client.create_model_version(model, source, run_id=run_id, tags=tags)
            self._client.set_terminated(run_id, end_time=_milliseconds(run.phase_since))
            return str(version.version)

    def fetch(self, model: str, version: str) -> RegisteredVersion:
        """Return a version's artefact after verifying its digest; one kept elsewhere is copied here first.

        Raises
        ------
        DigestMismatchError
            If the artefact is not the registered one.
        RegistryError
            If the version does not exist, was not registered by Vernal, or MLflow cannot be reached.
        """
        subject = f"{model} version {version}"
        with translated(subject):
            found = self._client.get_model_version(model, version)
            digest = found.tags.get(DIGEST)
            if digest is None:
                hint = "Only versions that Vernal registered can serve: their digest is known."
                raise RegistryError(f"{subject}: the tag {DIGEST} is missing, expected a digest", hint=hint)
            artefact = self._artefact(model, found, digest)
        read_verified(artefact, digest, subject=subject)
        return RegisteredVersion(version, artefact, digest)

    def versions(self, model: str) -> tuple[str, ...]:
        """Return the registered versions, oldest first; none for a model that is not known.

        Raises
        ------
        RegistryError
            If MLflow cannot be reached.
        """
        with translated(f"{model}: listing versions"):
            return tuple(str(version.version) for version in self._versions(model, {}))

    def alias(self, model: str, alias: str) -> str | None:
        """Return the version that an alias points at, ``None`` if it points nowhere.

        Raises
        ------
        RegistryError
            If MLflow cannot be reached.
        """
        with translated(f"{model}: alias {alias}"):
            found = self._client.search_registered_models(f"name = {_quoted(model)}")
            version = found[0].aliases.get(alias) if found else None
            return None if version is None else str(version)

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version.

        Raises
        ------
        RegistryError
            If the version does not exist or MLflow cannot be reached.
        """
        with translated(f"{model}: alias {alias}"):
            self._client.set_registered_model_alias(model, alias, version)

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            self._opened = open_client(self._uri)
        return self._opened

    def _versions(self, model: str, tags: Mapping[str, str]) -> list[ModelVersion]:
        """Return a model's versions that carry some tags, oldest first."""
        conditions = [f"name = {_quoted(model)}", *(f"tags.`{name}` = {_quoted(tags[name])}" for name in tags)]
        query = " and ".join(conditions)
        found: list[ModelVersion] = []
        token: str | None = None
        while True:
            page = self._client.search_model_versions(query, max_results=_PAGE, page_token=token)
            found += page
            token = page.token
            if not token:
                return sorted(found, key=lambda version: int(version.version))

    def _require_model(self, model: str) -> None:
        from mlflow.exceptions import MlflowException

        if self._client.search_registered_models(f"name = {_quoted(model)}"):
            return
        try:
            self._client.create_registered_model(model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another machine was faster
                raise

    def _run(self, model: str, run: Run, key: dict[str, str]) -> Any:  # noqa: ANN401 - mlflow.entities.Run, not exported
        """Return the MLflow run of a Vernal run: the one that a crash has left, or a new one."""
        experiment = self._experiment(model)
        query = " and ".join(f"tags.`{name}` = {_quoted(value)}" for name, value in key.items())
        found = self._client.search_runs([experiment], filter_string=query, max_results=1)
        if found:
            return found[0]
        started = _milliseconds(run.requested_at)
        return self._client.create_run(experiment, start_time=started, tags=key, run_name=run.id)

    def _experiment(self, model: str) -> str:
        """Return the id of the model's experiment.

        MLflow never moves an experiment's artefacts. So a project whose folder was moved goes on in a new experiment,
        instead of writing to where it used to be.
        """
        from mlflow.exceptions import MlflowException

        place = None if is_server(self._uri) else (self._root / model).as_uri()
        for name in (model, f"{model} in {self._root}"):
            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                try:
                    return str(self._client.create_experiment(name, artifact_location=place))
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    experiment = self._client.get_experiment_by_name(name)
            if experiment is not None and place in {None, experiment.artifact_location}:
                if experiment.lifecycle_stage == "deleted":
                    hint = f"Restore it: mlflow experiments restore -x {experiment.experiment_id}"
                    raise RegistryError(f"{model}: the MLflow experiment {name!r} was deleted", hint=hint)
                return str(experiment.experiment_id)
        raise RegistryError(f"{model}: no MLflow experiment keeps its artefacts in {place}")

    def _log(
        self,
        run_id: str,
        run: Run,
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        moment = _milliseconds(run.phase_since)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, moment, 0) for name, value in metrics.items()],
            params=[Param(name, value) for name, value in parameters.items()],
            tags=[RunTag(name, value) for name, value in tags.items()] + [RunTag("mlflow.note.content", run.reason)],
        )

    def _artefact(self, model: str, version: ModelVersion, digest: str) -> Path:
        """Return where a version's artefact lies on this machine."""
        there = _local(version.source or "")
        if there is not None:
            moved = self._root / model / str(version.run_id) / "artifacts" / _FOLDER
            return there if there.exists() else moved
        copy = self._root / "copies" / digest
        if not copy.exists():
            self._download(version.source or "", copy)
        return copy

    def _download(self, source: str, copy: Path) -> None:
        from mlflow.artifacts import download_artifacts

        with locked_file(copy.with_name(f".{copy.name}.lock")):
            if copy.exists():
                return
            aside = copy.with_name(f".{copy.name}")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            got = download_artifacts(artifact_uri=source, dst_path=str(aside), tracking_uri=self._uri)
            Path(got).rename(copy)
            shutil.rmtree(aside, ignore_errors=True)


def _quoted(value: str) -> str:
    """Return a string for MLflow's query language, which knows no escapes."""
    if "'" in value:
        raise RegistryError(f"registry: {value!r} contains a quotation mark, which MLflow cannot search for")
    return f"'{value}'"


def _local(uri: str) -> Path | None:
    """Return the path that a URI of this machine's file system names, ``None`` for any other URI."""
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        return None
    return Path(url2pathname(parts.path) if parts.scheme else uri)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
