"""Running a body and keeping what it gave: the part of the data path that a hit never sees."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rave_core.clock import Clock
from rave_core.engine.context import DeepRefresh, Scope
from rave_core.engine.effects import Do, Path, Run, Take
from rave_core.engine.execution import Desk, Trip
from rave_core.engine.single_flight import Landing
from rave_core.errors import BackendError, ProductError
from rave_core.expiry import Request, check_result
from rave_core.functions.argument_reprs import summarize
from rave_core.model import FOREVER, Call, Entry, OperationSpec, Outcome, Status
from rave_core.storage.cache import Cache, EntryDraft, Found, Place
from rave_core.storage.leases import Lease
from rave_core.telemetry.diagnostics import Reports


@dataclass(frozen=True, slots=True)
class Ran:
    """What running a body gave, and short forms of the arguments that it was given."""

    value: Any
    error: Exception | None
    seconds: float
    generated_at: float
    children: tuple[str, ...]
    arguments: dict[str, str]


class Producer:
    """Runs bodies and keeps results. Safe for many threads and event loops at once.

    Attributes:
        after_put: called with a cache after each entry that was put there, to tidy it now and then.
    """

    def __init__(self, clock: Clock, reports: Reports, hooks: Any, *, strict: bool, record_arguments: bool) -> None:
        self.after_put: Callable[[Cache], None] = lambda _: None
        self._clock = clock
        self._reports = reports
        self._statistics = reports.statistics.namespace
        self._compute = hooks.rave_compute if hooks.rave_compute.get_hookimpls() else None
        self._strict = strict
        self._record_arguments = record_arguments
        self._python = platform.python_version()

    def run(
        self,
        desk: Desk,
        call: Call,
        scope: Scope,
        deep: DeepRefresh | None,
        place: Place,
        lease: Lease | None = None,
    ) -> Path[Ran]:
        """Runs the body, in a scope of its own."""
        blocking = desk.cache.blocking
        key = call.key.text if call.key is not None else None
        child = Scope(scope.runtime, parent=scope, key=key, operation=desk.name, deep=deep)
        if lease is not None:
            lease.progress = lambda: child.progress
        # Before the body can change them.
        arguments = summarize(call.named) if self._record_arguments else {}
        started = self._clock.monotonic()
        if place.prepares:
            value, error = yield from self._write(call, child, place, blocking)
        else:
            value, error = yield Run(call, self._body(call), call.args, call.kwargs, child)
        seconds = self._clock.monotonic() - started
        self._count(desk, "Seconds Computing", seconds)
        return Ran(value, error, seconds, self._clock.now(), tuple(child.children), arguments)

    def _write(self, call: Call, child: Scope, place: Place, blocking: bool) -> Path[tuple[Any, Exception | None]]:
        """Runs a body that writes to a path; once more elsewhere, if there it failed for want of a place to write."""
        spec = call.spec
        prepared: tuple[Any, ...] = yield Take(blocking, place.abandon, place.prepare, spec)
        while True:
            try:
                args = _with_output(spec, prepared, call.args)
                value, error = yield Run(call, self._body(call), args, call.kwargs, child)
                if error is None:
                    return (yield Do(blocking, place.collect, spec, prepared, value)), None
            except ProductError as problem:
                error = problem
            except BaseException:
                place.abandon(prepared)
                raise
            again = yield Do(blocking, place.elsewhere, prepared, error)
            yield Do(blocking, place.abandon, prepared)
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

    def keep(self, trip: Trip, ran: Ran) -> tuple[Outcome[Any], Landing]:
        """Keeps what a body gave, if its strategy and the cache allow it."""
        desk, key = trip.desk, trip.key
        request = Request(desk.name, trip.call.named, key, ran.generated_at)
        try:
            expires_at = check_result(desk.strategy(request), desk.name, desk.strategy)
            if expires_at <= ran.generated_at:
                return self._unkept(trip, ran)
            encoded = desk.cache.encode(ran.value)
        except Exception as error:
            if self._strict:
                raise
            self._reports.uncached(desk.spec, desk.name, error)
            return self._unkept(trip, ran)
        try:
            found = desk.cache.put(key, self._draft(trip, ran, expires_at), encoded)
        except Exception as error:
            if self._strict:
                raise BackendError(f"{desk.name}: cache {desk.cache.url} could not keep an entry: {error}") from error
            self._reports.backend_failed(desk.cache.url, "keep an entry", error)
            self._count(desk, "Uncached")
            return Outcome(ran.value, Status.UNCACHED, key), Landing(fetch=desk.cache.fetcher(encoded))
        return self._kept(trip, found), Landing()

    def _unkept(self, trip: Trip, ran: Ran) -> tuple[Outcome[Any], Landing]:
        self._count(trip.desk, "Uncached")
        return Outcome(ran.value, Status.UNCACHED, trip.key), Landing(unkept=True)

    def _kept(self, trip: Trip, found: Found) -> Outcome[Any]:
        status = Status.REFRESHED if trip.must_run else Status.MISS
        self._count(trip.desk, "Refreshed" if trip.must_run else "Misses")
        trip.call.held = found.held
        self._reports.stored(trip.key, found.entry)
        self.after_put(trip.desk.cache)
        return Outcome(found.value, status, trip.key, found.entry)

    def _draft(self, trip: Trip, ran: Ran, expires_at: float) -> EntryDraft:
        """The entry, but for what only its encoding tells."""
        spec = trip.desk.spec
        return partial(
            Entry,
            key=trip.key.text,
            created_at=ran.generated_at,
            expires_at=expires_at if expires_at < 2**53 else FOREVER,
            seconds=ran.seconds,
            arguments=ran.arguments,
            mime_type=spec.mime_type,
            children=ran.children,
            tags=spec.tags,
            stale_while_revalidate=spec.stale_while_revalidate,
            stale_if_error=spec.stale_if_error,
            python=self._python,
            plugin=trip.desk.plugin,
            version_note=trip.desk.version_note,
        )

    def _count(self, desk: Desk, what: str, by: float = 1) -> None:
        if self._statistics["Enabled"]:
            desk.record[what] += by


def _with_output(spec: OperationSpec, prepared: tuple[Any, ...], args: tuple[Any, ...]) -> tuple[Any, ...]:
    at = spec.output_at
    return (*args[:at], *prepared, *args[at:])
