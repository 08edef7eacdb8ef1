"""The executor ``threads``: bodies run in threads of this process."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from rave_core.engine.effects import RunBody
from rave_core.errors import TimeLimitError
from rave_http.executors.body_runner import Body
from rave_http.executors.executor import SPARE, BusyError, Executor, Result, WorkerLostError

T = TypeVar("T")
_log = logging.getLogger("rave.http")


class ThreadWorkers:
    """Threads that do one job at a time each. Safe for many threads.

    A thread starts when a job arrives and none is idle. Unlike those of `concurrent.futures`, the threads are daemons:
    a body that never ends must not keep its process from ending.
    """

    def __init__(self, name: str, most: int) -> None:
        """Starts nothing yet.

        Args:
            name: the name of the threads, before a number.
            most: threads at once.
        """
        self._name = name
        self._most = most
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: list[_Member] = []
        self._size = 0
        self._is_dismissed = False

    def start(self, job: Callable[[], T]) -> Future[T]:
        """Begins a job at once, in one of the threads.

        Raises:
            BusyError: every thread has a job and the limit is reached, or the threads were dismissed.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._member().jobs.put(partial(_do, job, future))
        return future

    def dismiss(self) -> None:
        """Ends each thread as soon as it is idle."""
        with self._lock:
            self._is_dismissed = True
            idle, self._idle = self._idle, []
        for member in idle:
            member.jobs.put(None)

    def _member(self) -> _Member:
        with self._lock:
            if self._is_dismissed:
                raise BusyError("this worker is stopping")
            if self._idle:
                return self._idle.pop()
            if self._size >= self._most:
                raise BusyError(
                    f"all of {self._most} threads are in use, some by abandoned bodies that are still running"
                )
            self._size += 1
        member = _Member(f"{self._name}-{next(self._numbers)}", self._rest)
        try:
            member.start()
        except RuntimeError as error:  # no more threads
            with self._lock:
                self._size -= 1
            raise BusyError(f"no thread could be started: {error}") from error
        return member

    def _rest(self, member: _Member) -> None:
        with self._lock:
            if not self._is_dismissed:
                self._idle.append(member)
                return
        member.jobs.put(None)


class _Member(threading.Thread):
    """One of the threads."""

    def __init__(self, name: str, rest: Callable[[_Member], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.jobs: SimpleQueue[Callable[[], Callable[[], None]] | None] = SimpleQueue()
        self._rest = rest

    def run(self) -> None:
        """Runs jobs until there are none."""
        while self._did_one():
            pass

    def _did_one(self) -> bool:
        """A separate frame, so that an idle thread keeps no references."""
        job = self.jobs.get()
        if job is None:
            return False
        hand_over = job()
        self._rest(self)  # first, so the caller that gets the result finds a thread for the next job
        hand_over()
        return True


def _do(job: Callable[[], Any], future: Future[Any]) -> Callable[[], None]:
    """Runs a job; returns the function that delivers its result."""
    try:
        return partial(future.set_result, job())
    except BaseException as error:  # noqa: BLE001  # it belongs to the caller that waits
        return partial(future.set_exception, error)


class ThreadExecutor(Executor):
    """Runs bodies in threads.

    A thread can't be killed, so a body at its time limit, or one whose caller is gone, is abandoned. A coroutine is
    then cancelled. Any other body runs on and keeps its thread, while new bodies take its place, until so many run on
    that there is no room (see `SPARE`).

    Attributes:
        abandoned: abandoned bodies that still run.
    """

    name = "threads"

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._thread_workers = ThreadWorkers("rave-body", SPARE * slots)
        self._running: set[asyncio.Future[Result]] = set()
        self._abandoned: set[Future[Result]] = set()

    @property
    def abandoned(self) -> int:
        """The number of abandoned bodies that still run."""
        return len(self._abandoned)

    async def run(self, step: RunBody, *, time_limit: float | None) -> Result:
        """Runs a body in a thread, with the context variables of this task."""
        body = Body(step)
        try:
            future = self._thread_workers.start(partial(contextvars.copy_context().run, body.perform))
        except BusyError as error:
            return None, error
        running = asyncio.wrap_future(future)
        self._running.add(running)
        try:
            await asyncio.wait({running}, timeout=time_limit)
            is_closing = running.cancelled()
        finally:
            self._running.discard(running)
            is_late = not future.done()
            if is_late:
                running.cancel()
                self._give_up(step.context.operation, body, future)
        if not is_late:
            return future.result()
        if is_closing:
            return None, WorkerLostError(f"{step.context.operation} was given up, since its worker stops")
        return None, TimeLimitError(f"{step.context.operation} took longer than its time limit of {time_limit} s")

    def renew(self) -> None:
        """Nothing to do: a body is a function of this process, and is new when its namespace is."""

    async def close(self, grace: float) -> None:
        """Lets running bodies finish for ``grace`` seconds; abandons the rest, which end with the process."""
        if self._running:
            _, late = await asyncio.wait(list(self._running), timeout=grace)
            for running in late:
                running.cancel()
        self._thread_workers.dismiss()

    def _give_up(self, operation: str, body: Body, future: Future[Result]) -> None:
        body.give_up()
        self._abandoned.add(future)
        future.add_done_callback(self._abandoned.discard)
        _log.warning(
            "%s was abandoned, but its body may still be running in its thread; %d such bodies are running now",
            operation,
            self.abandoned,
        )
