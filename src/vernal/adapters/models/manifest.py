"""What an artefact says about itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import TYPE_CHECKING

import msgspec

from vernal.adapters.models.frame import ModelColumns
from vernal.errors import RegistryError
from vernal.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAYOUT = 1
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "skops")


class Manifest(Record, frozen=True, kw_only=True):
    """The file ``manifest.json`` of an artefact.

    ``format`` is ``skops`` or ``pickle``; ``files`` maps every other file to its sha256; ``trusted_types`` are
    the types that loading must trust beyond those that skops knows.
    """

    layout: int = _LAYOUT
    format: str
    task: str
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    trusted_types: tuple[str, ...] = ()
    libraries: dict[str, str]
    files: dict[str, str]

    @property
    def columns(self) -> ModelColumns:
        """The model's inputs and task."""
        return ModelColumns(self.features, self.categorical, self.task)


def read_manifest(content: bytes, *, subject: str) -> Manifest:
    """Return a manifest that has been verified.

    Raises
    ------
    RegistryError
        If it was written by a later version of Vernal, or by something else.
    """
    try:
        manifest = Manifest.from_json(content)
    except msgspec.ValidationError as error:
        raise RegistryError(f"{subject}: manifest.json is not one of Vernal's: {error}") from error
    if manifest.layout != _LAYOUT:
        found = f"{subject}: the artefact has layout {manifest.layout}, expected {_LAYOUT}"
        raise RegistryError(found, hint="It was written by another version of Vernal: upgrade this one.")
    return manifest


def library_versions(extra: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide how a stored model behaves."""
    versions = {"python": python_version()}
    for name in sorted({*_LIBRARIES, *extra}):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
