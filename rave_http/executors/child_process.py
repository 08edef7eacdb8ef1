"""One child process, seen from the worker that started it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import RLock
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from rave_core.errors import Signal
from rave_http.executors.child_channel import Hearing
from rave_http.executors.child_runtime import ChildConfig, Place, set_up

P = ParamSpec("P")
T = TypeVar("T")


class GoneError(Signal):
    """The child died; the message says how."""


class KilledError(Signal):
    """The child was killed by `ChildProcess.kill`."""


class _Once:
    """A way for pebble to start one process, afresh: no fork, which would copy the locks that other threads hold.

    What pebble would start in place of a process that died is refused: the pipes and locks between the two may be in
    any state, so its pool is thrown away whole. This is also how an ``os._exit(0)`` shows, which pebble overlooks.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self.process: BaseProcess | None = None

    def Process(self, **given: Any) -> BaseProcess:  # noqa: N802  # as multiprocessing calls it
        """The process; a second one is refused."""
        if self.process is not None:
            raise ChildProcessError("the process died")
        self.process = self._context.Process(**given)
        return self.process

    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]:  # noqa: N802  # as above
        """A pipe."""
        return self._context.Pipe(duplex)

    def RLock(self) -> RLock:  # noqa: N802  # as above
        """A lock among processes."""
        return self._context.RLock()

    def get_start_method(self) -> str:
        """How processes start."""
        return self._context.get_start_method()


class ChildProcess:
    """Starts a child, gives it one task after another, and ends it: a pool of one, so that none can spoil another's.

    For one thread at a time, but for `kill`.

    Attributes:
        generation: of the code that the child runs.
        ready: places, with versions, of the operations that the child has loaded.
        hearing: where its news come.
    """

    def __init__(self, config: ChildConfig, generation: int) -> None:
        """Starts the child. It takes a moment, and the child will need some more.

        Raises:
            OSError: there is no room for a further process.
        """
        self.generation = generation
        self.ready: set[tuple[Place, str | None]] = set()
        self._once = _Once()
        self._lock = threading.Lock()
        self._task: ProcessFuture[Any] | None = None
        self._ending: threading.Thread | None = None
        reader, writer = self._once.Pipe(duplex=False)
        with writer:  # only the child holds it, so that its end is noticed
            given = (config, writer)
            self._pool = ProcessPool(max_workers=1, initializer=set_up, initargs=given, context=self._once)
            self._start()
        self.hearing = Hearing(reader)

    @property
    def is_idle(self) -> bool:
        """Whether the child can take a task: it lives, and has none."""
        return self._task is None and self._ending is None and self._pool.active

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left of a child that was killed."""
        return self._ending is not None and not self._ending.is_alive()

    def ask(self, seconds: float | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function``, of a module, returns in the child.

        Args:
            seconds: how long that may take, ``None`` for as long as it takes.
            function: must not raise.
            args: for the function.
            kwargs: for the function.

        Raises:
            TimeoutError: it took longer; it runs on.
            GoneError: the child died.
            KilledError: it was killed from here, before or meanwhile.
        """
        task = self._begin(function, args, kwargs)
        try:
            return task.result(seconds)
        except CancelledError:
            raise KilledError from None
        except (ProcessExpired, BrokenProcessPool) as error:
            raise GoneError(self._death()) from error
        finally:
            if task.done():
                self._task = None

    def kill(self) -> None:
        """Kills the child, and what it started, at once. From any thread; waits for nothing."""
        with self._lock:
            if self._ending is not None:
                return
            self._ending = threading.Thread(target=self._end, name="rave-child-end", daemon=True)
            self._pool.stop()  # type: ignore[no-untyped-call]  # pebble's own omission
            self._signal()
            if self._task is not None:
                self._task.cancel()  # type: ignore[no-untyped-call]  # pebble's own omission
            with contextlib.suppress(RuntimeError):  # no more threads: it is dead nevertheless
                self._ending.start()

    def join(self, seconds: float) -> None:
        """Waits until nothing is left of a child that was killed, ``seconds`` at most."""
        if self._ending is not None and self._ending.ident is not None:
            self._ending.join(seconds)

    def _start(self) -> None:
        try:
            is_started = self._pool.active
        except RuntimeError as error:
            self._signal()
            raise ChildProcessError(f"no process could be started: {error}") from error
        if not is_started:
            raise ChildProcessError("no process could be started")

    def _begin(self, function: Callable[..., T], args: Any, kwargs: Any) -> ProcessFuture[T]:
        with self._lock:
            if self._ending is not None:
                raise KilledError
            try:
                task = self._pool.schedule(function, args, kwargs)
            except RuntimeError as error:
                raise GoneError(self._death()) from error
            self._task = task
            return task

    def _signal(self) -> None:
        process = self._once.process
        if process is not None and process.pid is not None:
            with contextlib.suppress(OSError):  # it has no group yet, or is gone
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()

    def _end(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # a process in the hands of the kernel can't be waited for
            self._pool.join()

    def _death(self) -> str:
        process = self._once.process
        code = process.exitcode if process is not None else None
        if code is None:
            return "its process is gone"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"its process was killed by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"
