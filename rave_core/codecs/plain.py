"""The data-only codec of nested builtins: msgpack, with extension types for what msgpack itself can't express.

Lists, string-keyed dicts, text, bytes and numbers are msgpack's own, so that most values decode in C;
everything else is an extension whose payload is msgpack again. The codes are part of the stored format: a new
kind takes a new code, an old code is never given another meaning.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from rave_core.errors import Signal
from rave_core.model import Bytes

MAX_DEPTH = 100
"""Levels of nesting that are kept; a value that contains itself has more."""

_LEAF = 0
_BIG_INT, _ODD_STR, _DICT = 1, 2, 3
_INLINE = 4096
"""A leaf's segment below this many bytes stays in the tree instead of becoming a segment of its own."""


class Leaf(Protocol):
    """Another data-only codec, for values inside a container: arrays, tables, bytes."""

    name: str

    def encode(self, value: object) -> list[Bytes] | None:
        """The segments, or ``None`` for "not mine"."""

    def decode(self, segments: list[memoryview]) -> object:
        """The value."""


class _Kind(NamedTuple):
    code: int
    type: type
    parts: Callable[[Any], Any]
    build: Callable[[Any], Any]


class _ForeignError(Signal):
    """A value inside has a type that the codec does not know; the message names the type."""


class PlainCodec:
    """Exact builtins, nested: containers, text, numbers, dates, paths, addresses, and what ``leaves`` take.

    Dicts and sets keep what they hold, dicts their order. Subclasses are not taken. Where one mutable
    object occurs twice in a value, the decoded value has two equal ones: msgpack has no references.
    """

    name = "plain"
    data_only = True

    def __init__(self, leaves: Sequence[Leaf] = ()) -> None:
        self._leaves = {leaf.name: leaf for leaf in leaves}

    def encode(self, value: object) -> list[Bytes] | None:
        """The tree, then the segments of large leaves; ``None`` if it can't be encoded, and ``refusal`` says why."""
        try:
            return self._encode(value)
        except _ForeignError:
            return None

    def refusal(self, value: object) -> str:
        """Why ``encode`` gives ``None`` for ``value``; the empty string if it does not."""
        try:
            self._encode(value)
        except _ForeignError as error:
            return str(error)
        return ""

    def decode(self, segments: list[memoryview]) -> object:
        """The value, every mutable object in it fresh."""
        return _Unpacker(self._leaves, segments).decode(segments[0])

    def _encode(self, value: object) -> list[Bytes]:
        packer = _Packer(self._leaves)
        tree = packer.encode(packer.pack(value, 0))
        return [tree, *packer.segments]


class _Packer:
    def __init__(self, leaves: dict[str, Leaf]) -> None:
        self.segments: list[Bytes] = []
        self.encode = msgspec.msgpack.Encoder().encode
        self._leaves = leaves
        self._kinds = _kinds_by_type()

    def pack(self, value: Any, depth: int) -> Any:
        """``value`` in types that msgpack writes unchanged."""
        kind = type(value)
        if kind is bool or kind is float or value is None:
            return value
        if kind is str:
            return (
                value
                if value.isascii() or _is_utf8(value)
                else self._ext(_ODD_STR, value.encode("utf-8", "surrogatepass"))
            )
        if kind is int:
            return value if -(2**63) <= value < 2**64 else self._ext(_BIG_INT, _int_bytes(value))
        if depth > MAX_DEPTH:
            raise _ForeignError(f"it is nested deeper than {MAX_DEPTH} levels, or contains itself")
        if kind is list:
            return [self.pack(each, depth + 1) for each in value]
        if kind is dict:
            return self._pack_dict(value, depth + 1)
        if kind is bytes and len(value) < _INLINE:
            return value
        if known := self._kinds.get(kind):
            return self._ext(known.code, self.pack(known.parts(value), depth))
        return self._pack_leaf(value)

    def _pack_dict(self, value: dict[Any, Any], depth: int) -> Any:
        keys = [self.pack(key, depth) for key in value]
        values = [self.pack(each, depth) for each in value.values()]
        if all(type(key) is str for key in keys):
            return dict(zip(keys, values, strict=True))
        return self._ext(_DICT, [keys, values])

    def _pack_leaf(self, value: object) -> msgspec.msgpack.Ext:
        for leaf in self._leaves.values():
            segments = leaf.encode(value)
            if segments is not None and _is_readable(leaf, segments):
                return self._ext(_LEAF, [leaf.name, *map(self._place, segments)])
        raise _ForeignError(f"{_full_name(type(value))} is not a type that is stored as data")

    def _place(self, segment: Bytes) -> Bytes | int:
        if memoryview(segment).nbytes < _INLINE:
            return segment
        self.segments.append(segment)
        return len(self.segments)

    def _ext(self, code: int, packed: Any) -> msgspec.msgpack.Ext:
        return msgspec.msgpack.Ext(code, self.encode(packed))


