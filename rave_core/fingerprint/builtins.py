"""The canonical encoding of built-in scalars and containers, and the table that finds the encoder of a type."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from operator import itemgetter
from struct import pack
from typing import Any, TypeAlias

from rave_core.errors import UnencodableError
from rave_core.fingerprint.buffers import LARGE, Write, put_octets, put_texts

Put: TypeAlias = Callable[[Any, Write, set[int]], None]
"""Encodes a value: writes bytes; the set holds the ids of the containers around the value."""

MAX_DEPTH = 150
"""The maximum depth of containers: within Python's own limit if the caller is not deep in a recursion itself."""

_MAX_KNOWN = 4096
_MANY = 32
"""The number of texts in a list from which they are written in one go."""


class Puts(dict[type, Put]):
    """The encoder of each type, found on first use; bounded, because a program can make any number of classes.

    Of classes with one name only the one that was met last is known, so that edits keep no old code alive.
    """

    find: Callable[[type], Put]

    def __init__(self) -> None:
        super().__init__()
        self._latest: dict[tuple[str, str], type] = {}

    def __missing__(self, cls: type) -> Put:
        put = self.find(cls)
        if len(self) >= _MAX_KNOWN:
            self.clear()
        name = (str(cls.__module__), cls.__qualname__)
        former = self._latest.get(name)
        if former is not None:
            self.pop(former, None)
        self._latest[name] = cls
        self[cls] = put
        return put

    def clear(self) -> None:
        """Forgets all types."""
        super().clear()
        self._latest.clear()


PUTS = Puts()


def piece(value: Any, inside: set[int]) -> bytes:
    """The encoding of a value by itself, for sorting."""
    chunks: list[Any] = []
    PUTS[type(value)](value, chunks.append, inside)
    return b"".join(chunks)


# Scalars ---------------------------------------------------------------------------------------------------


def _put_int(value: int, write: Write, _: set[int]) -> None:
    write(b"i%x;" % value)


def _put_float(value: float, write: Write, _: set[int]) -> None:
    write(pack(">cd", b"d", value) if value == value else b"dNaNNaNNa")


def _put_complex(value: complex, write: Write, inside: set[int]) -> None:
    write(b"c")
    _put_float(value.real, write, inside)
    _put_float(value.imag, write, inside)


def put_text(value: str, write: Write, _: set[int]) -> None:
    """Writes a str, with any lone surrogates."""
    data = value.encode("utf-8", "surrogatepass")
    if (size := len(data)) < LARGE:
        write(b"s%x:%b" % (size, data))
    else:
        write(b"s%x:" % size)
        put_octets(data, write)


def _put_bytes(value: bytes, write: Write, _: set[int]) -> None:
    write(b"b%x:" % len(value))
    put_octets(value, write)


def _put_bytearray(value: bytearray, write: Write, _: set[int]) -> None:
    write(b"a%x:" % len(value))
    put_octets(value, write)


def _put_memoryview(value: memoryview, write: Write, inside: set[int]) -> None:
    try:
        write(b"m")
        PUTS[tuple]((value.format, value.shape, value.nbytes), write, inside)
        put_octets(value if value.c_contiguous and value.ndim == 1 else value.tobytes(), write)
    except ValueError as error:
        raise UnencodableError(f"a memoryview that can't be read: {error}") from error


# Containers ------------------------------------------------------------------------------------------------


def guarded(put: Put) -> Put:
    """``put`` for something that holds other values: refuses a cycle and bounds the depth."""

    def within(value: Any, write: Write, inside: set[int]) -> None:
        key = id(value)
        if key in inside:
            raise UnencodableError(f"this {type(value).__qualname__} contains itself")
        if len(inside) >= MAX_DEPTH:
            raise UnencodableError(f"nested deeper than {MAX_DEPTH} levels; pass something flatter")
        inside.add(key)
        put(value, write, inside)
        inside.discard(key)

    return within


