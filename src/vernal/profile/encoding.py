"""The bytes of profiles and baselines: a versioned envelope with a checksum around compressed content."""

from __future__ import annotations

import struct
import zlib
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vernal.errors import ProfileError

_ENVELOPE: Final = struct.Struct("<4sBIQ")  # what it is, version, CRC-32 of the compressed content, size of the content
_VERSION: Final = 1
_LARGEST: Final = 1 << 31
_CODEC: Final = "zstd"

PROFILE: Final = b"VNPR"
BASELINE: Final = b"VNBL"
WEEKLY: Final = b"VNWK"
REFERENCE: Final = b"VNRF"
MOMENTS: Final = 5
"""Numbers kept per numerical feature."""

_NAMES: Final = {PROFILE: "profile", BASELINE: "baseline", WEEKLY: "counts by hour of the week", REFERENCE: "reference"}


class _Counted(msgspec.Struct, frozen=True, array_like=True):
    """The content of a profile; only occupied cells are stored, by their distances and counts."""

    grid_id: str
    rows: Annotated[int, msgspec.Meta(ge=0)]
    cells: Annotated[int, msgspec.Meta(ge=0, le=_LARGEST // 8)]
    gaps: tuple[int, bytes]
    counts: tuple[int, bytes]
    moments: bytes | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Counted)


def seal(what: bytes, content: bytes) -> bytes:
    """Return content in its envelope."""
    packed: bytes = pa.compress(content, codec=_CODEC, asbytes=True)
    return _ENVELOPE.pack(what, _VERSION, zlib.crc32(packed), len(content)) + packed


def unseal(what: bytes, data: bytes) -> bytes:
    """Return the content of an envelope.

    Raises
    ------
    ProfileError
        If the bytes are something else, of another version, cut short or damaged.
    """
    name = _NAMES[what]
    if len(data) < _ENVELOPE.size or not data.startswith(what):
        raise ProfileError(
            f"{name}: found {len(data)} bytes that are no stored {name}, expected them to start {what!r}"
        )
    _, version, checksum, size = _ENVELOPE.unpack_from(data)
    if version != _VERSION:
        raise ProfileError(
            f"{name}: found version {version}, expected {_VERSION}", hint="It was written by another version of Vernal."
        )
    packed = data[_ENVELOPE.size :]
    if zlib.crc32(packed) != checksum or size > _LARGEST:
        raise ProfileError(f"{name}: found damaged content (checksum differs), expected what was written")
    try:
        content: bytes = pa.decompress(packed, decompressed_size=size, codec=_CODEC, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise ProfileError(f"{name}: found content that does not decompress ({error})") from None
    return content


class Sparse(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A decoded profile; counts are those of its occupied cells."""

    grid_id: str
    rows: int
    cells: int
    occupied: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    moments: npt.NDArray[np.float64] | None


def encode_profile(
    grid_id: str, rows: int, counts: npt.NDArray[np.int64], moments: npt.NDArray[np.float64] | None
) -> bytes:
    """Return a profile as bytes: a few bytes per occupied cell."""
    occupied = np.flatnonzero(counts)
    content = _Counted(
        grid_id=grid_id,
        rows=rows,
        cells=counts.size,
        gaps=pack(np.diff(occupied, prepend=0)),
        counts=pack(counts[occupied]),
        moments=None if moments is None else _planes(moments.astype("<f8")),
    )
    return seal(PROFILE, _encoder.encode(content))


def decode_profile(data: bytes) -> Sparse:
    """Return the profile in bytes without spreading its counts over all cells.

    Raises
    ------
    ProfileError
        If the bytes are not those of a profile, or contradict themselves.
    """
    try:
        found = _decoder.decode(unseal(PROFILE, data))
        occupied = np.cumsum(unpack(found.gaps))
        counts = unpack(found.counts)
        moments = None if found.moments is None else _unplanes(found.moments, "<f8").reshape(-1, MOMENTS)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ProfileError(f"profile: found content that does not decode ({error})") from None
    sound = bool((np.diff(occupied, prepend=-1) > 0).all() and (counts > 0).all())
    if occupied.shape != counts.shape or not sound or (occupied.size and occupied[-1] >= found.cells):
        raise ProfileError("profile: found counts that do not fit its cells, expected one count per occupied cell")
    return Sparse(
        grid_id=found.grid_id,
        rows=found.rows,
        cells=found.cells,
        occupied=occupied,
        counts=counts,
        moments=moments,
    )


def pack(values: npt.NDArray[np.int64]) -> tuple[int, bytes]:
    """Return whole numbers in as few bytes each as the largest needs."""
    largest = int(values.max(initial=0))
    width = next(width for width in (1, 2, 4, 8) if largest < 1 << (8 * width - (width == 8)))  # noqa: PLR2004 - signed
    return width, _planes(values.astype(f"<u{width}"))


def unpack(packed: tuple[int, bytes]) -> npt.NDArray[np.int64]:
    """Return the whole numbers that :func:`pack` packed; ``ValueError`` if they cannot be."""
    width, data = packed
    if width not in {1, 2, 4, 8}:
        raise ValueError(f"numbers of {width} bytes")
    return _unplanes(data, f"<u{width}").astype(np.int64)


def _planes(values: npt.NDArray[Any]) -> bytes:
    """Return all first bytes, then all second bytes: alike bytes side by side compress better."""
    return values.reshape(-1, 1).view(np.uint8).T.tobytes()


def _unplanes(data: bytes, dtype: str) -> npt.NDArray[Any]:
    planes = np.frombuffer(data, dtype=np.uint8).reshape(np.dtype(dtype).itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(-1)
