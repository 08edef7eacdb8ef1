"""Instances of the project's classes: their class, and what they hold."""

from __future__ import annotations

import types
from typing import Any

from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.classes import class_place, facts_of_class, function_in, is_generated
from rave_core.versions.source.locality import Place
from rave_core.versions.source.walk import Walk

MAX_BYTES = 64 << 20
PLAIN = (dict, list, tuple, set, frozenset)
_REDUCES = frozenset({"__reduce__", "__reduce_ex__"})
_MAKERS = frozenset({"__init__", "__new__", "__post_init__", "__setstate__", "__init_subclass__", "__set_name__"})


def describe_own_instance(walk: Walk, value: Any, label: str) -> None:
    """Adds an instance of a class of the project: its class, its attributes, and what it holds besides."""
    kind = type(value)
    walk.refer(kind, label)
    attributes = dict(own_attributes(value)) | _slots(value)
    if isinstance(value, BaseException):
        attributes["args"] = value.args
    for base in (dict, list, tuple, set, frozenset, str, bytes, int, float):
        if isinstance(value, base):
            walk.put("content")
            walk.refer(_content(value, base), label)
            break
    else:
        _library_content(walk, value, label)
    written = _written_by(walk, kind)
    for name in sorted(attributes, key=str):
        walk.put(str(name))
        if name in written:
            walk.put("state")
            walk.held.append((attributes[name], f"{label}.{name}"))
            walk.tell(f"{label}.{name}", f"{written[name]} writes to it, so its value does not count")
        else:
            walk.refer(attributes[name], f"{label}.{name}")


def _library_content(walk: Walk, value: Any, label: str) -> None:
    """Adds what a library's class keeps of an instance beside its attributes, such as a date or an array."""
    maker = next((cls for cls in type(value).__mro__ if not _REDUCES.isdisjoint(vars(cls))), object)
    if maker is object or class_place(walk, maker) is Place.PROJECT or is_large(walk, value, label):
        return
    try:
        _, *parts = value.__reduce_ex__(2)
    except Exception:  # noqa: BLE001  # the code of a library
        walk.tell(label, "its class can't say what it holds")
        return
    for part in parts:
        if not isinstance(part, dict):  # of attributes
            walk.refer(part, label)


def is_large(walk: Walk, value: Any, label: str) -> bool:
    """Whether a value is too large to be read for each version, which is then told."""
    size = getattr(value, "nbytes", 0)
    if not isinstance(size, int) or size <= MAX_BYTES:
        return False
    walk.tell(label, f"it has {size >> 20} MiB, too many to be read for each version")
    return True


def _content(value: Any, base: Any) -> Any:
    """What an instance of a built-in's subclass holds, independent of the subclass's methods."""
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value)) if base in PLAIN else base.__getnewargs__(value)[0]


def _slots(value: Any) -> dict[str, Any]:
    found = {}
    for cls in type(value).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, types.MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
                try:
                    found[name] = member.__get__(value)
                except AttributeError:
                    continue
    return found


def _written_by(walk: Walk, kind: type) -> dict[str, str]:
    """What an object remembers: the attributes written by methods that reached code calls, with the method."""
    written: dict[str, str] = {}
    known = walk.attributes | walk.presumed.attributes
    for cls in kind.__mro__[:-1]:
        if not any(
            function_in(each) is not None and not is_generated(function_in(each)) for each in vars(cls).values()
        ):
            continue
        facts = facts_of_class(walk, cls)
        for method, names in (facts.outline.writers.get(cls.__qualname__, {}) if facts is not None else {}).items():
            if method in _MAKERS:
                continue
            if method in known or method.startswith("__"):
                written.update(dict.fromkeys(names, f"{cls.__qualname__}.{method}"))
            else:
                walk.remembered.add(method)
    return written
