"""Whether all the code that a call runs counts: in the version of its operation, or in its key."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from rave_core import model
from rave_core.model import Options
from rave_core.operations.operation import Operation

_INSTALLED = ("site-packages", "dist-packages")
_OURS = frozenset({"rave_core", "rave_backends", "rave_http"})
_LIBRARY = tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})


def uncounted_code(operation: Operation[..., Any], /, *args: Any, **kwargs: Any) -> list[str]:
    """The functions that run in a call, and count neither in the operation's version nor in the call's key.

    Calls the operation with these arguments, in the current runtime, and computes the result and all that it is made of
    anew. What runs in the body is observed, also in threads that it starts: functions of the operation's own package,
    and all others that are neither Python's, nor RAVE's, nor in ``site-packages``. What `explain` lists as not tracked
    is left out.

    Returns:
        ``module:qualname`` of each, sorted. An empty list says that an edit of whatever ran makes another version.

    Raises:
        ValueError: the version of the operation follows no code, because it is not by ``source``.
        Exception: what the operation raises.
    """
    resolved = operation.resolved()
    version = resolved.version
    if not version.nodes:
        raise ValueError(f"the version of {resolved.name} is by {version.note!r}; only 'source' follows code")
    call = resolved.binder.bind(args, kwargs)
    observer = _Observer(_body(operation.function), (operation.function.__module__ or "").partition(".")[0])
    with observer.observing():
        operation.answering(Options(deep_refresh=True))(*args, **kwargs)
    counted = {**version.nodes, **version.untracked, **resolved.argument_nodes(call)}
    return sorted(f"{module}:{name}" for module, name in observer.seen if not _counts(module, name, counted))


def _body(function: Any) -> CodeType:
    code = getattr(function, "__code__", None) or getattr(function, "__func__", function).__code__
    assert isinstance(code, CodeType)
    return code


def _counts(module: str, name: str, counted: Mapping[str, str]) -> bool:
    """Whether a function counts, or what it is defined in: a function, a class or the module."""
    if f"module {module}" in counted or f"module {module} (imported when it runs)" in counted:
        return True
    parts = name.split(".")
    return any(f"{module}:{'.'.join(parts[: end + 1])}" in counted for end in range(len(parts)))


class _Observer:
    """Notes the functions of the project that run while the body of an operation does.

    Attributes:
        seen: their modules and qualnames.
    """

    def __init__(self, body: CodeType, home: str) -> None:
        self.seen: set[tuple[str, str]] = set()
        self._body = body
        self._inner = frozenset(_inner(body))  # under another name, if the body was renamed
        self._home = home
        self._depth = 0
        self._files: dict[tuple[str, str], bool] = {}

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Observes this thread, and those that are started in the block."""
        before, thread_before = sys.getprofile(), threading.getprofile()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(thread_before)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if code is self._body:
            self._depth += {"call": 1, "return": -1}.get(event, 0)
        elif event == "call" and self._depth:
            module = str(frame.f_globals.get("__name__", ""))
            if code.co_name != "<module>" and code not in self._inner and self._is_own(module, code.co_filename):
                self.seen.add((module, code.co_qualname))

    def _is_own(self, module: str, file: str) -> bool:
        key = (module.partition(".")[0], file)
        if key not in self._files:
            self._files[key] = key[0] == self._home or _is_of_project(*key)
        return self._files[key] and os.path.isabs(file)


def _inner(code: CodeType) -> Iterator[CodeType]:
    """The code within some code: of comprehensions, lambdas and nested functions. It counts with the whole."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)


def _is_of_project(top: str, file: str) -> bool:
    if top in _OURS or file.startswith(os.path.dirname(model.__file__) + os.sep):
        return False
    path = os.path.realpath(file)
    return set(_INSTALLED).isdisjoint(path.split(os.sep)) and not path.startswith(_LIBRARY)
