"""The service within one worker: creates, opens and closes everything that answers requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from rave_core.backend import StoreURL
from rave_core.errors import ConfigurationError, RaveError
from rave_core.lifecycle import PluginContext, RunningPlugins, State
from rave_core.runtime.runtime import Runtime, as_default
from rave_core.settings import Settings
from rave_core.storage.checked_files import CheckedFiles
from rave_core.storage.kept_copies import KeptCopies
from rave_core.storage.product_cache import ProductCache
from rave_core.system.ownership import who_may_change
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import Access
from rave_http.auth.authorizer import Authorizer
from rave_http.auth.rate_limits import Rates
from rave_http.auth.sessions import Sessions
from rave_http.executors import ExecutorContext
from rave_http.executors.choice import Executors
from rave_http.executors.foreign_code import PATIENCE, ContainedThreads, ForeignCode, TimedCalls
from rave_http.jobs.followers import Followers
from rave_http.jobs.jobs import PULSE, Jobs
from rave_http.jobs.tickets import Tickets
from rave_http.namespaces.ini_file import read_namespaces
from rave_http.namespaces.listed_documents import ListedNamespaces
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState
from rave_http.namespaces.source_store import KeptSources
from rave_http.plugins.discovery import HttpPlugins
from rave_http.protocol.links import Links
from rave_http.protocol.proxies import Proxies
from rave_http.representation.conditional_responses import Sendfile
from rave_http.representation.representations import Representations
from rave_http.settings import ServiceSettings
from rave_http.worker.all_jobs import AllJobs
from rave_http.worker.job_records import JobRecords
from rave_http.worker.job_status import JobStatuses
from rave_http.worker.kept_results import KeptResults
from rave_http.worker.limits import EventStreams, WaitingRequests
from rave_http.worker.responder import Responder
from rave_http.worker.worker_events import WorkerEvents
from rave_http.workers.log_levels import LogLevels
from rave_http.workers.metrics import Metrics
from rave_http.workers.peers import WorkerRPC
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.services_report import ServicesReport
from rave_http.workers.shared_imports import SharedImports
from rave_http.workers.statistics_report import StatisticsReport
from rave_http.workers.workers import Workers

_log = logging.getLogger("rave.http")
_IO_THREADS: Final = 16
_PLUGIN_SECONDS: Final = 10.0
"""For the start of all plugins, and for their end."""


class Service:
    """The parts of one worker. Resources get the parts that they need, never the whole.

    Made in the worker, opened in its event loop.
    """

    def __init__(self, settings: Settings, own: ServiceSettings, run_directory: RunDirectory) -> None:
        """Opens nothing but caches.

        Args:
            settings: of the runtime.
            own: the service's own.
            run_directory: the directory that the workers share.

        Raises:
            ConfigurationError: a setting is wrong.
            PluginError: a plugin has a problem, and ``load_error_fatal`` is set.
        """
        # Pictures are drawn without a screen, in namespaces that are loaded later.
        os.environ.setdefault("MPLBACKEND", "Agg")
        self.settings = own
        self.run_directory = run_directory
        self.runtime = runtime = Runtime(settings)
        self.clock = self.runtime.clock
        self.links = Links(own.url_base.rstrip("/"))
        self.plugins = HttpPlugins.installed(settings.disabled_plugins)
        self.running = RunningPlugins(runtime.plugins.calls(), PluginContext(settings, runtime.events, self.clock))
        has_services = self.runtime.plugins.implements("rave_services")
        self.services = ServicesReport(run_directory, self.clock, has_services=has_services)
        if own.load_error_fatal:
            self.plugins.check()
        self._add_authorizer()
        self._add_workers(run_directory)
        self._add_jobs(run_directory)
        self._add_tickets()
        self._add_products()
        self._tasks: list[asyncio.Task[None]] = []
        self._behind: set[asyncio.Task[None]] = set()
        self._stack = contextlib.ExitStack()
        self._loop: asyncio.AbstractEventLoop

    def _add_authorizer(self) -> None:
        own = self.settings
        self.keys = KeyStore.of(own, self.clock, strict=False)
        access = Access(own, self.keys, self.plugins.hooks, self.clock)
        self.proxies: Proxies = access.proxies
        self.authorizer = Authorizer(access, Rates.of(own), is_https=own.url_base.startswith("https:"))
        self.sessions = Sessions(lambda: self.runtime.documents, self.keys, self.clock, seconds=own.session_time)

    def _add_workers(self, run_directory: RunDirectory) -> None:
        self.metrics = Metrics(run_directory)
        self._imports = SharedImports(run_directory, self.clock, workers=self.settings.workers)
        rpc = WorkerRPC(run_directory, f"worker-{os.getpid()}")
        self.foreign = ForeignCode(seconds=max(PATIENCE, self.settings.time_limit or 0.0))
        self._cells = TimedCalls()
        statistics = StatisticsReport(rpc, run_directory, clock=self.clock, call=self._cells)
        self.workers = Workers(rpc, statistics, self.runtime)
        self.events = WorkerEvents(self.runtime, self.workers)
        self.log_levels = LogLevels(self.workers, run_directory, self.runtime.settings.log)

    def _add_namespaces(self, run_directory: RunDirectory, directories: dict[str, str]) -> None:
        self.namespaces = LiveNamespaces(
            directories,
            runtime=self.runtime,
            clock=self.clock,
            load_error_fatal=self.settings.load_error_fatal,
            kept=KeptSources(run_directory),
        )
        self.namespaces.on_change.append(self._changed)
        self.listed = ListedNamespaces(self.settings, lambda: self.runtime.documents, self.namespaces)

    def _add_jobs(self, run_directory: RunDirectory) -> None:
        own, runtime = self.settings, self.runtime
        self._add_namespaces(run_directory, directories_of(runtime.settings, own))
        context = ExecutorContext(runtime.settings, own, self.namespaces.directories)
        self.executors = Executors(self.plugins.executors, context)
        self.metrics.watch_executors(self.executors.figures)
        self.jobs = Jobs(
            runtime,
            self.clock,
            choose=self.executors.choose,
            metrics=self.metrics,
            foreign=self.foreign,
            settings=own,
        )
        self.copies = KeptCopies(runtime.cache, runtime.products, self.clock)
        self.waiting = WaitingRequests(
            self.jobs, self.metrics, most=own.max_waiting, most_of_one=own.share_of(own.max_waiting)
        )
        self.streams = EventStreams(self.metrics, most=own.max_events, most_of_one=own.share_of(own.max_events))

    def _add_tickets(self) -> None:
        own, clock = self.settings, self.clock
        self.tickets = Tickets(self.runtime.cache, clock, keep=own.ticket_time)
        records = JobRecords(self.tickets, self.workers, clock, self._start, failure_time=own.failure_time)
        self.jobs.around, self.jobs.on_end = records.around, records.ended

    def _add_products(self) -> None:
        own, clock = self.settings, self.clock
        self.results = KeptResults(self.runtime, url_seconds=own.product_urls)
        self.statuses = JobStatuses(
            self.namespaces,
            self.jobs,
            self.tickets,
            self.results,
            self.links,
            clock,
            self.foreign,
            failure_time=own.failure_time,
        )
        self.followers = Followers(clock)
        self.all_jobs = AllJobs(self.workers, self.jobs, self.followers, self.tickets, self.statuses, clock)
        self.representations = Representations(
            own.memory,
            self.plugins.hooks,
            base=self.links.base,
            files=_files_of(self.runtime),
            foreign=self.foreign,
        )
        sendfile, longest = _sendfile(own, self.runtime), own.max_age_forever
        self.responder = Responder(self.representations, sendfile, self.links, clock, max_age_forever=longest)

    async def open(self) -> None:
        """Loads the namespaces and starts the background tasks.

        Raises:
            ConfigurationError: a setting is wrong.
            PluginError: a namespace has a problem, and ``load_error_fatal`` is set.
        """
        self._stack.enter_context(as_default(self.runtime))
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ContainedThreads(_IO_THREADS, "rave-io"))
        await self._start_plugins()
        await asyncio.to_thread(self._imports.repeat)
        await asyncio.to_thread(self.namespaces.load)
        await asyncio.to_thread(self.listed.follow)
        self._tell_metrics()
        await self.workers.open()
        await self.log_levels.open()
        await self.events.open(self.namespaces.states())
        self._run(self._pulse, PULSE)
        if self.settings.reload:
            self._tasks.append(asyncio.create_task(self.namespaces.watch(), name="rave watch"))
        self.metrics.ready(is_ready=True)

    async def close(self) -> None:
        """Lets jobs under way finish within the grace time, then releases everything."""
        self.drain()
        await self.jobs.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.executors.close(1.0)
        await asyncio.gather(*self._behind, return_exceptions=True)
        with contextlib.suppress(RaveError):  # what takes too long ends with the process
            await self.foreign.call_within(_PLUGIN_SECONDS, "plugins", self.running.stop)
        self.foreign.close()
        self._cells.close()
        await asyncio.to_thread(self.runtime.events.close)  # the workers and the loop send what still waits
        await self.workers.close()
        await asyncio.to_thread(self.metrics.sync)
        self.runtime.close()
        self._stack.close()

    @property
    def is_draining(self) -> bool:
        """Whether the worker is about to stop."""
        return self.jobs.is_draining.is_set()

    def drain(self, seconds: float = math.inf) -> None:
        """Announces that the worker stops soon: clients that still wait a moment later get tickets."""
        if self.is_draining:
            return
        self.jobs.stop_within(min(self.settings.grace, seconds))
        self.metrics.ready(is_ready=False)
        self._start(self._drain_plugins())

    async def _start_plugins(self) -> None:
        """Starts the plugins; one that takes too long goes on while the worker serves."""
        starting = asyncio.create_task(asyncio.to_thread(self.running.start))
        await asyncio.wait({starting}, timeout=_PLUGIN_SECONDS)
        if not starting.done():
            self._behind.add(starting)
            late = ", ".join(each.name for each in self.running.states() if each.state is State.READY)
            _log.warning("the worker serves before all plugins have started: %s", late or "none has declared itself")

    async def _drain_plugins(self) -> None:
        with contextlib.suppress(RaveError):  # what takes too long ends with the process
            await self.foreign.call_within(self.settings.grace, "plugins", self.running.drain, self.settings.grace)

    def _changed(self, state: NamespaceState) -> None:
        """Handles the reload or the end of a namespace. Called in the thread that loaded or ended it."""
        self._tell_metrics()
        self.events.publish(state)
        if not state.error:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs here any more
                self._loop.call_soon_threadsafe(self.executors.renew)

    def _tell_metrics(self) -> None:
        states = self.namespaces.states()
        self.metrics.export([name for state in states for name in state.operations])
        self.metrics.namespaces({state.name: (state.generation, bool(state.error)) for state in states})

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts a task that no request waits for, only the worker before it stops."""
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def _pulse(self) -> None:
        await asyncio.to_thread(self.listed.follow)
        await self.events.announce()
        await self.jobs.publish()
        await asyncio.to_thread(self.keys.look)
        await asyncio.to_thread(self._imports.note)
        self.metrics.sync()

    def _run(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Repeats some work; logs its errors and continues."""

        async def again() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await work()
                except Exception:  # noqa: BLE001  # the next round may succeed, whatever the error
                    _log.exception("%s failed", work.__name__)

        self._tasks.append(asyncio.create_task(again(), name=f"rave {work.__name__}"))


def directories_of(settings: Settings, own: ServiceSettings) -> dict[str, str]:
    """The namespaces that are plain directories: those of the INI file, then those of the settings.

    Raises:
        ConfigurationError: the file is wrong, or a name is in both.
    """
    found = {}
    if own.namespace_config is not None:
        found = read_namespaces(own.namespace_config, own.namespace_root)
    for name, directory in settings.namespaces.items():
        if name in found and found[name] != directory:
            both = f"{found[name]} in {own.namespace_config} and {directory} in the settings"
            raise ConfigurationError(f"namespace {name!r} is {both}; keep one")
        found[name] = directory
    return found


def _sendfile(own: ServiceSettings, runtime: Runtime) -> Sendfile:
    """Who sends files. The root of nginx's internal location is the first store of products that is a directory."""
    roots = [StoreURL(url) for url in runtime.settings.products]
    root = next((url.path for url in roots if url.scheme == "file"), "")
    reason = who_may_change(root) if root and own.sendfile != "off" else None
    if reason is not None:
        # The server in front opens a path, where the file may differ from the checked one by then.
        _log.warning("sendfile = %r is left out, since others can exchange products: %s", own.sendfile, reason)
        return Sendfile()
    return Sendfile(own.sendfile, own.sendfile_prefix, os.path.realpath(root) if root else "")


def _files_of(runtime: Runtime) -> CheckedFiles | None:
    products = runtime.products
    return products.checked if isinstance(products, ProductCache) else None
