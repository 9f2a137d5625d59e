"""A loaded project: its policy, its models, and where everything of it lies on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from vernal.errors import ProjectError
from vernal.spec.model import ModelSpec
from vernal.spec.project import ProjectSpec
from vernal.spec.source import Source, source_of
from vernal.spec.wording import guess

_DATABASE_FILE: Final = re.compile(r"(?P<scheme>(sqlite|duckdb)(\+\w+)?):///(?P<path>[^?]+)(?P<query>\?.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Project:
    """A project whose files are all valid.

    Parameters
    ----------
    root
        Folder of the project file, absolute. Everything that Vernal writes by default is under ``root / ".vernal"``.
    spec
        The project file.
    models
        Every model file by the model's name, in alphabetical order.
    files
        The path of every model's file.
    """

    root: Path
    spec: ProjectSpec
    models: Mapping[str, ModelSpec]
    files: Mapping[str, Path]

    @override
    def __reduce__(self) -> tuple[type[Project], tuple[object, ...]]:
        """Pickle the mappings as plain ones: a view, which is what loading returns, cannot be."""
        return Project, (self.root, self.spec, dict(self.models), dict(self.files))

    @property
    def name(self) -> str:
        """The project's name."""
        return self.spec.project

    @property
    def home(self) -> Path:
        """Folder of what Vernal keeps for the project on this machine."""
        return self.root / ".vernal"

    @property
    def state_url(self) -> str:
        """SQLAlchemy URL of the state store, with an absolute path if it is a file."""
        return self._absolute(self.spec.state)

    @property
    def registry_uri(self) -> str:
        """MLflow tracking URI, with an absolute path if it is a file."""
        return self._absolute(self.spec.registry)

    @property
    def lake_path(self) -> Path:
        """Folder of the lake's tables."""
        return self.root / self.spec.lake

    @property
    def notifications_path(self) -> Path:
        """File that alerts are appended to."""
        return self.root / self.spec.notifications.file

    @property
    def event_source(self) -> str:
        """The ``source`` of the project's CloudEvents."""
        return self.spec.events.source or f"/vernal/{self.name}"

    @property
    def jobs_path(self) -> Path:
        """Folder of training jobs."""
        return self.home / "jobs"

    @property
    def inbox_path(self) -> Path:
        """Folder where clients leave predictions and labels for the lake."""
        return self.home / "inbox"

    @property
    def artefacts_path(self) -> Path:
        """Folder for the registry's artefacts when the registry is a local file."""
        return self.home / "artefacts"

    def model(self, name: str) -> ModelSpec:
        """Return one model.

        Raises
        ------
        ProjectError
            If the project has no model of that name.
        """
        if name not in self.models:
            known = ", ".join(self.models)
            raise ProjectError(
                f'{self.root}: found no model "{name}", expected one of {known}{guess(name, self.models)}'
            )
        return self.models[name]

    def source(self, name: str) -> Source:
        """Return where a model's predictions and labels are read from, with the project's defaults and absolute paths.

        Raises
        ------
        ProjectError
            If the project has no model of that name.
        """
        found = source_of(self.model(name).source, self.spec.source)
        tables = found.tables
        if found.kind in {"parquet", "delta"}:
            tables = {kind: table._replace(place=str(self.root / table.place)) for kind, table in tables.items()}
        return found._replace(url=None if found.url is None else self._absolute(found.url), tables=tables)

    def code_path(self, name: str) -> Path:
        """Return the absolute path of a model's Python file.

        Raises
        ------
        ProjectError
            If the project has no model of that name.
        """
        return code_path(self.files[self.model(name).model], self.model(name).code)

    def _absolute(self, url: str) -> str:
        match = _DATABASE_FILE.fullmatch(url)
        if match is None:
            return url
        return f"{match['scheme']}:///{self.root / match['path']}{match['query'] or ''}"


def code_path(model_file: Path, code: str) -> Path:
    """Return where the Python file named in a model file lies."""
    return model_file.parent / code
