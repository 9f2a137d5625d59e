"""Who is answered by the challenger: a pure hash, the same everywhere, sticky and monotone."""

from __future__ import annotations

from hashlib import blake2b

_SCALE = float(2**64)


def position(salt: str, entity: str) -> float:
    """Return an entity's fixed place in [0, 1) for one rollout."""
    digest = blake2b(f"{salt}\x00{entity}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _SCALE


def gets_challenger(salt: str, entity: str, share: float) -> bool:
    """Whether an entity is answered by the challenger.

    Sticky: it depends on nothing but the arguments. Monotone: whoever has the challenger at some share keeps it at
    every larger one.

    Examples
    --------
    >>> [gets_challenger("run-7", "N14228", share) for share in (0.0, 1.0)]
    [False, True]
    """
    return position(salt, entity) < share
