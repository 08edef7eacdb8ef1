"""Code held by what is state, such as a registry: it counts, although the registry does not count by value."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import FunctionType

from rave_core.versions.source.chains import is_code, own_attributes
from rave_core.versions.source.classes import class_place
from rave_core.versions.source.functions import function_place
from rave_core.versions.source.locality import Place
from rave_core.versions.source.operations import operation_in
from rave_core.versions.source.walk import SCALARS, Walk

_MOST_HELD = 10_000
"""How many objects in a registry are looked at."""


def add_held(walk: Walk) -> bool:
    """Adds the project's code in what is state, once all other code is known; returns whether there is any more."""
    found = False
    for value, label in walk.held:
        for each in _code_in(value):
            if not walk.is_known(each) and _is_of_project(walk, each):
                walk.put("held")
                walk.refer(each, label)
                found = True
    return found


def _code_in(value: object) -> Iterator[object]:
    """The functions, classes and modules that a registry holds, and the classes of the objects in it."""
    todo, seen = deque([value]), set[int]()
    while todo and len(seen) < _MOST_HELD:
        each = todo.popleft()
        if type(each) in SCALARS or id(each) in seen:
            continue
        seen.add(id(each))
        if is_code(each):
            yield each
        elif isinstance(each, dict):
            todo.extend(part for item in list(each.items()) for part in item)
        elif isinstance(each, (list, tuple, deque)):
            todo.extend(list(each))
        else:
            yield type(each)
            todo.append(own_attributes(each))


def _is_of_project(walk: Walk, value: object) -> bool:
    if isinstance(value, FunctionType):
        return function_place(walk, value) is Place.PROJECT
    return operation_in(value) is not None or (isinstance(value, type) and class_place(walk, value) is Place.PROJECT)
