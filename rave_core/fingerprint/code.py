"""Stand-ins of code and classes: what a function, a method or a class is, beside its name.

Knows nothing of the encoding: each function here gives the parts that ``fingerprint`` encodes.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from rave_core.errors import UnencodableError
from rave_core.functions.naming import module_of

Parts = Iterator[tuple[Any, Any]]
"""Pairs of a step and a value. A text is a step as it stands; a 1-tuple holds a subscript, formatted only on error."""

_HEAPTYPE = 1 << 9
_HIDDEN_SLOTS = ("__dict__", "__weakref__")
_TYPING_NOTES = frozenset({"__orig_class__"})


def class_name(cls: type) -> str:
    """The identity of a class, ``module:qualname``.

    Raises:
        UnencodableError: a local class whose methods captured values: another one can have the same name.
    """
    if "<locals>" in cls.__qualname__ and any(_captures(cls, member) for member in vars(cls).values()):
        raise UnencodableError(
            f"the local class {cls.__qualname__} captures values, so its name does not tell what it is; "
            "move it to the level of the module"
        )
    return f"{module_of(cls)}:{cls.__qualname__}"


def _captures(cls: type, member: Any) -> bool:
    function = getattr(member, "__func__", member)
    if not isinstance(function, types.FunctionType) or function.__module__ != cls.__module__:
        return False
    # Methods that dataclasses and attrs generate close over the types of their fields.
    generated = function.__code__.co_filename.startswith(("<string>", "<attrs generated"))
    return not generated and set(function.__code__.co_freevars) - {"__class__"} != set()


def attribute_names(cls: type, base: type | None) -> tuple[str, ...]:
    """Names of the attributes that instances of ``cls`` hold outside their ``__dict__`` and their ``base``."""
    names = dict.fromkeys(getattr(cls, "__dataclass_fields__", ()))
    names.update((field.name, None) for field in getattr(cls, "__attrs_attrs__", ()))
    for klass in cls.__mro__:
        if klass is base:
            break
        # attrs keeps cached properties in slots of their own: no part of the value, and computed when looked at.
        slots = () if "__attrs_attrs__" in vars(klass) else vars(klass).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in _HIDDEN_SLOTS:
                names[_mangled(klass, slot)] = None
    return tuple(names)


def _mangled(klass: type, slot: str) -> str:
    private = slot.startswith("__") and not slot.endswith("__")
    return f"_{klass.__name__.lstrip('_')}{slot}" if private else slot


def computed_names(cls: type) -> frozenset[str]:
    """Names of what instances of ``cls`` remember beside their value: cached properties, type parameters."""
    return _TYPING_NOTES.union(
        name for klass in cls.__mro__ for name, member in vars(klass).items() if isinstance(member, cached_property)
    )


def has_fields(cls: type) -> bool:
    """Whether ``cls`` says itself what its instances consist of: a dataclass or an attrs class."""
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")


def is_opaque(cls: type) -> bool:
    """Whether a part of the instances of ``cls`` is kept by code that is not Python, out of sight."""
    return any(klass is not object and not klass.__flags__ & _HEAPTYPE for klass in cls.__mro__)


def attributes(value: Any, names: tuple[str, ...], computed: frozenset[str]) -> dict[str, Any]:
    """The attributes that ``value`` holds: those of ``names`` that are set, and its ``__dict__``."""
    held = {name: member for name, member in getattr(value, "__dict__", {}).items() if name not in computed}
    missing = object()
    for name in names:
        if name not in held and (member := getattr(value, name, missing)) is not missing:
            held[name] = member
    return held


def function_parts(function: types.FunctionType) -> Parts:
    """Name, code, defaults and captured values; neither its globals nor its attributes."""
    yield "", f"{module_of(function)}:{function.__qualname__}"
    yield ".__code__", function.__code__
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield f".{name}", _content(cell)


def _content(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def code_parts(code: types.CodeType) -> Parts:
    """What a code object does, whatever its file and line numbers."""
    yield "", (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    yield "", (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    yield "", (code.co_code, code.co_exceptiontable)
    yield ".co_consts", code.co_consts


def method_parts(method: types.MethodType) -> Parts:
    """The function, and what it is bound to."""
    yield ".__func__", method.__func__
    yield ".__self__", method.__self__


def builtin_parts(builtin: Any) -> Parts:
    """The name of a built-in function, and what it is bound to (unless that is its module)."""
    owner = builtin.__self__
    free = owner is None or isinstance(owner, types.ModuleType)
    yield "", (builtin.__module__ if free else None, builtin.__qualname__)
    yield ".__self__", None if free else owner


def slot_parts(descriptor: Any) -> Parts:
    """The class and the name of a method written in C, such as ``str.upper``."""
    yield "", descriptor.__objclass__
    yield "", descriptor.__name__


def partial_parts(partial: Any) -> Parts:
    """What a ``functools.partial`` calls, and with what."""
    yield ".func", partial.func
    yield ".args", partial.args
    yield ".keywords", partial.keywords
    yield ".__dict__", vars(partial)


def reduced_parts(value: Any) -> Parts:
    """How an ``operator`` getter is made: the class and its arguments."""
    maker, arguments = value.__reduce__()
    yield "", maker
    yield "", arguments


def alias_parts(alias: Any) -> Parts:
    """The class and the arguments of ``list[int]`` and ``int | str``."""
    yield "", getattr(alias, "__origin__", None)
    yield "", alias.__args__


PARTS: dict[type, Any] = {
    types.FunctionType: function_parts,
    types.CodeType: code_parts,
    types.MethodType: method_parts,
    types.BuiltinFunctionType: builtin_parts,
    types.MethodWrapperType: builtin_parts,
    types.MethodDescriptorType: slot_parts,
    types.WrapperDescriptorType: slot_parts,
    types.ClassMethodDescriptorType: slot_parts,
    types.GenericAlias: alias_parts,
    types.UnionType: alias_parts,
}
"""The types of code, each with the function that gives its parts."""
