"""The service as one worker has it: everything that answers requests, opened in its event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from falcon.asgi import Request

from rave_core.backend import StoreURL
from rave_core.engine.engine import Engine
from rave_core.engine.execution import ResolvedOperation
from rave_core.errors import ConfigurationError
from rave_core.model import Call, Entry, Key, Outcome, Status
from rave_core.runtime.runtime import Runtime, as_default
from rave_core.settings import Settings
from rave_core.storage.cache import Cache, Found
from rave_core.storage.product_cache import ProductCache
from rave_http.asgi.audit import audit
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import SERVICE, Access, Principal
from rave_http.auth.rate_limits import Rates
from rave_http.executors import ExecutorContext
from rave_http.executors.choice import Executors
from rave_http.jobs.jobs import PULSE, Job, Jobs
from rave_http.jobs.tickets import Tickets
from rave_http.namespaces.ini_file import read_namespaces
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState
from rave_http.namespaces.source_store import KeptSources
from rave_http.plugins.discovery import HttpPlugins
from rave_http.protocol.headers import cache_control
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.representation.conditional_responses import Sendfile
from rave_http.representation.representations import Representations
from rave_http.settings import ServiceSettings
from rave_http.worker.job_status import JobStatuses
from rave_http.workers.metrics import Metrics
from rave_http.workers.peers import WorkerRPC
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.statistics_report import StatisticsReport

_log = logging.getLogger("rave.http")
_IO_THREADS: Final = 16
_FORGET: Final = "forget"


class Service:
    """Everything that one worker has. Made in the worker, opened in its event loop.

    Attributes:
        settings: the service's own; ``runtime.settings`` are all others.
        base: what stands in front of the path of every URL that is given out, without a slash at its end.
    """

    def __init__(self, settings: Settings, own: ServiceSettings, run_directory: RunDirectory) -> None:
        """Reads nothing and opens nothing that `open` could not undo.

        Raises:
            ConfigurationError: a setting is wrong.
            PluginError: a plugin has a problem, and ``load_error_fatal`` is set.
        """
        # Pictures are drawn without a screen, in namespaces that are loaded later.
        os.environ.setdefault("MPLBACKEND", "Agg")
        self.settings = own
        self.base = own.url_base.rstrip("/")
        self.runtime = Runtime(settings)
        self.clock = self.runtime.clock
        self.plugins = HttpPlugins.installed(settings.disabled_plugins)
        if own.load_error_fatal:
            self.plugins.check()
        self.keys = KeyStore.of(own, self.clock, strict=False)
        self.access = Access(own, self.keys, self.plugins.hooks, self.clock)
        self.rates = Rates.of(own)
        self.run_directory = run_directory
        self.metrics = Metrics(run_directory)
        self.rpc = WorkerRPC(run_directory, f"worker-{os.getpid()}")
        self.statistics = StatisticsReport(self.rpc, run_directory, clock=self.clock)
        self.sendfile = _sendfile(own, self.runtime)
        self.representations = Representations(own.memory, self.plugins.hooks, base=self.base)
        self.tickets = Tickets(self.runtime.cache, self.clock, keep=own.ticket_time)
        self.products = JobStatuses(self)
        self.streams = 0
        self.waiting = 0
        self.namespaces: LiveNamespaces
        self.jobs: Jobs
        self._executors: Executors
        self._tasks: list[asyncio.Task[None]] = []
        self._notes: set[asyncio.Task[None]] = set()
        self._stack = contextlib.ExitStack()
        self._loop: asyncio.AbstractEventLoop

    @property
    def engine(self) -> Engine:
        """The engine that answers calls."""
        return self.runtime.container.engine

    @property
    def is_draining(self) -> bool:
        """Whether the worker is about to stop."""
        return self.jobs.is_draining.is_set()

    async def open(self) -> None:
        """Loads the namespaces and starts what runs beside the requests.

        Raises:
            ConfigurationError: a setting is wrong.
            PluginError: a namespace has a problem, and ``load_error_fatal`` is set.
        """
        self._stack.enter_context(as_default(self.runtime))
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_IO_THREADS, "rave-io"))
        own = self.settings
        directories = directories_of(self.runtime.settings, own)
        self.namespaces = await asyncio.to_thread(
            LiveNamespaces,
            directories,
            clock=self.clock,
            load_error_fatal=own.load_error_fatal,
            kept=KeptSources(self.run_directory),
        )
        self.namespaces.on_change.append(self._changed)
        self._tell_metrics()
        self._executors = Executors(self.plugins.executors, ExecutorContext(self.runtime.settings, own, directories))
        self.jobs = Jobs(
            self.runtime,
            self.clock,
            choose=self._executors.choose,
            metrics=self.metrics,
            queue=own.queue,
            failure_time=own.failure_time,
        )
        self.jobs.on_end = self._ended
        self.rpc.answer(_FORGET, self._forget)
        await self.rpc.open()
        await self.statistics.open()
        self._run(self._pulse, PULSE)
        if own.reload:
            self._tasks.append(asyncio.create_task(self.namespaces.watch(), name="rave watch"))
        self.metrics.ready(is_ready=True)

    async def close(self) -> None:
        """Lets what is under way come to its end within the time of grace, then lets go of everything."""
        await self.jobs.drain(self.settings.grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._executors.close(1.0)
        await asyncio.gather(*self._notes, return_exceptions=True)
        await self.rpc.close()
        await asyncio.to_thread(self.metrics.sync)
        self.runtime.close()
        self._stack.close()

    def drain(self) -> None:
        """The worker is about to stop: whoever waits gets a ticket, and nothing new is started."""
        self.jobs.is_draining.set()
        self.metrics.ready(is_ready=False)

    def url(self, path: str) -> str:
        """The URL of a path of ours, as it is given out."""
        return f"{self.base}{path}"

    def url_of(self, operation: str) -> str:
        """The URL of an operation."""
        return self.url(f"/{quote(operation)}")

    def cache_control(self, entry: Entry, now: float, *, private: bool) -> str:
        """How long others may keep the product of ``entry``; see `rave_http.protocol.headers.cache_control`."""
        return cache_control(entry, now, private=private, forever=self.settings.max_age_forever)

    def principal(self, req: Request) -> Principal:
        """Who asks.

        Raises:
            Problem: the credentials are not valid.
        """
        note: RequestRecord = req.scope["rave"]
        if note.principal is None:
            note.principal = self.access.principal(req.scope["headers"], _peer(req))
        found: Principal = note.principal
        return found

    def client(self, req: Request) -> str:
        """The address of whoever asks, behind the proxies that are trusted."""
        note: RequestRecord = req.scope["rave"]
        return note.client

    def may(self, req: Request, permission: str, namespace: str = SERVICE) -> bool:
        """Whether whoever asks has a permission; see `Access.allows`."""
        return self.access.allows(self.principal(req), permission, namespace)

    def require(self, req: Request, permission: str, namespace: str = SERVICE, *, audited: bool = False) -> None:
        """Returns if whoever asks has a permission. Refusals are audited, and what is ``audited`` in any case.

        Raises:
            Problem: they have not.
        """
        try:
            self.access.require(self.principal(req), permission, namespace)
        except Problem:
            self._audit(req, permission, allowed=False)
            raise
        if audited:
            self._audit(req, permission, allowed=True)

    def _audit(self, req: Request, action: str, *, allowed: bool) -> None:
        audit(req.scope["rave"], action=action, allowed=allowed, target=req.path, client=self.client(req))

    def charge(self, req: Request) -> None:
        """Takes one computation off what whoever asks may start.

        Raises:
            Problem: they have started too many.
        """
        self.rates.take(self.principal(req), self.client(req))

    def hit(self, resolved: ResolvedOperation, call: Call, found: Found, status: Status) -> None:
        """Counts a kept result that answers a request, and tells observers."""
        if not self.runtime.observed:
            self.engine.count_hit(resolved, found.entry, status)
        else:
            outcome = self.engine.hit(resolved, call, found, self.runtime.context, status)
            observe = partial(self.runtime.diagnostics.observe, "rave_called", call=call, outcome=outcome, seconds=0.0)
            self._loop.run_in_executor(None, observe)  # a plugin's code may take its time

    def look(self, cache: Cache, key: Key) -> Found | None:
        """What is kept under ``key``, fresh or not. It may wait for a store.

        A file that whoever asks is sent elsewhere for is left where it lies.
        """
        seconds = self.settings.product_urls
        if seconds is not None and isinstance(cache, ProductCache):
            cache = cache.elsewhere_for(seconds)
        return cache.look(key)

    async def wait(self, job: Job, seconds: float) -> bool:
        """Waits for a computation, unless too many wait already; whether it ended."""
        if self.waiting >= self.settings.max_waiting:
            return job.task.done()
        self.waiting += 1
        self.metrics.waiting_requests.inc()
        try:
            return await self.jobs.wait(job, seconds)
        finally:
            self.waiting -= 1
            self.metrics.waiting_requests.dec()

    async def read_body(self, req: Request) -> bytes:
        """The body of a request.

        Raises:
            Problem: it is larger than the limit.
        """
        most = self.settings.max_body
        length = req.content_length
        if length is not None and length > most:
            raise _too_large(most)
        body = b""
        while chunk := await req.stream.read(65536):
            body += chunk
            if len(body) > most:
                raise _too_large(most)
        return body

    def _changed(self, state: NamespaceState) -> None:
        """A namespace was loaded anew, or could not be. Called in the thread that loaded it."""
        self._tell_metrics()
        if not state.error:
            self._loop.call_soon_threadsafe(self._executors.renew)

    def _tell_metrics(self) -> None:
        states = self.namespaces.states()
        self.metrics.export([name for state in states for name in state.operations])
        self.metrics.namespaces({state.name: (state.generation, bool(state.error)) for state in states})

    def _ended(self, job: Job, outcome: Outcome[Any] | None) -> None:
        if outcome is not None and outcome.status is Status.REFRESHED and job.key is not None:
            self._behind(self.forget(job.key))
        # One that was cut off has neither made its product nor failed: its ticket stays open, for others to make it.
        is_over = outcome is not None or job.failed is not None
        if is_over and job.is_promised and job.key is not None:
            self._behind(asyncio.to_thread(self.tickets.end, job.key, job.failed))

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        """Has something done that nobody waits for, but the worker before it stops."""
        task = asyncio.create_task(work)
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def forget(self, prefix: str) -> None:
        """Has the other workers forget what their memory holds under keys that start with ``prefix``: it changed."""
        await self.rpc.ask(_FORGET, prefix=prefix, by=self.rpc.name)

    async def _forget(self, facts: dict[str, Any]) -> bool:
        if facts["by"] != self.rpc.name:
            for cache in (self.runtime.cache, self.runtime.products):
                cache.drop(str(facts["prefix"]))
        return True

    async def _pulse(self) -> None:
        await self.jobs.publish()
        await asyncio.to_thread(self.keys.look)
        self.metrics.sync()

    def _run(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Does some work again and again; what goes wrong with it is logged, and it goes on."""

        async def again() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await work()
                except Exception:  # noqa: BLE001  # whatever it is, the next round may do better
                    _log.exception("%s failed", work.__name__)

        self._tasks.append(asyncio.create_task(again(), name=f"rave {work.__name__}"))


def directories_of(settings: Settings, own: ServiceSettings) -> dict[str, str]:
    """The namespaces that are plain directories: those of the INI file, then those of the settings.

    Raises:
        ConfigurationError: the file is wrong, or a name stands in both.
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


def _peer(req: Request) -> str:
    client = req.scope.get("client")
    return str(client[0]) if client else ""


def _too_large(most: int) -> Problem:
    # The rest of it is not read, so that nothing else can come over the same connection.
    return Problem("too-large", f"The body has more than {most} bytes", headers={"Connection": "close"})


def _sendfile(own: ServiceSettings, runtime: Runtime) -> Sendfile:
    """Who sends files; of nginx's internal location the root is the first store of products that is a directory."""
    roots = [StoreURL(url) for url in runtime.settings.products]
    root = next((url.path for url in roots if url.scheme == "file"), "")
    return Sendfile(own.sendfile, own.sendfile_prefix, os.path.realpath(root) if root else "")
