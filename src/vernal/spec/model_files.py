"""Which files of a project are model files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from vernal.spec.project import DEFAULT_MODELS
from vernal.spec.wording import shown

_GLOB = frozenset("*?[")


class ModelFile(NamedTuple):
    """A model file and its name in messages (relative to the project)."""

    path: Path
    name: str


class Misplaced(NamedTuple):
    """A problem with a list of model files: where in the project file, the key's name, and what."""

    location: tuple[str | int, ...]
    field: str
    message: str


class Listing(NamedTuple):
    """The model files of a project, in the order of the patterns and of their names, each once."""

    files: tuple[ModelFile, ...]
    problems: tuple[Misplaced, ...]


def model_files(root: Path, patterns: Sequence[str], *, besides: Path) -> Listing:
    """Return the files that paths and glob patterns name.

    Parameters
    ----------
    root
        Folder that the patterns are relative to.
    patterns
        Paths or glob patterns; one that names no file is a problem, unless it is a default.
    besides
        The project file, which is never a model file. Neither are hidden files, unless they are named outright.
    """
    files: dict[Path, ModelFile] = {}
    problems = []
    for index, pattern in enumerate(patterns):
        matches, wrong = _matches(root, pattern)
        if wrong is not None:
            problems.append(Misplaced(("models", index), f"models[{index}]", wrong))
        for path in matches:
            if path != besides:
                files.setdefault(path, ModelFile(path, os.path.relpath(path, root)))
    usual = tuple(patterns) == DEFAULT_MODELS
    if not files and usual:
        message = "found no model file, expected at least one: any *.yaml beside vernal.yaml or in models/"
        problems = [Misplaced(("models",), "models", message)]
    elif not files and not problems and patterns:
        problems.append(Misplaced(("models",), "models", "names no file but vernal.yaml itself"))
    return Listing(tuple(files.values()), () if usual and files else tuple(problems))


def _matches(root: Path, pattern: str) -> tuple[list[Path], str | None]:
    """Return the files that one pattern names, and what is wrong with it, if anything."""
    if PurePath(pattern).is_absolute():
        return [], f"got {shown(pattern)}, expected a path or pattern relative to the project"
    try:
        if not _GLOB & set(pattern):
            path = Path(os.path.normpath(root / pattern))
            return ([path], None) if path.is_file() else ([], f"got {shown(pattern)}, but there is no such file")
        found = sorted(_visible_files(root, pattern))
    except (OSError, ValueError) as error:
        return [], f"got {shown(pattern)}, expected a path or pattern relative to the project ({error})"
    return (found, None) if found else ([], f"got {shown(pattern)}, which matches no file")


def _visible_files(root: Path, pattern: str) -> Iterator[Path]:
    for match in root.glob(pattern):
        path = Path(os.path.normpath(match))
        hidden = any(part.startswith(".") for part in Path(os.path.relpath(path, root)).parts if part != os.pardir)
        if path.is_file() and not hidden:
            yield path
