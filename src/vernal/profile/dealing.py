"""Which rows stand for all, and which of two parts each is dealt to, by coins that are always the same.

Every second row would do if rows came in no order. But the answers of two models lie pair by pair, and those of eight
sensors in turns: every second row is then one model, and every eighth one sensor.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from vernal.profile.columns import Codes

Bits = npt.NDArray[np.uint8]

_COINS: Final[Bits] = np.unpackbits(np.frombuffer(hashlib.shake_128(b"vernal").digest(4094), np.uint8))[:32_749]
"""Coins, used over and over; their number is prime, so that no rhythm of the rows keeps step with it."""

_FIRST: Final = 8_191
"""Where in the coins the first halving begins, the second at twice this place: each has others."""


def dealt(start: int, size: int) -> Bits:
    """Return the part, 0 or 1, of rows from place ``start`` on, shape ``(size,)``.

    Every row has a coin of its own. One coin for every pair would make the parts of rows that are sorted more alike
    than two samples are.
    """
    first = start % _COINS.size
    return np.tile(_COINS, (first + size) // _COINS.size + 1)[first : first + size]


def chosen(start: int, stop: int, level: int) -> Codes:
    """Return the places, from ``start`` and before ``stop``, that stand for all: one of every ``2 ** level``, in order.

    Those of a level are among those of the level before, so a sample can be thinned without its rows being read again.
    """
    places = np.arange(start >> level, (stop + (1 << level) - 1) >> level)
    for depth in range(level, 0, -1):
        places = 2 * places + _COINS[(places + depth * _FIRST) % _COINS.size]
    return places[(places >= start) & (places < stop)]
