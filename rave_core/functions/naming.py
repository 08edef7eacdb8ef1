"""The identity of an operation: a name that is the same in every process that runs the same code."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from rave_core.errors import DecorationError


def name_of(function: Callable[..., Any]) -> str:
    """``module:qualname`` of a function.

    For ``__main__`` the resolved path of the file takes the module's place, so that a script keeps its results
    when started from elsewhere; without such a file (in a notebook, at a prompt), it is ``__main__``.

    Raises:
        DecorationError: a lambda or a local function: two of them can have one qualname, so ``name=`` is needed.
    """
    qualname: str = function.__qualname__
    if "<lambda>" in qualname or "<locals>" in qualname:
        what = "a lambda" if qualname.endswith("<lambda>") else f"the local function {function.__name__!r}"
        raise DecorationError(
            f"{what} (in {module_of(function)}) has no name that is sure to stay its own; "
            "give it one: @op(name='project/what_it_does')"
        )
    return f"{module_of(function)}:{qualname}"


def module_of(thing: Any) -> str:
    """The module in which a function or class was defined, as ``name_of`` writes it."""
    module: str = getattr(thing, "__module__", None) or "builtins"
    # A child started by multiprocessing's spawn knows its parent's __main__ as __mp_main__.
    if module not in ("__main__", "__mp_main__"):
        return module
    main = sys.modules.get(module)
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return str(spec.name)  # python -m package.module: the same name as when it is imported
    path = getattr(main, "__file__", None)
    return os.path.realpath(path) if path and os.path.exists(path) else "__main__"


def file_of(function: Callable[..., Any]) -> str | None:
    """The source file in which ``function`` was defined, or ``None`` if there is none to read."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
    return path if path and os.path.isfile(path) else None
