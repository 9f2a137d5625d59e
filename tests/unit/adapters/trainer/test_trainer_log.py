from __future__ import annotations

from pathlib import Path

from vernal.adapters.trainer.log import BoundedLog, last_lines


def written(path: Path, *chunks: bytes) -> bytes:
    log = BoundedLog(path, head=4, tail=4)
    for chunk in chunks:
        log.write(chunk)
    log.close()
    return path.read_bytes()


def test_what_fits_is_kept_whole(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"ab", b"cdef", b"gh") == b"abcdefgh"


def test_beginning_and_end_are_kept_and_the_middle_is_counted(tmp_path: Path) -> None:
    assert written(tmp_path / "log", b"abcdef", b"g" * 90, b"wxyz") == b"abcd\n... 92 bytes left out ...\nwxyz"


def test_one_huge_chunk_is_cut_like_many_small_ones(tmp_path: Path) -> None:
    text = b"abcd" + b"-" * 90 + b"wxyz"
    assert written(tmp_path / "one", text) == written(tmp_path / "many", *(text[n : n + 1] for n in range(len(text))))


def test_a_log_that_cannot_be_written_costs_nothing_but_the_log(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "missing" / "log")
    log.write(b"lost")
    log.close()
    assert last_lines(tmp_path / "missing" / "log") == ""


def test_the_last_lines_are_bounded_in_lines_and_characters(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {n}\n" for n in range(100)))
    assert last_lines(path, lines=2) == "line 98\nline 99"
    assert last_lines(path, lines=50, characters=7) == "... line 99"
