"""Writing a fitted model to a directory, and reading it back when it is what was written."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

from vernal.adapters.models.digest import MANIFEST, digest_bytes, digest_directory, read_verified
from vernal.adapters.models.manifest import Manifest, library_versions, read_manifest
from vernal.adapters.models.trust import untrusted
from vernal.errors import RegistryError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from vernal.adapters.models.frame import ModelColumns

log = logging.getLogger(__name__)

SAFE_FILE = "model.skops"
PICKLE_FILE = "model.pkl"
ALLOW_PICKLE = (
    "Return a scikit-learn model, or allow pickle for this model: a pickle runs code when it is loaded, "
    "so allow it only where nobody else can write to the project's registry."
)


class _Stored(NamedTuple):
    file: str
    format: str
    content: bytes
    types: tuple[str, ...]


class StoredModel(NamedTuple):
    """A model read back from its artefact, and what the artefact says about it."""

    model: Any
    manifest: Manifest


def save_artefact(
    model: object,
    folder: Path,
    *,
    columns: ModelColumns,
    allow_pickle: bool = False,
    by_value: Sequence[ModuleType] = (),
) -> str:
    """Write a fitted model to a new directory and return the directory's digest.

    Parameters
    ----------
    folder
        Appears complete or not at all; an earlier one is replaced.
    columns
        The inputs that the model was fitted on.
    allow_pickle
        Whether a model that skops cannot store safely may be pickled instead.
    by_value
        Modules whose classes and functions travel inside a pickle, as they cannot be imported where it is loaded.

    Raises
    ------
    TrainingError
        If the model cannot be stored; the message names the types that stand in the way.
    """
    stored = _to_skops(model) if not allow_pickle else _to_either(model, by_value)
    manifest = Manifest(
        format=stored.format,
        task=columns.task,
        features=columns.features,
        categorical=columns.categorical,
        trusted_types=stored.types,
        libraries=library_versions([type(model).__module__.partition(".")[0]]),
        files={stored.file: digest_bytes(stored.content)},
    )
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        (aside / stored.file).write_bytes(stored.content)
        (aside / MANIFEST).write_bytes(manifest.to_json())
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise TrainingError(f"the model cannot be written to {folder}: {error}", hint="Free some space.") from error
    return digest_directory(folder)


def load_model(folder: Path, digest: str, *, subject: str, allow_pickle: bool = False) -> StoredModel:
    """Return the model of an artefact, after verifying the artefact's digest.

    Parameters
    ----------
    subject
        Whose artefact it is, for messages.
    allow_pickle
        Whether a pickle may be loaded.

    Raises
    ------
    DigestMismatchError
        If a file was changed, cut short, removed or added.
    RegistryError
        If the model is a pickle and these are not allowed, contains types that are not trusted, or cannot be read by
        the libraries that are installed.
    """
    contents = read_verified(folder, digest, subject=subject)
    if MANIFEST not in contents:
        raise RegistryError(f"{subject}: {folder} has no {MANIFEST}, so Vernal did not write it")
    manifest = read_manifest(contents[MANIFEST], subject=subject)
    expected = {"skops": SAFE_FILE, "pickle": PICKLE_FILE}.get(manifest.format)
    if expected is None or expected not in contents:
        raise RegistryError(f"{subject}: format {manifest.format!r} with {sorted(contents)}, expected skops or pickle")
    if manifest.format == "pickle" and not allow_pickle:
        raise RegistryError(f"{subject}: {PICKLE_FILE} is a pickle, which is not allowed here", hint=ALLOW_PICKLE)
    try:
        if manifest.format == "pickle":
            return StoredModel(_from_pickle(contents[PICKLE_FILE]), manifest)
        return StoredModel(_from_skops(contents[SAFE_FILE], manifest, subject), manifest)
    except RegistryError:
        raise
    except Exception as error:  # whatever a library raises on a file of another version of itself
        differing = _differences(manifest)
        message = f"{subject}: the model cannot be loaded: {type(error).__name__}: {error}{differing}"
        raise RegistryError(message, hint="Install the versions it was trained with, or train it again.") from error


def _to_skops(model: object) -> _Stored:
    import skops.io

    found = f"a model of type {_name(model)} cannot be stored safely"
    try:
        content: bytes = skops.io.dumps(model)
        types = tuple(sorted(skops.io.get_untrusted_types(data=content)))
    except Exception as error:  # skops raises what the object's own state methods raise
        raise TrainingError(f"{found}: {type(error).__name__}: {error}", hint=ALLOW_PICKLE) from error
    refused = untrusted(types)
    if refused:
        libraries = "scikit-learn, numpy and scipy"
        raise TrainingError(f"{found}: it contains {', '.join(refused)}; trusted are {libraries}", hint=ALLOW_PICKLE)
    return _Stored(SAFE_FILE, "skops", content, types)


def _to_either(model: object, by_value: Sequence[ModuleType]) -> _Stored:
    try:
        return _to_skops(model)
    except TrainingError:
        return _to_pickle(model, by_value)


def _to_pickle(model: object, by_value: Sequence[ModuleType]) -> _Stored:
    import cloudpickle  # type: ignore[import-untyped]

    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        content: bytes = cloudpickle.dumps(model)
    except Exception as error:  # pickling calls the methods of whatever the model holds
        raise TrainingError(
            f"a model of type {_name(model)} cannot be pickled: {type(error).__name__}: {error}",
            hint="Keep open files, locks and connections out of the model.",
        ) from error
    finally:
        for module in by_value:
            cloudpickle.unregister_pickle_by_value(module)
    return _Stored(PICKLE_FILE, "pickle", content, ())


def _from_skops(content: bytes, manifest: Manifest, subject: str) -> object:
    import skops.io

    types = skops.io.get_untrusted_types(data=content)
    refused = sorted({*untrusted(types), *(set(types) - set(manifest.trusted_types))})
    if refused:
        raise RegistryError(f"{subject}: {SAFE_FILE} contains {', '.join(refused)}, which is not trusted")
    return skops.io.loads(content, trusted=types)


def _from_pickle(content: bytes) -> object:
    import pickle

    return pickle.loads(content)  # noqa: S301 - allowed by the project, and its digest has been verified


def _differences(manifest: Manifest) -> str:
    here = library_versions(manifest.libraries)
    told = [
        f"{name} {stored} (here {here.get(name, 'none')})"
        for name, stored in manifest.libraries.items()
        if here.get(name) != stored
    ]
    return f"; it was stored with {', '.join(told)}" if told else ""


def _name(model: object) -> str:
    kind = type(model)
    return f"{kind.__module__}.{kind.__qualname__}"
