"""The call cache: a resolved operation with a shortcut that makes a hit in memory cheap."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rave_core.errors import Signal
from rave_core.model import Call, OperationSpec
from rave_core.operations.options import OPTIONS
from rave_core.runtime.runtime import Runtime
from rave_core.versions.epochs import is_reloading
from rave_core.versions.guards import Guards

_SCALARS = frozenset({int, str, bool, bytes, float, type(None)})
_KEPT_CALLS = 1024


class NotMemoizable(Signal):
    """Marks arguments whose binding is not kept: values that are equal to a dict could have different keys."""


class CallMemo:
    """A resolved operation with a shortcut for scalar arguments.

    The shortcut is a `functools.lru_cache` from arguments to calls: it is bounded, typed and runs in C. A call knows
    the place in a memory tier where its answer was last seen, so a hit needs no key, no lock and no further look-up.

    Attributes:
        context: where the shortcut applies: outside of any computation, in this runtime. ``None`` if the version may
            change without notice.
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
        self.container.memos.add(self)  # before the version is found, so that it sees later changes
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
        """Makes the next call determine the version again."""
        self._is_stale = True
        self.context = None

    def is_current(self) -> bool:
        """Whether the version still matches the code and the values that it reaches."""
        if self._is_stale:
            return False
        if not self._guards.each:
            return True
        left = self._guards.left()  # before they are asked, since another thread may load a module meanwhile
        if not self._guards.hold():
            return False
        self._keep_guards(left)
        return True

    def _keep_guards(self, left: Guards) -> None:
        """Drops guards that can't fail any more; without any, the shortcut applies."""
        self._guards = left
        if not self._guards.each and not self.runtime.observed:
            self.context = self.runtime.context
            if self._is_stale:  # since another thread called `expire` meanwhile
                self.context = None

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
        return bool(value)  # 0.0 and -0.0 are equal to a dict, but have two keys
    return kind in _SCALARS and (kind not in (str, bytes) or len(value) < 1000)
