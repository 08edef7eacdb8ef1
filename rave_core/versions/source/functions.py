"""Functions of the project, and what they reach; functions of libraries, and what they hold of the project."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

from rave_core.versions.source import chains
from rave_core.versions.source.bytecode import code_digest
from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.facts import Decorator, Definition
from rave_core.versions.source.imports import follow_import
from rave_core.versions.source.loaded_source import LoadedCode, sources
from rave_core.versions.source.locality import Place
from rave_core.versions.source.modules import has_file, whole_module
from rave_core.versions.source.names import ReachedNames
from rave_core.versions.source.operations import operation_in
from rave_core.versions.source.walk import SCALARS, Walk

HARMLESS = frozenset(
    {
        "staticmethod",
        "classmethod",
        "property",
        "cached_property",
        "cache",
        "lru_cache",
        "wraps",
        "contextmanager",
        "asynccontextmanager",
        "abstractmethod",
        "override",
        "final",
        "overload",
        "setter",
        "getter",
        "deleter",
    }
)
"""Decorators that read no annotations."""
NOTES = frozenset(
    {
        "op",
        "op_file",
        "expires",
        "version",
        "mime_type",
        "typemap",
        "from_annotations",
        "tags",
        "ignore",
        "depends_on",
    }
)
"""RAVE's own decorators, by name: for programs that wrap them in functions of their own."""


def function_place(walk: Walk, function: FunctionType) -> Place:
    """Whose code a function is."""
    space = function.__globals__
    name = space.get("__name__") or function.__module__
    return walk.locality.of(name if isinstance(name, str) else "", function.__code__.co_filename)


def describe_function(
    walk: Walk, function: FunctionType, *, is_body: bool = False, is_captured_in_key: bool = False
) -> None:
    """Adds a function.

    Args:
        walk, function: which function of which walk.
        is_body: whether an operation calls it, with any decorators on it.
        is_captured_in_key: whether the values that it captured are in the key of each call, as those of an operation's
            own function are. Only captured code counts then: the body may change the values, such as a list of results.
    """
    if function_place(walk, function) is not Place.PROJECT:
        _library_function(walk, function)
        return
    label = f"{function.__module__ or function.__globals__.get('__name__')}:{function.__qualname__}"
    loaded = loaded_code(walk, function, label)
    put_definition(walk, loaded.definition, function.__globals__, is_body=is_body, doc=function.__doc__)
    walk.nodes[label] = loaded.definition.code[-12:]
    for default in function.__defaults__ or ():
        walk.refer(default, f"{label} default")
    for name, default in sorted((function.__kwdefaults__ or {}).items()):
        walk.put(name)
        walk.refer(default, f"{label} default")
    attributes = own_attributes(function)
    if (wrapped := attributes.get("__wrapped__")) is not None:
        walk.put("wraps")
        walk.refer(wrapped, label)
    _attributes(walk, attributes, label)
    cells = dict(_cells(function))
    if is_captured_in_key:
        cells = {name: value if chains.is_code(value) else "in the key" for name, value in cells.items()}
    reach(walk, loaded.definition.names, function.__globals__, cells, label)
    _decorators(walk, loaded.definition, function.__globals__, label, is_body=is_body)


def _attributes(walk: Walk, attributes: dict[str, Any], label: str) -> None:
    """Adds what was set on a function, such as a limit or a counter."""
    for name, value in sorted(attributes.items()):
        if not name.startswith("__"):
            chains.add_named(walk, attributes, name, value, f"{label}.{name}")


def loaded_code(walk: Walk, function: FunctionType, label: str) -> LoadedCode:
    """What is known of a function's code."""
    loaded = sources.of_code(function.__code__, function.__globals__)
    if loaded.facts is not None:
        walk.files.setdefault(function.__code__.co_filename, (loaded.facts, function.__globals__))
    elif loaded.has_changed:
        walk.tell(label, "its source changed after it was loaded, so the loaded bytecode counts")
    return loaded


def put_definition(
    walk: Walk, definition: Definition, space: Mapping[str, Any], *, is_body: bool = False, doc: str | None = None
) -> None:
    """Adds the normal form of a definition."""
    walk.note_docs(definition.names.reads_docs)
    walk.put("code", definition.code)
    decorators = [each for each in definition.decorators if not is_note(each, space, is_body=is_body)]
    for decorator in decorators:
        walk.put("decorated", decorator.digest)
    if walk.presumed.reads_docs or any(not _is_harmless(walk, each, space) for each in decorators):
        walk.put("annotations", definition.annotations)
    if walk.presumed.reads_docs:
        walk.put("docs", definition.docs, doc or "")


