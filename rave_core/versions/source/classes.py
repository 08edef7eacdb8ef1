"""Classes of the project: their statement, their bases, and their members as they are now."""

from __future__ import annotations

import abc
import dataclasses
import enum
import functools
import sys
import types
from collections.abc import Collection, Iterable, Iterator
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType, WrapperDescriptorType
from typing import Any

from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.facts import Definition, Facts
from rave_core.versions.source.functions import function_place, put_definition, reach
from rave_core.versions.source.loaded_source import sources
from rave_core.versions.source.locality import Locality, Place
from rave_core.versions.source.modules import has_file, names_in
from rave_core.versions.source.walk import SCALARS, Walk

CONSTRUCTION = frozenset(
    {
        "__init__",
        "__new__",
        "__post_init__",
        "__init_subclass__",
        "__class_getitem__",
        "__set_name__",
        "__slots__",
        "__module__",
        "__doc__",
        "__annotations__",
        "__match_args__",
        "__all__",
        "__qualname__",
        "__dict__",
        "__weakref__",
    }
)
"""Names of classes that calls on unknown values never reach."""
_BOOKKEEPING = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__qualname__",
        "__doc__",
        "__annotations__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__abstractmethods__",
        "_abc_impl",
        "__firstlineno__",
        "__static_attributes__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__orig_bases__",
        "__parameters__",
        "__match_args__",
        "__hash__",
        "__slots__",
        "__attrs_attrs__",
        "__replace__",
        "__type_params__",
        "__classcell__",
        "_field_defaults",
    }
)
_GENERATED = ("<string>", "<attrs generated", "<frozen")
_FIELDS = ("__dataclass_fields__", "__attrs_attrs__", "_fields")
"""The attributes by which a class shows that methods were made from its fields."""
_KEEPERS = ("_is_protocol", "__total__")
"""Those of protocols and of typed dicts."""
_C_MEMBERS = (MemberDescriptorType, GetSetDescriptorType, WrapperDescriptorType)


def function_in(member: object) -> FunctionType | None:
    """The function in a member of a class: a method, or the function inside a property or static method."""
    if isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    elif isinstance(member, property):
        member = member.fget
    elif isinstance(member, functools.cached_property):
        member = member.func
    return member if isinstance(member, FunctionType) else None


def is_generated(function: FunctionType | None) -> bool:
    """Whether `dataclasses`, attrs or a similar library made a function from the class statement."""
    while isinstance(function, FunctionType):
        file = function.__code__.co_filename
        if file.startswith(_GENERATED) or file.endswith("reprlib.py"):
            return True
        function = own_attributes(function).get("__wrapped__")
    return False


def class_place(walk: Walk, cls: type) -> Place:
    """Whose code a class is."""
    return _place(cls, walk.locality)


def is_of_project(cls: type, locality: Locality) -> bool:
    """Whether a class is the project's."""
    return _place(cls, locality) is Place.PROJECT


def _place(cls: type, locality: Locality) -> Place:
    if cls.__module__ == "types" and cls.__qualname__ not in vars(types):  # made by a call, of `make_dataclass` say
        return Place.PROJECT
    return locality.of(cls.__module__ if isinstance(cls.__module__, str) else "builtins", _file(cls))


def _file(cls: type) -> str | None:
    module = sys.modules.get(cls.__module__) if isinstance(cls.__module__, str) else None
    file = names_in(module).get("__file__") if module is not None else None
    return file if isinstance(file, str) else None


def describe_class(walk: Walk, cls: type) -> None:
    """Adds a class."""
    walk.put(cls.__qualname__)
    if class_place(walk, cls) is not Place.PROJECT:
        module = cls.__module__ if isinstance(cls.__module__, str) else "builtins"
        walk.put_library(module, _file(cls), cls.__qualname__)
        return
    label = f"{cls.__module__}:{cls.__qualname__}"
    space = _space(walk, cls)
    definition = _statement(walk, cls, space)
    walk.nodes[label] = definition.code[-12:] if definition is not None else "loaded"
    if definition is not None:
        put_definition(walk, definition, space, doc=cls.__doc__)
        reach(walk, definition.names, space, {}, label, is_loading=True)
        for decorator in definition.decorators:
            if decorator.is_own:
                reach(walk, decorator.names, space, {}, label, is_loading=True)
    _relatives(walk, cls, label)
    facts = facts_of_class(walk, cls, space)
    _members(walk, cls, label, facts.outline.classes.get(cls.__qualname__, ()) if facts is not None else ())
    _fields(walk, cls, label)


def _relatives(walk: Walk, cls: type, label: str) -> None:
    """Adds the bases of a class, its metaclass, and what was registered with it."""
    walk.classes.append(cls)
    for base in cls.__mro__[1:-1]:
        walk.refer(base, label)
    if type(cls) is not type:
        walk.refer(type(cls), label)
    for each in _registered(cls):
        walk.put("registered")
        walk.refer(each, label)


