"""The sending side: packs bodies for other machines, and takes in what comes back."""

from __future__ import annotations

import itertools
import os
import pickle
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from typing import Final

from rave_core.engine.context import announce
from rave_core.engine.effects import RunBody
from rave_core.errors import describe_error
from rave_core.model import Call, Entry, Key, Kind, OperationSpec, Progress
from rave_core.operations.pools import Answers
from rave_core.runtime.runtime import Runtime, runtime_of
from rave_core.settings import Settings
from rave_http.executors.child_channel import opened_report
from rave_http.executors.child_jobs import Answer, BodyCall, CallBatch, Probe
from rave_http.executors.executor import BusyError, Result, UnfitWorkerError
from rave_http.executors.handover import (
    MisfitError,
    SupersededError,
    body_call,
    call_batch,
    settled,
    settled_batch,
)
from rave_http.executors.remote.bare_settings import bare
from rave_http.executors.remote.body import Content, RemoteBody, inode_of
from rave_http.protocol.tracing import current_trace

OPERATION: Final = "-/probes"
_PROBE_RENEWAL: Final = 60.0  # seconds: a probe may be evicted
_PROBE_LIFE: Final = 3600.0
_OF_FILES: Final = (Kind.FILE, Kind.DIRECTORY)


class BodySender:
    """Packs bodies for other machines, and takes in what comes back. Safe for many threads."""

    def __init__(self, settings: Settings, directories: Mapping[str, str]) -> None:
        """Sends bodies that run with ``settings``; ``directories`` are the namespaces that are plain directories."""
        self._settings, self._hidden = bare(settings)
        self._directories = dict(directories)
        self._origin = os.urandom(8).hex()
        self._release = version("rave-framework")
        self._digest = blake2b(pickle.dumps((self._settings, self._directories)), digest_size=8).hexdigest()
        self._numbers = itertools.count(1)
        self._generation = 0
        self._probe = Probe(Key(OPERATION, "1", self._origin), os.urandom(16))
        self._probed = -_PROBE_RENEWAL
        self._draft = ""
        self._lock = threading.Lock()

    def pack(self, step: RunBody, *, time_limit: float | None) -> RemoteBody:
        """A body, ready to travel. It may wait for the cache, in which it leaves a probe once a minute.

        Raises:
            UnfitWorkerError: it can't travel; the message says why, and what would be right.
            BusyError: its code was replaced meanwhile, so that it has to be asked for again.
        """
        operation, number = step.context.operation, next(self._numbers)
        try:
            body = body_call(step, number, current_trace.get())
        except MisfitError as misfit:
            raise _stays(operation, misfit) from None
        self._leave_probe(runtime_of(step.context))
        return self._packed(body, time_limit, _inode_of_draft(step))

    def pack_calls(self, operation: str, calls: Sequence[Call], runtime: Runtime) -> RemoteBody:
        """A batch of calls of one operation, which the other machine answers as the operation itself does.

        Args:
            operation: its full name.
            calls: one at least.
            runtime: the one that made the calls.

        Raises:
            UnfitWorkerError, BusyError: as by `pack`.
        """
        try:
            batch = call_batch(operation, calls, next(self._numbers), current_trace.get(), runtime)
        except MisfitError as misfit:
            raise _stays(operation, misfit) from None
        self._leave_probe(runtime)
        return self._packed(batch, None, self._inode_of_products(calls[0].spec, runtime))

    def _packed(
        self, body: BodyCall | CallBatch, time_limit: float | None, inode: tuple[str, int] | None
    ) -> RemoteBody:
        content = Content(body, self._settings, self._hidden, self._directories, self._probe, inode)
        environment = f"{self._digest}/{self._origin}/{self._generation}"
        data = pickle.dumps(content, protocol=5)
        return RemoteBody(body.number, body.operation, time_limit, self._release, self._origin, environment, data)

    def tell(self, step: RunBody, operation: str, progress: Progress) -> None:
        """Notes a report of progress that came from elsewhere, as if the body had made it here."""
        announce(step.context, operation, progress)

    def relay(self, step: RunBody, message: bytes) -> None:
        """Publishes events that came from elsewhere."""
        runtime_of(step.context).events.relay(message)

    def settle(self, step: RunBody, answer: Answer) -> Result:
        """The result of a body, from what `BodyHost.run` returned; tells the last progress that it reported."""
        if answer.progress is not None:
            announce(step.context, *opened_report(answer.progress))
        return settled(step, answer)

    def settle_calls(self, operation: str, runtime: Runtime, answer: Answer) -> Answers:
        """The results of a batch, from what `BodyHost.run` returned."""
        return settled_batch(operation, runtime.statistics, answer)

    def renew(self) -> None:
        """Announces a change of code: bodies that are packed from now on run in fresh child processes."""
        self._generation += 1

    def _inode_of_products(self, spec: OperationSpec, runtime: Runtime) -> tuple[str, int] | None:
        """A directory among the products, and its inode; ``None`` for an operation that makes no files."""
        if spec.kind not in _OF_FILES:
            return None
        with self._lock:
            if not os.path.isdir(self._draft):  # a purge may have removed it
                self._draft = os.path.dirname(runtime.products.prepare(spec)[0])
            return _found(self._draft)

    def _leave_probe(self, runtime: Runtime) -> None:
        with self._lock:
            if runtime.clock.monotonic() - self._probed < _PROBE_RENEWAL:
                return
            now, key, cache = runtime.clock.now(), self._probe.key, runtime.cache
            draft = partial(
                Entry,
                key=key.text,
                created_at=now,
                expires_at=now + _PROBE_LIFE,
                mime_type="application/octet-stream",
                arguments={},
            )
            try:
                cache.put(key, draft, cache.encode(self._probe.value))
            except Exception as error:
                where = f"{cache.url} keeps nothing now ({describe_error(error)})"
                raise UnfitWorkerError(f"{where}, so no other machine can share it; bodies can't be sent") from error
            self._probed = runtime.clock.monotonic()


def _stays(operation: str, misfit: MisfitError) -> UnfitWorkerError | BusyError:
    if isinstance(misfit, SupersededError):
        return BusyError(f"the code of {operation} was replaced while this call waited; ask again")
    return UnfitWorkerError(f"{operation} can't run on another machine: {misfit}; choose executor = 'threads' for it")


def _inode_of_draft(step: RunBody) -> tuple[str, int] | None:
    """The directory in which a body makes its file, and its inode; ``None`` for an operation that makes none."""
    if step.call.spec.kind not in _OF_FILES or not step.args:
        return None
    return _found(os.path.dirname(str(step.args[0])))


def _found(directory: str) -> tuple[str, int] | None:
    inode = inode_of(directory)
    return None if inode is None else (directory, inode)
