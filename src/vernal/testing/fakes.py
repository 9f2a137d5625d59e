"""In-process stand-ins for trainer, registry, notifier and costs: every promise of their ports but isolation."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.errors import RegistryError
from vernal.ports import RegisteredVersion, TrainingState
from vernal.records import Cost, TrainingResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vernal.ports import TrainingJob
    from vernal.records import Message, Run


class FakeTrainer:
    """Trains nothing: writes the scores that a function gives for the holdout.

    Parameters
    ----------
    root
        Folder for what jobs leave behind; a job that is there has been done, also by another process.
    score
        ``score(holdout, version)`` for the candidate (named like its job) and for the champion.
    """

    def __init__(self, root: Path, score: Callable[[pa.Table, str], list[float]]) -> None:
        self._root = root
        self._score = score
        self.submitted: list[str] = []

    def submit(self, job: TrainingJob) -> None:
        """Do the job at once unless it has been done."""
        folder = self._root / job.name
        if (folder / "scores.parquet").exists():
            return
        self.submitted.append(job.name)
        folder.mkdir(parents=True, exist_ok=True)
        holdout = pq.ParquetFile(job.holdout).read()
        columns = {name: holdout[name] for name in ("prediction_id", "event_time", "label")}
        columns |= self._columns("", holdout, job.name)
        if job.champion is not None:
            columns |= self._columns("champion_", holdout, job.champion.version)
        aside = folder / "aside.parquet"
        pq.write_table(pa.table(columns), aside)
        aside.rename(folder / "scores.parquet")

    def poll(self, name: str) -> TrainingState:
        """Return ``succeeded`` for a job that was submitted."""
        folder = self._root / name
        if not (folder / "scores.parquet").exists():
            return TrainingState("unknown")
        return TrainingState(
            "succeeded",
            result=TrainingResult(
                artefact=str(folder),
                artefact_digest=name,
                scores_path=str(folder / "scores.parquet"),
                wall_seconds=1.0,
                cpu_seconds=1.0,
                peak_bytes=0,
                code_digest="none",
            ),
        )

    def cancel(self, name: str) -> None:
        """Nothing runs, so nothing stops."""

    def wait(self, name: str, *, seconds: float) -> TrainingState:  # noqa: ARG002 - the port's signature
        """Return at once: jobs end when they are submitted."""
        return self.poll(name)

    def _columns(self, prefix: str, holdout: pa.Table, version: str) -> dict[str, pa.Array]:
        scores = pa.array(self._score(holdout, version), pa.float64())
        predictions = pa.array([float(score >= 0.5) for score in scores.to_pylist()], pa.float64())  # noqa: PLR2004
        return {f"{prefix}score": scores, f"{prefix}prediction": predictions}


class FakeRegistry:
    """Versions in one JSON file, numbered from 1; no artefacts are copied and no digests verified."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def register(
        self,
        model: str,
        run: Run,
        result: TrainingResult,
        *,
        parameters: Mapping[str, str],  # noqa: ARG002 - the port's signature
        metrics: Mapping[str, float],  # noqa: ARG002 - the port's signature
    ) -> str:
        """Return the run's version, a new one the first time."""
        book = self._read()
        versions = book.setdefault(model, {})
        version = next((name for name, entry in versions.items() if entry["run"] == run.id), None)
        if version is None:
            version = str(len(versions) + 1)
            versions[version] = {"run": run.id, "artefact": result.artefact, "digest": result.artefact_digest}
            self._write(book)
        return version

    def fetch(self, model: str, version: str) -> RegisteredVersion:
        """Return a registered version."""
        entry = self._read().get(model, {}).get(version)
        if entry is None:
            raise RegistryError(f"{model}: there is no version {version}")
        return RegisteredVersion(version, Path(entry["artefact"]), entry["digest"])

    def versions(self, model: str) -> tuple[str, ...]:
        """Return the versions, oldest first."""
        return tuple(self._read().get(model, {}))

    def alias(self, model: str, alias: str) -> str | None:
        """Return the version an alias points at."""
        found: str | None = self._read().get("", {}).get(f"{model}@{alias}")
        return found

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        book = self._read()
        book.setdefault("", {})[f"{model}@{alias}"] = version
        self._write(book)

    def _read(self) -> dict[str, dict[str, Any]]:
        book: dict[str, dict[str, Any]] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return book

    def _write(self, book: dict[str, dict[str, Any]]) -> None:
        aside = self._path.with_suffix(".aside")
        aside.write_text(json.dumps(book))
        aside.rename(self._path)


class RecordingNotifier:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep a message."""
        self.sent.append(message)


class FixedCosts:
    """Every run costs the same."""

    def __init__(self, usd: str = "1.00") -> None:
        self._usd = Decimal(usd)

    def estimate(self, model: str, past: Sequence[Cost], *, rows: int) -> Cost:  # noqa: ARG002 - the port's signature
        """Return the fixed cost."""
        return Cost(usd=self._usd, source="fixed")

    def charge(self, result: TrainingResult, *, rows: int) -> Cost:  # noqa: ARG002 - the port's signature
        """Return the fixed cost with the seconds of the job."""
        return Cost(usd=self._usd, wall_seconds=result.wall_seconds, cpu_seconds=result.cpu_seconds, source="fixed")
