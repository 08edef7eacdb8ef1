"""Values that code reads: by their encoding if they have one, else part by part."""

from __future__ import annotations

import collections
import contextvars
import enum
import functools
import logging
import threading
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from rave_core.converters import Converter
from rave_core.errors import RaveError
from rave_core.fingerprint.encoder import encode
from rave_core.fingerprint.met_code import collecting
from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.classes import class_place, in_order
from rave_core.versions.source.converted import describe_converter
from rave_core.versions.source.functions import function_place, put_making
from rave_core.versions.source.instances import PLAIN, describe_own_instance, is_large
from rave_core.versions.source.locality import Place
from rave_core.versions.source.type_forms import describe_form, is_form
from rave_core.versions.source.walk import SCALARS, Walk

MAX_LEAVES = 100_000
_HELD: dict[type, Callable[[Any], Any]] = {
    weakref.ref: lambda value: [value()],
    weakref.WeakSet: lambda value: in_order(each for each in value if isinstance(each, type)),
    weakref.WeakValueDictionary: dict,
    weakref.WeakKeyDictionary: dict,
}
_WEAK = tuple(_HELD)
_BUILTINS = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
INERT = (
    logging.Logger,
    logging.LoggerAdapter,
    type(threading.Lock()),
    type(threading.RLock()),
    threading.local,
    threading.Event,
    threading.Condition,
    threading.Semaphore,
    typing.TypeVar,
    typing.ParamSpec,
)
"""Types whose instances count only by their presence."""


def describe_value(walk: Walk, value: Any, label: str) -> None:
    """Adds any value that is not a function, class, module or operation."""
    kind = type(value)
    for known, describe in _PARTS:
        if isinstance(value, known):
            walk.put(kind.__qualname__)
            describe(walk, value, label)
            if class_place(walk, kind) is Place.PROJECT and not isinstance(value, enum.Enum):
                walk.refer(kind, label)
                walk.refer(own_attributes(value), label)
            return
    if isinstance(value, INERT) or kind is object:
        walk.put("inert", kind.__qualname__)
        if class_place(walk, kind) is Place.PROJECT:
            walk.refer(kind, label)
    elif is_form(value):
        describe_form(walk, value, label)
    elif isinstance(value, (*PLAIN, collections.deque, types.MappingProxyType)):
        _container(walk, value, label)
    else:
        _instance(walk, value, label)


def is_plain(value: Any, budget: list[int]) -> bool:
    """Whether a container holds only scalars and such containers; ``budget`` is the number of leaves left."""
    todo, seen = [value], set()
    while todo:
        each = todo.pop()
        if type(each) in SCALARS:
            continue
        if type(each) not in PLAIN or id(each) in seen:  # a cycle, or one in two places: by reference
            return False
        seen.add(id(each))
        budget[0] -= len(each)
        if budget[0] < 0:
            return False
        if type(each) is dict:
            todo.extend(key for key in each if type(key) not in SCALARS)
            each = each.values()
        todo.extend(inner for inner in each if type(inner) not in SCALARS)
    return True


def _container(walk: Walk, value: Any, label: str) -> None:
    budget = [MAX_LEAVES]
    if is_plain(value, budget) and (data := _encoded(value)) is not None:
        walk.put("v", data)
        _put_orders(walk, value)
        return
    walk.put(type(value).__qualname__, len(value), str(getattr(value, "maxlen", "")))
    if budget[0] < 0:
        put_making(walk, label)
        walk.tell(label, "it is too large to be looked through, so its size and the statements that make it count")
        return
    kind = type(value)
    if kind.__module__ not in ("builtins", "collections"):
        walk.refer(kind, label)
        walk.refer(own_attributes(value), label)
    if isinstance(value, (dict, types.MappingProxyType)):
        _mapping(walk, value, label)
        return
    items = sorted(value, key=_order) if isinstance(value, (set, frozenset)) else value
    for index, item in enumerate(items):
        walk.refer(item, f"{label}[{index}]")


def _mapping(walk: Walk, value: Any, label: str) -> None:
    if (factory := getattr(value, "default_factory", None)) is not None:
        walk.refer(factory, label)
    for key, item in list(value.items()):
        walk.refer(key, label)
        walk.refer(item, f"{label}[{key!r:.20}]" if type(key) in SCALARS else label)


def _put_orders(walk: Walk, value: Any) -> None:
    """Adds the order of the keys of dicts, which code sees and the encoding does not."""
    todo = [value]
    while todo:
        each = todo.pop()
        if type(each) is dict:
            walk.put("order", encode(list(each)))
            todo.extend(each.values())
        elif type(each) in (list, tuple):
            todo.extend(inner for inner in each if type(inner) in PLAIN)


def _encoded(value: Any) -> bytes | None:
    try:
        return encode(value)
    except Exception:  # noqa: BLE001  # library or user code may run
        return None


