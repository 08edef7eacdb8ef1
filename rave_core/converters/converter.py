"""The converter: it makes a value of one type from what a caller gives."""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rave_core.errors import UnknownNameError

Schema: TypeAlias = dict[str, Any]
"""A fragment of JSON Schema 2020-12."""

Written: TypeAlias = "str | list[Any] | dict[str, Any] | None"
"""What a converter writes for a value."""

Lookup: TypeAlias = Callable[[str], "Converter"]
"""Gives the converter of a name, or raises ``UnknownNameError``."""


class Converter(ABC):
    """Makes a value of one type, from a value or from the text of one.

    Attributes:
        name: the wanted type in words, for messages: ``int``, ``list_of(int)``.
        exact: values of exactly this type come back unchanged; ``None`` if no type guarantees that.
        takes_none: whether ``None`` comes back as ``None``.
        volatile: whether the outcome depends on more than the value, so that it must not be kept.
        refers: whether values name what is kept elsewhere, so that a default that names nothing makes a call fail.
    """

    __slots__ = ()

    name: str
    exact: type | None = None
    takes_none: bool = False
    volatile: bool = False
    refers: bool = False

    @abstractmethod
    def convert(self, value: Any) -> Any:
        """The converted value.

        Raises:
            TypeError, ValueError, OverflowError: it can't be converted.
        """

    def parse_text(self, text: str) -> Any:
        """The value that ``text`` means on a command line or in a query string.

        Raises:
            TypeError, ValueError, OverflowError: it means none.
        """
        return self.convert(text)

    def schema(self) -> Schema:
        """What is accepted, as a fragment of JSON Schema 2020-12; empty for anything."""
        return {}

    def written(self, value: Any) -> Written:
        """What will always mean the converted ``value``, as JSON has it: a text, or a list or dict with texts in it.

        ``None`` if what the caller wrote does. For converters of names whose meaning changes: the ticket of a service
        keeps this in place of what the caller wrote.
        """
        return None

    def bound(self, named: Lookup) -> Converter:  # for those that hold names
        """The same converter, which looks up the names in it through ``named``."""
        return self

    def __call__(self, value: Any) -> Any:
        """As ``convert``: a converter is itself a function of one argument."""
        return self.convert(value)

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, repr=False)
class FunctionConverter(Converter):
    """Converts with a function of one argument; may read text with a different one."""

    name: str
    function: Callable[[Any], Any]
    json_schema: Mapping[str, Any] = field(default_factory=dict)
    exact: type | None = None
    text_function: Callable[[str], Any] | None = None
    takes_none: bool = False
    volatile: bool = False
    refers: bool = False

    def convert(self, value: Any) -> Any:
        """What the function makes of ``value``; see ``Converter``."""
        return self.function(value)

    def parse_text(self, text: str) -> Any:
        """What the function makes of ``text``; see ``Converter``."""
        return (self.text_function or self.function)(text)

    def schema(self) -> Schema:
        """A copy of the schema it was made with."""
        return dict(self.json_schema)


class NamedConverter(Converter):
    """A converter known only by name until it is first needed, because its plugin may not be loaded yet."""

    __slots__ = ("_found", "_named", "name")

    def __init__(self, name: str, named: Lookup | None = None) -> None:
        self.name = name
        self._named = named
        self._found: Converter | None = None

    @property
    def found(self) -> Converter | None:
        """The converter of that name if it was looked up already."""
        return self._found

    @property
    def resolved(self) -> Converter:
        """The converter of that name.

        Raises:
            UnknownNameError: there is none.
        """
        if self._found is None:
            if self._named is None:
                raise UnknownNameError(f"no converter {self.name!r} is known: its plugin is not loaded")
            self._found = self._named(self.name)
        return self._found

    @property
    def volatile(self) -> bool:  # type: ignore[override]  # asked late, when the name must be known anyway
        """Whether the outcome of the named converter depends on more than the value."""
        return self.resolved.volatile

    @property
    def refers(self) -> bool:  # type: ignore[override]  # asked late, when the name must be known anyway
        """Whether values of the named converter name what is kept elsewhere."""
        return self.resolved.refers

    def convert(self, value: Any) -> Any:
        """What the named converter makes of ``value``; see ``Converter``."""
        return self.resolved.convert(value)

    def parse_text(self, text: str) -> Any:
        """What the named converter makes of ``text``; see ``Converter``."""
        return self.resolved.parse_text(text)

    def schema(self) -> Schema:
        """The schema of the named converter."""
        return self.resolved.schema()

    def written(self, value: Any) -> Written:
        """What the named converter writes; see ``Converter``."""
        return self.resolved.written(value)

    def bound(self, named: Lookup) -> Converter:
        """The same name, looked up through ``named``."""
        return NamedConverter(self.name, named)


def parse_json(text: str) -> Any:
    """The value that the JSON ``text`` holds.

    Raises:
        ValueError: it is no JSON, nests too deep, or says NaN or Infinity.
    """
    import json  # only here: few programs read JSON

    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """``value`` as messages show it: its ``repr``, shortened; safe for any size and any ``repr``."""
    text = _SHORT.repr(value)
    return text if len(text) <= 200 else f"{text[:150]}...{text[-40:]}"


def kind_of(value: object) -> str:
    """``value``'s type as messages name it: ``None``, ``a str``, ``an int``."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
