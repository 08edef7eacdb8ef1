"""Acts on libraries: whether a call or a change at load time is one of Python's library or of an installed package."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from rave_core.versions.source.chains import resolve
from rave_core.versions.source.classes import class_place, function_in
from rave_core.versions.source.facts import Facts
from rave_core.versions.source.functions import function_place
from rave_core.versions.source.instances import PLAIN
from rave_core.versions.source.load_acts import Act, ActingStatement, ActKind
from rave_core.versions.source.loaded_source import sources
from rave_core.versions.source.locality import MAINS, Place
from rave_core.versions.source.modules import names_in
from rave_core.versions.source.operations import operation_in
from rave_core.versions.source.values import INERT
from rave_core.versions.source.walk import SCALARS, Walk

_CHANGER = re.compile(
    r"set(?!diff|ting|up\b)|(un)?(seed|register|use\b|use_|install|patch|load_(?!s)|activate)|seterr|enable|disable|"
    r"(add|apply|reset|update|filter|simplefilter|init|config|option|switch|rc|chdir|umask|putenv|unsetenv|monkey)",
    re.IGNORECASE,
)
"""How functions are called that change what others do."""
_SETTER = re.compile(r"set(?!diff|ting|up\b)|(un)?(seed|register|install|patch|activate)|enable|disable", re.IGNORECASE)
"""How they are called where the result is used, as in ``before = numpy.seterr(all="raise")``."""
_REGISTERS = re.compile(r"_?register", re.IGNORECASE)
_HARMLESS = frozenset({"abc", "atexit", "dataclasses", "enum", "faulthandler", "functools", "gc", "logging", "typing"})
"""Modules of Python's whose calls change no result but by their arguments, which count by themselves."""
_LIBRARIES = (Place.PACKAGE, Place.PYTHON)
_OPEN = frozenset({"exec", "eval"})
_MOST = 200
"""How many functions of the project are looked into for one statement."""


def first_on_library(walk: Walk, facts: Facts, space: dict[str, Any], acts: Iterable[Act]) -> Act | None:
    """The first of the acts of a statement that is on a library, itself or by functions of the project."""
    is_main = space.get("__name__") in MAINS
    for act in acts:
        if is_main and act.last in _OPEN:  # of a main program the names count that this sets, where they are reached
            continue
        if _is_by_name(act, is_main) and _is_on_library(walk, facts, space, act):
            return act
        if not is_main and act.kind is not ActKind.WRITE and _leads_to_library(walk, space, act):
            return act
    return None


def _is_by_name(act: Act, is_use: bool) -> bool:
    """Whether an act may change anything, by what it is and how it is called.

    Args:
        act: the act.
        is_use: whether most calls are uses where it stands, so that one has to be called like a change.
    """
    if act.kind is ActKind.WRITE or act.last in _OPEN:
        return True
    if act.kind is ActKind.CALL:
        return not is_use or _CHANGER.match(act.last) is not None
    return (_REGISTERS if act.kind is ActKind.DECORATE else _SETTER).match(act.last) is not None


def _root(space: dict[str, Any], act: Act) -> Any:
    if act.module:
        return sys.modules.get(act.module)
    return space.get(act.chain[0])


def _rest(act: Act) -> tuple[str, ...]:
    """The chain of an act after its root."""
    return act.chain if act.module else act.chain[1:]


def _is_on_library(walk: Walk, facts: Facts | None, space: dict[str, Any], act: Act) -> bool:
    root = _root(space, act)
    if root is None:
        return act.chain[-1:] in {(each,) for each in _OPEN} and hasattr(builtins, act.last)
    if isinstance(root, ModuleType):
        return _is_of_library(walk, root) or _is_of_library(walk, resolve(("", *_rest(act)), {"": root}))
    if isinstance(root, (FunctionType, MethodType, BuiltinFunctionType, type)):
        return _is_of_library(walk, root)
    return facts is not None and not act.module and _is_shared(walk, facts, space, act.chain[0], root)


def _is_of_library(walk: Walk, value: object) -> bool:
    """Whether a function, class or module is a library's, or another object of a class of a library's."""
    if isinstance(value, MethodType):
        value = value.__func__
    if isinstance(value, ModuleType):
        module, place = value.__name__, walk.place_of(names_in(value))
    elif isinstance(value, FunctionType):
        module, place = value.__module__, function_place(walk, value)
    elif isinstance(value, BuiltinFunctionType):
        module = value.__module__ or getattr(value.__self__, "__name__", "")
        place = walk.locality.of(module or "")
    else:
        kind = value if isinstance(value, type) else type(value)
        module, place = kind.__module__, class_place(walk, kind)
    return place in _LIBRARIES and str(module).partition(".")[0] not in _HARMLESS | {"builtins"}


