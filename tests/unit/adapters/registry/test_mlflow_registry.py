"""Versions in a real MLflow database: registered once, verified whenever they are fetched."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sklearn.dummy import DummyClassifier

import realworld
from vernal.adapters.models import ModelColumns, load_predictor, save_artefact
from vernal.adapters.registry import MlflowRegistry
from vernal.errors import DigestMismatchError, RegistryError
from vernal.records import Phase, Run, RunFacts, TrainingResult, TriggerKind

NOON = datetime(2013, 2, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making MLflow's tables takes seconds, so tests share them and each takes a model of its own."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(root: Path) -> MlflowRegistry:
    return MlflowRegistry(f"sqlite:///{root}/mlflow.db", artifact_root=root / "artefacts")


def a_run(model: str, number: int = 1) -> Run:
    return Run(
        id=f"{model}-{number}",
        model=model,
        number=number,
        phase=Phase.EVALUATING,
        trigger=TriggerKind.MANUAL,
        reason="asked",
        requested_by="ann",
        requested_at=NOON,
        phase_since=NOON,
        wake_at=NOON,
        fence=1,
        attempt=1,
        facts=RunFacts(),
    )


def result(folder: Path, constant: int = 1) -> TrainingResult:
    model = DummyClassifier(strategy="constant", constant=constant).fit([[0.0], [1.0]], [0, 1])
    digest = save_artefact(model, folder, columns=ModelColumns(("x",), (), "binary"))
    return TrainingResult(
        artefact=str(folder),
        artefact_digest=digest,
        scores_path="scores.parquet",
        wall_seconds=1.0,
        cpu_seconds=1.0,
        peak_bytes=1,
        code_digest="c",
    )


def register(registry: MlflowRegistry, run: Run, trained: TrainingResult) -> str:
    return registry.register(
        run.model, run, trained, parameters={"data_digest": "d", "training_rows": "2"}, metrics={"holdout_auc": 0.8}
    )


def test_a_result_that_is_registered_twice_is_one_version(registry: MlflowRegistry, tmp_path: Path) -> None:
    trained, run = result(tmp_path / "a"), a_run("twice")
    assert register(registry, run, trained) == register(registry, run, trained) == "1"
    assert registry.versions("twice") == ("1",)


def test_importances_are_kept_beside_the_model(registry: MlflowRegistry, root: Path, tmp_path: Path) -> None:
    shares = {"amount (EUR)": 0.75, "../country": 0.25}
    for number, importances in ((1, shares), (2, None)):
        trained = result(tmp_path / str(number)).evolve(importances=importances)
        version = register(registry, a_run("weighed", number), trained)
        kept = registry.fetch("weighed", version).artefact.parent / "importances.json"
        assert (json.loads(kept.read_text()) if kept.exists() else None) == importances


def test_another_process_sees_the_same_versions(registry: MlflowRegistry, root: Path, tmp_path: Path) -> None:
    trained, run = result(tmp_path / "a"), a_run("shared")
    version = register(registry, run, trained)
    other = MlflowRegistry(f"sqlite:///{root}/mlflow.db", artifact_root=root / "artefacts")
    assert register(other, run, trained) == version
    assert other.fetch("shared", version).digest == trained.artefact_digest


def test_versions_are_numbered_by_run_and_listed_oldest_first(registry: MlflowRegistry, tmp_path: Path) -> None:
    for number in range(1, 12):
        assert register(registry, a_run("many", number), result(tmp_path / str(number))) == str(number)
    assert registry.versions("many") == tuple(str(number) for number in range(1, 12))


def test_what_is_fetched_is_what_was_registered(registry: MlflowRegistry, tmp_path: Path) -> None:
    trained = result(tmp_path / "a")
    fetched = registry.fetch("fetched", register(registry, a_run("fetched"), trained))
    assert fetched.digest == trained.artefact_digest
    assert fetched.artefact != Path(trained.artefact)
    assert load_predictor(fetched).columns.features == ("x",)


def test_a_flipped_byte_in_the_registry_is_noticed_when_the_version_is_fetched(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    version = register(registry, a_run("flipped"), result(tmp_path / "a"))
    realworld.flip_a_byte(registry.fetch("flipped", version).artefact / "model.skops")
    with pytest.raises(DigestMismatchError, match=r"flipped version 1: model\.skops is changed"):
        registry.fetch("flipped", version)


def test_an_artefact_that_vanished_from_the_registry_is_a_mismatch(registry: MlflowRegistry, tmp_path: Path) -> None:
    version = register(registry, a_run("vanished"), result(tmp_path / "a"))
    stored = registry.fetch("vanished", version).artefact
    stored.rename(tmp_path / "elsewhere")
    with pytest.raises(DigestMismatchError, match="no such directory"):
        registry.fetch("vanished", version)


def test_a_candidate_that_was_damaged_after_its_training_gets_no_version(
    registry: MlflowRegistry, tmp_path: Path
) -> None:
    trained = result(tmp_path / "a")
    realworld.flip_a_byte(tmp_path / "a" / "model.skops")
    with pytest.raises(DigestMismatchError, match=r"candidate of damaged-1: model\.skops is changed"):
        register(registry, a_run("damaged"), trained)
    assert registry.versions("damaged") == ()


def test_an_alias_points_where_it_was_last_set(registry: MlflowRegistry, tmp_path: Path) -> None:
    assert registry.alias("aliased", "champion") is None
    for number in (1, 2):
        register(registry, a_run("aliased", number), result(tmp_path / str(number)))
    assert registry.alias("aliased", "champion") is None
    registry.set_alias("aliased", "champion", "1")
    registry.set_alias("aliased", "champion", "2")
    registry.set_alias("aliased", "champion", "2")
    assert registry.alias("aliased", "champion") == "2"


def test_an_alias_for_a_version_that_is_not_there_is_refused(registry: MlflowRegistry, tmp_path: Path) -> None:
    register(registry, a_run("strict"), result(tmp_path / "a"))
    with pytest.raises(RegistryError, match="strict: alias champion"):
        registry.set_alias("strict", "champion", "9")
    assert registry.alias("strict", "champion") is None


def test_a_version_that_is_not_there_is_an_error_that_names_it(registry: MlflowRegistry) -> None:
    with pytest.raises(RegistryError, match="nobody version 1"):
        registry.fetch("nobody", "1")
    assert registry.versions("nobody") == ()


def test_a_version_that_vernal_did_not_register_cannot_be_fetched(registry: MlflowRegistry, tmp_path: Path) -> None:
    client = registry._client
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source=str(tmp_path))
    with pytest.raises(RegistryError, match=r"the tag vernal\.digest is missing"):
        registry.fetch("foreign", "1")


def test_a_project_that_was_moved_finds_its_artefacts(registry: MlflowRegistry, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    old = MlflowRegistry(f"sqlite:///{before}/mlflow.db", artifact_root=before / "artefacts")
    trained = result(tmp_path / "a")
    version = register(old, a_run("moved"), trained)
    after = before.rename(tmp_path / "after")
    new = MlflowRegistry(f"sqlite:///{after}/mlflow.db", artifact_root=after / "artefacts")
    assert new.fetch("moved", version).artefact.is_relative_to(after)
    assert register(new, a_run("moved", 2), trained) == "2"
    assert new.fetch("moved", "2").artefact.is_relative_to(after)


def test_a_file_that_is_no_database_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is a letter, not a database, and a rather long one at that")
    broken = MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db", artifact_root=tmp_path / "artefacts")
    with pytest.raises(RegistryError, match="cannot be opened: file is not a database"):
        broken.versions("m")
