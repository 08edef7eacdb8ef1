"""Instances in an encoding: the class, the content of a built-in base, and the state."""

from __future__ import annotations

import copyreg
import sys
import types
from collections.abc import Callable
from functools import cached_property
from typing import Any

from rave_core.errors import UnencodableError
from rave_core.fingerprint.buffers import Write
from rave_core.fingerprint.builtins import PLAIN, PUTS, Put, guarded, piece, put_text
from rave_core.fingerprint.classes import is_named, is_of_c, is_opaque, put_class, slot_names
from rave_core.fingerprint.parts import Parts, put_parts

_REMEDY = "register its type with rave_core.fingerprint.register, or list the parameter in ignore="

_NOTES = {
    "": frozenset({"__orig_class__"}),
    "networkx": frozenset({"__networkx_cache__"}),
    "pandas": frozenset(
        {"_mgr", "_item_cache", "_attrs", "_flags", "_cache", "_data", "_name", "_id", "_no_setting_name"}
    ),
    "scipy": frozenset({"_has_canonical_format", "_has_sorted_indices", "maxprint"}),
}
"""Attributes that are not part of the value: what a library caches, or counts elsewhere, on its instances."""


def object_put(cls: type, base: type | None, content: Put | None) -> Put:
    """The encoder of instances of ``cls``; ``content`` encodes what they have of ``base``, if there is one."""
    if base is not None and content is not None:
        return _compound(cls, _content(cls, base, content), base)
    if (reason := _identity(cls)) is not None:
        return _refusing(cls, f": {reason}")
    if has_fields(cls) and not is_opaque(cls):
        return _compound(cls, _put_nothing, None)
    if _says_how_to_make_it(cls) or is_opaque(cls):
        return _reduced(cls)
    if getattr(cls, "__getstate__", None) is not object.__getstate__:
        return _with_state(cls)
    return _compound(cls, _put_nothing, None)


def has_fields(cls: type) -> bool:
    """Whether ``cls`` declares what its instances consist of: dataclasses, attrs, pydantic or msgspec."""
    return any(
        hasattr(cls, name)
        for name in ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__", "__struct_fields__")
    )


def _identity(cls: type) -> str | None:
    """Why instances of ``cls`` can't be distinguished by what they hold, or ``None``."""
    if cls is object:
        return "an object() is known by its identity alone"
    if issubclass(cls, types.ModuleType):
        return "a module is known by its name, and changes with its code"
    return "an iterator is used up by being read" if hasattr(cls, "__next__") else None


def _says_how_to_make_it(cls: type) -> bool:
    own = [getattr(cls, name) is not getattr(object, name) for name in ("__reduce_ex__", "__reduce__")]
    return cls in copyreg.dispatch_table or any(own)


def class_header(tag: bytes, cls: type) -> Callable[[set[int]], bytes]:
    """The part before the state: a tag and the class. A class made at run time is inspected each time."""

    def head(inside: set[int]) -> bytes:
        chunks: list[bytes] = [tag]
        put_class(cls, chunks.append, inside)
        return b"".join(chunks)

    if not is_named(cls):
        return head
    once = head(set())
    return lambda _inside: once


# By attributes ---------------------------------------------------------------------------------------------


def _compound(cls: type, content: Put, base: type | None) -> Put:
    header = class_header(b"o", cls)
    extra = piece(getattr(cls, "_fields", None) if base is tuple else None, set())
    names, notes = _attribute_names(cls), _notes(cls)

    def put_held(value: Any, write: Write, inside: set[int]) -> None:
        held = _attributes(value, names, notes)
        write(b"D%x:" % len(held))
        name = ""
        try:
            for name in sorted(held):
                put_text(name, write, inside)
                PUTS[type(held[name])](held[name], write, inside)
        except UnencodableError as error:
            raise error.under(f".{name}") from error.__cause__

    put_attributes = guarded(put_held)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        write(header(inside))
        write(extra)
        content(value, write, inside)
        put_attributes(value, write, inside)

    return put


def _content(cls: type, base: type, content: Put) -> Put:
    if base not in PLAIN:
        return content
    plain = PLAIN[base]
    if hasattr(cls, "n_sequence_fields"):  # os.stat_result and its like: a tuple that shows a part of its fields

        def plain(value: Any) -> Any:
            return value.__reduce__()[1]

    return guarded(lambda value, write, inside: content(plain(value), write, inside))