def _order(value: Any) -> bytes:
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return f"{getattr(value, '__module__', '')}:{name}".encode()
    return _encoded(value) or type(value).__qualname__.encode()


# Instances -------------------------------------------------------------------------------------------------------


def _instance(walk: Walk, value: Any, label: str) -> None:
    kind = type(value)
    wrapped = own_attributes(value).get("__wrapped__")
    if wrapped is not None and class_place(walk, kind) is not Place.PROJECT:
        walk.put("wrapper", kind.__qualname__)
        walk.put_library(str(kind.__module__))
        walk.refer(wrapped, label)
    elif class_place(walk, kind) is Place.PROJECT:
        describe_own_instance(walk, value, label)
    elif isinstance(value, Converter):
        describe_converter(walk, value, label)
    else:
        _library_instance(walk, value, label)


def _library_instance(walk: Walk, value: Any, label: str) -> None:
    kind = type(value)
    module = str(kind.__module__)
    walk.put("instance", kind.__qualname__)
    walk.put_library(module)
    if module.partition(".")[0] in ("numpy", "pandas", "pyarrow", "polars") and is_large(walk, value, label):
        return
    try:
        with collecting() as met:
            walk.put("v", encode(value))
        for thing in sorted(met.values(), key=_order):
            walk.refer(thing, label)
        return
    except RaveError:
        pass
    except Exception:  # noqa: BLE001  # the code of a library
        walk.put("unreadable")
    _parts(walk, value, label)


def _parts(walk: Walk, value: Any, label: str) -> None:
    """An instance without a canonical encoding counts by the project code it holds, and by how it is made."""
    if isinstance(value, BaseException):
        walk.refer(value.args, label)
        return
    inner = [each for each in own_attributes(value).values() if _is_of_project(walk, each)]
    for each in inner:
        walk.refer(each, label)
    put_making(walk, label)
    if not inner:
        kind = type(value)
        named = f"{kind.__module__}.{kind.__qualname__}"
        walk.tell(label, f"a {named} has no canonical encoding; the statements that make it count")


def _is_of_project(walk: Walk, value: object) -> bool:
    if isinstance(value, functools.partial):
        value = value.func
    return isinstance(value, types.FunctionType) and function_place(walk, value) is Place.PROJECT


# Parts -----------------------------------------------------------------------------------------------------------


def _attributes(*names: str) -> Callable[[Walk, Any, str], None]:
    def describe(walk: Walk, value: Any, label: str) -> None:
        for name in names:
            walk.refer(getattr(value, name), label)

    return describe


def _builtin(walk: Walk, value: Any, label: str) -> None:
    owner = getattr(value, "__self__", None)
    walk.put(value.__qualname__)
    if owner is not None and not isinstance(owner, (types.ModuleType, type)):
        walk.refer(owner, label)
        return
    module = getattr(value, "__module__", None) or getattr(owner, "__module__", None) or getattr(owner, "__name__", "")
    walk.put_library(str(module or "builtins"), name=value.__qualname__)


def _member(walk: Walk, value: Any, label: str) -> None:
    walk.put(str(value._name_))
    walk.refer(type(value), label)


def _namespace(walk: Walk, value: Any, label: str) -> None:
    for name, each in vars(value).items():
        walk.put(name)
        walk.refer(each, f"{label}.{name}")


def _context_variable(walk: Walk, value: Any, label: str) -> None:
    """A context variable counts by its default, and by what sets it at load: all else belongs to a call."""
    put_making(walk, label)
    try:
        walk.refer(contextvars.Context().run(value.get), label)
    except LookupError:
        walk.put("no default")


def _weak(walk: Walk, value: Any, _label: str) -> None:
    """What is held weakly comes and goes: only code in it counts."""
    walk.held.append((_HELD[next(kind for kind in _WEAK if isinstance(value, kind))](value), "a weak reference"))


def _cached(walk: Walk, value: Any, label: str) -> None:
    walk.put_library("functools")
    walk.refer(own_attributes(value).get("__wrapped__"), label)


_PARTS: tuple[tuple[Any, Callable[[Walk, Any, str], None]], ...] = (
    (functools.partial, _attributes("func", "args", "keywords")),
    (types.MethodType, _attributes("__func__", "__self__")),
    ((staticmethod, classmethod), _attributes("__func__")),
    (property, _attributes("fget", "fset", "fdel")),
    (functools.cached_property, _attributes("func")),
    (functools.partialmethod, _attributes("func", "args", "keywords")),
    (functools.singledispatchmethod, _attributes("dispatcher")),
    (functools._lru_cache_wrapper, _cached),
    (_BUILTINS, _builtin),
    (enum.Enum, _member),
    (types.SimpleNamespace, _namespace),
    (contextvars.ContextVar, _context_variable),
    (collections.ChainMap, _attributes("maps")),
    ((collections.UserDict, collections.UserList, collections.UserString), _attributes("data")),
    (_WEAK, _weak),
)
