"""Stored profiles and baselines: small, checksummed, and refused when they are anything but what was written."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import Baseline, FeatureKind, Profile, build_baseline, merge_all, profile_by_hour
from vernal.profile.encoding import BASELINE, PROFILE, encode_profile, seal

NUMERICAL, CATEGORICAL = FeatureKind.NUMERICAL, FeatureKind.CATEGORICAL
Read = Callable[[bytes], object]


def ordinary(features: int, rows: int) -> tuple[pa.Table, dict[str, FeatureKind]]:
    """Return half numerical and half categorical columns as many models have them."""
    rng = np.random.default_rng(1)
    numbers = {f"x{i}": rng.normal(i, 1 + i, rows) for i in range(features // 2)}
    texts = {f"c{i}": [f"value {v}" for v in rng.zipf(1.5, rows) % 50] for i in range(features - features // 2)}
    kinds = dict.fromkeys(numbers, NUMERICAL) | dict.fromkeys(texts, CATEGORICAL)
    return pa.table({**numbers, **texts}), kinds


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    table, kinds = ordinary(4, 2_000)
    return build_baseline(table, kinds)


BOTH = pytest.mark.parametrize("what", ["profile", "baseline"])


def stored(baseline: Baseline, what: str) -> tuple[bytes, Read]:
    if what == "profile":
        return baseline.reference.to_bytes(), Profile.from_bytes
    return baseline.to_bytes(), Baseline.from_bytes


def test_an_hour_of_fifty_features_takes_a_few_hundred_bytes_a_feature_and_a_baseline_a_few_thousand() -> None:
    table, kinds = ordinary(50, 10_000)
    baseline = build_baseline(table, kinds)
    hours = profile_by_hour(baseline, table, np.arange(10_000) // 400)
    assert max(len(hour.to_bytes()) for hour in hours.values()) < 400 * 50
    assert len(baseline.to_bytes()) < 4_000 * 50


def test_a_baseline_does_not_grow_with_its_rows() -> None:
    sizes = [len(build_baseline(*ordinary(4, rows)).to_bytes()) for rows in (5_000, 100_000)]
    assert sizes[1] < 1.3 * sizes[0]


@BOTH
def test_bytes_cut_short_or_lengthened_are_refused(baseline: Baseline, what: str) -> None:
    data, read = stored(baseline, what)
    for length in [*range(40), *range(40, len(data), 97), len(data) - 1]:
        with pytest.raises(ProfileError):
            read(data[:length])
    with pytest.raises(ProfileError):
        read(data + b"\0")


@BOTH
def test_a_flipped_bit_is_never_read_as_something_else(baseline: Baseline, what: str) -> None:
    data, read = stored(baseline, what)
    chance = random.Random(1)
    for place in [*range(8 * 17), *chance.sample(range(8 * len(data)), 400)]:
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ProfileError):
            read(bytes(damaged))


@BOTH
def test_arbitrary_bytes_are_refused(baseline: Baseline, what: str) -> None:
    data, read = stored(baseline, what)
    chance = random.Random(2)
    for garbage in [b"", b"V", b"PAR1", *(chance.randbytes(size) for size in range(0, 300, 7))]:
        for start in (b"", data[:4], data[:5], data[:17]):
            with pytest.raises(ProfileError):
                read(start + garbage)


def test_neither_is_read_as_the_other(baseline: Baseline) -> None:
    with pytest.raises(ProfileError, match="that are no stored baseline"):
        Baseline.from_bytes(baseline.reference.to_bytes())
    with pytest.raises(ProfileError, match="that are no stored profile"):
        Profile.from_bytes(baseline.to_bytes())


@BOTH
def test_another_version_says_so(baseline: Baseline, what: str) -> None:
    data, read = stored(baseline, what)
    with pytest.raises(ProfileError, match="found version 9, expected 1") as caught:
        read(data[:4] + b"\x09" + data[5:])
    assert caught.value.hint == "It was written by another version of Vernal."


def test_a_size_too_large_to_be_meant_is_not_allocated(baseline: Baseline) -> None:
    data = bytearray(baseline.reference.to_bytes())
    struct.pack_into("<Q", data, 9, 1 << 60)
    with pytest.raises(ProfileError, match="damaged"):
        Profile.from_bytes(bytes(data))


def packed(*values: int) -> tuple[int, bytes]:
    return 1, bytes(values)


@pytest.mark.parametrize(
    "content",
    [
        {"grid_id": "g"},
        ["g", 1, 3, packed(0), packed(), None],
        ["g", 1, 3, packed(3), packed(1), None],
        ["g", 1, 3, packed(2, 1), packed(1, 1), None],
        ["g", 1, 3, (3, b"abc"), packed(1), None],
        ["g", 1, 3, (8, b"abc"), packed(1), None],
        ["g", 1, 3, packed(0), packed(1), b"1234567"],
        ["g", 1, 3, packed(0), packed(1), bytes(8)],
        ["g", "one", 3, packed(0), packed(1), None],
        ["g", 1, 3, packed(0, 0), packed(1, 1), None],
        ["g", -1, 3, packed(0), packed(1), None],
        ["g", 1, -3, packed(), packed(), None],
        ["g", 1, 3, packed(0), (8, b"\xff" * 8), None],
        ["g", 1, 1 << 50, packed(0), packed(1), None],
    ],
)
def test_a_sound_envelope_around_content_that_contradicts_itself_is_refused(content: object) -> None:
    with pytest.raises(ProfileError):
        Profile.from_bytes(seal(PROFILE, msgspec.msgpack.encode(content)))


def test_a_sound_envelope_around_anything_but_a_baseline_is_refused(baseline: Baseline) -> None:
    sound = baseline.reference.to_bytes()
    number = {"name": "x", "narrow": False, "edges": bytes(8)}
    text = {"name": "c", "top": 1, "ends": np.array([0, 1]).tobytes(), "text": b"a"}
    contents: tuple[Any, ...] = (
        [],
        {"grids": []},
        {"grids": [], "reference": sound},
        {"grids": [{}], "reference": sound},
        {"grids": [{**number, "edges": b"abc"}], "reference": sound},
        {"grids": [{**number, "name": 3}], "reference": sound},
        {"grids": [{**text, "text": b"\xff"}], "reference": sound},
        {"grids": [{**text, "ends": np.array([0, 9]).tobytes()}], "reference": sound},
        {"grids": [{**text, "top": 7}], "reference": sound},
        {"grids": [{**text, "top": "1"}], "reference": sound},
        {"grids": [number], "reference": sound},
        {"grids": [number], "reference": b"nothing"},
        {"grids": [number], "reference": 3},
        {"grids": 3, "reference": sound},
    )
    for content in contents:
        with pytest.raises(ProfileError):
            Baseline.from_bytes(seal(BASELINE, msgspec.msgpack.encode(content)))


def test_a_baseline_whose_reference_is_of_another_grid_is_refused(baseline: Baseline) -> None:
    content = {"grids": [], "reference": encode_profile("other", 0, np.zeros(0, np.int64), None)}
    with pytest.raises(ProfileError):
        Baseline.from_bytes(seal(BASELINE, msgspec.msgpack.encode(content)))


@pytest.mark.parametrize("largest", [0, 1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**62])
def test_counts_of_any_size_come_back(largest: int) -> None:
    counts = np.array([0, largest, 0, 1, 0])
    again = Profile.from_bytes(encode_profile("g", largest, counts, None))
    assert (again.counts.tolist(), again.rows, again.moments) == (counts.tolist(), largest, None)


@pytest.mark.parametrize("gap", [0, 255, 256, 70_000])
def test_cells_far_apart_come_back_to_their_places(gap: int) -> None:
    counts = np.zeros(gap + 3, np.int64)
    counts[[0, gap + 1]] = 5, 6
    assert np.array_equal(Profile.from_bytes(encode_profile("g", 11, counts, None)).counts, counts)


def test_a_profile_of_nothing_comes_back(baseline: Baseline) -> None:
    empty = merge_all(baseline, [])
    assert Profile.from_bytes(empty.to_bytes()) == empty