def _is_shared(walk: Walk, facts: Facts, space: dict[str, Any], name: str, value: object) -> bool:
    """Whether an object of a library's was got from a function of it, and so may be used by others, too."""
    kind = type(value)
    if kind in SCALARS or isinstance(value, (*PLAIN, *INERT)) or not _is_of_library(walk, value):
        return False
    if space.get("__name__") in MAINS and class_place(walk, kind) is not Place.PYTHON:  # such as a table
        return False
    maker = facts.makers.get(name)
    found = resolve(maker, space) if maker else None
    return not isinstance(found, type) and _is_of_library(walk, found)


def _leads_to_library(walk: Walk, space: dict[str, Any], act: Act) -> bool:
    """Whether a function of the project changes a library when it is called, or one that it calls does."""
    is_use = act.kind is not ActKind.CALL and act.kind is not ActKind.DECORATE
    quiet = walk.quiet[is_use]  # for a use, whose result is wanted, only what is called like a change counts
    return any(True for function in _all_called(walk, space, act, quiet) for _ in _changes(walk, function, is_use))


def acts_within(
    walk: Walk, space: dict[str, Any], statement: ActingStatement
) -> Iterator[tuple[FunctionType, ActingStatement, Act]]:
    """What functions that a statement of a main program leads to do to libraries: with which of their statements."""
    for act in statement.acts:
        for function in _all_called(walk, space, act, set()):
            for inner, change in _changes(walk, function, is_use=True):
                if change.last not in _OPEN:
                    yield function, inner, change


def _all_called(walk: Walk, space: dict[str, Any], act: Act, quiet: set[tuple[int, int]]) -> Iterator[FunctionType]:
    """The functions of the project that an act calls, and those that they call.

    Args:
        walk, space, act: which act, in the names of which module.
        quiet: those to leave out. If all are asked for, since none does what is looked for, they are added.
    """
    todo, seen = _called(walk, space, act), set[tuple[int, int]]()
    while todo and len(seen) < _MOST:
        function, owner = todo.pop()
        key = id(function), id(owner)
        if key in seen or key in quiet or function_place(walk, function) is not Place.PROJECT:
            continue
        seen.add(key)
        walk.keep((function, owner))
        yield function
        own = function.__code__.co_varnames[:1] if owner is not None else ()
        for each in (each for statement in _statements_of(function) for each in statement.acts):
            if owner is not None and each.chain[:1] == own:
                todo += _methods(owner, each.chain[1:2])
            else:
                todo += _called(walk, function.__globals__, each)
    if not todo:
        quiet |= seen


def _statements_of(function: FunctionType) -> list[ActingStatement]:
    facts = sources.of_code(function.__code__, function.__globals__).facts
    return facts.acting_inside(function.__code__) if facts is not None else []


def _changes(walk: Walk, function: FunctionType, is_use: bool) -> Iterator[tuple[ActingStatement, Act]]:
    """The statements of a function that change a library, each with the first act that does."""
    space = function.__globals__
    facts = sources.of_code(function.__code__, space).facts
    for statement in _statements_of(function):
        for act in statement.acts:
            if _is_by_name(act, is_use) and _is_on_library(walk, facts, space, act):
                yield statement, act
                break


def _called(walk: Walk, space: dict[str, Any], act: Act) -> list[tuple[FunctionType, type | None]]:
    """The functions that a call may lead to; of a class or an object of the project, the methods of that name."""
    root = _root(space, act)
    found = resolve(("", *_rest(act)), {"": root}) if root is not None else None
    if isinstance(found, FunctionType):
        return [(found, None)]
    if found is None or act.kind is ActKind.GIVEN or isinstance(found, ModuleType) or operation_in(found) is not None:
        return []
    if type(found) is dict:
        found = list(found.values())
    if type(found) is list or type(found) is tuple:  # of functions, one of which is called
        return [(each, None) for each in found if isinstance(each, FunctionType)]
    kind = found if isinstance(found, type) else type(found)
    names = (act.last,) if act.last == "__init_subclass__" else ("__init__", "__call__", act.last)
    return _methods(kind, names) if class_place(walk, kind) is Place.PROJECT else []


def _methods(kind: type, names: Iterable[str]) -> list[tuple[FunctionType, type | None]]:
    """The methods of a class under any of the names, with the class: they may call others of it."""
    found = (function_in(vars(base).get(name)) for base in kind.__mro__ for name in names)
    return [(each, kind) for each in found if each is not None]
