from __future__ import annotations

from pathlib import Path

import pytest

from vernal.adapters.lake import DeltaLake
from vernal.errors import LakeError


def leave(inbox: Path, model: str, kind: str, name: str) -> Path:
    path = inbox / model / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_segments_come_oldest_first_across_kinds(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path / "lake")
    second = leave(tmp_path / "inbox", "m", "labels", "20130202-b.parquet")
    third = leave(tmp_path / "inbox", "m", "predictions", "20130203-c.parquet")
    first = leave(tmp_path / "inbox", "m", "predictions", "20130201-a.parquet")
    leave(tmp_path / "inbox", "other", "predictions", "20130101-x.parquet")
    assert lake.inbox("m") == (
        ("predictions", "20130201-a", first),
        ("labels", "20130202-b", second),
        ("predictions", "20130203-c", third),
    )


def test_files_that_are_being_written_or_were_refused_are_not_seen(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path / "lake", inbox_path=tmp_path / "elsewhere")
    leave(tmp_path / "elsewhere", "m", "predictions", ".20130201-a.tmp")
    leave(tmp_path / "elsewhere", "m", "predictions", ".20130201-a.parquet")
    leave(tmp_path / "elsewhere", "m", "predictions/refused", "20130201-b.parquet")
    assert lake.inbox("m") == ()


def test_an_inbox_that_nobody_has_used_is_empty(tmp_path: Path) -> None:
    assert DeltaLake(tmp_path / "lake").inbox("m") == ()


def test_discarding_twice_is_fine(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path / "lake")
    segment = leave(tmp_path / "inbox", "m", "labels", "a.parquet")
    lake.discard(segment)
    lake.discard(segment)
    assert lake.inbox("m") == ()


def test_a_segment_that_cannot_be_removed_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "a.parquet"
    folder.mkdir()
    with pytest.raises(LakeError, match=r"cannot remove .*a\.parquet"):
        DeltaLake(tmp_path / "lake").discard(folder)
