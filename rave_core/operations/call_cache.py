"""The call memo: an operation as one runtime sees it, with the shortcut that makes a hit in memory cheap."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rave_core.errors import Signal
from rave_core.model import Call, OperationSpec
from rave_core.operations.options import OPTIONS
from rave_core.runtime.runtime import Runtime
from rave_core.versions.epochs import is_reloading

_SCALARS = frozenset({int, str, bool, bytes, float, type(None)})
_KEPT_CALLS = 1024


class NotMemoizable(Signal):
    """The binding of these arguments is not kept: two values that are one to a dict could differ in their key."""


class CallMemo:
    """An operation as one runtime sees it, with the shortcut for scalar arguments.

    The shortcut is an `functools.lru_cache` from arguments to calls: it is bounded, typed and runs in C. A call knows
    the place in a memory tier where its answer was last seen, so a hit needs no key, no lock and no further look-up.

    Attributes:
        context: where the shortcut may be taken: outside of any computation, in this runtime; else ``None``. There is
            none where something may change the version without anybody saying so.
    """

    __slots__ = (
        "__weakref__",
        "_guards",
        "_is_stale",
        "container",
        "context",
        "engine",
        "now",
        "recall",
        "resolved",
        "runtime",
        "statistics",
    )

    def __init__(self, spec: OperationSpec, runtime: Runtime) -> None:
        self.runtime = runtime
        self.container = runtime.container
        self._is_stale = is_reloading()
        self.container.memos.add(self)  # before the version is found, so that it hears of what changes meanwhile
        self.resolved = self.container.resolved(spec)
        self._guards = self.resolved.version.guards
        self.engine = self.container.engine
        self.context = None if runtime.observed or self._guards.each else runtime.context
        if self._is_stale:
            self.context = None
        self.now = runtime.clock.now
        self.statistics = runtime.statistics.namespace
        self.recall: Callable[..., Call] = functools.lru_cache(_KEPT_CALLS, typed=True)(self._bind)

    def expire(self) -> None:
        """Has the next call work the version out again."""
        self._is_stale = True
        self.context = None

    def is_current(self) -> bool:
        """Whether the version still is that of the code and of the values that it reaches."""
        return not self._is_stale and (not self._guards.each or self._guards.hold())

    def _bind(self, *args: Any, **kwargs: Any) -> Call:
        binder = self.resolved.binder
        if not binder.is_repeatable or not all(map(_is_scalar, (*args, *kwargs.values()))):
            raise NotMemoizable
        if kwargs and not kwargs.keys().isdisjoint(OPTIONS):
            raise NotMemoizable
        call = binder.bind(args, kwargs)
        # A body gets the converted arguments of a kept call again and again, so it must not be able to change them.
        if call.key is None or not _SCALARS.issuperset(map(type, (*call.args, *call.kwargs.values()))):
            raise NotMemoizable
        return call


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return bool(value)  # 0.0 and -0.0 are one to a dict, and two keys
    return kind in _SCALARS and (kind not in (str, bytes) or len(value) < 1000)
