"""All that the benchmark asks of Vernal's profiles, in one place: what changes there is changed here."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vernal.profile import Baseline, FeatureComparison, FeatureKind, Profile, build_baseline, compare, profile_rows

THRESHOLD = 0.1
"""The usual threshold for PSI and Jensen-Shannon; a feature is drifted above it and above what chance gives."""

_THREADS = os.cpu_count() or 1
_BATCH_ROWS = 1 << 18


class ParquetRows:
    """A Parquet file, or some of its row groups, read one column at a time."""

    def __init__(self, path: Path, groups: Sequence[int] | None = None) -> None:
        self._path = path
        self._metadata = pq.read_metadata(path)
        self._groups = list(range(self._metadata.num_row_groups)) if groups is None else list(groups)
        self._local = threading.local()

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self._metadata.schema.to_arrow_schema()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self._metadata.row_group(group).num_rows for group in self._groups)

    def chunks(self, column: str) -> Iterator[pa.Array]:
        """Yield a column; strings come as codes into the file's dictionary."""
        file = self._file()
        reading = {"batch_size": _BATCH_ROWS, "row_groups": self._groups, "columns": [column], "use_threads": False}
        for batch in file.iter_batches(**reading):
            yield batch.column(0)

    def _file(self) -> pq.ParquetFile:
        """Return this thread's own handle, without the buffer that would hold whole columns."""
        if not hasattr(self._local, "file"):
            encoded = [field.name for field in self.schema if pa.types.is_string(field.type)]
            self._local.file = pq.ParquetFile(
                self._path, metadata=self._metadata, read_dictionary=encoded, pre_buffer=False
            )
        file: pq.ParquetFile = self._local.file
        return file


def baseline_of(rows: ParquetRows | pa.Table) -> Baseline:
    """Cut and count a baseline; strings are categorical, everything else is numerical."""
    kinds = {
        field.name: FeatureKind.CATEGORICAL if pa.types.is_string(field.type) else FeatureKind.NUMERICAL
        for field in rows.schema
    }
    return build_baseline(rows, kinds, threads=_THREADS)


def profile_of(baseline: Baseline, rows: ParquetRows | pa.Table) -> Profile:
    """Count rows on the baseline's cells."""
    return profile_rows(baseline, rows, threads=_THREADS)


def scores_of(feature: FeatureComparison) -> dict[str, float]:
    """Return the scores of one feature by name."""
    found = {"psi": feature.psi, "js": feature.js, "ks": feature.ks}
    scores = {name: distance.score for name, distance in found.items() if distance is not None}
    if feature.ks is not None and feature.ks.upper is not None:
        scores["ks_upper"] = feature.ks.upper
    return scores


def verdict(baseline: Baseline, profile: Profile) -> dict[str, Any]:
    """Return the scores of every feature and which of them are drifted."""
    scores: dict[str, dict[str, float]] = {}
    drifted = []
    for feature in compare(baseline, profile):
        judged = feature.psi if feature.kind is FeatureKind.NUMERICAL else feature.js
        if judged is not None and judged.score > max(THRESHOLD, judged.critical):
            drifted.append(feature.feature)
        scores[feature.feature] = scores_of(feature)
    return {"rows": [baseline.rows, profile.rows], "scores": scores, "drifted": sorted(drifted)}
