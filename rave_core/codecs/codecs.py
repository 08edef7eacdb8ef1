"""Codecs: how a value becomes bytes and comes back, the same value of the same type.

A codec is chosen by the type of the value and named in the entry's header. ``data_only`` codecs can safely decode bytes
from any source; ``pickle`` runs what it reads, so it only gets sealed entries.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from rave_core.codecs.arrays import NumpyCodec
from rave_core.codecs.plain import PlainCodec
from rave_core.codecs.tables import pandas_codecs, table_codecs
from rave_core.errors import DamagedError, DuplicateError, EntryError, PluginError, SealError, UnstorableError, nearest
from rave_core.model import Bytes


class Codec(Protocol):
    """Turns values of some types into segments of bytes and back. Safe for many threads at once.

    Attributes:
        name: recorded in the header of every entry; never give it another meaning.
        data_only: whether decoding never runs code, for any bytes.
    """

    name: str
    data_only: bool

    def encode(self, value: object) -> list[Bytes] | None:
        """The segments of ``value``, or ``None`` for "not mine".

        ``decode`` must return an equal value of the same type, at every level: if that is not
        certain, the answer is ``None``. Segments may share memory with ``value``; the caller writes them before
        the value can change.
        """

    def decode(self, segments: list[memoryview]) -> object:
        """The value, made of fresh objects.

        Each segment is read-only, or views memory that belongs to this call alone and may become
        part of the value without a copy. Any exception says that the bytes are damaged, an
        ``ImportError`` that a library is missing here.
        """


@runtime_checkable
class Vetting(Protocol):
    """An extra method of data-only codecs whose library must not see unverified bytes."""

    def vetted(self, segments: list[memoryview]) -> list[memoryview]:
        """Segments that are safe to decode, made from ``segments``; raises an exception if they are damaged."""


class TextCodec:
    """``str``, as UTF-8; lone surrogates pass."""

    name = "text"
    data_only = True

    def encode(self, value: object) -> list[Bytes] | None:
        """The text's bytes; ``None`` for another type."""
        return [value.encode("utf-8", "surrogatepass")] if type(value) is str else None

    def decode(self, segments: list[memoryview]) -> object:
        """The text."""
        return str(segments[0], "utf-8", "surrogatepass")


class BytesCodec:
    """``bytes`` or ``bytearray``, as they are."""

    data_only = True

    def __init__(self, kind: type[bytes] | type[bytearray]) -> None:
        self.name = kind.__name__
        self._kind = kind

    def encode(self, value: object) -> list[Bytes] | None:
        """The value itself; ``None`` for another type."""
        return [value] if type(value) is self._kind else None

    def decode(self, segments: list[memoryview]) -> object:
        """A copy, because a ``bytearray`` with other views can't be resized."""
        return self._kind(segments[0])


class ScalarCodec:
    """``None``, ``bool``, ``int`` of any size, ``float`` and ``complex`` to the bit."""

    name = "scalar"
    data_only = True

    def encode(self, value: object) -> list[Bytes] | None:
        """A letter for the type and the bits; ``None`` for another type."""
        kind = type(value)
        if kind is int:
            number: Any = value
            return [b"i" + number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)]
        if kind is float:
            return [struct.pack("<cd", b"f", value)]
        if kind is bool or value is None:
            return [repr(value).encode()]
        if isinstance(value, complex) and kind is complex:
            return [struct.pack("<cdd", b"c", value.real, value.imag)]
        return None

    def decode(self, segments: list[memoryview]) -> object:
        """The number, or the constant."""
        data = bytes(segments[0])
        if data in _CONSTANTS:
            return _CONSTANTS[data]
        if data[:1] == b"i" and len(data) > 1:
            return int.from_bytes(data[1:], "little", signed=True)
        if data[:1] == b"f":
            return struct.unpack("<d", data[1:])[0]
        if data[:1] == b"c":
            return complex(*struct.unpack("<dd", data[1:]))
        raise ValueError(f"{data[:20]!r} is not a scalar")


_CONSTANTS = {b"None": None, b"True": True, b"False": False}


class PickleCodec:
    """Everything that pickles, by protocol 5; the memory of large arrays follows in segments of its own."""

    name = "pickle"
    data_only = False

    min_segment = 4096
    """A buffer below this many bytes stays within the pickle: a segment of its own would cost more."""

    def encode(self, value: object) -> list[Bytes] | None:
        """The pickle and its buffers.

        Raises:
            UnstorableError: ``value`` can't be pickled; the message says why.
        """
        from rave_core.codecs.pickling import dumps

        buffers: list[Bytes] = []

        def inline(buffer: Any) -> bool:
            raw = buffer.raw()
            if raw.nbytes < self.min_segment:
                return True
            buffers.append(raw)
            return False

        try:
            return [dumps(value, inline), *buffers]
        except Exception as error:  # a value's own __reduce__ may raise anything
            raise UnstorableError(f"{_type_name(value)} can't be pickled: {_reason(error)}") from error

    def decode(self, segments: list[memoryview]) -> object:
        """The value. Runs what the pickle says: for sealed bytes only."""
        # Arrays over read-only memory would be read-only.
        buffers = [bytearray(each) if each.readonly else each for each in segments[1:]]
        return pickle.loads(segments[0], buffers=buffers)  # noqa: S301  # the caller has checked the seal


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


