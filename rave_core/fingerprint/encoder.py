"""The canonical encoding of argument values, from which a call gets its key.

Equal values of one type have one encoding, whatever their identity, the order of a dict or set, the process or
the hash seed; different values, and equal ones of different types, have different encodings. Every encoding starts
with a tag and ends where its own lengths say, so that a sequence of them can be read in one way only:

    n t f e N    None, True, False, Ellipsis, NotImplemented
    i<hex>;      int                      d c      float, complex: IEEE, every NaN alike
    s b a m      str, bytes, bytearray, memoryview: length, then bytes
    l u          list, tuple: count, then items
    D S F        dict, set, frozenset: count, then items in the order of their encodings
    x r          slice, range
    E C          enum member: class, name, value; class: name
    k p          a type known here: tag, then a stand-in, or parts up to a full stop
    q            registered, or with ``__rave_key__``: class, then a stand-in
    o            an instance: class, content of its built-in base, attributes

Classes count by name, functions by name, code, defaults and captured values. The attributes of a function, ``attrs``
of a pandas object, and the chunks of an Arrow table don't count.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, NoReturn

from rave_core.errors import DuplicateError, UnencodableError, describe_error
from rave_core.fingerprint import code, standard
from rave_core.fingerprint.builtins import (
    BUILT_IN,
    PLAIN,
    PUTS,
    Put,
    Write,
    guarded,
    piece,
    put_class,
    put_text,
    subscript,
)

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_REMEDY = (
    "give the class a __rave_key__ method, make it a dataclass, register its type with "
    "rave_core.fingerprint.register, or list the parameter in ignore="
)

_EMPTY = blake2b(digest_size=20, person=b"rave-args-v1")
_registered: dict[type, Callable[[Any], object]] = {}


def encode(value: object) -> bytes:
    """The canonical encoding of ``value``.

    Raises:
        UnencodableError: it has none; ``path`` says which part of it.
    """
    chunks: list[Any] = []
    _put_all(value, chunks.append)
    return b"".join(chunks)


def digest(named: Iterable[tuple[str, object]]) -> str:
    """A digest of named values in the given order: 32 characters of lower-case base32.

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
        raise DuplicateError(f"the fingerprint of {code.class_name(type_)} is claimed by {both}; keep one of them")
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
    # Halves are moved apart until each byte holds five bits: several times as fast as base64.b32encode.
    bits = int.from_bytes(data, "big")
    for low, high, shift in _SPREAD:
        bits = bits & low | (bits & high) << shift
    return bits.to_bytes(len(data) * 8 // 5, "big").translate(_ALPHABET).decode("ascii")


def _put_all(value: Any, write: Write) -> None:
    try:
        PUTS[type(value)](value, write, set())
    except RecursionError as error:
        raise UnencodableError("nested too deeply for the stack; hand over something flatter") from error


def _find(cls: type) -> Put:
    claimed = _claimed(cls)
    if claimed is not None:
        return claimed
    if issubclass(cls, enum.Enum):
        return _member(cls)
    if issubclass(cls, type):
        return put_class
    return _known(cls) or _compound(cls)


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
        return _parts(cls.__name__, code.PARTS[cls])
    if (root := str(cls.__module__).partition(".")[0]) in _LIBRARIES and root in sys.modules:
        # Such a value can't exist before its library is imported, so nothing is imported for the others.
        from rave_core.fingerprint import tables

        found = tables.parts_of(cls)
        return _parts(*found) if found else None
    name = f"{cls.__module__}.{cls.__qualname__}"
    if getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is not cls and cls not in _UNNAMED:
        return None
    if name in standard.LEAVES:
        return _leaf(*standard.LEAVES[name])
    return _parts(*standard.CONTAINERS[name]) if name in standard.CONTAINERS else None


_UNNAMED = (type(type.__dict__),)
"""The type of a mapping proxy does not stand under its name in its module."""


def _text(value: str) -> bytes:
    return piece(value, set())


def _unreadable(value: Any, error: Exception) -> NoReturn:
    # What a library or a plugin raises must not look like a mistake of the operation's caller.
    if isinstance(error, UnencodableError | RecursionError | MemoryError):
        raise error
    what = describe_error(error)
    raise UnencodableError(f"asking a {type(value).__qualname__} for what it holds raised {what}") from error


def _leaf(tag: str, function: Callable[[Any], object]) -> Put:
    header = b"k" + _text(tag)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        try:
            plain = function(value)
        except Exception as error:  # noqa: BLE001  # told on as UnencodableError
            _unreadable(value, error)
        write(header)
        PUTS[type(plain)](plain, write, inside)

    return put


def _parts(tag: str, function: Callable[[Any], Iterator[tuple[Any, Any]]]) -> Put:
    header = b"p" + _text(tag)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        write(header)
        step: Any = ""
        try:
            for step, part in function(value):  # noqa: B007  # the step is for the error
                PUTS[type(part)](part, write, inside)
        except UnencodableError as error:
            raise error.under(subscript(*step) if isinstance(step, tuple) else step) from error.__cause__
        except Exception as error:  # noqa: BLE001  # told on as UnencodableError
            _unreadable(value, error)
        write(b".")

    return guarded(put)


def _stand_in(cls: type, function: Callable[[Any], object], step: str) -> Put:
    header = b"q" + _text(code.class_name(cls))

    def put(value: Any, write: Write, inside: set[int]) -> None:
        try:
            plain = function(value)
        except Exception as error:  # noqa: BLE001  # told on as UnencodableError
            _unreadable(value, error)
        write(header)
        try:
            PUTS[type(plain)](plain, write, inside)
        except UnencodableError as error:
            raise error.under(step) from error.__cause__

    return guarded(put)


def _member(cls: type[enum.Enum]) -> Put:
    header = b"E" + _text(code.class_name(cls))
    named = not issubclass(cls, enum.Flag)

    def put(member: Any, write: Write, inside: set[int]) -> None:
        write(header + piece(member._name_ if named else None, inside))
        try:
            write(piece(member._value_, set(inside)))
        except UnencodableError:
            write(b"-")  # an object() as a marker: class and name say which

    return put


def _compound(cls: type) -> Put:
    base = next((klass for klass in cls.__mro__[1:-1] if _known(klass)), None)
    if base is None and (code.is_opaque(cls) or not code.has_fields(cls)):
        return _refuse(cls)
    header = b"o" + _text(code.class_name(cls)) + piece(getattr(cls, "_fields", None) if base is tuple else None, set())
    content = _content(cls, base)
    rest = _attributes(cls, base)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        write(header)
        content(value, write, inside)
        rest(value, write, inside)

    return put


def _content(cls: type, base: type | None) -> Put:
    if base is None:
        return _put_nothing
    put = _known(base)
    assert put is not None
    if base not in PLAIN:
        return put
    plain = PLAIN[base]
    if hasattr(cls, "n_sequence_fields"):  # os.stat_result and its like: a tuple that shows a part of its fields

        def plain(value: Any) -> Any:
            return value.__reduce__()[1]

    return guarded(lambda value, write, inside: put(plain(value), write, inside))


def _put_nothing(_value: Any, write: Write, _inside: set[int]) -> None:
    write(b"-")


def _attributes(cls: type, base: type | None) -> Put:
    names, computed = code.attribute_names(cls, base), code.computed_names(cls)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        held = code.attributes(value, names, computed)
        write(b"D%x:" % len(held))
        name = ""
        try:
            for name in sorted(held):
                put_text(name, write, inside)
                PUTS[type(held[name])](held[name], write, inside)
        except UnencodableError as error:
            raise error.under(f".{name}") from error.__cause__

    return guarded(put)


def _refuse(cls: type) -> Put:
    def put(_value: Any, _write: Write, _inside: set[int]) -> None:
        raise UnencodableError(f"{cls.__module__}.{cls.__qualname__} has no canonical encoding; {_REMEDY}")

    return put
