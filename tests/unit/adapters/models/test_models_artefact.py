"""Fitted models on disk: what is stored comes back the same, what could do harm does not come back at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

import realworld
from vernal.adapters.models import ModelColumns, load_model, load_predictor, save_artefact
from vernal.adapters.models.artefact import SAFE_FILE
from vernal.adapters.models.digest import MANIFEST, digest_bytes, digest_directory
from vernal.adapters.models.manifest import Manifest, library_versions
from vernal.adapters.models.trust import untrusted
from vernal.errors import DigestMismatchError, RegistryError, TrainingError
from vernal.ports import RegisteredVersion

COLUMNS = ModelColumns(("x", "c"), ("c",), "binary")
LINEAR = ModelColumns(("x",), (), "binary")


class Homemade:
    """A model of the user's own class."""

    def predict(self, rows: pd.DataFrame) -> list[int]:
        return [1] * len(rows)


def rows(count: int = 200) -> tuple[pd.DataFrame, pd.Series[int]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=count)
    c = np.where(rng.random(count) < 0.5, "a", "b").astype(object)
    return pd.DataFrame({"x": x, "c": c}), pd.Series((x + (c == "a") > 0).astype(int))


def linear() -> LogisticRegression:
    X, y = rows()
    return LogisticRegression().fit(X[["x"]], y)


def trees() -> Pipeline:
    X, y = rows()
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    columns = make_column_transformer((codes, ["c"]), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(categorical_features=[0], random_state=0)).fit(X, y)


def forge(folder: Path, model: object) -> str:
    """Write the artefact that an attacker would: a manifest that vouches for everything that is in it."""
    content: bytes = skops.io.dumps(model)
    manifest = Manifest(
        format="skops",
        task="binary",
        features=("x",),
        categorical=(),
        trusted_types=tuple(skops.io.get_untrusted_types(data=content)),
        libraries=library_versions(),
        files={SAFE_FILE: digest_bytes(content)},
    )
    folder.mkdir()
    (folder / SAFE_FILE).write_bytes(content)
    (folder / MANIFEST).write_bytes(manifest.to_json())
    return digest_directory(folder)


def test_encoded_categories_and_boosted_trees_are_stored_safely_and_answer_the_same(tmp_path: Path) -> None:
    model, (X, _) = trees(), rows()
    digest = save_artefact(model, tmp_path / "a", columns=COLUMNS)
    stored = load_model(tmp_path / "a", digest, subject="it")
    assert "functools.partial" in stored.manifest.trusted_types
    assert stored.manifest.format == "skops"
    assert np.array_equal(stored.model.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("function", [os.system, eval, np.load, np.fromregex])
def test_a_partial_over_a_function_that_does_harm_is_not_stored(
    tmp_path: Path, function: Callable[..., object]
) -> None:
    model = FunctionTransformer(partial(function, "true"))
    with pytest.raises(TrainingError, match=f"it contains .*{function.__name__}"):
        save_artefact(model, tmp_path / "a", columns=LINEAR)
    assert not (tmp_path / "a").exists()


def test_a_forged_artefact_with_a_partial_over_a_system_call_is_refused_before_it_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    digest = forge(tmp_path / "a", FunctionTransformer(partial(os.system, f"touch {mark}")))
    with pytest.raises(RegistryError, match=r"system.* not trusted"):
        load_model(tmp_path / "a", digest, subject="it")
    assert not mark.exists()


def test_a_partial_over_a_function_of_the_numerical_libraries_is_trusted(tmp_path: Path) -> None:
    digest = save_artefact(FunctionTransformer(partial(np.clip, a_min=0, a_max=1)), tmp_path / "a", columns=LINEAR)
    assert load_model(tmp_path / "a", digest, subject="it").model.transform(np.array([-1.0, 2.0])).tolist() == [0, 1]


def test_other_names_of_functools_are_not_trusted_with_it() -> None:
    assert untrusted(["functools.partial", "functools.partialmethod", "functools.reduce"]) == (
        "functools.partialmethod",
        "functools.reduce",
    )


def test_a_model_of_the_users_own_class_is_refused_by_name_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"contains .*Homemade") as raised:
        save_artefact(Homemade(), tmp_path / "a", columns=LINEAR)
    assert "allow pickle" in str(raised.value)


def test_a_pickle_is_loaded_only_where_pickles_are_allowed(tmp_path: Path) -> None:
    digest = save_artefact(Homemade(), tmp_path / "a", columns=LINEAR, allow_pickle=True)
    with pytest.raises(RegistryError, match="is a pickle, which is not allowed here"):
        load_model(tmp_path / "a", digest, subject="it")
    assert load_model(tmp_path / "a", digest, subject="it", allow_pickle=True).manifest.format == "pickle"


@pytest.mark.parametrize("name", [SAFE_FILE, MANIFEST])
def test_a_flipped_byte_anywhere_is_noticed_before_anything_is_loaded(tmp_path: Path, name: str) -> None:
    digest = save_artefact(linear(), tmp_path / "a", columns=LINEAR)
    realworld.flip_a_byte(tmp_path / "a" / name)
    with pytest.raises(DigestMismatchError, match=name):
        load_predictor(RegisteredVersion("1", tmp_path / "a", digest))


def test_files_that_are_missing_added_or_cut_short_are_named(tmp_path: Path) -> None:
    digest = save_artefact(linear(), tmp_path / "a", columns=LINEAR)
    (tmp_path / "a" / "more.py").write_text("")
    with pytest.raises(DigestMismatchError, match=r"more\.py is added"):
        load_model(tmp_path / "a", digest, subject="it")
    (tmp_path / "a" / "more.py").unlink()
    content = (tmp_path / "a" / SAFE_FILE).read_bytes()
    (tmp_path / "a" / SAFE_FILE).write_bytes(content[:-1])
    with pytest.raises(DigestMismatchError, match=r"model\.skops is changed"):
        load_model(tmp_path / "a", digest, subject="it")
    (tmp_path / "a" / SAFE_FILE).unlink()
    with pytest.raises(DigestMismatchError, match=r"model\.skops is missing"):
        load_model(tmp_path / "a", digest, subject="it")


def test_a_folder_that_is_gone_is_a_mismatch_too(tmp_path: Path) -> None:
    with pytest.raises(DigestMismatchError, match="no such directory"):
        load_model(tmp_path / "a", "0" * 64, subject="it")


def test_a_link_in_an_artefact_is_refused(tmp_path: Path) -> None:
    digest = save_artefact(linear(), tmp_path / "a", columns=LINEAR)
    target = tmp_path / "elsewhere"
    (tmp_path / "a" / SAFE_FILE).rename(target)
    (tmp_path / "a" / SAFE_FILE).symlink_to(target)
    with pytest.raises(DigestMismatchError, match="neither a file nor a folder"):
        load_model(tmp_path / "a", digest, subject="it")


def test_the_digest_does_not_depend_on_the_place_or_the_time(tmp_path: Path) -> None:
    digest = save_artefact(linear(), tmp_path / "a", columns=LINEAR)
    (tmp_path / "a").rename(tmp_path / "b")
    os.utime(tmp_path / "b" / SAFE_FILE, (0, 0))
    assert digest_directory(tmp_path / "b") == digest
