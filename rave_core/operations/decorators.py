"""The decorators: they gather what is noted on a function, check it, and make it an operation."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, overload

from rave_core.converters import Converter
from rave_core.durations import parse_duration
from rave_core.errors import ConfigurationError, DecorationError, nearest
from rave_core.expiry import Strategy, check_needs
from rave_core.expiry import expires as note_expires
from rave_core.functions.annotations import note, notes_of
from rave_core.functions.naming import name_of
from rave_core.model import Kind, OperationSpec
from rave_core.operations.operation import AsyncOperation, Operation
from rave_core.runtime.runtime import current_runtime
from rave_core.typemap import TypeMap, typemap
from rave_core.versions.annotations import ByStrategy, Explicit
from rave_core.versions.strategies import stamp

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")

_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(\s*;.+)?", re.IGNORECASE)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SELVES = ("self", "cls")
UNSET: Final[Any] = object()
"""Stands for a keyword that was not given, where ``None`` means something."""


@overload
def op(function: Callable[P, R], /) -> Operation[P, R]: ...


@overload
def op(
    *,
    name: str | None = None,
    expires: Strategy | str | float | timedelta | None = None,
    version: object = UNSET,
    typemap: TypeMap | Collection[object] | None = None,
    mime_type: str | None = None,
    tags: Iterable[str] = (),
    stale_while_revalidate: float | str = 0,
    stale_if_error: float | str = 0,
    ignore: Iterable[str] = (),
) -> Callable[[Callable[P, R]], Operation[P, R]]: ...


def op(function: Any = None, /, **keywords: Any) -> Any:
    """Makes an operation of a function: its results are kept by arguments, until they expire or the code changes.

    Bare (``@op``) or with keywords; each keyword means the same as the decorator of its name.

    Args:
        function: what is decorated: a function, a coroutine function, or a method.
        name: the operation's full name in place of ``module:qualname``; a lambda or local function needs one.
        expires: a strategy, the name of one, or a duration; see `expires`.
        version: what alone decides whether the code changed; see `version`.
        typemap: the types of the parameters; see `typemap`.
        mime_type: of the result; see `mime_type`.
        tags: words by which operations are found and purged together.
        stale_while_revalidate: seconds (or ``"5m"``) after expiry in which the old result is served while a new one
            is made.
        stale_if_error: seconds after expiry in which the old result is served if making a new one fails.
        ignore: names of parameters that are no part of the key.

    Raises:
        DecorationError: this can't be an operation, or a keyword does not fit it.
    """
    return _make(Kind.DATA, function, keywords)


@overload
def op_file(function: Callable[Concatenate[Any, P], object], /) -> Operation[P, str]: ...


@overload
def op_file(
    *,
    name: str | None = None,
    expires: Strategy | str | float | timedelta | None = None,
    version: object = UNSET,
    typemap: TypeMap | Collection[object] | None = None,
    mime_type: str | None = None,
    tags: Iterable[str] = (),
    stale_while_revalidate: float | str = 0,
    stale_if_error: float | str = 0,
    ignore: Iterable[str] = (),
) -> Callable[[Callable[Concatenate[Any, P], object]], Operation[P, str]]: ...


def op_file(function: Any = None, /, **keywords: Any) -> Any:
    """Makes an operation of a function that writes a file: the call returns the path of the kept file.

    The function gets the path to write to as its first argument (of a method: the first after ``self``), which
    callers leave out and typemaps do not list. The path ends in the suffix of the MIME type. What the function
    returns is ignored; if it raises or writes nothing, nothing is kept. The keywords are those of `op`.

    Raises:
        DecorationError: this can't be a file operation, or a keyword does not fit it.
    """
    return _make(Kind.FILE, function, keywords)


expires = note_expires


def version(value: object = UNSET, *, strategy: str | None = None) -> Callable[[F], F]:
    """Decides what counts as a change of an operation's code: ``value`` alone, or the strategy of that name.

    Args:
        value: any value that can be pickled; results are kept for as long as it is equal.
        strategy: ``file``, ``mtime``, or the name of a strategy that a plugin registered.

    Raises:
        DecorationError: neither or both are given.
    """
    if (value is UNSET) == (strategy is None):
        raise DecorationError("@version takes a value, as @version('20070211'), or @version(strategy='mtime')")
    found = _version_note(value) if strategy is None else ByStrategy(strategy)
    return lambda function: note(function, "version", found)


def mime_type(value: str) -> Callable[[F], F]:
    """Tells the MIME type of an operation's results, as ``image/png``; without it: ``application/octet-stream``.

    Raises:
        DecorationError: ``value`` is no MIME type.
    """
    if not isinstance(value, str) or not _MIME_TYPE.fullmatch(value):
        raise DecorationError(f"@mime_type({value!r}): a MIME type expected, as 'text/plain' or 'image/png'")
    return lambda function: note(function, "mime_type", value)


def _make(kind: Kind, function: Any, keywords: dict[str, Any]) -> Any:
    known = ("name", *_KEYWORDS)
    for keyword in keywords:
        if keyword not in known:
            decorator = "op_file" if kind is Kind.FILE else "op"
            raise DecorationError(f"@{decorator} takes no keyword {keyword!r}; {nearest(keyword, known)}")
    if function is None:
        return functools.partial(operation_of, kind=kind, keywords=keywords)
    return operation_of(function, kind=kind, keywords=keywords)


def operation_of(function: Any, *, kind: Kind, keywords: dict[str, Any]) -> Operation[..., Any]:
    """The operation of a function.

    Raises:
        DecorationError: it can't be one, or a keyword does not fit it.
    """
    _check_function(function, kind)
    notes = _gather(function, keywords)

    def amend(name: str, value: object) -> Operation[..., Any]:
        if name in notes:
            raise DecorationError(f"{function.__qualname__} has two @{name}; keep one")
        return operation_of(function, kind=kind, keywords={**keywords, name: value})

    make = AsyncOperation if inspect.iscoroutinefunction(function) else Operation
    return make(_spec(function, kind, notes), amend)


def _gather(function: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """What the keywords and the single decorators say, in one form."""
    notes = notes_of(function)
    for name, value in keywords.items():
        if value is UNSET or (value is None and name != "version"):
            continue
        if name in notes:
            raise DecorationError(f"{function.__qualname__} has both {name}= and @{name}; keep one")
        notes[name] = _KEYWORDS[name](value) if name in _KEYWORDS else value
    return notes


_SPECIFIED: Final[dict[str, Any]] = {
    "version": None,
    "expires": None,
    "mime_type": "application/octet-stream",
    "tags": (),
    "stale_while_revalidate": 0.0,
    "stale_if_error": 0.0,
    "ignore": frozenset(),
}
"""What goes from the notes into a specification as it is, with its default."""


def _spec(function: Any, kind: Kind, notes: dict[str, Any]) -> OperationSpec:
    called = notes.get("name") or function.__qualname__
    every = _parameters(function)
    output_at = 1 if kind is Kind.FILE and _is_method(function, every) else 0
    parameters = tuple(p for i, p in enumerate(every) if not (kind is Kind.FILE and i == output_at))
    names = [parameter.name for parameter in parameters]
    _check_parameters(called, names, notes)
    is_self = bool(names) and _is_method(function, every)
    typemap = notes.get("typemap")
    return OperationSpec(
        name=_checked_name(notes["name"]) if "name" in notes else name_of(function),
        function=function,
        kind=kind,
        parameters=parameters,
        output_at=output_at,
        fixed_name="name" in notes,
        is_async=inspect.iscoroutinefunction(function),
        typemap=typemap.fit(parameters[is_self:], called, named=_converter_named) if typemap is not None else None,
        **{name: notes.get(name, default) for name, default in _SPECIFIED.items()},
        code=stamp(function),
        annotations=notes,
    )


def _converter_named(name: str) -> Converter:
    """The converter of a name, looked for when it is first needed, since its plugin may still be loading."""
    return current_runtime().plugins.converters.find(name)


def _check_function(function: Any, kind: Kind) -> None:
    decorator = "@op_file" if kind is Kind.FILE else "@op"
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
    if kind is Kind.FILE:
        every = _parameters(function)
        at = 1 if _is_method(function, every) else 0
        if len(every) <= at or every[at].kind not in _POSITIONAL:
            raise DecorationError(
                f"{function.__qualname__} can't be a file operation: it has no first parameter for the output path; "
                f"write def {function.__name__}(out_file, ...)"
            )


def _parameters(function: Any) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise DecorationError(f"{function!r} has no signature to bind arguments by; wrap it in a def") from error


def _is_method(function: Any, parameters: tuple[inspect.Parameter, ...]) -> bool:
    """Whether it was defined in a class body and takes its instance, going by how methods are written."""
    inside = function.__qualname__.rpartition(".")[0]
    return bool(inside) and not inside.endswith("<locals>") and bool(parameters) and parameters[0].name in _SELVES


def _check_parameters(called: str, names: list[str], notes: dict[str, Any]) -> None:
    for name in names:
        if name.startswith("rave_"):
            raise DecorationError(f"{called}: parameter {name!r} looks like an option of RAVE; rename it")
    for name in notes.get("ignore", ()):
        if name not in names:
            raise DecorationError(f"{called}: ignore names {name!r}, which is no parameter; {nearest(name, names)}")
    check_needs(notes.get("expires"), names, called)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DecorationError(f"name={name!r}: a printable text expected, as 'project/what_it_does'")
    return name


def _version_note(value: object) -> Explicit | ByStrategy:
    return value if isinstance(value, (ByStrategy, Explicit)) else Explicit(value)


def _expires_note(value: Any) -> Any:
    holder = note_expires(value)(_Holder())
    return notes_of(holder)["expires"]


def _typemap_note(value: Any) -> TypeMap:
    if isinstance(value, TypeMap):
        return value
    if value is typemap.from_annotations:
        raise DecorationError("typemap=typemap.from_annotations: put @typemap.from_annotations below @op instead")
    if isinstance(value, dict):
        return TypeMap((), value)
    if isinstance(value, (tuple, list)):
        return TypeMap(tuple(value))
    raise DecorationError(f"typemap={value!r}: a tuple of types, or a dict from parameters to types expected")


def _mime_type_note(value: Any) -> Any:
    return notes_of(mime_type(value)(_Holder()))["mime_type"]


def _words(keyword: str) -> Callable[[Any], tuple[str, ...]]:
    def convert(value: Any) -> tuple[str, ...]:
        words = (value,) if isinstance(value, str) else tuple(value)
        if not all(isinstance(word, str) and word for word in words):
            raise DecorationError(f"{keyword}={value!r}: names expected, as {keyword}=['one', 'two']")
        return words

    return convert


def _seconds(keyword: str) -> Callable[[Any], float]:
    def convert(value: Any) -> float:
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ConfigurationError(f"{keyword}={value!r}: {error}") from error

    return convert


class _Holder:
    """Takes the note of a single decorator, so that a keyword is checked just like it."""

    __qualname__ = "keyword"

    def __call__(self) -> None:
        """Never called: a note goes only onto what could be."""


_KEYWORDS: Final[dict[str, Callable[[Any], Any]]] = {
    "expires": _expires_note,
    "version": _version_note,
    "typemap": _typemap_note,
    "mime_type": _mime_type_note,
    "tags": _words("tags"),
    "ignore": lambda value: frozenset(_words("ignore")(value)),
    "stale_while_revalidate": _seconds("stale_while_revalidate"),
    "stale_if_error": _seconds("stale_if_error"),
}
