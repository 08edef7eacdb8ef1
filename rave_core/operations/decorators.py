"""The decorators: they collect a function's annotations and build an operation from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Concatenate, Final, Literal, ParamSpec, Protocol, TypeVar, overload

from rave_core.errors import DecorationError, nearest
from rave_core.expiry import Strategy, expires
from rave_core.functions.annotations import annotate, annotations_of
from rave_core.model import Kind
from rave_core.operations.async_operation import AsyncOperation
from rave_core.operations.building import operation_of
from rave_core.operations.keywords import KEYWORDS, checked_mime_type, checked_version
from rave_core.operations.operation import AnyOperation, Operation
from rave_core.typemap import TypeMap
from rave_core.versions.annotations import ByStrategy

__all__ = ["UNSET", "expires", "mime_type", "op", "op_file", "version"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")

UNSET: Final[Any] = object()
"""Stands for a keyword that was not given, where ``None`` means something."""


class _Decorator(Protocol):
    """What ``@op(...)`` returns: makes an operation of a function, and an awaitable one of a coroutine function."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncOperation[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Operation[P, R]: ...


class _FileDecorator(Protocol):
    """What ``@op_file(...)`` returns: the operation lacks the output path parameter, and its result is a path."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a coroutine function is the narrower
        self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, object]], /
    ) -> AsyncOperation[P, str]: ...

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], object], /) -> Operation[P, str]: ...


@overload
def op(function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncOperation[P, R]: ...


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
    behind: str | None = None,
    time_range: Sequence[str] | None = None,
    takes: Mapping[str, str] | None = None,
    views: Sequence[Mapping[str, str]] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    stale_while_revalidate: float | str = 0,
    stale_if_error: float | str = 0,
    ignore: Iterable[str] = (),
) -> _Decorator: ...


def op(function: Callable[..., Any] | None = None, /, **keywords: object) -> Any:
    """Makes an operation of a function: its results are stored by arguments, until they expire or the code changes.

    Bare (``@op``) or with keywords; each keyword means the same as the decorator of its name.

    Args:
        function: the function, coroutine function or method to decorate.
        name: the operation's full name in place of ``module:qualname``; a lambda or local function needs one.
        expires: a strategy, the name of one, or a duration; see `expires`.
        version: decides alone whether the code changed; see `version`.
        typemap: the types of the parameters; see `typemap`.
        mime_type: of the result; see `mime_type`.
        tags: words for finding and purging operations together.
        behind: the name under which the same namespace exports the operation whose result this one shows, such as the
            table behind a picture. It takes the same arguments.
        time_range: the parameters that take the start and the end of a span of time, which is not in it, and a third
            for the width of a bin where there is one: pages then offer to explore it in time.
        takes: the roles of the columns whose values parameters take, by parameter: ``{"source": "address"}``. On pages,
            the cells of such columns lead to this operation.
        views: charts of the table on its page: ``[{"title": "Load", "mark": "line", "x": "ts", "y": "load"}]``. The
            mark is a `rave_core.functions.page_hints.ChartMark`; the column ``series`` makes a line of each of its
            values, and ``down`` is drawn downwards.
        groups: parameters that forms fold away together, by the title of the group.
        stale_while_revalidate: seconds (or ``"5m"``) after expiry in which the old result is served while a new one
            is made.
        stale_if_error: seconds after expiry in which the old result is served if making a new one fails.
        ignore: names of parameters that are no part of the key.

    Raises:
        DecorationError: this can't be an operation, or a keyword does not fit it.
    """
    return _decorated(Kind.DATA, function, keywords)


@overload
def op_file(  # type: ignore[overload-overlap]  # a coroutine function is the narrower
    function: Callable[Concatenate[Any, P], Coroutine[Any, Any, object]], /
) -> AsyncOperation[P, str]: ...


@overload
def op_file(function: Callable[Concatenate[Any, P], object], /) -> Operation[P, str]: ...


@overload
def op_file(
    *,
    kind: Literal["file", "directory"] = "file",
    name: str | None = None,
    expires: Strategy | str | float | timedelta | None = None,
    version: object = UNSET,
    typemap: TypeMap | Collection[object] | None = None,
    mime_type: str | None = None,
    tags: Iterable[str] = (),
    behind: str | None = None,
    time_range: Sequence[str] | None = None,
    takes: Mapping[str, str] | None = None,
    views: Sequence[Mapping[str, str]] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
    stale_while_revalidate: float | str = 0,
    stale_if_error: float | str = 0,
    ignore: Iterable[str] = (),
) -> _FileDecorator: ...


def op_file(function: Callable[..., Any] | None = None, /, *, kind: str = "file", **keywords: object) -> Any:
    """Makes an operation of a function that writes a file or a directory: the call returns the path of what is stored.

    The function gets the path to write to as its first argument (of a method: the first after ``self``), which
    callers leave out and typemaps do not list. The path of a file ends in the suffix of the MIME type. What the
    function returns is ignored; if it raises or writes no file, nothing is stored.

    With ``kind="directory"`` the path is that of a new, empty directory, and everything that the function writes there
    is one product. Callers get a read-only directory; over HTTP it is a tar archive. It holds files and directories,
    with their permission to be executed, but no links and no times.

    Args:
        function: the function, coroutine function or method to decorate.
        kind: ``file`` or ``directory``.
        keywords: those of `op`; a directory has no ``mime_type`` of its own.

    Raises:
        DecorationError: this can't be a file operation, or a keyword does not fit it.
    """
    if kind not in (Kind.FILE, Kind.DIRECTORY):
        raise DecorationError(f"@op_file(kind={kind!r}): expected 'file' or 'directory'")
    return _decorated(Kind(kind), function, keywords)


def version(value: object = UNSET, *, strategy: str | None = None) -> Callable[[F], F]:
    """Decides what counts as a change of an operation's code: ``value`` alone, or the strategy of that name.

    Args:
        value: any value that can be pickled; results are stored for as long as it is equal.
        strategy: ``source``, ``file``, ``mtime``, or the name of a strategy that a plugin registered.

    Raises:
        DecorationError: neither or both are given.
    """
    if (value is UNSET) == (strategy is None):
        raise DecorationError("@version takes a value, as @version('20070211'), or @version(strategy='mtime')")
    found = checked_version(value) if strategy is None else ByStrategy(strategy)
    return lambda function: annotate(function, "version", found)


def mime_type(value: str) -> Callable[[F], F]:
    """Sets the MIME type of an operation's results, such as ``image/png``; the default is ``application/octet-stream``.

    Raises:
        DecorationError: ``value`` is no MIME type.
    """
    checked = checked_mime_type(value)
    return lambda function: annotate(function, "mime_type", checked)


def _decorated(kind: Kind, function: Callable[..., Any] | None, keywords: dict[str, object]) -> Any:
    for keyword in keywords:
        if keyword not in KEYWORDS:
            decorator = "op_file" if kind.is_written else "op"
            raise DecorationError(f"@{decorator} takes no keyword {keyword!r}; {nearest(keyword, KEYWORDS)}")
    if function is None:
        return functools.partial(_gathered, kind, keywords)
    return _gathered(kind, keywords, function)


def _gathered(kind: Kind, keywords: dict[str, object], function: Callable[..., Any]) -> AnyOperation:
    """The operation of a function, with its keywords and the annotations of the decorators below."""
    annotations = annotations_of(function)
    for name, value in keywords.items():
        if value is UNSET or (value is None and name != "version"):
            continue
        if name in annotations:
            raise DecorationError(f"{function.__qualname__} has both {name}= and @{name}; keep one")
        annotations[name] = KEYWORDS[name](value)
    return operation_of(function, kind=kind, annotations=annotations)