def _put_nothing(_value: Any, write: Write, _inside: set[int]) -> None:
    write(b"-")


def _attribute_names(cls: type) -> tuple[str, ...]:
    """Names of the attributes that instances of ``cls`` hold outside their ``__dict__``."""
    names = dict.fromkeys(getattr(cls, "__dataclass_fields__", ()))
    names.update((field.name, None) for field in getattr(cls, "__attrs_attrs__", ()))
    names.update(dict.fromkeys(getattr(cls, "__struct_fields__", ())))
    # attrs keeps cached properties in their own slots: not part of the value, and computed on access.
    if not hasattr(cls, "__attrs_attrs__"):
        names.update(dict.fromkeys(slot_names(cls)))
    return tuple(names)


def _notes(cls: type) -> frozenset[str]:
    """Names of what instances of ``cls`` hold besides their value: cached properties, type parameters."""
    notes = set(_NOTES[""])
    for klass in cls.__mro__:
        notes |= _NOTES.get(str(klass.__module__).partition(".")[0], frozenset())
        notes.update(name for name, member in vars(klass).items() if isinstance(member, cached_property))
    return frozenset(notes)


def _attributes(value: Any, names: tuple[str, ...], notes: frozenset[str]) -> dict[str, Any]:
    """The attributes that ``value`` holds: those of ``names`` that are set, and its ``__dict__``."""
    held = {name: member for name, member in getattr(value, "__dict__", {}).items() if name not in notes}
    missing = object()
    for name in names:
        if name not in held and name not in notes and (member := getattr(value, name, missing)) is not missing:
            held[name] = member
    return held


# By what they say of themselves ----------------------------------------------------------------------------


def _with_state(cls: type) -> Put:
    header = class_header(b"g", cls)

    def state_parts(value: Any) -> Parts:
        yield ".__getstate__()", value.__getstate__()

    def put(value: Any, write: Write, inside: set[int]) -> None:
        write(header(inside))
        put_parts(value, state_parts, write, inside)

    return guarded(put)


def _reduced(cls: type) -> Put:
    header = class_header(b"R", cls)
    # Of exceptions the table may hold what tblib puts there, which adds tracebacks: only where Dask is in use.
    reducer = copyreg.dispatch_table.get(cls) if not issubclass(cls, BaseException) else None

    def reduced_parts(value: Any) -> Parts:
        made = reducer(value) if reducer else value.__reduce_ex__(4)
        yield from _named_parts(value, made) if isinstance(made, str) else _made_parts(*made)
        if isinstance(value, BaseException):
            yield from _origin(value)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        write(header(inside))
        try:
            put_parts(value, reduced_parts, write, inside)
        except UnencodableError as error:
            if isinstance(error.__cause__, TypeError) and not error.path:
                _refusing(cls, f": {error.__cause__}")(value, write, inside)
            raise

    return guarded(put)


def _named_parts(value: Any, name: str) -> Parts:
    yield "", (getattr(value, "__module__", None), name)


def _made_parts(maker: Any, arguments: Any, state: Any = None, items: Any = None, pairs: Any = None, *_: Any) -> Parts:
    yield "", _maker(maker)
    yield ".__reduce__()", arguments
    yield ".__getstate__()", state
    yield "", None if items is None else list(items)
    yield "", None if pairs is None else list(pairs)


def _origin(error: BaseException) -> Parts:
    """What an exception was raised from, or while handling what, as tracebacks show it; pickle leaves it out."""
    if error.__cause__ is not None:
        yield ".__cause__", ("cause", error.__cause__)
    elif error.__context__ is not None and not error.__suppress_context__:
        yield ".__context__", ("context", error.__context__)


def _maker(maker: Any) -> Any:
    """The name of a function that its module has under this name, because its code is not part of a value."""
    if isinstance(maker, types.FunctionType):
        found = getattr(sys.modules.get(maker.__module__), maker.__name__, None)
        return f"{found.__module__}:{found.__name__}" if found is maker else maker
    return maker


def _refusing(cls: type, why: str) -> Put:
    own = "" if is_of_c(cls) else "give the class a __rave_key__ method, make it a dataclass, "
    message = f"{cls.__module__}.{cls.__qualname__} has no canonical encoding{why}; {own}{_REMEDY}"

    def put(_value: Any, _write: Write, _inside: set[int]) -> None:
        raise UnencodableError(message)

    return put
