"""Parses ``NAME=VALUE`` on the command line into an operation's arguments, and completes them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from rave_core.arguments.parser import ArgumentReader
from rave_core.model import Call
from rave_core.operations.operation import Operation

if TYPE_CHECKING:
    from rave_core.operations.catalog import Catalog

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation and the arguments of its call.

    Attributes:
        name: the name that the user gave.
        args, kwargs: what to call it with: the bound call, which must not be converted again, and ``rave_…`` options.
        call: what the texts bind to.
    """

    name: str
    operation: Operation[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    call: Call


def asked(name: str, texts: Sequence[str], catalog: Catalog | None = None) -> Asked:
    """The call of the operation ``name`` that ``texts`` describe.

    Args:
        name: of an exported operation.
        texts: ``NAME=VALUE``, or values alone.
        catalog: where to look for the operation; that of the command that runs now if left out.

    Raises:
        UnknownNameError: there is no such operation.
        ArgumentError: the texts do not fit it.
        ConfigurationError: it names a strategy or version strategy that does not exist.
    """
    if catalog is None:
        from rave_core.cli.session import current_session

        catalog = current_session().catalog
    operation = catalog.find(name)
    args, kwargs = _read(ArgumentReader(name, operation.spec), texts)
    options = {key: kwargs.pop(key) for key in list(kwargs) if key.startswith("rave_")}
    call = operation.resolved().binder.bind_converted(args, kwargs)
    return Asked(name, operation, (call,), options, call)


def _read(reader: ArgumentReader, texts: Sequence[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Converted arguments, by position and by keyword, from texts with and without a parameter name."""
    named: dict[str, list[str]] = {}
    places: list[str] = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            places.append(text)
            continue
        reader.check(name)
        named.setdefault(name, []).append(value)
    return reader.read_texts(named, places)


class OperationName(click.ParamType):  # type: ignore[type-arg]  # generic in later versions of click only
    """The name of an exported operation."""

    name = "NS/OP"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:  # click's
        """The operations whose names start with the incomplete text."""
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
        """The parameters not given yet; after ``NAME=``, its values if there are few."""
        operation = _operations(ctx).get(ctx.params.get("operation") or "")
        if operation is None:
            return []
        words = completed_argument(operation, ctx.params.get("arguments") or (), incomplete)
        return [CompletionItem(word) for word in words]


def completed_argument(operation: Operation[..., Any], given: Sequence[str], incomplete: str) -> list[str]:
    """What an argument can become that somebody is typing: a parameter that is not given yet, or ``NAME=VALUE``.

    Args:
        operation: what is asked.
        given: the arguments before it.
        incomplete: what is typed of it. After ``NAME=`` there are only values of a parameter with few.
    """
    name, sign, _ = incomplete.partition("=")
    if sign:
        typemap = operation.spec.typemap
        schema = typemap.schema()["properties"].get(name, {}) if typemap is not None else {}
        words = [f"{name}={value}" for value in schema.get("enum", ())]
    else:
        taken = {text.partition("=")[0] for text in given}
        words = [f"{p.name}=" for p in operation.spec.parameters if p.kind not in _VARIADIC and p.name not in taken]
    return [word for word in words if word.startswith(incomplete)]


def _operations(ctx: click.Context) -> Mapping[str, Operation[..., Any]]:
    from rave_core.cli.session import session_of

    session = session_of(ctx)
    session.hush()
    try:
        return dict(session.catalog)
    except Exception:  # a message in the middle of a command line is of no use
        logging.getLogger("rave").debug("no completion", exc_info=True)
        return {}
