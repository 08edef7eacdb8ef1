"""Converters of the operations that code calls: they decide what is asked of these operations."""

from __future__ import annotations

from rave_core.converters.converter import Converter, NamedConverter
from rave_core.errors import Signal
from rave_core.model import OperationSpec
from rave_core.versions.source.walk import Walk

_DESCRIPTIVE = frozenset({"name", "json_schema"})


class NotLookedUp(Signal):
    """A converter is known by name only; looking it up may import modules, so no lock may be held.

    Attributes:
        converter: the one to look up.
    """

    def __init__(self, converter: NamedConverter) -> None:
        super().__init__()
        self.converter = converter


def put_converters(walk: Walk, spec: OperationSpec) -> None:
    """Adds what converts the arguments of an operation that code calls."""
    for name, converter in sorted(spec.typemap.converters.items()) if spec.typemap is not None else ():
        walk.put("converted", name)
        walk.refer(converter, f"{spec.name} {name}")


def describe_converter(walk: Walk, converter: Converter, label: str) -> None:
    """Adds a converter of a class of RAVE's: its functions, and the converters in it.

    Raises:
        NotLookedUp: it has to be looked up first.
    """
    walk.put(type(converter).__qualname__)
    if isinstance(converter, NamedConverter):
        if converter.found is not None:
            walk.refer(converter.found, label)
        elif converter.name in walk.unknown:
            walk.put("unknown", converter.name)
        else:
            raise NotLookedUp(converter)
        return
    for cls in type(converter).__mro__:
        for name in vars(cls).get("__slots__", ()):
            if name not in _DESCRIPTIVE and hasattr(converter, name):
                walk.put(name)
                walk.refer(getattr(converter, name), label)
