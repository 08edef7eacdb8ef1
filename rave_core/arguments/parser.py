"""Parses texts or a JSON object into the arguments of an operation (R16)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rave_core.converters.converter import Schema, parse_json
from rave_core.errors import ArgumentError, nearest
from rave_core.model import OperationSpec

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class ArgumentReader:
    """Reads the arguments of one operation.

    The typemap converts every argument once: a text here, when it is read; a JSON value later, when it is bound.
    """

    def __init__(self, name: str, spec: OperationSpec) -> None:
        """Reads for ``spec``, which messages call ``name``."""
        self._name = name
        self._signature = spec.signature
        self._spec = spec
        self._parameters = self._signature.parameters
        self._typemap = spec.typemap
        self._extra = next((p.name for p in self._parameters.values() if p.kind is p.VAR_KEYWORD), None)
        self._rest = next((p.name for p in self._parameters.values() if p.kind is p.VAR_POSITIONAL), None)

    def check(self, name: str, *, rest: bool = False) -> None:
        """Refuses a name that no parameter takes.

        Args:
            name: what was written.
            rest: whether the items of ``*args`` may be given under its name.

        Raises:
            ArgumentError: there is no such parameter; the message names the nearest.
        """
        parameter = self._parameters.get(name)
        if parameter is not None and parameter.kind not in _VARIADIC:
            return
        if (self._extra is not None and parameter is None) or (rest and name == self._rest):
            return
        known = [p.name for p in self._parameters.values() if p.kind not in _VARIADIC]
        if rest and self._rest is not None:
            known.append(self._rest)
        raise self._refusal(f"there is no argument {name!r}; {nearest(name, known)}", name)

    def read_pairs(self, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """As `read_texts`, for names and texts from a query string, where a name may occur several times.

        Raises:
            ArgumentError: a name is unknown, they do not fit, or one can't be converted.
        """
        named: dict[str, list[str]] = {}
        for name, text in pairs:
            self.check(name, rest=True)
            named.setdefault(name, []).append(text)
        return self.read_texts(named)

    def read_texts(
        self, named: Mapping[str, Sequence[str]], places: Sequence[str] = ()
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments from texts: converted, so for `Binder.bind_converted`.

        Args:
            named: all the texts given for each parameter; the items of ``*args`` may stand under its name.
            places: texts for the parameters that are not named, in order.

        Raises:
            ArgumentError: they do not fit, or one can't be converted.
        """
        named = dict(named)
        free = [p.name for p in self._parameters.values() if p.kind in _BY_PLACE and p.name not in named]
        if len(places) > len(free) and self._rest is None:
            raise self._refusal(f"{places[len(free)]!r} is one value too many; its arguments are {self._spec.usage}")
        named |= {name: [text] for name, text in zip(free, places, strict=False)}
        rest = [*places[len(free) :], *(named.pop(self._rest, ()) if self._rest is not None else ())]
        given = {name: self._value(name, name, named[name]) for name in self._parameters if name in named}
        if self._rest is not None and rest:
            given[self._rest] = tuple(self._one(self._rest, text) for text in rest)
        if self._extra is not None:
            others = {name: texts for name, texts in named.items() if name not in self._parameters}
            given[self._extra] = {name: self._value(self._extra, name, texts) for name, texts in others.items()}
        return self._bound(given)

    def read_document(self, document: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments from a JSON object: its values as they are, so for `Binder.bind`.

        Raises:
            ArgumentError: a name is unknown, or ``*args`` is no list.
        """
        for name in document:
            self.check(name, rest=True)
        given = {name: document[name] for name in self._parameters if name in document}
        if self._rest is not None and self._rest in given:
            if not isinstance(given[self._rest], list):
                raise self._refusal(f"argument {self._rest!r} takes a list", self._rest)
            given[self._rest] = tuple(given[self._rest])
        if self._extra is not None:
            given[self._extra] = {name: value for name, value in document.items() if name not in self._parameters}
        return self._bound(given)

    def schema(self, name: str) -> Schema:
        """What a parameter accepts, as a JSON Schema fragment; empty for any value and for an unknown name."""
        if self._typemap is None or name not in self._typemap.converters:
            return {}
        found: Schema = self._typemap.converters[name].schema()
        return found

    def _bound(self, given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        ordered = {name: given[name] for name in self._parameters if name in given}
        bound = inspect.BoundArguments(self._signature, ordered)
        self._refuse_gap(ordered)
        return bound.args, bound.kwargs

    def _refuse_gap(self, given: Mapping[str, Any]) -> None:
        """Refuses items of ``*args`` after an omitted parameter, whose place they would take."""
        if self._rest is None or not given.get(self._rest):
            return
        for parameter in self._parameters.values():
            if parameter.kind in _BY_PLACE and parameter.name not in given:
                raise self._refusal(
                    f"argument {parameter.name!r} must be given, since {self._rest!r} is", parameter.name
                )

    def _value(self, parameter: str, name: str, texts: Sequence[str]) -> Any:
        if len(texts) == 1:
            return self._one(parameter, texts[0])
        if self._typemap is None or parameter not in self._typemap.converters:
            return list(map(_json_or_text, texts))
        if not _takes_list(self.schema(parameter)):
            wanted = self._typemap.converters[parameter].name
            raise self._refusal(f"argument {name!r} is given {len(texts)} times, wanted {wanted} once", name)
        return self._list(parameter, name, texts)

    def _list(self, parameter: str, name: str, texts: Sequence[str]) -> Any:
        """A repeated argument: a list of texts, converted like a list given in Python."""
        assert self._typemap is not None
        if parameter == self._extra:
            return self._typemap.convert({parameter: {name: list(texts)}}, self._name)[parameter][name]
        return self._typemap.convert({parameter: list(texts)}, self._name)[parameter]

    def _one(self, name: str, text: str) -> Any:
        if self._typemap is not None and name in self._typemap.converters:
            return self._typemap.parse(name, text, self._name)
        return _json_or_text(text)

    def _refusal(self, message: str, parameter: str | None = None) -> ArgumentError:
        return ArgumentError(f"{self._name}: {message}", operation=self._name, parameter=parameter)


def _takes_list(schema: Schema) -> bool:
    """Whether an array can fit ``schema``, as far as its types tell."""
    kinds = schema.get("type")
    if kinds is not None:
        return "array" in (kinds if isinstance(kinds, list) else [kinds])
    choices = schema.get("anyOf", schema.get("oneOf"))
    return "enum" not in schema if choices is None else any(map(_takes_list, choices))


def _json_or_text(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text
