"""Converters that choose: among types, among literal values, among the members of an enum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from rave_core.converters.converter import Converter, Lookup, Schema, Written


class OneOf(Converter):
    """The first of several types that accepts the value.

    Args:
        members: the types, in the order in which they are tried.
        keep_exact: whether a value of exactly one of the types stays as it is, even if other types precede
            it; except for text, which may be the text of any type. True for unions of hints, not for ``one_of``.
    """

    __slots__ = ("keep_exact", "members", "name", "takes_none")

    def __init__(self, members: Sequence[Converter], *, keep_exact: bool = False) -> None:
        self.members = tuple(members)
        self.keep_exact = keep_exact
        names = [member.name for member in members]
        self.name = " or ".join(names) if keep_exact else f"one_of({', '.join(names)})"
        self.takes_none = True in [member.takes_none for member in members]

    @property
    def volatile(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether any of the types depends on more than the value."""
        return True in [member.volatile for member in self.members]

    @property
    def refers(self) -> bool:  # type: ignore[override]  # asked late: a name in it may not be known before
        """Whether values of any of the types name what is kept elsewhere."""
        return True in [member.refers for member in self.members]

    def convert(self, value: Any) -> Any:
        """What the first type that accepts ``value`` makes of it; see ``Converter``."""
        if self.keep_exact and type(value) is not str and type(value) in [member.exact for member in self.members]:
            return value
        return self._first(lambda member: member.convert(value))

    def parse_text(self, text: str) -> Any:
        """What the first type that accepts ``text`` makes of it; see ``Converter``."""
        return self._first(lambda member: member.parse_text(text))

    def _first(self, attempt: Callable[[Converter], Any]) -> Any:
        reasons = []
        for member in self.members:
            try:
                return attempt(member)
            except (TypeError, ValueError) as error:
                reasons.append(f"{member.name}: {error}")
        raise TypeError(f"none accepts it ({'; '.join(reasons)})")

    def schema(self) -> Schema:
        """What any of the types accepts."""
        schemas = [member.schema() for member in self.members]
        if {} in schemas:
            return {}
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def written(self, value: Any) -> Written:
        """What the first type whose value it is writes; see ``Converter``."""
        if isinstance(value, str):  # a type of names would look it up
            return None
        for member in self.members:
            try:
                if member.exact is type(value) or member.convert(value) is value:
                    return member.written(value)
            except (TypeError, ValueError, OverflowError):
                continue
        return None

    def bound(self, named: Lookup) -> Converter:
        """The same with its types bound."""
        return OneOf([member.bound(named) for member in self.members], keep_exact=self.keep_exact)


class LiteralOf(Converter):
    """One of a few values, or the text of one, as the hint ``Literal[...]`` says."""

    __slots__ = ("name", "options", "takes_none")

    def __init__(self, options: Sequence[Any]) -> None:
        self.options = tuple(options)
        self.name = f"one of {', '.join(map(repr, options))}"
        self.takes_none = None in self.options

    def convert(self, value: Any) -> Any:
        """The option that ``value`` is or says; see ``Converter``."""
        for option in self.options:
            if type(value) is type(option) and value == option:
                return option
        for option in self.options:
            if isinstance(value, str) and value == _text_of(option):
                return option
        raise ValueError(f"it is not one of {', '.join(map(repr, self.options))}")

    def schema(self) -> Schema:
        """The options; an enum's member by its name, bytes as text."""
        return {"enum": [_jsonable(option) for option in self.options]}


class EnumOf(Converter):
    """A member of an enum: itself, its value, its name, or the text of its value."""

    __slots__ = ("exact", "kind", "name")

    def __init__(self, kind: type[Enum]) -> None:
        self.kind = kind
        self.exact = kind
        self.name = kind.__name__

    def convert(self, value: Any) -> Any:
        """The member that ``value`` means, by value first; see ``Converter``."""
        try:
            return self.kind(value)
        except ValueError:
            for member in self.kind if isinstance(value, str) else ():
                if value in (member.name, str(member.value)):
                    return member
        raise ValueError(f"it is not one of {', '.join(member.name for member in self.kind)}")

    def schema(self) -> Schema:
        """The values of the members, or their names if a value is not valid JSON."""
        values = [member.value for member in self.kind]
        plain = {type(value) for value in values} <= {str, int, float, bool}
        return {"enum": values if plain else [member.name for member in self.kind]}


def _text_of(option: object) -> str:
    if option is None or isinstance(option, bool):
        return {None: "null", True: "true", False: "false"}[option]
    return option.name if isinstance(option, Enum) else option.decode() if isinstance(option, bytes) else str(option)


def _jsonable(option: object) -> object:
    return option if option is None or isinstance(option, (bool, int, str)) else _text_of(option)
