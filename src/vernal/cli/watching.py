"""Noticing that the files of a project have changed, and whether they can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vernal.spec import Project

_Snapshot = frozenset[tuple[str, int, int]]


class Watched:
    """The files of a loaded project.

    Parameters
    ----------
    project
        What was loaded.
    models
        Names that must stay models of the project.
    """

    def __init__(self, project: Project, models: Sequence[str]) -> None:
        self._project = project
        self._models = models
        self._seen = _snapshot(project)
        # A file that changed after it was loaded, and before this look at it, would never be noticed.
        self._stale = self._load() != project

    def changed(self) -> bool:
        """Tell whether a file was changed, added or removed since the last time that this was asked."""
        found = _snapshot(self._project)
        if found == self._seen and not self._stale:
            return False
        self._seen, self._stale = found, False
        return True

    def problem(self) -> str | None:
        """Return what is wrong with the files as they are now."""
        found = self._load()
        return found if isinstance(found, str) else None

    def _load(self) -> Project | str:
        from vernal.errors import VernalError
        from vernal.spec import load_project

        try:
            project = load_project(self._project.root)
            for name in self._models:
                project.model(name)
        except VernalError as error:
            return str(error)
        return project


def _snapshot(project: Project) -> _Snapshot:
    folders = {project.root, *(path.parent for path in project.files.values())}
    found: set[tuple[str, int, int]] = set()
    for folder in folders:
        for path in folder.glob("*.yaml"):
            found |= _facts(path)
    return frozenset(found)


def _facts(path: Path) -> _Snapshot:
    try:
        facts = path.stat()
    except OSError:  # removed just now
        return frozenset()
    return frozenset({(str(path), facts.st_mtime_ns, facts.st_size)})
