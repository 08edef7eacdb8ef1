"""Unknown receivers: a call on a parameter, result or element may lead to any reached class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rave_core.versions.source.classes import CONSTRUCTION, function_in, in_order, is_generated, is_of_project
from rave_core.versions.source.facts import Facts
from rave_core.versions.source.walk import Walk

_LATER = frozenset({"__firstlineno__", "__static_attributes__", "__annotate__", "__annotate_func__"})
"""What Pythons from 3.13 on keep in every class: nobody calls it."""


def add_receivers(walk: Walk) -> bool:
    """Adds the callable classes of reached files and of namespaces without a file; returns whether there are any."""
    found = False
    extent = (len(walk.attributes), len(walk.files), len(walk.spaces), len(walk.classes))
    if extent == walk.extent and not walk.spaces:
        return False
    walk.extent = extent
    if "__subclasses__" in walk.attributes:
        found = _subclasses(walk)
    for space in list(walk.spaces.values()):
        found = _of_space(walk, space) or found
    for path, (facts, names) in list(walk.files.items()):
        found = _of_file(walk, path, facts, names) or found
    return found


def _subclasses(walk: Walk) -> bool:
    found = False
    for base in list(walk.classes):
        for cls in in_order(type.__subclasses__(base)):
            if not walk.is_known(cls) and is_of_project(cls, walk.locality):
                walk.put("subclass")
                walk.refer(cls, cls.__qualname__)
                found = True
    return found


def _of_space(walk: Walk, space: Mapping[str, Any]) -> bool:
    found = False
    for name in sorted(space):
        cls = space[name]
        if not isinstance(cls, type) or cls.__module__ != space.get("__name__") or walk.is_known(cls):
            continue
        own = {each for each, member in vars(cls).items() if each not in _LATER and not _is_made(member)}
        if _may_be_called(walk, own):
            walk.put("may be called", name)
            walk.refer(cls, name)
            found = True
    return found


def _is_made(member: object) -> bool:
    function = function_in(member)
    return function is not None and is_generated(function)


def _of_file(walk: Walk, path: str, facts: Facts, space: Mapping[str, Any]) -> bool:
    found = False
    for qualname, names in sorted(facts.outline.classes.items()):
        key = ("class", path, qualname)
        if key in walk.done or not _may_be_called(walk, names):
            continue
        walk.done.add(key)
        walk.put("may be called", qualname)
        cls = _class(space, qualname)
        definition = facts.class_(qualname)
        if cls is not None:
            walk.refer(cls, qualname)
        elif definition is not None:
            walk.put(definition.code)
        found = True
    return found


def _may_be_called(walk: Walk, names: Iterable[str]) -> bool:
    return any(
        name in walk.attributes or (name.startswith("__") and name.endswith("__") and name not in CONSTRUCTION)
        for name in names
    )


def _class(space: Mapping[str, Any], qualname: str) -> type | None:
    first, *rest = qualname.split(".")
    found: Any = space.get(first)
    for name in rest:
        found = vars(found).get(name) if isinstance(found, type) else None
    return found if isinstance(found, type) else None
