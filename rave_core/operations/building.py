"""Builds an operation from a function and its annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from rave_core.converters import Converter
from rave_core.errors import DecorationError, nearest
from rave_core.expiry import check_needs
from rave_core.functions.naming import name_of
from rave_core.functions.page_hints import PageHints
from rave_core.model import Kind, OperationSpec
from rave_core.operations.async_operation import AsyncOperation
from rave_core.operations.operation import AnyOperation, Operation
from rave_core.runtime.runtime import current_runtime
from rave_core.storage.written import ARCHIVE_TYPE
from rave_core.versions.strategies import stamp

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SELVES = ("self", "cls")


def operation_of(function: Callable[..., Any], *, kind: Kind, annotations: Mapping[str, Any]) -> AnyOperation:
    """Builds the operation of a function with ``annotations``, each as its check returned it.

    Raises:
        DecorationError: the function can't be an operation, or an annotation does not fit it.
    """
    _check_function(function, kind)
    make = AsyncOperation if inspect.iscoroutinefunction(function) else Operation
    return make(_spec(function, kind, annotations), partial(operation_of, function, kind=kind))


def _spec(function: Callable[..., Any], kind: Kind, annotations: Mapping[str, Any]) -> OperationSpec:
    called = annotations.get("name") or function.__qualname__
    every = _parameters(function)
    is_method = _is_method(function, every)
    output_at = 1 if kind.is_written and is_method else 0
    parameters = tuple(each for at, each in enumerate(every) if not kind.is_written or at != output_at)
    _check_annotations(called, kind, parameters, annotations)
    types = annotations.get("typemap")
    listed = parameters[bool(parameters) and is_method :]
    return OperationSpec(
        name=annotations.get("name") or name_of(function),
        function=function,
        kind=kind,
        parameters=parameters,
        output_at=output_at,
        fixed_name="name" in annotations,
        is_async=inspect.iscoroutinefunction(function),
        typemap=types.fit(listed, called, named=_converter_named) if types is not None else None,
        code=stamp(function),
        annotations=annotations,
        **_said(kind, annotations),
    )


def _said(kind: Kind, annotations: Mapping[str, Any]) -> dict[str, Any]:
    """What the annotations say about the operation as they stand."""
    said = {name: annotations[name] for name in _COPIED if name in annotations}
    if kind is Kind.DIRECTORY:
        said["mime_type"] = ARCHIVE_TYPE
    hints = {name: annotations[name] for name in _HINTS if name in annotations}
    return {**said, "hints": PageHints(**hints)}


_COPIED = (
    *("version", "expires", "mime_type", "tags", "stale_while_revalidate", "stale_if_error", "ignore", "behind"),
    "time_range",
)
"""The annotations that enter an operation's spec unchanged."""
_HINTS = ("takes", "views", "groups")
"""Those that say something for pages."""


def _converter_named(name: str) -> Converter:
    """A named converter, looked up on first use because its plugin may still be loading."""
    return current_runtime().plugins.converters.find(name)


def _check_function(function: object, kind: Kind) -> None:
    decorator = "@op_file" if kind.is_written else "@op"
    if isinstance(function, (staticmethod, classmethod)):
        what = type(function).__name__
        raise DecorationError(f"{decorator} stands above @{what}; put @{what} on top, it decorates the operation")
    if isinstance(function, Operation):
        raise DecorationError(f"{function.spec.name} is an operation already; decorate it once")
    if inspect.isclass(function) or not callable(function) or not hasattr(function, "__qualname__"):
        raise DecorationError(f"{decorator} decorates a function, not {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DecorationError(
            f"{function.__qualname__} is a generator function, and a generator can be read only once; return a list"
        )
    if kind.is_written:
        every = _parameters(function)
        at = 1 if _is_method(function, every) else 0
        if len(every) <= at or every[at].kind not in _POSITIONAL:
            raise DecorationError(
                f"{function.__qualname__} can't be a file operation: it has no first parameter for the output path; "
                f"write def {getattr(function, '__name__', 'f')}(out_file, ...)"
            )


def _parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise DecorationError(f"{function!r} has no signature to bind arguments by; wrap it in a def") from error


def _is_method(function: Callable[..., Any], parameters: tuple[inspect.Parameter, ...]) -> bool:
    """Whether the function was defined in a class body and takes the instance, judged by how methods are written."""
    inside = function.__qualname__.rpartition(".")[0]
    return bool(inside) and not inside.endswith("<locals>") and bool(parameters) and parameters[0].name in _SELVES


def _check_annotations(
    called: str, kind: Kind, parameters: Sequence[inspect.Parameter], annotations: Mapping[str, Any]
) -> None:
    names = [parameter.name for parameter in parameters]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    for name in names:
        if name.startswith("rave_"):
            raise DecorationError(f"{called}: parameter {name!r} looks like an option of RAVE; rename it")
    for name in annotations.get("ignore", ()):
        if name not in names and not takes_any:
            raise DecorationError(f"{called}: ignore names {name!r}, which is not a parameter; {nearest(name, names)}")
    grouped = [name for group in annotations.get("groups", {}).values() for name in group]
    named = {"time_range": annotations.get("time_range", ()), "takes": annotations.get("takes", ()), "groups": grouped}
    for keyword, each in named.items():
        for name in each:
            if name not in names:
                what = f"{called}: {keyword} names {name!r}, which is not a parameter; {nearest(name, names)}"
                raise DecorationError(what)
    if kind is Kind.DIRECTORY and "mime_type" in annotations:
        raise DecorationError(f"{called}: a directory is always {ARCHIVE_TYPE} over HTTP; leave its MIME type out")
    check_needs(annotations.get("expires"), names, called)
