"""The runtime: settings, plugins and a clock, connected to open caches; and the choice of runtime for a call."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Self

from rave_core.clock import Clock, SystemClock
from rave_core.engine.context import AbstractRuntime, ExecutionContext, ambient, entered
from rave_core.engine.context import current as running
from rave_core.errors import RaveWarning
from rave_core.runtime.event_bus import open_bus
from rave_core.runtime.opening import gate
from rave_core.telemetry.statistics import Statistics

if TYPE_CHECKING:
    from rave_core.backend import Purged
    from rave_core.documents import DocumentStore, Metadata
    from rave_core.plugins.discovery import Plugins
    from rave_core.runtime.container import Container
    from rave_core.settings import Settings
    from rave_core.storage.cache import Cache


class Runtime(AbstractRuntime):
    """Where calls are answered. Safe for many threads; a forked child opens its own handles.

    Attributes:
        settings, plugins, clock: as given, or as found.
        statistics: those of the process, shared by all runtimes.
        events: where to publish what happens, and to subscribe to it.
        context: the context of calls from outside of any operation.
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
        # The first call imports what only calls need: decorating must cost an importer next to nothing.
        from rave_core.events import Events
        from rave_core.plugins.discovery import Plugins
        from rave_core.settings import Settings
        from rave_core.telemetry.diagnostics import Diagnostics

        self.settings = settings if settings is not None else Settings.load()
        self.plugins = plugins if plugins is not None else Plugins.installed(self.settings.disabled_plugins)
        if self.settings.load_error_fatal:
            self.plugins.check()
        self.clock = clock if clock is not None else SystemClock()
        self.statistics = Statistics.install()
        self.statistics.slow = self.settings.slow
        _ = open_bus(self.settings.events, self.plugins)  # it connects to nothing yet, but a wrong URL is told at once
        self.events = Events(self.clock, partial(open_bus, self.settings.events, self.plugins))
        self.diagnostics = Diagnostics(self.statistics, self.plugins.hooks, self.events)
        self.context = ExecutionContext(self)
        self.observed = self.plugins.implements("rave_called")
        self._lock = threading.RLock()
        self._container: Container | None = None
        self._documents: DocumentStore | None = None
        self._wants_documents = False
        _ = self.container
        _runtimes.add(self)

    @property
    def container(self) -> Container:
        """What is open; opened again after ``close`` and in a forked child."""
        container = self._container
        if container is None:
            from rave_core.runtime.container import Container

            with self._lock:
                if self._container is None:
                    self._container = Container(self.settings, self.plugins, self.clock, self.diagnostics)
                container = self._container
        return container

    @property
    def cache(self) -> Cache:
        """The cache of values."""
        return self.container.cache

    @property
    def products(self) -> Cache:
        """The cache of files."""
        return self.container.products

    @property
    def documents(self) -> DocumentStore:
        """The document store that the setting ``documents`` names, opened when it is first used.

        Raises:
            ConfigurationError: the URL is wrong, or its driver is not installed.
            StoreAwayError: the store can't be reached.
            LaterSchemaError: a later version of RAVE made it.
        """
        documents = self._documents
        if documents is None:
            self._wants_documents = True
            from rave_core.documents import open_store

            with self._lock:
                if self._documents is None:
                    opened = open_store(self.settings.documents, plugins=self.plugins, clock=self.clock)
                    opened.on_commit = self._publish_commit
                    self._documents = opened
                documents = self._documents
        return documents

    @property
    def uses_documents(self) -> bool:
        """Whether the settings name a document store, or something asked for the default one."""
        return self._wants_documents or self.settings.origins["documents"] != "default"

    def _publish_commit(self, saved: Metadata) -> None:
        self.events.publish(
            "document.committed",
            {
                "collection": saved.collection,
                "key": saved.key,
                "version": saved.version,
                "author": saved.author,
                "empty": saved.empty,
                "sequence": saved.sequence,
            },
        )

    def under_way(self) -> list[str]:
        """The texts of the keys that this process computes or waits for now, in the order first asked."""
        container = self._container
        return [] if container is None else container.engine.flights.under_way()

    def purge(self) -> Purged:
        """Removes what expired, what crashes left behind and what exceeds a byte budget, from both caches.

        Raises:
            OSError: a store is in trouble.
        """
        maintenance = self.container.maintenance
        return maintenance.purge(self.cache) + maintenance.purge(self.products)

    def close(self) -> None:
        """Closes what is open, and ends the subscriptions to events. A later call opens it again."""
        self.events.close()
        container, self._container = self._container, None
        documents, self._documents = self._documents, None
        if documents is not None:
            documents.close()
        if container is not None:
            _let_go(container)
            container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget_handles(self) -> None:
        """In a forked child: the parent's handles, and its locks, which another thread may have held."""
        self._lock = threading.RLock()
        self.events.after_fork()
        if self._container is not None:
            _let_go(self._container)
        self._container = None


