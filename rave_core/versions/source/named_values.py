"""Values under names of modules: state by the statements that make it, everything else by value."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

from rave_core.fingerprint.encoder import encode
from rave_core.versions.source.facts import Definition
from rave_core.versions.source.functions import reach_making
from rave_core.versions.source.tokens import digest_of
from rave_core.versions.source.values import INERT
from rave_core.versions.source.walk import SCALARS, BoundName, Walk


def describe_named(walk: Walk, found: BoundName, state: dict[tuple[int, str], str]) -> None:
    """Adds a value under a name that reached code may write to."""
    space, name, value = found.space, found.name, found.value
    facts = walk.facts_of(space)
    made = facts.assigned(name) if facts is not None and type(value) not in SCALARS else None
    writer = state.get((id(space), name))
    if writer is None and type(value) not in SCALARS:
        writer = state.get((id(value), ""))
    if writer is not None:
        _state(walk, found, writer, facts.assigned(name) if facts is not None else None)
        return
    if not isinstance(value, INERT):
        walk.named[(id(space), name)] = found
    walk.note_value((id(space), name))
    walk.note_value((id(value), ""))
    walk.making = (made, space) if made is not None else None
    if type(value) in SCALARS:
        walk.nodes[found.label] = f"{value!r:.40}" if len(repr(value)) <= 40 else digest_of(encode(value))[:12]
    else:
        walk.valued.add(id(value))
    walk.refer(value, found.label)


def _state(walk: Walk, found: BoundName, writer: str, made: Definition | None) -> None:
    value = found.value
    walk.put("state", made.code if made is not None else type(value).__qualname__)
    if made is not None:
        reach_making(walk, made, found.space, found.label)
    walk.held.append((value, found.label))
    for key, item in _code_in(value):
        walk.refer(key, found.label)
        walk.refer(item, found.label)
    walk.tell(found.label, f"{writer} writes to it, so its value does not count")


def _code_in(value: Any) -> list[tuple[Any, Any]]:
    """The code in a registry, which counts although the registry is state."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    found = [(key, item) for key, item in list(items) if isinstance(item, (FunctionType, type, ModuleType))]
    return [(key if type(key) in SCALARS or isinstance(key, type) else "", item) for key, item in found]