_ADVICE = {
    "generator": "return a list of what it yields",
    "coroutine": "await it, or declare the operation with 'async def'",
    "TextIOWrapper": "return what the file holds, or use @op_file",
    "BufferedReader": "return what the file holds, or use @op_file",
}


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, RecursionError):
        return f"it is nested too deeply ({text})"
    advice = next((advice for word, advice in _ADVICE.items() if word in text), "")
    return f"{text} ({advice})" if advice else text


def builtin_codecs() -> tuple[Codec, ...]:
    """RAVE's own codecs in order of choice.

    If pickle is allowed, it precedes the codecs that are slower for the same value because they run in Python:
    pandas through Arrow, and nested builtins.
    """
    flat: tuple[Codec, ...] = (TextCodec(), BytesCodec(bytes), BytesCodec(bytearray), ScalarCodec())
    tables, pandas = (NumpyCodec(), *table_codecs()), pandas_codecs()
    leaves = (*flat[1:3], *tables, *pandas)
    return (*flat, *tables, PickleCodec(), *pandas, PlainCodec(leaves))


class Codecs:
    """The codecs of a runtime, by name and in order: those of plugins, in order of registration, then ``builtin``.

    Add all before the first use: it is not safe to call ``add`` and ``choose`` at the same time.
    """

    def __init__(self, builtin: Iterable[Codec] | None = None) -> None:
        self._origins: dict[str, str] = {}
        self._by_name: dict[str, Codec] = {}
        self._order: list[Codec] = []
        self._vetting: dict[str, Vetting] = {}
        self._plugins = 0
        for codec in builtin_codecs() if builtin is None else builtin:
            self._register(codec, "rave_core", len(self._order))

    def add(self, codec: Codec, origin: str) -> None:
        """Adds a plugin's codec, to be asked after the plugins' before it and before the built-in ones.

        Raises:
            DuplicateError: the name is taken; the message names both sides.
            PluginError: ``name`` is no text, or ``data_only`` no ``bool``.
        """
        self._register(codec, origin, self._plugins)
        self._plugins += 1

    def _register(self, codec: Codec, origin: str, place: int) -> None:
        name: object = getattr(codec, "name", None)
        if not isinstance(name, str) or not name or not isinstance(getattr(codec, "data_only", None), bool):
            raise PluginError(f"codec {codec!r} of {origin}: expected a name (text) and data_only (True or False)")
        if name in self._by_name:
            raise DuplicateError(f"codec {name!r} of {origin} is already that of {self._origins[name]}: rename one")
        self._origins[name] = origin
        self._by_name[name] = codec
        self._order.insert(place, codec)
        if isinstance(codec, Vetting):
            self._vetting[name] = codec

    def __iter__(self) -> Iterator[Codec]:
        return iter(self._order)

    def origin(self, name: str) -> str:
        """The origin of the codec ``name``."""
        return self._origins[name]

    def choose(self, value: object, *, data_only: bool) -> tuple[str, list[Bytes]]:
        """The name of the first codec that takes ``value``, and its segments, which may share memory with it.

        Raises:
            UnstorableError: none does; the message says why.
        """
        for codec in self._order:
            if data_only and not codec.data_only:
                continue
            try:
                segments = codec.encode(value)
            except UnstorableError:
                raise
            except Exception as error:
                whose = f"codec {codec.name!r} of {self._origins[codec.name]}"
                raise UnstorableError(f"{whose} failed on {_type_name(value)}: {_reason(error)}") from error
            if segments is not None and not (data_only and self._is_unreadable(codec.name, segments)):
                return codec.name, segments
        raise UnstorableError(self._why_not(value))

    def _is_unreadable(self, name: str, segments: list[Bytes]) -> bool:
        """Whether ``segments`` can't be decoded as data alone."""
        if name not in self._vetting:
            return False
        try:
            self._vetting[name].vetted([memoryview(segment) for segment in segments])
        except Exception:  # noqa: BLE001  # if a library raises anything, this can't be kept here
            return True
        return False

    def _why_not(self, value: object) -> str:
        plain = self._by_name.get("plain")
        inner = plain.refusal(value) if isinstance(plain, PlainCodec) else ""
        return (
            f"no data-only codec keeps this {_type_name(value)}{': ' if inner else ''}{inner}; "
            "a signing_key_file for this cache would allow pickle"
        )

    def decode(self, name: str, segments: list[memoryview], *, data_only: bool) -> object:
        """The value that the codec ``name`` encoded as ``segments``; it shares no mutable object with any other.

        Raises:
            SealError: the codec could run code, and only data is allowed.
            DamagedError: the bytes are not what the codec wrote.
            EntryError: there is no such codec, or a library that it needs is not installed here.
        """
        codec = self._by_name.get(name)
        if codec is None:
            raise EntryError(f"unknown codec {name!r}: {nearest(name, self._by_name)}")
        if data_only and not codec.data_only:
            raise SealError(f"refused to decode unsealed data by codec {name!r}, which can run code: set a signing_key")
        try:
            return codec.decode(
                self._vetting[name].vetted(segments) if data_only and name in self._vetting else segments
            )
        except ImportError as error:
            raise EntryError(f"codec {name!r}: {error}; install what is missing here") from error
        except Exception as error:
            raise DamagedError(f"codec {name!r} can't decode the payload: {_reason(error)}") from error