def _let_go(container: Container) -> None:
    """Makes operations look up what is open now; otherwise they would answer from a stale memory tier."""
    for memo in list(container.memos):
        memo.context = None


_runtimes: weakref.WeakSet[Runtime] = weakref.WeakSet()


def _after_fork() -> None:
    ambient.lock = threading.RLock()
    for runtime in list(_runtimes):
        runtime._forget_handles()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def using(runtime: Runtime) -> Iterator[Runtime]:
    """Sends the calls that this thread or task makes in a ``with`` block to ``runtime``.

    Other threads are not in the block, even those that it starts: start them with `rave_core.ThreadPool`, or wrap what
    they run with `rave_core.carry`. Tasks inherit it.
    """
    with ambient.entered(), entered(runtime.context):
        yield runtime


@contextmanager
def as_default(runtime: Runtime) -> Iterator[Runtime]:
    """Makes ``runtime`` the process's default in a ``with`` block, for all threads outside of any `using` block."""
    before = ambient.make_default(runtime.context)
    try:
        yield runtime
    finally:
        ambient.make_default(before)


@contextmanager
def default_with(settings: Callable[[], Settings]) -> Iterator[None]:
    """Within the block, the process's default runtime is made with these settings, when first needed."""
    before, ambient.settings = ambient.settings, settings
    context = ambient.default
    try:
        yield
    finally:
        ambient.settings = before
        if context is None:
            reset()


def current_context() -> ExecutionContext:
    """The context of this thread or task; outside of any `using`, that of the process's default runtime."""
    context = running.get()
    if context is not None:
        return context
    if not ambient.is_quiet:
        _say_where_it_goes()
    return default().context


def _say_where_it_goes() -> None:
    """Warns a thread to which another thread's `using` block applied in earlier releases."""
    warnings.warn(
        "this thread is in no `with using(...)` block, although another one is: its calls go to the process's own "
        "runtime, and no longer to the block that was entered last; if the thread belongs to a block, wrap what it "
        "runs with rave_core.carry(...), or start it with rave_core.ThreadPool",
        RaveWarning,
        stacklevel=4,
    )


def runtime_of(context: ExecutionContext) -> Runtime:
    """The runtime that a context belongs to."""
    runtime = context.runtime
    assert isinstance(runtime, Runtime)  # there is no other kind
    return runtime


def current_runtime() -> Runtime:
    """The runtime that a call made here goes to: that of the innermost `using`, or else the process's default.

    Raises:
        ConfigurationError: the process's default runtime is made now, and a setting is wrong.
    """
    return runtime_of(current_context())


def default() -> Runtime:
    """The process's default runtime, made from the files and the environment when first needed.

    Raises:
        ConfigurationError: a setting is wrong.
        BeingOpened: this thread is making it.
    """
    context = ambient.default
    if context is None:
        with gate.opening(ambient):
            context = ambient.default
            if context is None:
                context = Runtime(ambient.settings() if ambient.settings is not None else None).context
                ambient.make_default(context)
    return runtime_of(context)


def runtimes() -> list[Runtime]:
    """The runtimes that are in use in this process, in no order."""
    return list(_runtimes)


def reset() -> None:
    """Forgets the process's default runtime, so that changed files and variables apply from the next call on."""
    context = ambient.make_default(None)
    if context is not None:
        context.runtime.close()
