"""Converters of lists, tuples, sets and dicts, with the types of their items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

from rave_core.converters.converter import Converter, Lookup, Schema, Written, kind_of, parse_json
from rave_core.converters.scalars import any as any_converter


class CollectionOf(Converter):
    """A list, tuple, set or frozenset; its item types are recycled when there are more items than types."""

    __slots__ = ("exact", "items", "kind", "name")

    def __init__(self, kind: type, items: Sequence[Converter] = (), name: str = "") -> None:
        self.kind = kind
        self.items = tuple(items)
        self.name = name or kind.__name__
        self.exact = None if items else kind

    @property
    def volatile(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether an item depends on more than the value."""
        return _any_volatile(self.items)

    @property
    def refers(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether an item names what is kept elsewhere."""
        return _any_refers(self.items)

    def convert(self, value: Any) -> Any:
        """The collection with its items converted, of any iterable but text, bytes and mappings; see ``Converter``."""
        if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)):
            raise TypeError(f"{kind_of(value)} is not a {self.kind.__name__}; did you mean [{kind_of(value)}]?")
        # Iterating over an array gives numpy scalars, which differ from Python's as arguments.
        found = value.tolist() if hasattr(value, "tolist") else value
        return self.kind(self._converted(found) if self.items else found)

    def _converted(self, values: Iterable[Any]) -> list[Any]:
        if len(self.items) == 1:
            return _each(self.items[0], values)
        return [_item(item, index, value) for index, (item, value) in enumerate(zip(cycle(self.items), values))]

    def parse_text(self, text: str) -> Any:
        """The collection of a JSON array, else of the parts between commas; see ``Converter``."""
        if text.lstrip().startswith("["):
            return self.convert(_json(text, list, "array"))
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return self.kind([item.parse_text(part) for item, part in zip(cycle(self.items or (any_converter,)), parts)])

    def schema(self) -> Schema:
        """An array; of unique items for a set."""
        schema: Schema = {"type": "array"}
        found = [item.schema() for item in self.items]
        if found and {} not in found:
            schema["items"] = found[0] if len(found) == 1 else {"anyOf": found}
        if issubclass(self.kind, (set, frozenset)):
            schema["uniqueItems"] = True
        return schema

    def written(self, value: Any) -> Written:
        """A list, if any item has to be written; see ``Converter``."""
        return _written(zip(cycle(self.items), value)) if self.items else None

    def bound(self, named: Lookup) -> Converter:
        """The same with its item types bound."""
        return CollectionOf(self.kind, [item.bound(named) for item in self.items], self.name)


class TupleOf(Converter):
    """A tuple of fixed length with a type for each place, as the hint ``tuple[int, str]`` says."""

    __slots__ = ("items", "name")

    def __init__(self, items: Sequence[Converter]) -> None:
        self.items = tuple(items)
        self.name = f"tuple[{', '.join(item.name for item in items)}]"

    @property
    def volatile(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether an item depends on more than the value."""
        return _any_volatile(self.items)

    @property
    def refers(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether an item names what is kept elsewhere."""
        return _any_refers(self.items)

    def convert(self, value: Any) -> Any:
        """The tuple, of any iterable of the right length but text and the like; see ``Converter``."""
        found = _TUPLE.convert(value)
        self._check_length(found)
        return tuple(_item(item, index, part) for index, (item, part) in enumerate(zip(self.items, found, strict=True)))

    def parse_text(self, text: str) -> Any:
        """The tuple of a JSON array, else of the parts between commas; see ``Converter``."""
        if text.lstrip().startswith("["):
            return self.convert(_json(text, list, "array"))
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        self._check_length(parts)
        return tuple(item.parse_text(part) for item, part in zip(self.items, parts, strict=True))

    def _check_length(self, found: Sequence[object]) -> None:
        if len(found) != len(self.items):
            raise ValueError(f"{len(found)} items instead of {len(self.items)}")

    def schema(self) -> Schema:
        """An array of exactly these items."""
        size = len(self.items)
        return {
            "type": "array",
            "prefixItems": [item.schema() for item in self.items],
            "minItems": size,
            "maxItems": size,
        }

    def written(self, value: Any) -> Written:
        """A list, if any item has to be written; see ``Converter``."""
        return _written(zip(self.items, value, strict=True))

    def bound(self, named: Lookup) -> Converter:
        """The same with its item types bound."""
        return TupleOf([item.bound(named) for item in self.items])


class DictOf(Converter):
    """A dict, with the types of its keys and values where they are given."""

    __slots__ = ("exact", "keys", "name", "values")

    def __init__(self, keys: Converter = any_converter, values: Converter = any_converter) -> None:
        free = keys is values is any_converter
        self.keys = keys
        self.values = values
        self.name = "dict" if free else f"dict[{keys.name}, {values.name}]"
        self.exact = dict if free else None

    @property
    def volatile(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether an item depends on more than the value."""
        return _any_volatile((self.keys, self.values))

    @property
    def refers(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether an item names what is kept elsewhere."""
        return _any_refers((self.keys, self.values))

    def convert(self, value: Any) -> Any:
        """The dict, of mappings and of pairs; see ``Converter``."""
        if isinstance(value, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"{kind_of(value)} is not a dict")
        found = dict(value)
        return found if self.exact else {self.keys.convert(key): self._value(key, found[key]) for key in found}

    def _value(self, key: object, value: object) -> object:
        try:
            return self.values.convert(value)
        except (TypeError, ValueError) as error:
            raise type_or_value(error, f"under {key!r}: {error}") from error

    def parse_text(self, text: str) -> Any:
        """The dict of a JSON object; see ``Converter``."""
        return self.convert(_json(text, dict, "object"))

    def schema(self) -> Schema:
        """An object, with the schema of its values."""
        values = self.values.schema()
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}

    def written(self, value: Any) -> Written:
        """A dict, if any key or value has to be written; see ``Converter``."""
        keys = _written((self.keys, key) for key in value)
        values = _written((self.values, each) for each in value.values())
        if keys is None and values is None:
            return None
        names = [*value] if keys is None else keys
        return dict(zip(names, [*value.values()] if values is None else values, strict=True))

    def bound(self, named: Lookup) -> Converter:
        """The same with the types of keys and values bound."""
        return DictOf(self.keys.bound(named), self.values.bound(named))


def type_or_value(error: Exception, message: str) -> Exception:
    """A ``TypeError`` or ``ValueError``, as ``error`` is one, with another message."""
    return TypeError(message) if isinstance(error, TypeError) else ValueError(message)


def _each(item: Converter, values: Iterable[Any]) -> list[Any]:
    exact = item.exact
    return [
        value if exact is type(value) else _item(item, index, value)  # exact types are most of a long list
        for index, value in enumerate(values)
    ]


def _item(item: Converter, index: int, value: object) -> object:
    try:
        return item.convert(value)
    except (TypeError, ValueError) as error:
        raise type_or_value(error, f"item {index} is not {item.name}: {error}") from error


def _json(text: str, kind: type, called: str) -> Any:
    try:
        found = parse_json(text)
    except ValueError as error:
        raise ValueError(f"expected a JSON {called}: {error}") from error
    if not isinstance(found, kind):
        raise TypeError(f"expected a JSON {called}, not {kind_of(found)}")
    return found


def _written(items: Iterable[tuple[Converter, Any]]) -> list[Any] | None:
    """What each item writes, in order; itself where that is nothing. ``None`` if no item writes anything."""
    found = [(item.written(value), value) for item, value in items]
    if all(text is None for text, _ in found):
        return None
    return [value if text is None else text for text, value in found]


def _any_volatile(members: Iterable[Converter]) -> bool:
    return True in [member.volatile for member in members]


def _any_refers(members: Iterable[Converter]) -> bool:
    return True in [member.refers for member in members]


_TUPLE: Final = CollectionOf(tuple)

COLLECTIONS: Final[dict[type, Converter]] = {
    **{kind: CollectionOf(kind) for kind in (list, tuple, set, frozenset)},
    dict: DictOf(),
}
