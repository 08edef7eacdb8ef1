"""Runs a body and keeps its result: the part of the data path that a hit never reaches."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from rave_core.clock import Clock
from rave_core.engine.body_times import BodyTimes
from rave_core.engine.context import DeepRefresh, ExecutionContext
from rave_core.engine.effects import Acquire, Blocking, Effects, RunBody
from rave_core.engine.execution import Execution, ResolvedOperation
from rave_core.engine.single_flight import FlightResult, SingleFlight
from rave_core.errors import BackendError, ProductError
from rave_core.expiry import Request, check_result
from rave_core.functions.argument_reprs import summarize
from rave_core.model import FOREVER, Call, Entry, Kind, OperationSpec, Options, Outcome, Status
from rave_core.settings import Settings
from rave_core.storage.cache import Cache, Destination, Encoded, Found
from rave_core.storage.frame import EntryDraft
from rave_core.storage.leases import Lease
from rave_core.telemetry.diagnostics import Diagnostics


class BodyResult(Struct, frozen=True):
    """The result of running a body, and short forms of its arguments."""

    value: Any
    error: Exception | None
    seconds: float
    generated_at: float
    children: tuple[str, ...]
    arguments: dict[str, str]


class Compute:
    """Runs bodies and keeps results. Safe for many threads and event loops at once.

    Attributes:
        after_put: called with a cache after each entry put there, to purge it from time to time.
        times: of the bodies that ran; ``None`` if all have leases.
    """

    def __init__(self, clock: Clock, diagnostics: Diagnostics, hooks: Any, settings: Settings) -> None:
        self.after_put: Callable[[Cache], None] = lambda _: None
        self.times = BodyTimes(settings.lease_from) if settings.lease_from else None
        self._clock = clock
        self._diagnostics = diagnostics
        self._statistics = diagnostics.statistics
        self._compute = hooks.rave_compute if hooks.rave_compute.get_hookimpls() else None
        self._strict = settings.strict
        self._record_arguments = settings.record_arguments
        self._python = platform.python_version()

    def run(
        self,
        resolved: ResolvedOperation,
        call: Call,
        context: ExecutionContext,
        deep: DeepRefresh | None,
        place: Destination,
        lease: Lease | None = None,
        flight: SingleFlight | None = None,
    ) -> Effects[BodyResult]:
        """Runs the body, in an execution context of its own."""
        blocking = resolved.cache.blocking
        key = call.key.text if call.key is not None else None
        child = ExecutionContext(
            context.runtime, parent=context, key=key, operation=resolved.name, deep=deep, flight=flight
        )
        if child.cancellation is not None:
            child.cancellation.check()
        if lease is not None:
            lease.progress = lambda: child.progress
        # Before the body can change them.
        arguments = summarize(call.named) if self._record_arguments else {}
        started = self._clock.monotonic()
        if place.prepares:
            value, error = yield from self._write(call, child, place, blocking)
        else:
            body = call.spec.function if self._compute is None else self._body(call)
            value, error = yield RunBody(call, body, call.args, call.kwargs, child)
        seconds = self._clock.monotonic() - started
        now = self._clock.now()
        self._note_time(resolved, key, seconds, now)
        return BodyResult(value, error, seconds, now, tuple(child.children), arguments)

    def _note_time(self, resolved: ResolvedOperation, key: str | None, seconds: float, ended_at: float) -> None:
        self._count(resolved, "Seconds Computing", seconds)
        if seconds >= self._statistics.slow:
            self._statistics.ran_slowly(resolved.name, key, seconds, ended_at=ended_at)
        if self.times is not None:
            self.times.add(resolved.name, seconds)

    def _write(
        self, call: Call, child: ExecutionContext, place: Destination, blocking: bool
    ) -> Effects[tuple[Any, Exception | None]]:
        """Runs a body that writes to a path; tries once more elsewhere if the path could not be written."""
        spec = call.spec
        prepared: tuple[str, ...] = yield Acquire(blocking, place.prepare, (spec,), place.abandon)
        while True:
            try:
                args = _with_output(spec, prepared, call.args)
                value, error = yield RunBody(call, self._body(call), args, call.kwargs, child)
                if error is None:
                    return (yield Blocking(blocking, place.collect, (spec, prepared, value))), None
            except ProductError as problem:
                error = problem
            except BaseException:
                place.abandon(prepared)
                raise
            again = yield Blocking(blocking, place.elsewhere, (prepared, error))
            yield Blocking(blocking, place.abandon, (prepared,))
            if again is None:
                return None, error
            prepared = again

    def _body(self, call: Call) -> Callable[..., Any]:
        function, compute = call.spec.function, self._compute
        if compute is None:
            return function

        def computed(*args: Any, **kwargs: Any) -> Any:
            boxed = compute(call=call)
            return function(*args, **kwargs) if boxed is None else boxed[0]

        async def computed_async(*args: Any, **kwargs: Any) -> Any:
            boxed = compute(call=call)
            return await function(*args, **kwargs) if boxed is None else boxed[0]

        return computed_async if call.spec.is_async else computed

    def put(self, resolved: ResolvedOperation, call: Call, value: Any, context: ExecutionContext) -> Outcome[Any]:
        """Keeps ``value`` as if the body had just returned it, with no run time and no dependencies.

        For a file operation, ``value`` is the path of a file or directory, which is copied.
        """
        arguments = summarize(call.named) if self._record_arguments else {}
        if call.key is None:
            return Outcome(value, Status.UNCACHED)
        if resolved.cache.prepares:
            value = _copied(resolved, call.spec, value)
        result = BodyResult(value, None, 0.0, self._clock.now(), (), arguments)
        execution = Execution(resolved, call, call.key, Options(refresh=True), context, None, is_plain=False)
        return self._keep(execution, result)[0]

    def keep(self, execution: Execution, ran: BodyResult, lease: Lease | None) -> tuple[Outcome[Any], FlightResult]:
        """Keeps the result of a body if its strategy and the cache allow it, then releases the lease."""
        begun = ran.generated_at - ran.seconds
        is_suspect = self._is_suspect(execution, lease)
        is_late = is_suspect and self._has_later(execution, begun)
        kept = self._dropped(execution, ran) if is_late else self._keep(execution, ran, begun if is_suspect else None)
        if execution.deep is not None:
            execution.deep.done.add(execution.key.text)
        if lease is not None and execution.resolved.leases is not None:
            execution.resolved.leases.release(lease)
        return kept

    def _is_suspect(self, execution: Execution, lease: Lease | None) -> bool:
        """Whether this process may have slept through its lease, so that another may have kept a later result."""
        resolved = execution.resolved
        if lease is None or resolved.leases is None:
            return False
        since_beat = self._clock.monotonic() - lease.renewed_at[0], self._clock.now() - lease.renewed_at[1]
        is_sure = not (lease.lost or lease.overslept) and max(since_beat) < resolved.leases.lease_time
        return not is_sure and resolved.leases.may_be_lost(lease)

    def _has_later(self, execution: Execution, begun: float) -> bool:
        resolved = execution.resolved
        try:
            return resolved.cache.has_later(execution.key, begun)
        except Exception as error:  # noqa: BLE001  # a store may raise anything
            self._diagnostics.backend_failed(resolved.cache.url, "look for a later entry", error)
            return False

    def _dropped(self, execution: Execution, ran: BodyResult) -> tuple[Outcome[Any], FlightResult]:
        resolved = execution.resolved
        self._diagnostics.outrun(execution.key.text)
        resolved.cache.drop(execution.key.text)  # memory may hold an even older result
        return self._unkept(execution, ran)

    def _keep(
        self, execution: Execution, ran: BodyResult, unless_after: float | None = None
    ) -> tuple[Outcome[Any], FlightResult]:
        """Keeps a result, unless one is kept that was begun at ``unless_after`` or later."""
        resolved, prepared = execution.resolved, self._prepared(execution, ran)
        if prepared is None:
            return self._unkept(execution, ran)
        draft, encoded = prepared
        put: Callable[..., Found | None] = resolved.cache.put
        if unless_after is not None:
            put = partial(resolved.cache.put_unless_later, started=unless_after)
        try:
            found = put(execution.key, draft, encoded)
        except Exception as error:
            if self._strict:
                raise BackendError(f"{resolved.name}: {resolved.cache.url} could not keep an entry: {error}") from error
            self._diagnostics.backend_failed(resolved.cache.url, "keep an entry", error)
            return self._unkept(execution, ran, fetch=_fetcher(resolved.cache, encoded))
        if found is None:
            return self._dropped(execution, ran)
        status = Status.MISS if execution.is_plain or not execution.must_run else Status.REFRESHED
        execution.call.ref = found.ref
        self._diagnostics.stored(resolved.record, status, execution.key, found.entry)
        self.after_put(resolved.cache)
        return Outcome(found.value, status, execution.key, found.entry), FlightResult()

    def _prepared(self, execution: Execution, ran: BodyResult) -> tuple[EntryDraft, Encoded] | None:
        """The entry without the fields that the encoding sets, and the encoded value; ``None`` if it can't be kept."""
        resolved, draft = execution.resolved, self._draft(execution, ran)
        if not resolved.version.holds():  # the body may have seen the old or the new state
            return None
        try:
            request = Request(resolved.name, execution.call.named, execution.key, ran.generated_at)
            expires_at = check_result(resolved.strategy(request), resolved.name, resolved.strategy)
            if expires_at <= ran.generated_at:
                return None
            encoded = resolved.cache.encode(ran.value)
        except Exception as error:
            if self._strict:
                raise
            self._diagnostics.uncached(resolved.spec, resolved.name, error)
            return None
        return partial(draft, expires_at=expires_at if expires_at < 2**53 else FOREVER), encoded

    def _unkept(
        self, execution: Execution, ran: BodyResult, *, fetch: Callable[[], Any] | None = None
    ) -> tuple[Outcome[Any], FlightResult]:
        self._count(execution.resolved, "Uncached")
        outcome = Outcome(ran.value, Status.UNCACHED, execution.key)
        return outcome, FlightResult(fetch=fetch, unkept=fetch is None)

    def _draft(self, execution: Execution, ran: BodyResult) -> EntryDraft:
        """The entry, without its expiry and the fields that the encoding sets."""
        spec = execution.resolved.spec
        return partial(
            Entry,
            key=execution.key.text,
            created_at=ran.generated_at,
            seconds=ran.seconds,
            arguments=ran.arguments,
            mime_type=spec.mime_type,
            children=ran.children,
            tags=spec.tags,
            stale_while_revalidate=spec.stale_while_revalidate,
            stale_if_error=spec.stale_if_error,
            python=self._python,
            plugin=execution.resolved.plugin,
            version_note=execution.resolved.version_note,
            packages=execution.resolved.version.packages,
        )

    def _count(self, resolved: ResolvedOperation, what: str, by: float = 1) -> None:
        if self._statistics.namespace["Enabled"]:
            resolved.record[what] += by


def _copied(resolved: ResolvedOperation, spec: OperationSpec, path: Any) -> Any:
    """A copy of a file or directory, as the draft of a product."""
    prepared = resolved.cache.prepare(spec)
    try:
        if spec.kind is Kind.DIRECTORY:
            shutil.copytree(path, prepared[0], symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(path, prepared[0])
        return resolved.cache.collect(spec, prepared, None)
    except BaseException:
        resolved.cache.abandon(prepared)
        raise


def _with_output(spec: OperationSpec, prepared: tuple[str, ...], args: tuple[Any, ...]) -> tuple[Any, ...]:
    at = spec.output_at
    return (*args[:at], *prepared, *args[at:])


def _fetcher(cache: Cache, encoded: Encoded) -> Callable[[], Any] | None:
    """Gives each waiting caller a value of its own; ``None`` if memory is too short for that."""
    try:
        return cache.fetcher(encoded)
    except Exception:  # noqa: BLE001  # the answer exists; waiting callers compute their own
        return None
