"""One child process, seen from the worker that started it.

It is a plain `multiprocessing` process and a pipe. A pool, from the standard library or from pebble, does the wrong
things: it replaces a process that died, and kills a process without its descendants.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

from rave_core.errors import Signal
from rave_http.executors.child_channel import Hearing
from rave_http.executors.child_jobs import ChildConfig, Place
from rave_http.executors.child_runtime import serve

P = ParamSpec("P")
T = TypeVar("T")

_REAPING = 1.0  # seconds until a process that closed its pipe is known to be dead


class GoneError(Signal):
    """The child died; the message says how."""


class KilledError(Signal):
    """The child was killed by `ChildProcess.kill`."""


class ChildProcess:
    """Starts a child, gives it one task at a time, so that tasks can't disturb each other, and ends it.

    For one thread at a time, except `kill`.

    Attributes:
        generation: of the code that the child runs.
        ready: places, with versions, of the operations that the child has loaded.
        log_levels: those that the child has from this process.
        hearing: receives its messages.
    """

    def __init__(self, config: ChildConfig, generation: int) -> None:
        """Starts the child. This takes a moment; the child needs some more until it is ready.

        Raises:
            OSError: the system allows no further process.
        """
        self.generation = generation
        self.ready: set[tuple[Place, str | None]] = set()
        self.log_levels = config.log_levels
        self._lock = threading.Lock()
        self._has_task = False
        self._is_killed = False
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks that other threads hold
        reader, writer = context.Pipe(duplex=False)
        self._tasks, theirs = context.Pipe()
        with writer, theirs:  # only the child holds them, so that its end is noticed
            self._process = context.Process(target=serve, args=(config, writer, theirs), name="rave-child")
            self._reaper = threading.Thread(target=self._process.join, name="rave-child-end", daemon=True)
            try:
                self._process.start()
                self._reaper.start()
                self.hearing = Hearing(reader)
            except RuntimeError as error:  # no more threads
                self._signal()
                raise ChildProcessError(f"no process could be started: {error}") from error
        atexit.register(self.kill)  # else multiprocessing would wait for it when the worker ends

    @property
    def is_idle(self) -> bool:
        """Whether the child can take a task: it is alive and idle."""
        return not (self._has_task or self._is_killed) and self._reaper.is_alive()

    @property
    def is_gone(self) -> bool:
        """Whether a killed child is gone."""
        return self._is_killed and not self._reaper.is_alive()

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
            KilledError: this process killed it, before or during the task.
        """
        with self._lock:
            if self._is_killed:
                raise KilledError
            self._has_task = True
        try:
            self._tasks.send((function, args, kwargs))
            if not wait([self._tasks, self._process.sentinel], seconds):
                raise TimeoutError
            if not self._tasks.poll(0):  # it is dead, and a process that it forked may hold its end of the pipe
                raise EOFError
            answer: T = self._tasks.recv()
        except (EOFError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            if self._is_killed:
                raise KilledError from None
            raise GoneError(self._death()) from error
        self._has_task = False
        return answer

    def kill(self) -> None:
        """Kills the child and its descendants at once. Call it from any thread; it does not wait."""
        with self._lock:
            if self._is_killed:
                return
            self._is_killed = True
            self._signal()
        atexit.unregister(self.kill)

    def join(self, seconds: float) -> None:
        """Waits until a killed child is gone, ``seconds`` at most."""
        self._reaper.join(seconds)

    def _signal(self) -> None:
        if self._process.pid is not None:
            with contextlib.suppress(OSError):  # it has no group yet, or is gone
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def _death(self) -> str:
        self._reaper.join(_REAPING)
        code = self._process.exitcode
        if code is None:
            return "its process is gone"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"its process was killed by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"
