"""The process that answers requests: gunicorn's ASGI worker, which reports when it serves and misses no signal."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import math
import os
import signal
from typing import Any, Final

from gunicorn.asgi import lifespan  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers import gasgi  # type: ignore[import-untyped]  # as above

from rave_core.clock import SystemClock
from rave_http.process.connection import Connection
from rave_http.process.connections import ConnectionLimits, Connections, allow_descriptors
from rave_http.process.lifespan import Lifespan

HELD: Final = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1, signal.SIGABRT)
"""Signals that a process has to hold back when it forks a worker; it takes them when it can."""

_STEP: Final = 0.1  # seconds
_ORPHANED: Final = 3  # seconds of grace for a worker whose arbiter was killed
_TURNS: Final = 3  # of the event loop, after which a connection that was accepted has a protocol
_NO_RESOURCES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_ARENAS: Final = 2
_M_ARENA_MAX: Final = -8  # of the C library's malloc.h
_clock = SystemClock()


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker. Its application may have ``attach(worker)``, called before anything else, ``reopen`` and ``hurry``.

    Attributes:
        has_served: whether it has served; in the arbiter and in the worker itself.
        is_retired: whether the arbiter asked it to stop.
        is_stopping: whether it takes no new connections, and announces the end of those that it has.
        connections: those that it has.
    """

    has_served = False
    is_retired = False
    is_stopping = False
    connections: Connections

    def init_process(self) -> None:
        """Begins to live."""
        _limit_arenas()
        settings = self.app.service
        descriptors = allow_descriptors(settings.max_connections)
        self.connections = Connections(ConnectionLimits.of(settings, descriptors))
        super().init_process()

    def load_wsgi(self) -> None:
        """Creates the application, and attaches the worker to it."""
        super().load_wsgi()
        attach = getattr(self.asgi, "attach", None)
        if attach is not None:
            attach(self)

    def init_signals(self) -> None:
        """Sets up the signal handlers. Only the arbiter handles a hangup, even if a terminal sends it to all."""
        super().init_signals()
        signal.signal(signal.SIGHUP, _do_nothing)

    async def _serve(self) -> None:
        """Serves; a signal that came before the loop ran, which uvloop would have lost, comes now."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        self.loop.set_exception_handler(self._note)
        await super()._serve()

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Logs what the loop reports, but sparingly that it can't accept connections: it tries again each second."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_RESOURCES:
            self.connections.close_idle()
            self.connections.complain("connections can't be accepted just now: %s", error.strerror)
        else:
            loop.default_exception_handler(context)

    def notify(self) -> None:
        """Gives a sign of life; the first one wakes the arbiter, which waits for it."""
        super().notify()
        if self.ppid != os.getppid() and not self.is_stopping:
            self._lose_parent()
        if not self.has_served:
            self.has_served = True
            self.app.worker_serves()
            os.kill(self.ppid, signal.SIGCHLD)

    def _lose_parent(self) -> None:
        """Hurries, since the arbiter is gone: while this worker holds the address, no other service can start there.

        gunicorn stops the worker in the same moment.
        """
        self.is_stopping = True
        self.cfg.set("graceful_timeout", min(_ORPHANED, self.cfg.graceful_timeout))
        hurry = getattr(self.asgi, "hurry", None)
        if hurry is not None:
            hurry(_ORPHANED)

    def handle_exit_signal(self) -> None:
        """Starts to stop; calling it twice is harmless. A client can still use a promised keep-alive connection.

        gunicorn would close it right after the response that promised it, and the client's next request would be lost.
        """
        if not self.is_stopping:
            self.is_stopping = True
            self._stop_accepting()
            self._farewell = self.loop.create_task(self._take_leave())

    def _stop_accepting(self) -> None:
        """Leaves new connections to other workers. Those that were accepted just now still get their protocol."""
        if isinstance(self.loop, asyncio.SelectorEventLoop):
            for server in self.servers:
                for sock in server.sockets:
                    self.loop.remove_reader(sock.fileno())

    async def _take_leave(self) -> None:
        """Waits until the connections are gone, at most for the keep-alive time; gunicorn does the rest."""
        # The loop drops a connection that it accepted if its server is closed before the connection has a protocol.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        begin = self.loop.time()
        end = begin + min(self.cfg.keepalive + _STEP, self.cfg.graceful_timeout)
        while self.nr_conns and self.loop.time() < end:
            await asyncio.sleep(_STEP)
        self.connections.close_quiet()
        spent = math.ceil(self.loop.time() - begin)
        self.cfg.set("graceful_timeout", max(self.cfg.graceful_timeout - spent, 0))
        self.alive = False

    def handle_usr1_signal(self) -> None:
        """Reopens the log files, including those of the application."""
        super().handle_usr1_signal()
        reopen = getattr(self.asgi, "reopen", None)
        if reopen is not None:
            reopen()

    def is_serving(self) -> bool:
        """Whether it gave a sign of life; for the arbiter."""
        # Until then the time of the file is Unix time, which is later than any by the monotonic clock.
        self.has_served = self.has_served or self.tmp.last_update() <= _clock.monotonic()
        return self.has_served


def _limit_arenas() -> None:
    """Makes threads share a few memory arenas.

    By default glibc gives each thread its own arena, up to eight for each processor. Memory that a thread frees, for
    example after a large product, stays in its arena, so that a worker grows for hours.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def _do_nothing(*_: Any) -> None:
    """Unlike a signal that is ignored, one that has a handler has its usual effect on programs that are started."""


gasgi.ASGIProtocol = Connection  # gunicorn has no setting for it
lifespan.LifespanManager = Lifespan  # as above