class _Unpacker:
    def __init__(self, leaves: dict[str, Leaf], segments: list[memoryview]) -> None:
        self._leaves = leaves
        self._segments = segments
        self.decode = msgspec.msgpack.Decoder(ext_hook=self._build).decode

    def _build(self, code: int, data: memoryview) -> Any:
        packed = self.decode(data)
        if code == _LEAF:
            name, *places = packed
            leaf, segments = self._leaves[name], [self._segment(place) for place in places]
            vetted: Any = getattr(leaf, "vetted", None)  # a tree may come from any source
            return leaf.decode(vetted(segments) if vetted else segments)
        return _kinds_by_code()[code].build(packed)

    def _segment(self, place: int | bytes) -> memoryview:
        if isinstance(place, bytes):
            return memoryview(place)
        if place < 1:
            raise ValueError(f"segment {place} does not belong to a leaf")
        return self._segments[place]


def _is_readable(leaf: Leaf, segments: list[Bytes]) -> bool:
    vetted: Any = getattr(leaf, "vetted", None)
    try:
        return vetted is None or bool(vetted([memoryview(segment) for segment in segments]))
    except Exception:  # noqa: BLE001  # if a library raises anything, this can't be stored as data
        return False


def _full_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


@functools.cache
def _kinds_by_type() -> dict[type, _Kind]:
    return {kind.type: kind for kind in _kinds()}


@functools.cache
def _kinds_by_code() -> dict[int, _Kind]:
    return {kind.code: kind for kind in _kinds()}


@functools.cache
def _kinds() -> tuple[_Kind, ...]:
    # str, int and dict stand here for decoding; the packer has them written before it looks.
    return (
        _Kind(_BIG_INT, int, _int_bytes, lambda data: int.from_bytes(data, "little", signed=True)),
        _Kind(_ODD_STR, str, str.encode, lambda data: data.decode("utf-8", "surrogatepass")),
        _Kind(_DICT, dict, dict, lambda pairs: dict(zip(*pairs, strict=True))),
        _Kind(4, tuple, list, tuple),
        _Kind(5, set, list, set),
        _Kind(6, frozenset, list, frozenset),
        _Kind(7, complex, lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
        _Kind(8, range, lambda value: [value.start, value.stop, value.step], lambda parts: range(*parts)),
        *_number_kinds(),
        *_time_kinds(),
        *_name_kinds(),
    )


def _number_kinds() -> tuple[_Kind, ...]:
    from decimal import Decimal
    from fractions import Fraction

    return (
        _Kind(16, Decimal, str, Decimal),
        _Kind(17, Fraction, lambda value: [value.numerator, value.denominator], lambda parts: Fraction(*parts)),
    )


def _time_kinds() -> tuple[_Kind, ...]:
    from datetime import date, datetime, time, timedelta, timezone
    from zoneinfo import ZoneInfo

    def moment(value: datetime) -> list[Any]:
        return [value.year, value.month, value.day, *clock(value)]

    def clock(value: datetime | time) -> list[Any]:
        return [value.hour, value.minute, value.second, value.microsecond, value.tzinfo, value.fold]

    return (
        _Kind(24, datetime, moment, lambda parts: datetime(*parts[:-1], fold=parts[-1])),
        _Kind(25, date, date.toordinal, date.fromordinal),
        _Kind(26, time, clock, lambda parts: time(*parts[:-1], fold=parts[-1])),
        _Kind(27, timedelta, lambda value: [value.days, value.seconds, value.microseconds], lambda p: timedelta(*p)),
        _Kind(28, timezone, lambda value: list(value.__getinitargs__()), lambda parts: timezone(*parts)),
        _Kind(29, ZoneInfo, _zone_name, ZoneInfo),
    )


def _zone_name(zone: Any) -> str:
    if not isinstance(zone.key, str):
        raise _ForeignError("a ZoneInfo read from a file has no name to find it by")
    return zone.key


def _name_kinds() -> tuple[_Kind, ...]:
    import ipaddress
    import pathlib
    from uuid import UUID, SafeUUID

    addresses = (
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
        ipaddress.IPv4Interface,
        ipaddress.IPv6Interface,
    )
    paths = (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)

    def uuid(parts: list[Any]) -> UUID:
        return UUID(bytes=parts[0], is_safe=SafeUUID(parts[1]))

    return (
        _Kind(32, UUID, lambda value: [value.bytes, value.is_safe.value], uuid),
        *(_Kind(40 + at, kind, str, kind) for at, kind in enumerate(addresses)),
        *(_Kind(48 + at, kind, str, kind) for at, kind in enumerate(paths)),
    )
