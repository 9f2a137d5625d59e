"""Every error that Vernal raises on purpose.

A message names the subject, what was found, what was expected and, where there is one, what to do (``hint``).
Whatever is not a :class:`VernalError` is a bug.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from typing_extensions import override


class VernalError(Exception):
    """Base of all deliberate errors.

    Parameters
    ----------
    message
        Subject, found and expected, in one sentence.
    hint
        What the reader can do about it, if anything.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @override
    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message


class Problem(NamedTuple):
    """One thing that is wrong in a file, with its place (lines and columns count from 1)."""

    file: str
    line: int | None
    field: str
    message: str

    @override
    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class SpecError(VernalError):
    """A project or policy file is wrong; carries every problem found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...], *, hint: str | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = problems


class ProjectError(VernalError):
    """No project was found, or it is not what the command needs."""


class SampleError(VernalError):
    """A statistic was asked for on data that cannot carry it (empty, wrong shape, not finite)."""


class DataError(VernalError):
    """Rows that were handed over cannot be read (missing or damaged file, no table)."""


class ProfileError(VernalError):
    """Two profiles cannot be combined, or a stored profile cannot be read."""


class StoreError(VernalError):
    """The state store cannot be opened, or refuses."""


class LeaseLostError(StoreError):
    """Another worker has taken over: this worker's late write is refused."""


class OpenRunError(StoreError):
    """The model already has an open run; only one at a time is allowed."""


class NotFoundError(StoreError):
    """The named model, run, approval or version does not exist."""


class PhaseError(StoreError):
    """The run is not in a phase that allows what was asked."""


class DeliveryError(VernalError):
    """A receiver did not take a message.

    Parameters
    ----------
    refused
        The receiver answered and does not want this message; others may go through.
    retry_after
        How long the receiver asked to be left alone.
    gone
        The receiver said that it will never take anything again.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        refused: bool = False,
        retry_after: timedelta | None = None,
        gone: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.refused = refused
        self.retry_after = retry_after
        self.gone = gone


class LakeError(VernalError):
    """The lake cannot be read or written (missing table, full disk, lost race)."""


class RegistryError(VernalError):
    """The model registry cannot be read or written."""


class DigestMismatchError(RegistryError):
    """A stored model artefact is not the one that was registered; it is not loaded."""


class WorkerError(VernalError):
    """A worker process ended, or was stopped, before the step that it had in hand was done."""


class TrainingError(VernalError):
    """A training job cannot be started or its result cannot be used."""


class UserCodeError(VernalError):
    """The user's module is missing, does not import, or does not define what Vernal calls."""