def is_note(decorator: Decorator, space: Mapping[str, Any], *, is_body: bool = False) -> bool:
    """Whether a decorator is one of RAVE's, which do not affect what the code does."""
    if not decorator.chain:
        return False
    if is_body and decorator.is_own and decorator.chain[-1] in NOTES:
        return True
    found: Any = chains.resolve(decorator.chain, space)
    module = getattr(found, "__module__", None) or getattr(type(found), "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == "rave_core"


def _is_harmless(walk: Walk, decorator: Decorator, space: Mapping[str, Any]) -> bool:
    if not decorator.chain or decorator.chain[-1] not in HARMLESS:
        return False
    found = chains.resolve(decorator.chain, space)
    return not (isinstance(found, FunctionType) and function_place(walk, found) is Place.PROJECT)


def _decorators(walk: Walk, definition: Definition, space: dict[str, Any], label: str, *, is_body: bool) -> None:
    """Follows the decorators of a function. They ran when it was defined, so what they write is not a call's state."""
    annotated = walk.presumed.reads_docs
    for decorator in definition.decorators:
        if is_note(decorator, space, is_body=is_body):
            continue
        annotated = annotated or not _is_harmless(walk, decorator, space)
        if decorator.is_own:
            reach(walk, decorator.names, space, {}, label, is_loading=True)
    if annotated:
        reach(walk, ReachedNames(chains=definition.names.annotated), space, {}, label, is_loading=True)


def reach(
    walk: Walk,
    names: ReachedNames,
    space: dict[str, Any],
    cells: Mapping[str, Any],
    label: str,
    *,
    is_loading: bool = False,
) -> None:
    """Follows the names that a piece of code takes from outside."""
    before, walk.is_loading = walk.is_loading, is_loading or walk.is_loading
    walk.attributes |= names.attributes
    if id(space) not in walk.reached:
        walk.reached.add(id(space))
        walk.keep(space)
        if not has_file(space):
            walk.spaces[id(space)] = space
    if not walk.is_loading:
        chains.note_changes(walk, names, space, cells, label)
    for chain in names.ordered:
        walk.put("name", *chain)
        chains.follow(walk, chain, space, cells, label)
    for level, module, member, attributes in sorted(names.imports):
        follow_import(walk, level, module, member, attributes, space)
    for word in sorted(names.open):
        walk.tell(f"{label}: {word}", "what it leads to is known only when it runs, so its whole module counts")
    if names.open:
        whole_module(walk, space)
    walk.is_loading = before


def put_making(walk: Walk, label: str) -> None:
    """Adds the statements that make the value being inspected, and the code that they use."""
    walk.put("made by")
    if walk.making is not None:
        made, space = walk.making
        put_definition(walk, made, space)
        reach_making(walk, made, space, label)


def reach_making(walk: Walk, made: Definition, space: dict[str, Any], label: str) -> None:
    """Follows what the statements that make a value use: they ran while the module was loaded."""
    own = label.rpartition(".")[2]
    names = ReachedNames(chains={each for each in made.names.chains if each[0] != own}, imports=made.names.imports)
    reach(walk, names, space, {}, label, is_loading=True)
    for decorator in made.decorators:
        if decorator.is_own:
            reach(walk, decorator.names, space, {}, label, is_loading=True)


def _cells(function: FunctionType) -> list[tuple[str, Any]]:
    found = []
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found.append((name, cell.cell_contents))
        except ValueError:  # not bound yet
            continue
    return found


def _library_function(walk: Walk, function: FunctionType) -> None:
    """Adds a library's function by name, and the project code that it holds."""
    name = function.__globals__.get("__name__") or function.__module__
    walk.put("library", function.__code__.co_qualname)
    if "<" in function.__qualname__:  # of which there may be several under one name
        walk.put(code_digest(function.__code__))
    walk.put_library(name if isinstance(name, str) else "", function.__code__.co_filename, function.__qualname__)
    attributes = own_attributes(function)
    registry = attributes.get("registry")
    if isinstance(registry, MappingProxyType):  # of functools.singledispatch
        for kind in sorted(registry, key=lambda each: str(each.__qualname__)):
            walk.put(kind.__qualname__)
            walk.refer(registry[kind], function.__qualname__)
        return
    for name, value in _cells(function):
        if value is not function and _is_held(value):
            walk.put(name)
            walk.refer(value, f"{function.__qualname__}.{name}")
    if (wrapped := attributes.get("__wrapped__")) is not None:
        walk.refer(wrapped, function.__qualname__)


def _is_held(value: object) -> bool:
    kinds = (FunctionType, MethodType, functools.partial, type, tuple, list)
    return type(value) in SCALARS or isinstance(value, kinds) or operation_in(value) is not None
