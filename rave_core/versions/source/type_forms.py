"""Forms of types, which code may look into: ``int | str``, ``Literal["a", "b"]``, ``Box[int]``."""

from __future__ import annotations

import types
from typing import Any

from rave_core.versions.source.chains import own_attributes
from rave_core.versions.source.functions import put_making
from rave_core.versions.source.walk import Walk

_ALIASES = (types.GenericAlias, types.UnionType)
_ALIAS_PARTS = ("__origin__", "__args__")
_PARTS = ("__origin__", "__args__", "__metadata__", "__supertype__")


def is_form(value: object) -> bool:
    """Whether a value is a form of types, or a name of `typing`."""
    return isinstance(value, _ALIASES) or type(value).__module__ == "typing"


def describe_form(walk: Walk, value: Any, label: str) -> None:
    """Adds a form: what it is of, and its arguments in their order."""
    walk.put("form")  # and not its class, which each release of Python calls in its own way
    if type(value).__name__ == "TypeAliasType":  # whose value is found by running code
        put_making(walk, label)
        return
    own = dict.fromkeys(_ALIAS_PARTS) if isinstance(value, _ALIASES) else own_attributes(value)
    parts = [name for name in _PARTS if name in own]
    for name in parts:
        walk.put(name)
        walk.refer(getattr(value, name, None), label)
    if not parts:
        walk.put(str(getattr(value, "_name", None) or getattr(value, "__forward_arg__", type(value).__qualname__)))
