"""The runtime: settings, plugins and a clock, wired to open caches; and which one a call goes to."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from rave_core.clock import Clock, SystemClock
from rave_core.engine.context import ExecutionContext, ambient, entered
from rave_core.settings import Settings
from rave_core.telemetry.statistics import Statistics

if TYPE_CHECKING:
    from rave_core.backend import Purged
    from rave_core.plugins.discovery import Plugins
    from rave_core.runtime.container import Container
    from rave_core.storage.cache import Cache


class Runtime:
    """Where calls are answered. Safe for many threads; a forked child opens its own handles.

    Attributes:
        settings, plugins, clock: as given, or as found.
        statistics: the process's own, shared by all runtimes.
        context: where calls from outside of any operation stand.
    """

    def __init__(
        self, settings: Settings | None = None, *, plugins: Plugins | None = None, clock: Clock | None = None
    ) -> None:
        """Opens what ``settings`` name.

        Args:
            settings: those of the files and the environment if left out.
            plugins: those that are installed if left out.
            clock: the machine's if left out.

        Raises:
            ConfigurationError: a setting, a backend's URL or an option in it is wrong.
            PluginError: a plugin has a problem, and ``load_error_fatal`` is set.
        """
        # What only a call needs is imported with the first of them: decorating must cost an importer next to nothing.
        from rave_core.plugins.discovery import Plugins
        from rave_core.telemetry.diagnostics import Diagnostics

        self.settings = settings if settings is not None else Settings.load()
        self.plugins = plugins if plugins is not None else Plugins.installed(self.settings.disabled_plugins)
        if self.settings.load_error_fatal:
            self.plugins.check()
        self.clock = clock if clock is not None else SystemClock()
        self.statistics = Statistics.install()
        self.diagnostics = Diagnostics(self.statistics, self.plugins.hooks)
        self.context = ExecutionContext(self)
        self.observed = self.plugins.implements("rave_called")
        self._lock = threading.Lock()
        self._wiring: Container | None = None
        _ = self.container
        _runtimes.add(self)

    @property
    def container(self) -> Container:
        """What is open; opened anew after ``close`` and in a forked child."""
        container = self._wiring
        if container is None:
            from rave_core.runtime.container import Container

            with self._lock:
                if self._wiring is None:
                    self._wiring = Container(self.settings, self.plugins, self.clock, self.diagnostics)
                container = self._wiring
        return container

    @property
    def cache(self) -> Cache:
        """The cache of values."""
        return self.container.cache

    @property
    def products(self) -> Cache:
        """The cache of files."""
        return self.container.products

    def purge(self) -> Purged:
        """Removes what expired, what crashes left behind and what exceeds a byte budget, from both caches.

        Raises:
            OSError: a store is in trouble.
        """
        maintenance = self.container.maintenance
        return maintenance.purge(self.cache) + maintenance.purge(self.products)

    def close(self) -> None:
        """Lets go of what is open. A later call opens it again."""
        container, self._wiring = self._wiring, None
        if container is not None:
            container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget_handles(self) -> None:
        """In a forked child: the parent's handles, and its locks, which another thread may have held."""
        self._lock = threading.Lock()
        for memo in self._wiring.memos if self._wiring is not None else ():
            memo.context = None  # else it would answer from the parent's memory what the child has deleted
        self._wiring = None


_runtimes: weakref.WeakSet[Runtime] = weakref.WeakSet()
_default_lock = threading.Lock()


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()
    ambient.lock = threading.Lock()
    for runtime in list(_runtimes):
        runtime._forget_handles()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def using(runtime: Runtime) -> Iterator[Runtime]:
    """Sends the calls in a ``with`` block to ``runtime``.

    Threads started meanwhile, which know nothing of the block, follow the `using` that was entered last in the
    process; threads started through `rave_core.ThreadPool` or `rave_core.carry` follow the one they were started in.
    """
    with ambient.pushed(runtime.context), entered(runtime.context):
        yield runtime


def current_scope() -> ExecutionContext:
    """The scope of this thread or task; outside of any `using`, that of the process's own runtime."""
    return ambient.context() or default().context


def current_runtime() -> Runtime:
    """The runtime that a call made here goes to: that of the innermost `using`, or else the process's own.

    Raises:
        ConfigurationError: the process's own is made now, and a setting is wrong.
    """
    runtime: Runtime = current_scope().runtime
    return runtime


def default() -> Runtime:
    """The process's own runtime, made from the files and the environment when first needed.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    if ambient.default is None:
        with _default_lock:
            if ambient.default is None:
                ambient.default = Runtime().context
    found: Any = ambient.default.runtime
    return found  # type: ignore[no-any-return]  # a scope does not know the type of its runtime


def reset() -> None:
    """Forgets the process's own runtime, so that changed files and variables count from the next call on."""
    with _default_lock:
        context, ambient.default = ambient.default, None
    if context is not None:
        context.runtime.close()
