"""The data path: look up, else compute once and keep.

There is one description of the path, a generator of steps, and two ways to walk it: `Engine.resolve` in the
caller's thread, and `Engine.resolve_async` in an event loop, which never waits for a disk or a lock itself.

    fresh in the cache?  →  one flight per key in this process  →  one lease per key among processes
    →  look again  →  run the body  →  when does it expire?  →  encode, put  →  land

Trouble in a cache never costs an answer: every failure of a store is reported, and the path goes on without it.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Any, TypeAlias

from msgspec import structs

from rave_core.clock import Clock
from rave_core.engine.compute import Compute
from rave_core.engine.context import DeepRefresh, ExecutionContext
from rave_core.engine.effects import Acquire, Blocking, Caller, Effects, Foreign, Runner, Sleep, Wait, run, run_async
from rave_core.engine.execution import Claim, Execution, Failure, ResolvedOperation
from rave_core.engine.remote_wait import LONG, RemoteWait
from rave_core.engine.single_flight import FlightResult, Flights, SingleFlight
from rave_core.errors import is_refusal
from rave_core.expiry import nocache
from rave_core.model import PLAIN, Call, Entry, Options, Outcome, Status
from rave_core.storage.cache import Destination, Found
from rave_core.storage.leases import Lease, Leases, LeaseWait
from rave_core.storage.targets import target_of
from rave_core.telemetry.diagnostics import Diagnostics

_log = logging.getLogger("rave")
_LONG_AGO = -1
"""The count of landings for a look-up at an unknown time: any result may have landed since."""

End: TypeAlias = Outcome[Any] | Failure
_Claimed: TypeAlias = tuple[Lease | None, Found | None]


class Engine:
    """Answers calls. Safe for many threads and event loops at once."""

    def __init__(self, clock: Clock, diagnostics: Diagnostics, compute: Compute) -> None:
        self.flights = Flights()
        self._clock = clock
        self._diagnostics = diagnostics
        self._statistics = diagnostics.statistics.namespace
        self._compute = compute

    def resolve(
        self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext
    ) -> Outcome[Any]:
        """Answers ``call`` in this thread.

        Raises:
            Exception: whatever the operation's body raises.
            ProductError: a file operation wrote nothing, or ``tofile`` can't be written.
            RaveError: a result could not be kept, in strict mode.
        """
        landed = self.flights.landed
        found = None
        if call.key is not None and options is PLAIN and context.deep is None:
            found = resolved.cache.look(call.key)
            if found is not None and found.entry.is_fresh(self._clock.now()):
                return self.hit(resolved, call, found, context)
        end = run(self._path(resolved, call, options, context, found, landed))
        return end if isinstance(end, Outcome) else self._ended(resolved, end)

    async def resolve_async(
        self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext
    ) -> Outcome[Any]:
        """As `resolve`, for an operation whose body is a coroutine function."""
        landed, found = self.flights.landed, None
        if call.key is not None and options is PLAIN and context.deep is None:
            look = Blocking(resolved.cache.blocking, resolved.cache.look, (call.key,))
            found = await look.perform_async()
            if found is not None and found.entry.is_fresh(self._clock.now()):
                return self.hit(resolved, call, found, context)
        return self._ended(resolved, await run_async(self._path(resolved, call, options, context, found, landed)))

    async def compute_async(
        self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext, run: Runner,
        foreign: Caller | None = None,
    ) -> Outcome[Any]:  # fmt: skip
        """As `resolve_async`, for a call that no kept result answered. A stale result is recomputed at once.

        The caller may have looked long ago. A result landed since then answers the call, unless it asks for a refresh.

        Args:
            resolved, call, options, context: as there.
            run: runs the body, coroutine function or not.
            foreign: calls functions that run the author's other code; without it they may run in the event loop.
        """
        path = self._path(resolved, call, options, context, None, _LONG_AGO)
        return self._ended(resolved, await run_async(path, run, foreign))

    def put(self, resolved: ResolvedOperation, call: Call, value: object, context: ExecutionContext) -> Outcome[Any]:
        """Keeps ``value`` as the result of a call, as if its body had just returned it."""
        return self._compute.put(resolved, call, value, context)

    def _ended(self, resolved: ResolvedOperation, end: End) -> Outcome[Any]:
        if isinstance(end, Failure):
            if not is_refusal(end.error):
                self._count(resolved, "Errors")
            raise end.error.with_traceback(end.traceback)
        return end

    def _count(self, resolved: ResolvedOperation, what: str, by: float = 1) -> None:
        if self._statistics["Enabled"]:
            resolved.record[what] += by

    def hit(
        self,
        resolved: ResolvedOperation,
        call: Call,
        found: Found,
        context: ExecutionContext,
        status: Status = Status.HIT,
    ) -> Outcome[Any]:
        """Answers with a kept result: counts it, and notes it as a dependency of the surrounding computation."""
        if context.parent is not None:
            context.children[found.entry.key] = None
        call.ref = found.ref if status is Status.HIT else None
        self.count_hit(resolved, found.entry, status)
        return Outcome(found.value, status, call.key, found.entry)

    def count_hit(self, resolved: ResolvedOperation, entry: Entry, status: Status = Status.HIT) -> None:
        """Counts a kept result that answered a call."""
        if self._statistics["Enabled"]:
            resolved.record["Hits" if status is Status.HIT else "Stale"] += 1
            resolved.record["Seconds Saved"] += entry.seconds

    def _path(
        self,
        resolved: ResolvedOperation,
        call: Call,
        options: Options,
        context: ExecutionContext,
        found: Found | None,
        landed: int,
    ) -> Effects[End]:
        """The full path of a call that the first look-up did not answer; ``found`` is a stale result already seen."""
        deep = DeepRefresh() if options.deep_refresh else context.deep
        if options.tofile is not None:
            return (yield from self._uncached(resolved, call, context, deep, target_of(call.spec, options.tofile)))
        if call.key is None or resolved.strategy is nocache:
            if options.dry_run:
                return Outcome(None, Status.MISS, call.key)
            return (yield from self._uncached(resolved, call, context, deep, resolved.cache))
        execution = Execution(resolved, call, call.key, options, context, deep, options is PLAIN and deep is None)
        if context.parent is not None:
            context.children[execution.key.text] = None
        if found is None and not execution.is_plain and not execution.must_run:
            found = yield execution.do(resolved.cache.look, execution.key)
        if found is not None and found.entry.is_fresh(self._clock.now()):
            return self.hit(resolved, call, found, context)
        if options.dry_run:
            return Outcome(None, Status.MISS, execution.key)
        if found is not None and self._may_serve_stale(found.entry, resolved.spec.stale_while_revalidate):
            self._refresh_behind(execution)
            return self.hit(resolved, call, found, context, Status.STALE)
        return (yield from self._fly(execution, landed))

    def _uncached(
        self,
        resolved: ResolvedOperation,
        call: Call,
        context: ExecutionContext,
        deep: DeepRefresh | None,
        place: Destination,
    ) -> Effects[End]:
        ran = yield from self._compute.run(resolved, call, context, deep, place)
        if context.parent is not None:
            context.children.update(dict.fromkeys(ran.children))
        if ran.error is not None:
            return Failure(ran.error, ran.error.__traceback__)
        self._count(resolved, "Uncached")
        return Outcome(ran.value, Status.UNCACHED, call.key)

    def _fly(self, execution: Execution, landed: int) -> Effects[End]:
        """Leads the flight of the key, or joins it until there is an answer."""
        context, text = execution.context, execution.key.text
        while True:
            flight, leads = self.flights.join(text, context.flight)
            if leads:
                try:
                    return (yield from self._lead(execution, flight, landed))
                finally:
                    # If the stack was nearly used up, as much of it is free here as there was for joining.
                    if flight.flight_result is None:
                        self.flights.land(text, flight, FlightResult())
            if not self.flights.wait_for(flight, context.flight):
                return (yield from self._alone(execution))
            result: FlightResult = yield Wait(flight)
            if execution.is_plain or not execution.must_run:
                end = yield from self._joined(execution, result)
                if end is not None:
                    return end

    def _joined(self, execution: Execution, result: FlightResult) -> Effects[End | None]:
        """The answer of a flight that another caller led; ``None`` if it gave none, so that the next caller leads."""
        if result.error is not None:
            return (yield from self._fail(execution, result.error, result.traceback))
        found = yield execution.do(self._look_fresh, execution)
        if found is not None:
            return self.hit(execution.resolved, execution.call, found, execution.context)
        if result.fetch is not None:
            return Outcome(result.fetch(), Status.UNCACHED, execution.key)
        return (yield from self._alone(execution)) if result.unkept else None

    def _alone(self, execution: Execution) -> Effects[End]:
        """Runs the body for this caller alone, because it would wait for itself or because nothing is kept."""
        cache = execution.resolved.cache
        return (yield from self._uncached(execution.resolved, execution.call, execution.context, execution.deep, cache))

    def _lead(self, execution: Execution, flight: SingleFlight, landed: int) -> Effects[End]:
        """Runs the body for all waiting callers: once here and, with a lease of the store, once among processes."""
        resolved = execution.resolved
        flight_result, lease = FlightResult(), None
        try:
            if resolved.leases is not None and not ((times := self._compute.times) and times.is_quick(resolved.name)):
                lease, found = yield from self._claim(execution, resolved.leases, flight)
            else:
                found = yield from self._look_again(execution, landed)
            if found is not None:
                return self.hit(resolved, execution.call, found, execution.context)
            ran = yield from self._compute.run(
                resolved, execution.call, execution.context, execution.deep, resolved.cache, lease, flight
            )
            if ran.error is not None:
                flight_result = FlightResult(error=ran.error, traceback=ran.error.__traceback__)
                return (yield from self._fail(execution, ran.error, flight_result.traceback))
            kept: tuple[Outcome[Any], FlightResult] = yield Foreign(
                resolved.cache.blocking, self._compute.keep, (execution, ran, lease)
            )
            outcome, flight_result = kept
            lease = None
            return outcome
        finally:
            self._land(execution, flight, flight_result, lease)

    def _land(
        self, execution: Execution, flight: SingleFlight, flight_result: FlightResult, lease: Lease | None
    ) -> None:
        """Ends a flight, and releases its lease if the result was not kept."""
        try:
            if lease is not None and execution.resolved.leases is not None:
                execution.resolved.leases.release(lease)
        finally:
            self.flights.land(execution.key.text, flight, flight_result)

    def _look_again(self, execution: Execution, landed: int) -> Effects[Found | None]:
        """A result that landed here between our look-up and our flight, for a flight without a lease."""
        if landed == self.flights.landed or (not execution.is_plain and execution.must_run):
            return None
        found: Found | None = yield execution.do(self._look_fresh, execution)
        return found

    def _look_fresh(self, execution: Execution) -> Found | None:
        found = execution.resolved.cache.look(execution.key)
        return found if found is not None and found.entry.is_fresh(self._clock.now()) else None

    def _claim(self, execution: Execution, leases: Leases, flight: SingleFlight) -> Effects[_Claimed]:
        """The lease of the key, or the result of another process; neither in trouble or in a cycle of waits."""
        wait: RemoteWait | None = None
        cache, key = execution.resolved.cache, execution.key.text
        watch = LeaseWait(leases, key, execution.resolved.name)
        seconds = 0.002

        def give_back(claim: Claim) -> None:
            if claim.lease is not None:
                leases.release(claim.lease)

        try:
            while True:
                claim: Claim = yield Acquire(cache.blocking, self._attempt, (execution, watch), give_back)
                if claim.is_settled:
                    return claim.lease, claim.found
                yield Sleep(self._clock, seconds)
                seconds = min(seconds * 1.5, 0.2)
                if seconds > LONG:
                    wait = wait or RemoteWait(leases, self.flights, key, flight)
                if wait is not None and (yield execution.do(wait.is_circular)):
                    return None, None
        finally:
            if wait is not None:
                wait.end()

    def _attempt(self, execution: Execution, watch: LeaseWait) -> Claim:
        resolved = execution.resolved
        try:
            lease = watch.attempt()
        except Exception as error:  # noqa: BLE001  # a store may raise anything; a lease only saves work
            self._diagnostics.backend_failed(resolved.cache.url, "claim a lease", error)
            return Claim(None, None, is_settled=True)
        # Even if we did not wait: another process may have put it between our look-up and our claim.
        try:
            found = resolved.cache.look(execution.key) if execution.is_plain or not execution.must_run else None
            if found is not None and not found.entry.is_fresh(self._clock.now()):
                found = None
        except BaseException:
            if lease is not None:
                watch.leases.release(lease)
            raise
        if lease is not None and found is not None:
            watch.leases.release(lease)
            lease = None
        if lease is not None and watch.took_over:
            self._diagnostics.taken_over(execution.key.text)
        return Claim(lease, found, is_settled=lease is not None or found is not None)

    def _may_serve_stale(self, entry: Entry, seconds: float) -> bool:
        return seconds > 0 and self._clock.now() < entry.expires_at + seconds

    def _fail(self, execution: Execution, error: Exception, traceback: TracebackType | None) -> Effects[End]:
        """An operation's exception, or the stale result that it allows in its place."""
        if execution.resolved.spec.stale_if_error > 0 and not is_refusal(error):
            found = yield execution.do(execution.resolved.cache.look, execution.key)
            if found is not None and self._may_serve_stale(found.entry, execution.resolved.spec.stale_if_error):
                self._count(execution.resolved, "Errors")
                return self.hit(execution.resolved, execution.call, found, execution.context, Status.STALE)
        return Failure(error, traceback)

    def _refresh_behind(self, execution: Execution) -> None:
        """Starts to recompute a stale result in a thread of its own, unless this process is already doing so."""
        if self.flights.is_under_way(execution.key.text):
            return
        behind = structs.replace(execution, context=ExecutionContext(execution.context.runtime), deep=None)
        try:
            threading.Thread(target=self._refresh, args=(behind,), name="rave-refresh", daemon=True).start()
        except RuntimeError as error:  # no more threads; the stale result still answers
            _log.warning("%s could not be refreshed in the background: %s", execution.resolved.name, error)

    def _refresh(self, execution: Execution) -> None:
        import asyncio  # only here: programs without an event loop have no use for it

        path = self._fly(execution, _LONG_AGO)
        try:
            end = asyncio.run(run_async(path)) if execution.resolved.spec.is_async else run(path)
        except Exception:  # noqa: BLE001  # nobody waits for it; the stale result serves until its window ends
            _log.exception("%s could not be refreshed in the background", execution.resolved.name)
            return
        if isinstance(end, Failure):
            log = _log.info if is_refusal(end.error) else _log.warning
            log("%s could not be refreshed in the background: %r", execution.resolved.name, end.error)
