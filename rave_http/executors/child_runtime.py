"""What runs in a child process of the executor ``processes``: it finds operations, and runs their bodies."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache, partial
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

from rave_core.clock import SystemClock
from rave_core.engine.context import DeepRefresh, ExecutionContext, entered
from rave_core.engine.effects import RunBody
from rave_core.errors import PluginError, UnknownNameError, describe_error
from rave_core.model import Call, Progress
from rave_core.operations.operation import Operation
from rave_core.operations.pools import answer
from rave_core.reloading.generations import DIRECTORIES, loading
from rave_core.runtime.event_bus import LOCAL
from rave_core.runtime.runtime import Runtime, as_default
from rave_core.versions import code_changed
from rave_core.versions.loaded_files import loaded_files
from rave_http.executors.body_runner import Body
from rave_http.executors.child_bus import ChildBus
from rave_http.executors.child_channel import Teller, forward_log, set_levels
from rave_http.executors.child_jobs import Answer, BodyCall, CallBatch, ChildConfig, Place, Probe
from rave_http.executors.executor import Result
from rave_http.executors.pickled_result import PickledResult, packed
from rave_http.executors.stats_delta import StatsDelta
from rave_http.protocol.tracing import current_trace


class ChildRuntime:
    """The environment of a child: its runtime, in use for the child's lifetime, and the operations that it found."""

    def __init__(self, config: ChildConfig, teller: Teller) -> None:
        self._directories = config.directories
        self._loaded: set[str] = set()
        self._teller = teller
        self._runtime = Runtime(config.settings)
        self._bus = ChildBus(teller.publish)
        if config.settings.events == LOCAL:  # any other bus reaches the worker by itself
            self._runtime.events.attach(self._bus)
        self._tally = StatsDelta(self._runtime.statistics)
        self._in_use = contextlib.ExitStack()
        self._in_use.enter_context(as_default(self._runtime))
        self._found: dict[Place, Operation[..., Any]] = {}

    def prepare(self, place: Place, version: str | None) -> str:
        """Finds an operation. Returns an empty text, or why it can't run here.

        Args:
            place: its location.
            version: what it should be; ``None`` for any.
        """
        operation = find(self._module(place.module), place.qualname)
        if operation is None:
            return f"there is no operation {place.qualname!r} in {place.module}"
        own = operation.resolved().binder.version
        if version not in (None, own):
            return f"its code in {place.module} is no longer, or not yet, what this worker has loaded"
        self._found[place] = operation
        return ""

    def sees(self, probe: Probe) -> str:
        """Whether a probe is in the cache of this process. Returns an empty text, or what is wrong."""
        cache = self._runtime.cache
        cache.drop(probe.key.text)
        found = cache.look(probe.key)
        if found is not None and found.value == probe.value:
            return ""
        return f"it does not see what is stored in {cache.url} there, so it has another cache, or another signing key"

    def work(self, job: BodyCall) -> Answer:
        """Runs the body of a job in its own execution context."""
        try:
            args, kwargs, own_args, named = pickle.loads(job.arguments)  # noqa: S301  # from our own parent
        except Exception as error:  # noqa: BLE001  # the code of a stranger
            return Answer(None, f"its arguments can't be brought there: {describe_error(error)}")
        operation = self._found[job.place]
        call = Call(operation.spec, job.key, own_args, kwargs, named)
        context = self._scope(job)
        current_trace.set(job.trace)
        self._bus.is_wanted = job.is_heard
        surprises = loaded_files.surprises
        result = self._computed(RunBody(call, operation.function, args, kwargs, context))
        loaded_files.note()
        is_surprising = loaded_files.surprises != surprises
        if is_surprising:
            code_changed()
        return Answer(
            packed(job.operation, result),
            children=tuple(context.children),
            done=frozenset(context.deep.done) if context.deep is not None else frozenset(),
            progress=self._teller.latest(job.number),
            growth=self._tally.taken(),
            is_surprising=is_surprising,
        )

    def answer(self, batch: CallBatch) -> Answer:
        """Answers the calls of a batch as the operation itself does. Gives the pickled results as one pickled list."""
        operation = self._found[batch.place]
        try:
            given = pickle.loads(batch.arguments)  # noqa: S301  # from our own parent
        except Exception as error:  # noqa: BLE001  # the code of a stranger
            return Answer(None, f"its arguments can't be brought there: {describe_error(error)}")
        current_trace.set(batch.trace)
        answers = answer(operation.resolved(), [Call(operation.spec, *each) for each in given])
        results = [packed(batch.operation, each) for each in answers.results]
        data = pickle.dumps((results, answers.seconds), protocol=5)
        return Answer(PickledResult(data), growth=self._tally.taken())

    def _computed(self, step: RunBody) -> Result:
        """What a plugin's ``rave_compute`` gives, else what the body does."""
        if self._runtime.plugins.implements("rave_compute"):
            try:
                with entered(step.context):
                    boxed = self._runtime.plugins.hooks.rave_compute(call=step.call)
            except Exception as error:  # noqa: BLE001  # it stands for the body, whose exceptions go to its caller
                return None, error
            if boxed is not None:
                return boxed[0], None
        return Body(step).perform()

    def _scope(self, job: BodyCall) -> ExecutionContext:
        around = self._runtime.context
        for key in job.within:
            around = ExecutionContext(self._runtime, parent=around, key=key)

        def tell(operation: str, progress: Progress) -> None:
            self._teller.tell(job.number, operation, progress)

        deep = None
        if job.done is not None:
            deep = DeepRefresh()
            deep.done.update(job.done)
        own = job.key.text if job.key is not None else None
        return ExecutionContext(
            self._runtime, parent=around, key=own, operation=job.operation, deep=deep, listener=tell
        )

    def _module(self, name: str) -> ModuleType:
        package, _, rest = name.partition(".")
        namespace = rest.partition(".")[0]
        if package == DIRECTORIES and namespace not in self._loaded:
            self._load(namespace)
        return importlib.import_module(name)

    def _load(self, namespace: str) -> None:
        """Loads a namespace that is a plain directory, as it is now."""
        if namespace not in self._directories:
            raise UnknownNameError(f"there is no directory for the namespace {namespace!r}")
        with loading(namespace, self._directories[namespace]) as generation:
            if generation.trouble:
                raise PluginError(f"{generation.directory}: {generation.trouble}")
            generation.load()
            generation.take_over()
        self._loaded.add(namespace)


