"""Chains of names, resolved in the loaded namespaces without running user code."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from rave_core.versions.source.imports import follow_import
from rave_core.versions.source.locality import Place
from rave_core.versions.source.modules import names_in
from rave_core.versions.source.names import Chain, ReachedNames
from rave_core.versions.source.operations import operation_in
from rave_core.versions.source.walk import BoundName, Walk

_MISSING: Any = object()
_OWN = (type, BuiltinFunctionType, type(...), type(NotImplemented))


def own_attributes(value: object) -> dict[str, Any]:
    """The ``__dict__`` of an object, asked for without running code of its class; empty if there is none."""
    try:
        found: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def is_code(value: object) -> bool:
    """Whether a value is code itself, and not data that may change."""
    return isinstance(value, (FunctionType, type, ModuleType)) or operation_in(value) is not None


def resolve(chain: Chain, space: Mapping[str, Any]) -> object:
    """What a chain names, as far as modules and classes lead; ``None`` if that is not known."""
    found = space.get(chain[0])
    for name in chain[1:]:
        if not isinstance(found, (ModuleType, type)):
            return found
        found = vars(found).get(name)
    return found


def follow(walk: Walk, chain: Chain, space: dict[str, Any], cells: Mapping[str, Any], label: str) -> None:
    """Adds what a chain of names leads to."""
    root, *rest = chain
    if root in walk.ignore or ".".join(chain) in walk.ignore:
        walk.put("left out")
        walk.tell(".".join(chain), "left out by the author")
        return
    value = cells.get(root, space.get(root, _MISSING))
    if value is _MISSING:
        _outside(walk, root, space)
        walk.attributes.update(rest)
    elif isinstance(value, ModuleType):
        _note_name(walk, space, root, value)
        follow_module(walk, value, rest, label)
    else:
        walk.attributes.update(rest)
        if root in cells:
            walk.refer(value, f"{label}.{root}")
        else:
            add_named(walk, space, root, value)


def _outside(walk: Walk, root: str, space: dict[str, Any]) -> None:
    value = vars(builtins).get(root, _MISSING)
    if value is not _MISSING and _is_put_there(walk, root, value):
        add_named(walk, vars(builtins), root, value)
    elif value is not _MISSING:
        walk.put("builtin")
    else:
        walk.put("missing")
    if id(space) in walk.spaces:
        walk.missing[(id(space), root)] = space


def _is_put_there(walk: Walk, name: str, value: object) -> bool:
    """Whether the project put something among Python's builtins, or in the place of one."""
    if isinstance(value, FunctionType):
        return walk.place_of(value.__globals__) is Place.PROJECT
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__ == "builtins":  # such as a number, and not a function of Python's
        return not isinstance(value, _OWN) and not name.startswith("_")
    return walk.place_of(names_of_class(kind)) is Place.PROJECT


def _note_name(walk: Walk, space: dict[str, Any], name: str, value: Any) -> None:
    walk.named.setdefault((id(space), name), BoundName(space, name, value, name))


def add_named(walk: Walk, space: dict[str, Any], name: str, value: Any, label: str = "") -> None:
    """Adds what a name of a module, or of a function, stands for: code at once, values after all code is known."""
    full = label or f"{space.get('__name__', '')}.{name}"
    if name in walk.ignore or full in walk.ignore:
        walk.put("left out")
        walk.tell(full, "left out by the author")
        return
    found = BoundName(space, name, value, full)
    if is_code(value):
        walk.named.setdefault((id(space), name), found)
        walk.refer(value, full)
        return
    number = walk.values.get((id(space), name))
    if number is None:
        number = walk.values[(id(space), name)] = len(walk.values)
        walk.later.append(found)
    walk.put("value", number)


def follow_module(walk: Walk, module: ModuleType, rest: list[str], label: str) -> None:
    """Adds what a module has under the attributes ``rest``; the whole module if it is used without any."""
    while rest:
        space = names_in(module)
        place = walk.place_of(space)
        value = _member(module, space, rest[0])
        if value is _MISSING:
            if place is Place.PROJECT and "__getattr__" in space:
                name = space.get("__name__", "")
                walk.tell(f"{name}.{rest[0]}", "the module's __getattr__ gives it, so the whole module counts")
                follow_import(walk, 0, f"{name}.{rest[0]}", "?", "", space)
                break
            walk.put("missing", rest[0])
            return
        if isinstance(value, ModuleType):
            module, rest = value, rest[1:]
            continue
        if place is Place.PROJECT:
            walk.attributes.update(rest[1:])
            add_named(walk, space, rest[0], value)
        else:
            _of_library(walk, space, rest[0], value, label)
        return
    walk.refer(module, label)


def _of_library(walk: Walk, space: dict[str, Any], member: str, value: Any, label: str) -> None:
    name, file = space.get("__name__", ""), space.get("__file__")
    walk.put_library(name, file, member)
    if isinstance(value, (FunctionType, type)):
        own = value.__globals__ if isinstance(value, FunctionType) else names_of_class(value)
        if walk.place_of(own) is Place.PROJECT:  # the project put it there
            walk.refer(value, label)


def names_of_class(value: Any) -> Mapping[str, Any]:
    """The names of the module in which a class was defined, as far as that is known."""
    module = getattr(value, "__module__", None)
    found = sys.modules.get(module) if isinstance(module, str) else None
    return names_in(found) if found is not None else {"__name__": module}


def _member(module: ModuleType, space: Mapping[str, Any], name: str) -> Any:
    if name in space:
        return space[name]
    for full in dict.fromkeys((module.__name__, space.get("__name__"))):
        found = sys.modules.get(f"{full}.{name}")
        if found is not None:
            return found
    return _MISSING


def note_changes(walk: Walk, names: ReachedNames, space: dict[str, Any], cells: Mapping[str, Any], who: str) -> None:
    """Notes the places that code writes to: their content is state and does not count as a value."""
    for name in names.stores:
        walk.note_change((id(space), name), who)
    for chain in names.changes:
        if chain[0] in space and chain[0] not in cells:
            _note_change(walk, chain, space, who)


def _note_change(walk: Walk, chain: Chain, space: dict[str, Any], who: str) -> None:
    value, rest = space[chain[0]], list(chain[1:])
    while rest and isinstance(value, (ModuleType, type, FunctionType)):
        inner = names_in(value) if isinstance(value, ModuleType) else vars(value)
        if not isinstance(value, type):
            walk.note_change((id(inner), rest[0]), who, inner)
        if rest[0] not in inner:
            return
        value = inner[rest.pop(0)]
    if not isinstance(value, (ModuleType, type, FunctionType)):
        walk.note_change((id(value), ""), who, value)
