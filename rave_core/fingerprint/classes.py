"""Classes in an encoding: by name if the name leads to the class, else by the class's content."""

from __future__ import annotations

import sys
import types
from functools import cached_property
from struct import calcsize
from typing import Any

from rave_core.fingerprint.buffers import Write
from rave_core.fingerprint.builtins import put_text
from rave_core.fingerprint.parts import Parts, put_parts
from rave_core.functions.naming import module_of

_NOT_CONTENT = frozenset(
    {
        "__abstractmethods__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__conditional_annotations__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__module__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)
"""What Python adds to a class besides its author's code."""

_POINTER = calcsize("P")
_GENERATED = ("<string>", "<attrs generated")


def class_name(cls: type) -> str:
    """The name of a class, ``module:qualname``."""
    return f"{module_of(cls)}:{cls.__qualname__}"


def is_named(cls: type) -> bool:
    """Whether its module has ``cls`` under its name, so that the name can't mean another class."""
    found: Any = sys.modules.get(cls.__module__)
    for step in cls.__qualname__.split("."):
        found = getattr(found, step, None)
    return found is cls or cls in _HIDDEN or (found is None and is_of_c(cls))


_HIDDEN = (type(None), type(...), type(NotImplemented), types.MappingProxyType)
_IMMUTABLE = 1 << 8


def is_of_c(cls: type) -> bool:
    """Whether ``cls`` is compiled into Python or a library: it is made once, even if its module does not show it."""
    return bool(cls.__flags__ & _IMMUTABLE)


def is_opaque(cls: type) -> bool:
    """Whether non-Python code keeps hidden parts of the instances of ``cls``.

    If so, they are larger than what Python needs for their attributes. pickle uses the same test.
    """
    seen = object.__basicsize__ + _POINTER * len(slot_names(cls))
    seen += _POINTER * ((cls.__dictoffset__ > 0) + (cls.__weakrefoffset__ > 0))
    return cls.__itemsize__ > 0 or cls.__basicsize__ > seen


def slot_names(cls: type) -> tuple[str, ...]:
    """Names of the attributes for which ``cls`` and its bases have slots."""
    names: dict[str, None] = {}
    for klass in cls.__mro__:
        slots = vars(klass).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__"):
                names[_mangled(klass, slot)] = None
    return tuple(names)


def _mangled(klass: type, slot: str) -> str:
    private = slot.startswith("__") and not slot.endswith("__")
    return f"_{klass.__name__.lstrip('_')}{slot}" if private else slot


def put_class(cls: type, write: Write, inside: set[int]) -> None:
    """Writes a class: its name, and its content if the name may belong to another class.

    Raises:
        UnencodableError: a class made at run time holds something that has no encoding.
    """
    write(b"C")
    put_text(class_name(cls), write, inside)
    if is_named(cls):
        return
    if id(cls) in inside:
        write(b"@")  # a method that names its own class
        return
    inside.add(id(cls))
    write(b"{")
    put_parts(cls, _class_parts, write, inside)
    inside.discard(id(cls))


def _class_parts(cls: type) -> Parts:
    yield "", type(cls)
    yield ".__bases__", cls.__bases__
    yield ".__flags__", cls.__dictoffset__ != 0
    declared = hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")
    for name, member in sorted(vars(cls).items()):
        if name in _NOT_CONTENT or (declared and _is_generated(member)):
            continue
        yield "", name
        yield f".{name}", member


def _is_generated(member: Any) -> bool:
    """Whether a decorator wrote a method of a dataclass or an attrs class, from the fields that count themselves."""
    function = getattr(member, "__wrapped__", getattr(member, "__func__", member))
    return isinstance(function, types.FunctionType) and function.__code__.co_filename.startswith(_GENERATED)


def slot_member_parts(member: Any) -> Parts:
    """A slot: its name. The class that has it is encoded already."""
    yield "", member.__name__


def property_parts(member: property) -> Parts:
    """The functions of a property."""
    yield ".fget", member.fget
    yield ".fset", member.fset
    yield ".fdel", member.fdel


def wrapped_parts(member: Any) -> Parts:
    """The function of a class method or a static method."""
    yield ".__func__", member.__func__


def cached_property_parts(member: cached_property[Any]) -> Parts:
    """The function of a cached property."""
    yield ".func", member.func


MEMBERS: dict[type, tuple[str, Any]] = {
    types.MemberDescriptorType: ("slot", slot_member_parts),
    types.GetSetDescriptorType: ("slot", slot_member_parts),
    property: ("property", property_parts),
    classmethod: ("classmethod", wrapped_parts),
    staticmethod: ("staticmethod", wrapped_parts),
    cached_property: ("cached property", cached_property_parts),
}
"""The members of a class other than functions: each type's tag and parts."""
