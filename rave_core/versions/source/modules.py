"""Modules as a whole, if names can't be followed one by one."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from rave_core.versions.file_contents import contents
from rave_core.versions.source.locality import Place
from rave_core.versions.source.tokens import digest_of
from rave_core.versions.source.walk import SCALARS, Walk

COMPILED = (".so", ".pyd")


def names_in(module: ModuleType) -> dict[str, Any]:
    """The names of a module, without importing it; for a proxy of RAVE's, those of the module behind it."""
    try:
        if type(module).__module__.startswith("rave_core."):
            return vars(module)
        found: dict[str, Any] = object.__getattribute__(module, "__dict__")
    except AttributeError:  # nothing behind the proxy
        return {}
    return found


def has_file(space: Mapping[str, Any]) -> bool:
    """Whether the module with these names was loaded from a file or an archive rather than typed in."""
    file = space.get("__file__")
    if not isinstance(file, str):
        return False
    loader = space.get("__loader__")
    return (loader is not None and hasattr(loader, "get_source")) or _exists(file)


@functools.lru_cache(4096)
def _exists(file: str) -> bool:
    return os.path.exists(file)


def describe_module(walk: Walk, module: ModuleType) -> None:
    """Adds a module that is used as a value."""
    space = names_in(module)
    place = walk.place_of(space)
    name, file = space.get("__name__", ""), space.get("__file__")
    if place is not Place.PROJECT:
        walk.put_library(name, file if isinstance(file, str) else None)
    elif isinstance(file, str) and file.endswith(COMPILED):
        put_compiled(walk, name, file)
    else:
        whole_module(walk, space)


def put_compiled(walk: Walk, name: str, file: str) -> None:
    """Adds a compiled module of the project, by the content of its file."""
    if walk.put_if_replaced({"__name__": name, "__file__": file}):
        return
    try:
        digest = digest_of(contents.read(file)[0])
    except OSError:
        walk.tell(f"module {name}", "it is compiled, and its file can't be read")
        return
    walk.put("compiled", digest)
    walk.nodes[f"module {name}"] = digest[:12]


def whole_module(walk: Walk, space: dict[str, Any]) -> None:
    """Adds a module's source, all its functions and classes, and its plain values."""
    if ("whole", id(space)) in walk.done:
        return
    walk.done.add(("whole", id(space)))
    walk.keep(space)
    name = str(space.get("__name__", ""))
    facts = walk.facts_of(space)
    definition = facts.module() if facts is not None else None
    if facts is None or definition is None:
        walk.put("module without a source")
        walk.tell(f"module {name}", "it has no source, so what is defined in it by now counts")
    else:
        walk.note_docs(definition.names.reads_docs)
        walk.put("module", definition.code, definition.docs if walk.presumed.reads_docs else "")
        walk.nodes[f"module {name}"] = definition.code[-12:]
        walk.files.setdefault(str(space["__file__"]), (facts, space))
    for key in sorted(each for each in space if not each.startswith("__")):
        value = space[key]
        if type(value) in SCALARS:
            if (id(space), key) not in walk.presumed.state:
                walk.put(key)
                walk.refer(value, f"{name}.{key}")
        elif _is_of_project(walk, value):
            walk.put(key)
            walk.refer(value, f"{name}.{key}")


def _is_of_project(walk: Walk, value: object) -> bool:
    if isinstance(value, FunctionType):
        return walk.locality.of(value.__module__ or "", value.__code__.co_filename) is Place.PROJECT
    return (
        isinstance(value, type)
        and isinstance(value.__module__, str)
        and (walk.locality.of(value.__module__) is Place.PROJECT)
    )