def find(module: ModuleType, qualname: str) -> Operation[..., Any] | None:
    """The operation that was made of the function ``qualname`` of a module; ``None`` if it can't be found so."""
    thing: Any = module
    for name in qualname.split("."):
        thing = getattr(thing, name, None)
    if isinstance(thing, Operation):
        return thing
    made = (each for each in vars(module).values() if isinstance(each, Operation) and each.function is thing)
    return next(made, None) if thing is not None else None


_bench: ContextVar[Callable[[], ChildRuntime]] = ContextVar("rave_child_bench")


def set_up(config: ChildConfig, connection: Connection) -> None:
    """Sets up a child process.

    It gets its own process group, so that a kill includes all that a body starts. Its worker decides when it ends:
    signals to the whole group, as from a terminal or a service manager, would cut bodies short.

    Args:
        config: its configuration.
        connection: where its messages go.
    """
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stay)  # not SIG_IGN, which the programs that a body starts would inherit
        os.register_at_fork(after_in_child=partial(signal.signal, number, signal.SIG_DFL))
    with contextlib.suppress(AttributeError, OSError):  # what a body prints is not lost when it is killed
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # if it can't, it is no text file
    _die_with_parent()
    teller = Teller(connection, SystemClock())
    forward_log(teller, config.log_levels)
    _bench.set(cache(partial(ChildRuntime, config, teller)))


def serve(config: ChildConfig, news: Connection, tasks: Connection) -> None:
    """The main loop of a child: runs one function after another until it is killed or its worker is gone.

    Args:
        config: its configuration.
        news: where its messages go.
        tasks: gives functions with their arguments, and takes what they return.
    """
    set_up(config, news)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            function, args, kwargs = tasks.recv()
            tasks.send(function(*args, **kwargs))


def _stay(_number: int, _frame: object) -> None:
    """Does nothing."""


def prepare(place: Place, version: str | None) -> str:
    """See `ChildRuntime.prepare`. The first call opens the runtime."""
    try:
        return _bench.get()().prepare(place, version)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's module may raise anything
        return describe_error(error)


def sees(probe: Probe) -> str:
    """See `ChildRuntime.sees`."""
    try:
        return _bench.get()().sees(probe)
    except Exception as error:  # noqa: BLE001  # a store may raise anything
        return describe_error(error)


def adopt_levels(levels: Mapping[str, int]) -> None:
    """Sets levels of loggers that have changed in the worker since the child started."""
    set_levels(levels)


def work(job: BodyCall) -> Answer:
    """See `ChildRuntime.work`."""
    return _bench.get()().work(job)


def work_batch(batch: CallBatch) -> Answer:
    """See `ChildRuntime.answer`."""
    return _bench.get()().answer(batch)


def _die_with_parent() -> None:
    """Kills this process and its descendants as soon as its parent, which holds the pipe, is gone.

    The kernel does it where it can, even while a body keeps every other thread of Python from running.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        raise RuntimeError("this is not a child process")
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    watch = partial(_watch, parent.sentinel, parent.pid)
    threading.Thread(target=watch, name="rave-parent-watch", daemon=True).start()


def _watch(sentinel: int, parent: int) -> None:
    while os.getppid() == parent and not wait([sentinel], timeout=1.0):
        pass
    os.killpg(0, signal.SIGKILL)
