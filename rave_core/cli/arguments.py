"""From ``NAME=VALUE`` on the command line to the arguments of an operation; and their completion."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from rave_core.converters.converter import parse_json
from rave_core.errors import ArgumentError, nearest
from rave_core.model import Call
from rave_core.operation import Operation

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation, and what it is called with.

    Attributes:
        name: as it was asked for.
        args, kwargs: read from texts, ready for a call.
        call: what they bind to.
    """

    name: str
    operation: Operation[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    call: Call


def asked(name: str, texts: Sequence[str]) -> Asked:
    """The call of the operation ``name`` that ``texts`` describe.

    Raises:
        UnknownNameError: there is no such operation.
        ArgumentError: the texts do not fit it.
        ConfigurationError: its strategy or version is named, and there is none of that name.
    """
    from rave_core.cli.session import current_session

    operation = current_session().catalog.find(name)
    args, kwargs = _Reader(name, operation).read(texts)
    return Asked(name, operation, args, kwargs, operation.desk().binder.bind(args, kwargs))


class _Reader:
    """Reads the arguments of one operation."""

    def __init__(self, name: str, operation: Operation[..., Any]) -> None:
        self._name = name
        self._signature = operation.spec.signature
        self._usage = operation.spec.usage
        self._parameters = self._signature.parameters
        self._typemap = operation.spec.typemap
        self._extra = next((p.name for p in self._parameters.values() if p.kind is p.VAR_KEYWORD), None)
        self._rest = next((p.name for p in self._parameters.values() if p.kind is p.VAR_POSITIONAL), None)

    def read(self, texts: Sequence[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments."""
        named, places = self._sorted(texts)
        free = [p.name for p in self._parameters.values() if p.kind in _BY_PLACE and p.name not in named]
        if len(places) > len(free) and self._rest is None:
            raise self._refusal(f"{places[len(free)]!r} is one value too many; its arguments are {self._usage}")
        named |= {name: [text] for name, text in zip(free, places, strict=False)}
        given: dict[str, Any] = {
            name: self._value(name, named[name]) for name in self._parameters if name in named and name != self._rest
        }
        if self._rest is not None and len(places) > len(free):
            given[self._rest] = tuple(self._one(self._rest, text) for text in places[len(free) :])
        if self._extra is not None:
            others = {name: texts for name, texts in named.items() if name not in self._parameters}
            given[self._extra] = {name: self._value(self._extra, texts) for name, texts in others.items()}
        bound = inspect.BoundArguments(self._signature, {n: given[n] for n in self._parameters if n in given})
        return bound.args, bound.kwargs

    def _sorted(self, texts: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
        """The texts that name a parameter, each with all its values, and those that stand by place."""
        named: dict[str, list[str]] = {}
        places: list[str] = []
        for text in texts:
            name, sign, value = text.partition("=")
            if not sign or not name.isidentifier():
                places.append(text)
            elif self._takes(name):
                named.setdefault(name, []).append(value)
            else:
                known = [p.name for p in self._parameters.values() if p.kind not in _VARIADIC]
                raise self._refusal(f"there is no argument {name!r}; {nearest(name, known)}", name)
        return named, places

    def _takes(self, name: str) -> bool:
        parameter = self._parameters.get(name)
        return self._extra is not None if parameter is None or parameter.kind in _VARIADIC else True

    def _value(self, name: str, texts: list[str]) -> Any:
        if len(texts) == 1:
            return self._one(name, texts[0])
        # Said several times it is a list, whose items the typemap converts; what takes no list refuses it.
        return (
            texts if self._typemap is not None and name in self._typemap.converters else list(map(_json_or_text, texts))
        )

    def _one(self, name: str, text: str) -> Any:
        if self._typemap is not None and name in self._typemap.converters:
            return self._typemap.parse(name, text, self._name)
        return _json_or_text(text)

    def _refusal(self, message: str, parameter: str | None = None) -> ArgumentError:
        return ArgumentError(f"{self._name}: {message}", operation=self._name, parameter=parameter)


def _json_or_text(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text


class OperationName(click.ParamType):  # type: ignore[type-arg]  # generic in later versions of click only
    """The name of an exported operation."""

    name = "NS/OP"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:  # click's
        """The operations whose names begin like this."""
        return [
            CompletionItem(name, help=operation.spec.doc.partition("\n")[0])
            for name, operation in _operations(ctx).items()
            if name.startswith(incomplete)
        ]


class NamedValue(click.ParamType):  # type: ignore[type-arg]  # likewise
    """An argument of the operation that was named before."""

    name = "NAME=VALUE"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:  # click's
        """The parameters that are not given yet; after ``NAME=`` its values, where these are few."""
        operation = _operations(ctx).get(ctx.params.get("operation") or "")
        if operation is None:
            return []
        name, sign, _ = incomplete.partition("=")
        if sign:
            typemap = operation.spec.typemap
            schema = typemap.schema()["properties"].get(name, {}) if typemap is not None else {}
            words = [f"{name}={value}" for value in schema.get("enum", ())]
        else:
            given = {text.partition("=")[0] for text in ctx.params.get("arguments") or ()}
            names = [p.name for p in operation.spec.parameters if p.kind not in _VARIADIC]
            words = [f"{name}=" for name in names if name not in given]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _operations(ctx: click.Context) -> Mapping[str, Operation[..., Any]]:
    from rave_core.cli.session import session_of

    session = session_of(ctx)
    session.hush()
    try:
        return dict(session.catalog)
    except Exception:  # in the middle of a line nobody can read what went wrong
        logging.getLogger("rave").debug("no completion", exc_info=True)
        return {}
