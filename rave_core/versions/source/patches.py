"""Patches: what modules of the project change in libraries while they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from rave_core.versions.source.classes import class_place
from rave_core.versions.source.functions import put_definition, reach_making
from rave_core.versions.source.locality import Place
from rave_core.versions.source.walk import Walk


def add_patches(walk: Walk) -> bool:
    """Adds the statements of reached files that write to a library's module or class; returns whether there are any."""
    found = False
    for path, (facts, space) in list(walk.files.items()):
        if ("patches", path) in walk.done:
            continue
        walk.done.add(("patches", path))
        for name in sorted({chain[0] for chain in facts.outline.top_writes}):
            made = facts.assigned(name) if _is_of_library(walk, space, name) else None
            if made is not None:
                walk.put("changes", name)
                put_definition(walk, made, dict(space))
                reach_making(walk, made, dict(space), name)
                found = True
    return found


def _is_of_library(walk: Walk, space: Mapping[str, Any], name: str) -> bool:
    value = space.get(name)
    if isinstance(value, ModuleType):
        return walk.locality.of_space(vars(value)) in (Place.PACKAGE, Place.PYTHON)
    return isinstance(value, type) and class_place(walk, value) in (Place.PACKAGE, Place.PYTHON)