def _registered(cls: type) -> list[type]:
    """The classes that were registered with an abstract base class, and inherit nothing of it."""
    dump = getattr(abc, "_get_dump", None)  # what `ABCMeta._dump_registry` uses, which prints
    if dump is None or not isinstance(cls, abc.ABCMeta):
        return []
    return in_order(each for each in (reference() for reference in dump(cls)[0]) if each is not None)


def in_order(classes: Iterable[type]) -> list[type]:
    """Classes by name, since they come in no order, or in that of their making."""
    return sorted(classes, key=lambda cls: (str(cls.__module__), cls.__qualname__))


def methods(walk: Walk, cls: type) -> list[FunctionType]:
    """The functions that the statement of a class defines, looked up once in a walk."""
    known = walk.methods.get(id(cls))
    if known is None:
        walk.keep(cls)
        known = walk.methods[id(cls)] = _methods(cls)
    return known


def _methods(cls: type) -> list[FunctionType]:
    found = [function_in(member) for member in vars(cls).values()]
    return [
        each
        for each in found
        if each is not None
        and not is_generated(each)
        and each.__module__ == cls.__module__ == each.__globals__.get("__name__")
        and each.__qualname__.startswith(f"{cls.__qualname__}.")
    ]


def _space(walk: Walk, cls: type) -> dict[str, Any]:
    own = methods(walk, cls)
    if own:
        return own[0].__globals__
    module = sys.modules.get(cls.__module__)
    return names_in(module) if module is not None else {"__name__": cls.__module__}


def _statement(walk: Walk, cls: type, space: dict[str, Any]) -> Definition | None:
    """The statement of a class, if it is the one that was loaded."""
    facts = facts_of_class(walk, cls, space)
    if facts is None:
        walk.put_if_replaced(space)
        return None
    definition = facts.class_(cls.__qualname__)
    own = methods(walk, cls)
    file = own[0].__code__.co_filename if own else space.get("__file__")
    if definition is not None and isinstance(file, str):
        walk.files.setdefault(file, (facts, space))
    return definition


def facts_of_class(walk: Walk, cls: type, space: dict[str, Any] | None = None) -> Facts | None:
    """The facts of the source in which a class was defined; ``None`` unless all its methods are from there."""
    own = methods(walk, cls)
    space = _space(walk, cls) if space is None else space
    if own:
        loaded = [sources.of_code(each.__code__, each.__globals__).facts for each in own]
        return None if None in loaded else loaded[0]
    if has_file(space):
        return walk.facts_of(space)
    return sources.cell(cls.__name__)


def _members(walk: Walk, cls: type, label: str, bound: Collection[str]) -> None:
    for name, member in sorted(vars(cls).items()):
        if _is_made(walk, cls, name, member, bound):
            continue
        function = function_in(member)
        if name == "_generate_next_value_" and function is not None:
            member = function  # since Python 3.12 an enum keeps it as a static method
        walk.put("member", name)
        who = walk.presumed.state.get((id(member), "")) if type(member) not in SCALARS and function is None else None
        if who is not None and not isinstance(member, type):
            walk.put("state")
            walk.held.append((member, f"{label}.{name}"))
            walk.tell(f"{label}.{name}", f"{who} writes to it, so its value does not count")
            continue
        walk.refer(member, f"{label}.{name}")
        if isinstance(member, (dict, list, set)):
            walk.note_value((id(member), ""))
    if issubclass(cls, enum.Enum):
        for name, each in cls.__members__.items():
            walk.put(name)
            walk.refer(each._value_, f"{label}.{name}")


def _is_made(walk: Walk, cls: type, name: str, member: object, bound: Collection[str]) -> bool:
    """Whether Python or a library made a member from the class statement, which ``bound`` other names."""
    if name in _BOOKKEEPING or isinstance(member, _C_MEMBERS) or type(member).__name__ == "_tuplegetter":
        return True
    function, own = function_in(member), vars(cls)
    is_enum = issubclass(cls, enum.Enum)
    if is_enum and function is None:
        return True
    if any(each in own for each in _FIELDS) and is_generated(function):
        return True
    # What these keep beside the members differs between releases of Python.
    is_kept = name.startswith("_") and name.endswith("_") and name not in bound
    return (
        is_kept
        and (is_enum or any(each in own for each in _KEEPERS))
        and (function is None or function_place(walk, function) is not Place.PROJECT)
    )


def _fields(walk: Walk, cls: type, label: str) -> None:
    for name, field in _dataclass_fields(cls):
        walk.put(name, str(field.init), str(field.repr), str(field.compare), str(field.kw_only is True))
        for value in (field.default, field.default_factory):
            if value is not dataclasses.MISSING:
                walk.refer(value, f"{label}.{name}")
    defaults = vars(cls).get("_field_defaults")
    for name, default in defaults.items() if isinstance(defaults, dict) else ():
        walk.put(name)
        walk.refer(default, f"{label}.{name}")
    names = vars(cls).get("_fields")
    if isinstance(names, tuple):
        walk.put("fields", *map(str, names))


def _dataclass_fields(cls: type) -> Iterator[tuple[str, Any]]:
    fields = vars(cls).get("__dataclass_fields__")
    if isinstance(fields, dict):
        yield from fields.items()
