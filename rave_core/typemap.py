"""Typemaps: the types of an operation's parameters, and the conversion of its arguments."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar, overload

from rave_core.converters import Converter, any, iso_date, iso_datetime, list_of, one_of
from rave_core.converters.converter import shown
from rave_core.converters.defaults import Defaults
from rave_core.converters.optional import OrNone
from rave_core.converters.specifiers import converter_of, converter_of_hint
from rave_core.errors import ArgumentError, DecorationError, nearest
from rave_core.functions.annotations import annotate

__all__ = ["any", "iso_date", "iso_datetime", "list_of", "one_of", "typemap"]

F = TypeVar("F")

_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_EMPTY: Final = inspect.Parameter.empty
_UNFIT: Final = (TypeError, ValueError, OverflowError)


class FittedTypeMap:
    """The converters of an operation's parameters, by name.

    Attributes:
        converters: parameter name to converter; for ``*args`` and ``**kwargs`` the one of each item or value.
        defaults: of those parameters that have one.
    """

    def __init__(self, parameters: Sequence[inspect.Parameter], converters: Mapping[str, Converter]) -> None:
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self.converters: Mapping[str, Converter] = MappingProxyType(dict(converters))
        given = {p.name: p.default for p in parameters if p.default is not _EMPTY}
        self.defaults = Defaults(given, self.converters)
        self._steps = {parameter.name: self._step(parameter) for parameter in parameters}

    def _step(self, parameter: inspect.Parameter) -> tuple[type | None, Callable[[Any], Any]]:
        converter = self.converters[parameter.name]
        each = converter.convert
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return None, lambda values: tuple([each(value) for value in values])
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return None, lambda values: {name: each(value) for name, value in values.items()}
        if parameter.default is _EMPTY:
            return converter.exact, each
        return self._step_with_default(parameter.name, converter)

    def _step_with_default(self, name: str, converter: Converter) -> tuple[type | None, Callable[[Any], Any]]:
        defaults = self.defaults
        default = defaults.given[name]

        def convert(value: Any) -> Any:
            # An explicit default makes the same call as an omitted one.
            is_default = value is default or (type(value) is str is type(default) and value == default)
            if is_default and name not in defaults.volatile:
                return defaults.kept[name]
            return converter.convert(value)

        # An exact default is already converted, so the shortcut can't miss it.
        return converter.exact, convert

    def convert(self, named: Mapping[str, Any], operation: str) -> dict[str, Any]:
        """The arguments of a call, converted, in the order of ``named``.

        Args:
            named: the arguments by parameter, as ``inspect.BoundArguments.arguments`` has them: a tuple for
                ``*args``, a dict for ``**kwargs``. Names that the typemap was not fitted to stay as they are.
            operation: its name, for messages.

        Raises:
            ArgumentError: an argument can't be converted; from the converter's own error.
            UnknownNameError: a converter given by name is not known.
        """
        steps = self._steps
        converted = {}
        name, value = "", None
        try:
            for name, value in named.items():
                exact, function = steps.get(name, _AS_IS)
                converted[name] = value if type(value) is exact else function(value)
        except _UNFIT as error:
            raise self._refusal(name, value, operation, error) from error
        return converted

    def parse(self, name: str, text: str, operation: str) -> Any:
        """The converted argument that ``text`` means on a command line or in a query string.

        Args:
            name: the parameter; for ``*args`` and ``**kwargs`` the text is of one item.
            text: what was written.
            operation: its name, for messages.

        Raises:
            ArgumentError: it means none.
            UnknownNameError: the converter is given by a name that is not known.
        """
        converter = self.converters[name]
        try:
            return converter.parse_text(text)
        except _UNFIT as error:
            raise _refused(operation, name, name, text, converter, error) from error

    def _refusal(self, name: str, value: Any, operation: str, error: Exception) -> ArgumentError:
        label, converter = name, self.converters[name]
        for step, item in self._items(name, value):
            try:
                converter.convert(item)
            except _UNFIT:
                label, value = f"{name}[{step!r}]", item
                break
        return _refused(operation, name, label, value, converter, error)

    def _items(self, name: str, value: Any) -> Iterator[tuple[object, object]]:
        if self._parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            yield from enumerate(value)
        elif self._parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()

    def schema(self) -> dict[str, Any]:
        """What a call takes, as a JSON Schema 2020-12 object; ``*args`` is an array, ``**kwargs`` any other name."""
        properties: dict[str, Any] = {}
        others: Any = False
        for name, parameter in self._parameters.items():
            fragment = self.converters[name].schema()
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                others = fragment or True
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                properties[name] = {"type": "array", "items": fragment}
            else:
                properties[name] = fragment | self.defaults.schema(name)
        return {
            "type": "object",
            "properties": properties,
            "required": [p.name for p in self._parameters.values() if p.default is _EMPTY and p.kind not in _VARIADIC],
            "additionalProperties": others,
        }


_AS_IS: Final[tuple[type | None, Callable[[Any], Any]]] = (None, lambda value: value)


def _refused(
    operation: str, name: str, label: str, value: object, converter: Converter, error: Exception
) -> ArgumentError:
    return ArgumentError(
        f"{operation}: argument {label!r} is {shown(value)}, wanted {converter.name}: {str(error)[:300]}",
        operation=operation,
        parameter=name,
        wanted=converter.name,
    )


def _optional(converter: Converter) -> Converter:
    return converter if converter.takes_none else OrNone(converter)


class TypeMap:
    """Type specifiers as they were listed, before it is known what parameters they are for."""

    def __init__(self, positional: Sequence[object] = (), named: Mapping[str, object] | None = None) -> None:
        self.positional = tuple(positional)
        self.named = dict(named or {})

    def fit(
        self,
        parameters: Sequence[inspect.Parameter],
        operation: str,
        *,
        named: Callable[[str], Converter] | None = None,
    ) -> FittedTypeMap:
        """The converters of ``parameters``; those that are not listed take any value.

        Args:
            parameters: what the caller gives, in order: without ``self`` and without an output path.
            operation: its name, for messages.
            named: finds converters whose names are not the core's, on first use.

        Raises:
            DecorationError: too many specifiers, an unknown name, one parameter twice, or no specifier at all.
        """
        specs = self._specs(parameters, operation)
        converters = {}
        for parameter in parameters:
            try:
                converter = self._read(specs.get(parameter.name, any), named)
            except DecorationError as error:
                raise DecorationError(f"{operation}: typemap of {parameter.name!r}: {error}") from error
            converters[parameter.name] = _optional(converter) if parameter.default is None else converter
        return FittedTypeMap(parameters, converters)

    _read = staticmethod(lambda spec, named: converter_of(spec, named=named))

    def _specs(self, parameters: Sequence[inspect.Parameter], operation: str) -> dict[str, object]:
        names = [parameter.name for parameter in parameters]
        known = f"its parameters: {', '.join(names) or 'none'}"
        by_place = [p.name for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
        if len(self.positional) > len(by_place):
            raise DecorationError(
                f"{operation}: typemap lists {len(self.positional)} types by position, "
                f"but only {len(by_place)} fit; {known}"
            )
        specs = dict(zip(by_place, self.positional, strict=False))
        for name, spec in self.named.items():
            if name not in names:
                raise DecorationError(f"{operation}: typemap names {name!r}; {nearest(name, names)} ({known})")
            if name in specs:
                raise DecorationError(f"{operation}: typemap lists {name!r} both by position and by name; keep one")
            specs[name] = spec
        return specs

    def __repr__(self) -> str:
        listed = [repr(spec) for spec in self.positional] + [f"{name}={spec!r}" for name, spec in self.named.items()]
        return f"typemap({', '.join(listed)})"


class HintedTypeMap(TypeMap):
    """The type hints of a function, read when it is known what parameters they are for."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self._function = inspect.unwrap(typing.cast("Callable[..., Any]", function))

    _read = staticmethod(lambda spec, named: converter_of_hint(spec, named=named))

    def _specs(self, parameters: Sequence[inspect.Parameter], operation: str) -> dict[str, object]:
        hints = {p.name: p.annotation for p in parameters if p.annotation is not _EMPTY}
        names = getattr(self._function, "__globals__", {})
        specs = {}
        for name, hint in hints.items():
            # One by one, so that a hint that is not asked for, such as the one of what is returned, need not resolve.
            holder = type("Holder", (), {"__annotations__": {name: hint}})
            try:
                specs[name] = typing.get_type_hints(holder, names)[name]
            except (NameError, AttributeError, SyntaxError, TypeError) as error:
                raise DecorationError(
                    f"{operation}: the type hint {hint!r} of {name!r} can't be read: {error}; "
                    "import what it names at run time, or use @typemap(...)"
                ) from error
        return specs

    def __repr__(self) -> str:
        return "typemap.from_annotations"


class _TypeMapDecorator:
    """``typemap``: notes the types of an operation's parameters.

    It takes what the call would take, by position or by name: ``@typemap(str, int, sdate="iso_date")``. The
    output path of a file operation is never listed.
    """

    def __call__(self, *specs: object, **named: object) -> Callable[[F], F]:
        """A decorator that notes these types; what is wrong with them shows when the operation is made."""
        listed = TypeMap(specs, named)
        return lambda function: annotate(function, "typemap", listed)

    @overload
    def from_annotations(self, function: F, /) -> F: ...

    @overload
    def from_annotations(self, /) -> Callable[[F], F]: ...

    def from_annotations(self, function: Any = None, /) -> Any:
        """A decorator, bare or called, that takes the types from the function's own hints; without one it is ``any``.

        Raises:
            DecorationError: the function has a typemap already.
        """
        if function is None:
            return self.from_annotations
        return annotate(function, "typemap", HintedTypeMap(function))

    def __repr__(self) -> str:
        return "typemap"


typemap: Final = _TypeMapDecorator()
"""Notes the types of an operation's parameters: ``@typemap(int, sdate="iso_date")``."""
