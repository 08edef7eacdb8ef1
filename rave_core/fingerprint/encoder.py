"""The canonical encoding of argument values, from which a call gets its key.

Equal values of one type have one encoding, independent of identity, the order of a dict or set, the process
and the hash seed; different values, and equal ones of different types, have different encodings. Every encoding starts
with a tag and contains its own lengths, so a sequence of them can only be read in one way:

    n t f e N    None, True, False, Ellipsis, NotImplemented
    i<hex>;      int                      d c      float, complex: IEEE, every NaN alike
    s b a m      str, bytes, bytearray, memoryview: length, then bytes
    l u          list, tuple: count, then items
    L U          the same of many texts: count, lengths, characters
    D S F        dict, set, frozenset: count, then items in the order of their encodings
    x r          slice, range
    E C          enum member: class, name, value; class: name, and content where the name does not lead to it
    k p          a type known here: tag, then a stand-in, or parts up to a full stop
    q            registered, or with ``__rave_key__``: class, then a stand-in
    o g R        an instance: class, content of its built-in base and attributes; class and ``__getstate__()``;
                 class and what ``__reduce_ex__`` gives

From 32 KiB on, the BLAKE3 digest of bytes stands for them. Functions count by name, code, defaults and captured
values. The attributes of a function, ``attrs`` of a pandas object, and the chunks of an Arrow table don't count.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

from rave_core.errors import DuplicateError, UnencodableError
from rave_core.fingerprint import code, standard, zones
from rave_core.fingerprint.buffers import Write
from rave_core.fingerprint.builtins import BUILT_IN, PUTS, Put, guarded, piece, put_text
from rave_core.fingerprint.classes import MEMBERS, class_name, is_named, put_class
from rave_core.fingerprint.met_code import collector, noting
from rave_core.fingerprint.objects import class_header, object_put
from rave_core.fingerprint.parts import leaf, parts, unreadable

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow", "xarray"})

_EMPTY = blake2b(digest_size=20, person=b"rave-args-v2")
_registered: dict[type, Callable[[Any], object]] = {}


def encode(value: object) -> bytes:
    """The canonical encoding of ``value``.

    Raises:
        UnencodableError: it has none; ``path`` says which part of it.
    """
    chunks: list[Any] = []
    _put_all(value, chunks.append)
    return b"".join(chunks)


def digest_with_code(named: Iterable[tuple[str, object]], code_of: Callable[[list[object]], str]) -> str:
    """As `digest`; the code that the encoding meets counts as well.

    Args:
        named: the values.
        code_of: gives the text that represents functions and classes; empty for none.
    """
    before, met = collector.met, dict[int, object]()
    collector.met = met
    try:
        return digest(named, met, code_of)
    finally:
        collector.met = before


def digest(
    named: Iterable[tuple[str, object]],
    met: Mapping[int, object] | None = None,
    code_of: Callable[[list[object]], str] | None = None,
) -> str:
    """A digest of named values in the given order: 32 characters of lower-case base32.

    Args:
        named: the values.
        met: code found while they are encoded, as `met_code.collecting` gives it.
        code_of: gives the text that represents that code, which then counts too; empty for none.

    Raises:
        UnencodableError: a value has no encoding; ``path`` starts with ``args.`` and the name.
    """
    state = _EMPTY.copy()
    for name, value in named:
        put_text(name, state.update, set())
        try:
            _put_all(value, state.update)
        except UnencodableError as error:
            raise error.under(f"args.{name}") from error.__cause__
    if met and code_of is not None and (code := code_of(list(met.values()))):
        put_text("<code>", state.update, set())
        _put_all(code, state.update)
    return _base32(state.digest())


def short_digest(data: bytes) -> str:
    """A digest of bytes: 16 characters of lower-case base32."""
    return _base32(blake2b(data, digest_size=10).digest())


def register(type_: type, function: Callable[[Any], object]) -> None:
    """Lets values of ``type_`` and of its subclasses be encoded: ``function(value)`` gives what stands for one.

    The stand-in is encoded under the class of the value, so equal stand-ins of two classes differ. The registry
    is read along the class's mro, where the nearer of a registration and a ``__rave_key__`` method wins.

    Raises:
        DuplicateError: another function is registered for the type, or the type is built in.
    """
    known = _registered.get(type_) or BUILT_IN.get(type_)
    if known is not None and known is not function:
        both = " and ".join(f"{getattr(each, '__module__', '')}.{_name(each)}" for each in (known, function))
        raise DuplicateError(f"the fingerprint of {class_name(type_)} is claimed by {both}; keep one of them")
    _registered[type_] = function
    PUTS.clear()


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))


_SPREAD = tuple(
    (
        sum((1 << half) - 1 << lane * half * 16 // 5 for lane in range(80 // half)),
        sum((1 << half) - 1 << lane * half * 16 // 5 + half for lane in range(80 // half)),
        half * 3 // 5,
    )
    for half in (80, 40, 20, 10, 5)
)
_ALPHABET = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[index % 32] for index in range(256))


def _base32(data: bytes) -> str:
    # Moves halves apart until each byte holds five bits: several times as fast as base64.b32encode.
    bits = int.from_bytes(data, "big")
    for low, high, shift in _SPREAD:
        bits = bits & low | (bits & high) << shift
    return bits.to_bytes(len(data) * 8 // 5, "big").translate(_ALPHABET).decode("ascii")


def _put_all(value: Any, write: Write) -> None:
    try:
        PUTS[type(value)](value, write, set())
    except RecursionError as error:
        raise UnencodableError("nested too deeply for the stack; pass something flatter") from error


def _find(cls: type) -> Put:
    put: Put = noting(cls, _found(cls))
    return put


def _found(cls: type) -> Put:
    claimed = _claimed(cls)
    if claimed is not None:
        return claimed
    if issubclass(cls, enum.Enum):
        return _member(cls)
    if issubclass(cls, type):
        return put_class
    if (known := _known(cls)) is not None:
        return known
    base = next((klass for klass in cls.__mro__[1:-1] if _known(klass)), None)
    return object_put(cls, base, base and _known(base))


PUTS.find = _find


def _claimed(cls: type) -> Put | None:
    for klass in cls.__mro__:
        if klass in _registered:
            return _stand_in(cls, _registered[klass], "")
        if "__rave_key__" in vars(klass):
            return _stand_in(cls, vars(klass)["__rave_key__"], ".__rave_key__()")
    return None


def _known(cls: type) -> Put | None:
    if cls in BUILT_IN:
        return BUILT_IN[cls]
    if cls in code.PARTS:
        return parts(cls.__name__, code.PARTS[cls])
    if cls in MEMBERS:
        return parts(*MEMBERS[cls])
    if (root := str(cls.__module__).partition(".")[0]) in _LIBRARIES and root in sys.modules:
        # Such a value exists only after its library is imported, so other values import nothing.
        from rave_core.fingerprint import libraries

        found = libraries.parts_of(cls)
        return parts(*found) if found else None
    if (zone := zones.parts_of(cls)) is not None:
        return parts(*zone)
    if not is_named(cls):
        return None
    name = f"{cls.__module__}.{cls.__qualname__}"
    if name in standard.LEAVES:
        return leaf(*standard.LEAVES[name])
    return parts(*standard.CONTAINERS[name]) if name in standard.CONTAINERS else None


def _stand_in(cls: type, function: Callable[[Any], object], step: str) -> Put:
    header = class_header(b"q", cls)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        try:
            plain = function(value)
        except Exception as error:  # noqa: BLE001  # becomes an UnencodableError
            unreadable(value, error)
        write(header(inside))
        try:
            PUTS[type(plain)](plain, write, inside)
        except UnencodableError as error:
            raise error.under(step) from error.__cause__

    return guarded(put)


def _member(cls: type[enum.Enum]) -> Put:
    header = class_header(b"E", cls)
    named = not issubclass(cls, enum.Flag)

    def put(member: Any, write: Write, inside: set[int]) -> None:
        write(header(inside) + piece(member._name_ if named else None, inside))
        try:
            write(piece(member._value_, set(inside)))
        except UnencodableError:
            write(b"-")  # an object() as a marker: class and name say which

    return put
