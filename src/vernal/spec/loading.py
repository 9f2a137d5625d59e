"""Finds a project's files and reads them, reporting everything that is wrong with any of them at once."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import Final, Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from vernal.errors import Problem, ProjectError, SpecError
from vernal.spec.base import Section
from vernal.spec.document import MOST_BYTES, Document, read_document
from vernal.spec.layout import Project, code_path
from vernal.spec.model import ModelSpec
from vernal.spec.model_files import ModelFile, model_files
from vernal.spec.problems import problems_in
from vernal.spec.project import DEFAULT_MODELS, ProjectSpec
from vernal.spec.source import SourceDefaults, source_faults
from vernal.spec.wording import key_path, shown

PROJECT_FILE: Final = "vernal.yaml"

_S = TypeVar("_S", bound=Section)


class _Loaded(NamedTuple, Generic[_S]):
    """What a file gave: its values if it is YAML, its spec if it is valid, and every problem."""

    document: Document | None
    spec: _S | None
    problems: list[Problem]


def find_project(start: Path) -> Path:
    """Return the closest folder, ``start`` itself or above it, that holds a ``vernal.yaml``.

    Raises
    ------
    ProjectError
        If there is none.
    """
    start = Path(os.path.abspath(start))  # noqa: PTH100 - "above" is meant as typed, not where links lead
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise ProjectError(
        f"{start}: found no {PROJECT_FILE} here or in any folder above, expected one",
        hint="`vernal init` writes a project that runs.",
    )


def load_project(start: Path) -> Project:
    """Return the project in or above a folder, with every model file validated.

    Parameters
    ----------
    start
        Where to look first; see :func:`find_project`.

    Raises
    ------
    ProjectError
        If there is no project.
    SpecError
        If a file is wrong; carries all problems of all files, file by file and line by line.
    """
    root = find_project(start)
    if "?" in str(root):
        raise ProjectError(
            f"{root}: found a question mark in the project's path, where database URLs end; expected none",
            hint="Rename the folder.",
        )
    project = _load(root / PROJECT_FILE, ProjectSpec, name=PROJECT_FILE)
    patterns = _patterns(project)
    listing = model_files(root, patterns or (), besides=root / PROJECT_FILE)
    place = project.document.line if project.document is not None else None
    problems = [
        *project.problems,
        *(Problem(PROJECT_FILE, place(at) if place else None, field, text) for at, field, text in listing.problems),
    ]
    if patterns is None:
        raise SpecError(_in_order(problems))
    problems = list(_in_order(problems))
    models: dict[str, ModelSpec] = {}
    owners: dict[str, ModelFile] = {}
    for file in listing.files:
        loaded = _load(file.path, ModelSpec, name=file.name)
        problems += _in_order(_model_problems(file, loaded, owners, listed=patterns != DEFAULT_MODELS))
        if loaded.spec is not None:
            if project.spec is not None:
                problems += _in_order(_source_problems(file, loaded, project.spec.source))
            models[loaded.spec.model] = loaded.spec
    if problems or project.spec is None:
        raise SpecError(tuple(problems))
    ordered = sorted(models)
    return Project(
        root=root,
        spec=project.spec,
        models=MappingProxyType({name: models[name] for name in ordered}),
        files=MappingProxyType({name: owners[name].path for name in ordered}),
    )


def _load(path: Path, section: type[_S], *, name: str) -> _Loaded[_S]:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        return _Loaded(None, None, [Problem(name, None, "", f"cannot be read: {error.strerror or error}")])
    document, found = read_document(content, file=name)
    problems = list(found)
    if document is None:
        return _Loaded(None, None, problems)
    try:
        return _Loaded(document, section.model_validate(document.values), problems)
    except ValidationError as error:
        # What the text already got wrong on a line makes its value wrong too; once is enough.
        told = {problem.line for problem in found}
        invalid = problems_in(error, section=section, document=document, file=name)
        return _Loaded(document, None, problems + [problem for problem in invalid if problem.line not in told])


def _patterns(project: _Loaded[ProjectSpec]) -> tuple[str, ...] | None:
    """Return which files are models, ``None`` if the project file does not tell; another error there is no obstacle."""
    if project.spec is not None:
        return project.spec.models
    if project.document is None or not isinstance(project.document.values, dict):
        return None
    if any(problem.field.startswith("models") for problem in project.problems):
        return None
    listed = project.document.values.get("models", DEFAULT_MODELS)
    return tuple(str(pattern) for pattern in listed)


def _model_problems(
    file: ModelFile, loaded: _Loaded[ModelSpec], owners: dict[str, ModelFile], *, listed: bool
) -> list[Problem]:
    document = loaded.document
    if document is None:
        return loaded.problems
    values = document.values if isinstance(document.values, dict) else {}
    if not listed and not values.keys() & ModelSpec.model_fields.keys():
        message = (
            "is no model file: it has none of a model's keys. Every YAML file beside vernal.yaml and in models/ is "
            "read as one; to leave it out, list the model files under models in vernal.yaml"
        )
        return [Problem(file.name, document.place.line, "", message)]
    problems = list(loaded.problems)
    wrong = {problem.field for problem in problems}
    if "code" not in wrong and isinstance(values.get("code"), str):
        problems += _code_problems(file, values["code"], document)
    name = values.get("model")
    if "model" not in wrong and isinstance(name, str):
        owner = owners.setdefault(name, file)
        if owner is not file:
            message = f"got {shown(name)}, the name of the model in {owner.name} already; expected another one"
            problems.append(Problem(file.name, document.line(("model",)), "model", message))
    return problems


def _source_problems(file: ModelFile, loaded: _Loaded[ModelSpec], defaults: SourceDefaults) -> list[Problem]:
    """Return what is wrong with a model's source together with what the project says about all of them."""
    if loaded.spec is None or loaded.document is None:
        return []
    problems = []
    for fault in source_faults(loaded.spec.source, defaults, loaded.spec.features):
        location = ("source", *fault.at)
        problems.append(Problem(file.name, loaded.document.line(location), key_path(location), fault.message))
    return problems


def _code_problems(file: ModelFile, code: str, document: Document) -> list[Problem]:
    path = code_path(file.path, code)
    try:
        found = path.is_file()
    except OSError:  # a name longer than the file system allows
        found = False
    if found:
        return []
    message = f"got {shown(code)}, but there is no file {path}; the path is relative to the model file"
    return [Problem(file.name, document.line(("code",)), "code", message)]


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=_line_or_zero))


def _line_or_zero(problem: Problem) -> int:
    return problem.line or 0
