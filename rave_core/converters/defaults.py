"""The defaults of an operation's parameters, converted as arguments are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

from rave_core.converters.converter import Converter, Schema, shown
from rave_core.errors import ArgumentError

_UNFIT: Final = (TypeError, ValueError, OverflowError)


class Defaults:
    """The defaults by parameter. A default that its own type refuses stays as it is.

    They are converted once, when first asked for; those whose outcome depends on more than the value, such as a file's
    content, each time.

    Attributes:
        given: as they stand in the signature.
    """

    def __init__(self, given: Mapping[str, Any], converters: Mapping[str, Converter]) -> None:
        """Converts nothing yet, since plugins that supply a converter may load later."""
        self.given = given
        self._converters = converters

    def omitted(self, names: Iterable[str], operation: str) -> dict[str, Any]:
        """The defaults of those of ``names`` that have one, for a call that gives none of these arguments.

        Raises:
            ArgumentError: the values of a type name what is kept elsewhere, and there is nothing of that name.
        """
        return {name: self._omitted(name, operation) for name in names if name in self.given}

    def described(self, name: str) -> Any:
        """The default of one parameter, for descriptions; names of what is kept elsewhere stay as they are.

        Raises:
            KeyError: it has none.
        """
        if name not in self.volatile:
            return self.kept[name]
        return self.given[name] if self._converters[name].refers else self._converted(name)

    def schema(self, name: str) -> Schema:
        """The keyword ``default`` of a JSON Schema; nothing if there is none, or JSON does not have it."""
        if name not in self.given:
            return {}
        import json  # only here: few programs ask for a schema

        for default in (self.described(name), self.given[name]):
            try:
                return {"default": json.loads(json.dumps(default, allow_nan=False))}
            except _UNFIT:
                continue
        return {}

    @cached_property
    def kept(self) -> dict[str, Any]:
        """Those that were converted once."""
        return {name: self._converted(name) for name in self.given if name not in self.volatile}

    @cached_property
    def volatile(self) -> tuple[str, ...]:
        """The parameters whose defaults are converted each time."""
        return tuple(
            name for name in self.given if self._converters[name].volatile or not _is_hashable(self._converted(name))
        )

    def _omitted(self, name: str, operation: str) -> Any:
        if name not in self.volatile:
            return self.kept[name]
        converter, default = self._converters[name], self.given[name]
        if not converter.refers:
            return self._converted(name)
        try:
            return converter.convert(default)
        except _UNFIT as error:
            raise ArgumentError(
                f"{operation}: argument {name!r} was left out, and its default is {shown(default)}: {str(error)[:300]}",
                operation=operation,
                parameter=name,
                wanted=converter.name,
            ) from error

    def _converted(self, name: str) -> Any:
        try:
            return self._converters[name].convert(self.given[name])
        except _UNFIT:
            return self.given[name]


def _is_hashable(value: object) -> bool:
    """Whether ``value`` is immutable for those who share it, as far as Python shows."""
    try:
        hash(value)
    except TypeError:
        return False
    return True
