"""The guards of what was reached: names that may be rebound, and values that may change, without notice."""

from __future__ import annotations

import copy
import dis
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from rave_core.versions.epochs import shell
from rave_core.versions.guards import ABSENT, Guard, Guards
from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.classes import CONSTRUCTION, class_place, function_in
from rave_core.versions.source.locality import Place
from rave_core.versions.source.modules import has_file, names_in
from rave_core.versions.source.operations import operation_in
from rave_core.versions.source.values import INERT, is_plain
from rave_core.versions.source.walk import SCALARS, BoundName, Place_, Walk

MAX_COMPARED = 1000
"""The maximum number of leaves of a value that is compared with a copy before each call."""


def guards_of(walk: Walk, state: Mapping[Place_, str]) -> Guards:
    """The guards of a closure; its ``state`` counts by the statements that make it."""
    written, is_prompt = _written(walk), _is_prompt()
    found = []
    for place, named in walk.named.items():
        value = named.value
        if place in state or (id(value), "") in state:
            continue
        is_loose = is_prompt or not has_file(named.space) or _is_rebound(walk, named)
        if is_loose or place in written or (id(value), "") in written:
            found.append(Guard(named.space, named.name, value, _copy(walk, named)))
    found += [Guard(space, name, ABSENT, ABSENT) for (_, name), space in walk.missing.items()]
    return Guards((*found, *walk.awaited.values()))


def _is_prompt() -> bool:
    """Whether new statements may be typed in without the notice that IPython gives."""
    main = sys.modules.get("__main__")
    return main is not None and not has_file(names_in(main)) and shell() is None


def _is_rebound(walk: Walk, named: BoundName) -> bool:
    facts = walk.facts_of(named.space)
    return facts is not None and named.name in facts.outline.rebound


def _copy(walk: Walk, named: BoundName) -> Any:
    """A copy to compare a mutable value with, if that is cheap."""
    value = named.value
    if type(value) in SCALARS or isinstance(value, (FunctionType, type, ModuleType, *INERT)) or operation_in(value):
        return ABSENT
    if type(value) in (dict, list, set):
        return copy.deepcopy(value) if is_plain(value, [MAX_COMPARED]) else value.copy()
    attributes = own_attributes(value)
    if attributes and class_place(walk, type(value)) is Place.PROJECT and is_plain(attributes, [MAX_COMPARED]):
        if not _writes_itself(type(value)):
            return copy.deepcopy(attributes)
        walk.tell(named.label, "its own methods change it: its value is that at the first call")
    return ABSENT


def _writes_itself(cls: type) -> bool:
    for base in cls.__mro__[:-1]:
        for name, member in vars(base).items():
            function = function_in(member)
            if function is None or name in CONSTRUCTION:
                continue
            if any(each.opname in ("STORE_ATTR", "STORE_SUBSCR") for each in dis.get_instructions(function.__code__)):
                return True
    return False


def _written(walk: Walk) -> set[Place_]:
    """The places that some code of the reached files writes to, or any statement of the main program."""
    found: set[Place_] = set()
    for facts, space in walk.files.values():
        for chain in facts.outline.writes:
            _add_written(found, chain, space)
    main = sys.modules.get("__main__")
    space = names_in(main) if main is not None else {}
    program = walk.facts_of(space) if has_file(space) else None
    for chain in (*program.outline.writes, *program.outline.top_writes) if program is not None else ():
        _add_written(found, chain, space)
    return found


def _add_written(found: set[Place_], chain: list[str], space: Mapping[str, Any]) -> None:
    value = space.get(chain[0])
    for name in chain[1:]:
        if not isinstance(value, (ModuleType, type)):
            break
        inner = names_in(value) if isinstance(value, ModuleType) else vars(value)
        if isinstance(value, ModuleType):
            found.add((id(inner), name))
        if name not in inner:
            return
        value = inner[name]
    if value is not None and type(value) not in SCALARS:
        found.add((id(value), ""))