def _sequence(tag: bytes) -> Put:
    def put(value: Any, write: Write, inside: set[int]) -> None:
        if len(value) >= _MANY and type(value[0]) is str and set(map(type, value)) == {str}:
            write(tag.upper())
            put_texts(value, write)
            return
        write(b"%b%x:" % (tag, len(value)))
        index = 0
        try:
            for index, item in enumerate(value):  # noqa: B007  # the index is for the error
                PUTS[type(item)](item, write, inside)
        except UnencodableError as error:
            raise error.under(f"[{index}]") from error.__cause__

    return guarded(put)


def _set(tag: bytes) -> Put:
    def put(value: Any, write: Write, inside: set[int]) -> None:
        item = None
        pieces = []
        try:
            for item in list(value):
                pieces.append(piece(item, inside))
        except UnencodableError as error:
            raise error.under(subscript(item)) from error.__cause__
        write(b"%b%x:" % (tag, len(pieces)))
        write(b"".join(sorted(pieces)))

    return guarded(put)


def _put_dict(value: dict[Any, Any], write: Write, inside: set[int]) -> None:
    triples = []
    key = None
    try:
        for key, member in list(value.items()):
            triples.append((piece(key, inside), key, member))
        triples.sort(key=itemgetter(0))
        write(b"D%x:" % len(triples))
        if len({name for name, _, _ in triples}) < len(triples):
            _put_ties(triples, write, inside)
            return
        for name, key, member in triples:  # noqa: B007  # the key is for the error
            write(name)
            PUTS[type(member)](member, write, inside)
    except UnencodableError as error:
        raise error.under(subscript(key)) from error.__cause__


def _put_ties(triples: list[tuple[bytes, Any, Any]], write: Write, inside: set[int]) -> None:
    # Two NaN can be keys of one dict: then the values decide the order.
    write(b"".join(sorted(name + piece(member, inside) for name, _, member in triples)))


def subscript(key: Any) -> str:
    """The step of a path to what a container holds under ``key``."""
    plain = type(key) in (str, bytes, int, float, bool, type(None))
    return f"[{reprlib.repr(key)}]" if plain else f"[<{type(key).__qualname__}>]"


def _put_slice(value: slice, write: Write, inside: set[int]) -> None:
    write(b"x")
    PUTS[tuple]((value.start, value.stop, value.step), write, inside)


def _put_range(value: range, write: Write, inside: set[int]) -> None:
    # By what it holds: range(0, 3, 2) equals range(0, 4, 2). len() fails on a long one.
    ends = (value[0], value[-1]) if value else ()
    write(b"r")
    PUTS[tuple]((*ends, value.step) if ends and ends[0] != ends[1] else ends, write, inside)


def _constant(tag: bytes) -> Put:
    def put(_value: Any, write: Write, _inside: set[int]) -> None:
        write(tag)

    return put


def _put_bool(value: bool, write: Write, _: set[int]) -> None:
    write(b"t" if value else b"f")


BUILT_IN: dict[type, Put] = {
    type(None): _constant(b"n"),
    bool: _put_bool,
    type(...): _constant(b"e"),
    type(NotImplemented): _constant(b"N"),
    int: _put_int,
    float: _put_float,
    complex: _put_complex,
    str: put_text,
    bytes: _put_bytes,
    bytearray: _put_bytearray,
    memoryview: _put_memoryview,
    list: _sequence(b"l"),
    tuple: _sequence(b"u"),
    dict: guarded(_put_dict),
    set: _set(b"S"),
    frozenset: _set(b"F"),
    slice: guarded(_put_slice),
    range: _put_range,
}

PLAIN: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    str: str.__str__,
    bytes: bytes.__bytes__,
    bytearray: lambda value: bytearray(memoryview(value)),
    list: lambda value: list.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    dict: lambda value: dict.copy(value),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
}
"""The content of an instance of a built-in's subclass, independent of overridden methods."""
