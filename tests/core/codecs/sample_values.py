"""Values, codecs and comparisons that the tests of codecs share."""

from __future__ import annotations

import enum
import struct
from typing import Any, NamedTuple

import numpy as np

from rave_core.codecs import Codecs

CODECS = Codecs()


RAN: list[str] = []


def record(word: str) -> str:
    """What a malicious pickle calls."""
    RAN.append(word)
    return word


class Point(NamedTuple):
    x: int


class Colour(enum.Enum):
    RED = 1


class Text(str):
    """A subclass may carry more than its text."""

    __slots__ = ()


def private(segments: list[Any]) -> list[memoryview]:
    """What a caller hands to ``decode``: views of memory that nobody else has."""
    return [memoryview(bytearray(each)) for each in segments]


def around(value: object, *, data_only: bool) -> Any:
    """``value`` encoded and decoded."""
    name, segments = CODECS.choose(value, data_only=data_only)
    return CODECS.decode(name, private(segments), data_only=data_only)


def chosen(value: object, *, data_only: bool = False) -> str:
    """The name of the codec chosen for ``value``."""
    return CODECS.choose(value, data_only=data_only)[0]


def same(one: Any, other: Any) -> bool:
    """Equal by value and by type, through and through; NaN equals itself, 0.0 is not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, int):
        return bool(one == other)
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, complex):
        return same([one.real, one.imag], [other.real, other.imag])
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set | frozenset):
        return len(one) == len(other) and {(type(x), x) for x in one} == {(type(x), x) for x in other}
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    # Neither a signalling NaN nor NaT equals itself; what is left here has a telling repr.
    return repr(one) == repr(other)


def type_of(value: object) -> str:
    """An id that every worker of a parallel run gives alike: no address in it."""
    return type(value).__name__
