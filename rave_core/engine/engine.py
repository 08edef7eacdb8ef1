"""The data path: look up, else compute once and keep.

There is one description of the path, a generator of steps, and two ways to walk it: `Engine.resolve` in the
caller's thread, and `Engine.resolve_async` in an event loop, which never waits for a disk or a lock itself.

    fresh in the cache?  →  one flight per key in this process  →  one lease per key among processes
    →  look again  →  run the body  →  when does it expire?  →  encode, put  →  land

Trouble in a cache never costs an answer: every failure of a store is reported, and the path goes on without it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from rave_core.clock import Clock
from rave_core.engine.compute import Producer, Ran
from rave_core.engine.context import DeepRefresh, Scope
from rave_core.engine.effects import Do, Path, Pause, Runner, Take, Wait, walk, walk_async
from rave_core.engine.execution import Desk, Trip
from rave_core.engine.single_flight import Flight, Flights, Landing
from rave_core.expiry import nocache
from rave_core.model import PLAIN, Call, Entry, Key, Options, Outcome, Status
from rave_core.storage.cache import Cache, Found, Place
from rave_core.storage.leases import Lease, Leases, Watch
from rave_core.storage.product_cache import Target
from rave_core.telemetry.diagnostics import Reports

_log = logging.getLogger("rave")
_LONG_AGO = -1
"""A count of landings for a look of which it is not known when it was: any result may have landed since."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A path's end at an operation's own exception. (Raised inside a generator, a StopIteration would be lost.)"""

    error: Exception


@dataclass(frozen=True, slots=True)
class Claim:
    """What an attempt to claim a key gave: the lease, or what another process put meanwhile, or neither.

    Attributes:
        is_settled: whether to go on; if not, another process holds the lease. Neither, and settled: the store is in
            trouble, and the body runs without a lease.
    """

    lease: Lease | None
    found: Found | None
    is_settled: bool


End: TypeAlias = Outcome[Any] | Failure


class Engine:
    """Answers calls. Safe for many threads and event loops at once."""

    def __init__(self, clock: Clock, reports: Reports, producer: Producer) -> None:
        self.flights = Flights()
        self._clock = clock
        self._reports = reports
        self._statistics = reports.statistics.namespace
        self._producer = producer

    def resolve(self, desk: Desk, call: Call, options: Options, scope: Scope) -> Outcome[Any]:
        """Answers ``call`` in this thread.

        Raises:
            Exception: whatever the operation's body raises.
            ProductError: a file operation wrote nothing, or ``tofile`` can't be written.
            RaveError: in strict mode, where a result could not be kept.
        """
        landed = self.flights.landed
        found = None
        if call.key is not None and options is PLAIN and scope.deep is None:
            found = self.look(desk.cache, call.key)
            if found is not None and found.entry.is_fresh(self._clock.now()):
                return self.hit(desk, call, found, scope)
        return self._ended(desk, walk(self._path(desk, call, options, scope, found, landed)))

    async def resolve_async(self, desk: Desk, call: Call, options: Options, scope: Scope) -> Outcome[Any]:
        """As `resolve`, for an operation whose body is a coroutine function."""
        landed = self.flights.landed
        found = None
        if call.key is not None and options is PLAIN and scope.deep is None:
            found = await Do(desk.cache.blocking, self.look, desk.cache, call.key).perform_async()
            if found is not None and found.entry.is_fresh(self._clock.now()):
                return self.hit(desk, call, found, scope)
        return self._ended(desk, await walk_async(self._path(desk, call, options, scope, found, landed)))

    async def compute_async(self, desk: Desk, call: Call, options: Options, scope: Scope, run: Runner) -> Outcome[Any]:
        """As `resolve_async`, for a call that the kept results did not answer: a stale one is made anew at once.

        The caller may have looked long ago. What has landed since answers the call, unless it asks for a refresh.

        Args:
            desk, call, options, scope: as there.
            run: runs the body, coroutine function or not.
        """
        return self._ended(desk, await walk_async(self._path(desk, call, options, scope, None, _LONG_AGO), run))

    def _ended(self, desk: Desk, end: End) -> Outcome[Any]:
        if isinstance(end, Failure):
            self._count(desk, "Errors")
            raise end.error
        return end

    def _count(self, desk: Desk, what: str, by: float = 1) -> None:
        if self._statistics["Enabled"]:
            desk.record[what] += by

    def look(self, cache: Cache, key: Key) -> Found | None:
        """What is kept under ``key``, fresh or not; trouble in the store is reported, and gives ``None``."""
        try:
            return cache.find(key)
        except Exception as error:  # noqa: BLE001  # a store may raise anything, and the answer can be computed
            self._reports.backend_failed(cache.url, "read an entry", error)
            return None

    def hit(self, desk: Desk, call: Call, found: Found, scope: Scope, status: Status = Status.HIT) -> Outcome[Any]:
        """The answer that is a kept result: counted, and noted as one that the surrounding computation needs."""
        if scope.is_computing:
            scope.children[found.entry.key] = None
        call.held = found.held if status is Status.HIT else None
        self.count_hit(desk, found.entry, status)
        return Outcome(found.value, status, call.key, found.entry)

    def count_hit(self, desk: Desk, entry: Entry, status: Status = Status.HIT) -> None:
        """Counts a kept result that answered a call."""
        if self._statistics["Enabled"]:
            desk.record["Hits" if status is Status.HIT else "Stale"] += 1
            desk.record["Seconds Saved"] += entry.seconds

    def _path(
        self, desk: Desk, call: Call, options: Options, scope: Scope, found: Found | None, landed: int
    ) -> Path[End]:
        """The whole way of a call that was not answered at first sight; ``found`` is a stale result already seen."""
        deep = DeepRefresh() if options.deep_refresh else scope.deep
        if options.tofile is not None:
            return (yield from self._uncached(desk, call, scope, deep, Target(options.tofile)))
        if call.key is None or desk.strategy is nocache:
            if options.dry_run:
                return Outcome(None, Status.MISS, call.key)
            return (yield from self._uncached(desk, call, scope, deep, desk.cache))
        trip = Trip(desk, call, call.key, options, scope, deep)
        if scope.is_computing:
            scope.children[trip.key.text] = None
        if found is None and (options is not PLAIN or deep is not None) and not trip.must_run:
            found = yield trip.do(self.look, desk.cache, trip.key)
        if found is not None and found.entry.is_fresh(self._clock.now()):
            return self.hit(desk, call, found, scope)
        if options.dry_run:
            return Outcome(None, Status.MISS, trip.key)
        if found is not None and self._may_serve_stale(found.entry, desk.spec.stale_while_revalidate):
            self._refresh_behind(trip)
            return self.hit(desk, call, found, scope, Status.STALE)
        return (yield from self._fly(trip, landed))

    def _uncached(self, desk: Desk, call: Call, scope: Scope, deep: DeepRefresh | None, place: Place) -> Path[End]:
        ran = yield from self._producer.run(desk, call, scope, deep, place)
        if scope.is_computing:
            scope.children.update(dict.fromkeys(ran.children))
        if ran.error is not None:
            return Failure(ran.error)
        self._count(desk, "Uncached")
        return Outcome(ran.value, Status.UNCACHED, call.key)

    def _fly(self, trip: Trip, landed: int) -> Path[End]:
        """Joins the flight of the key until there is an answer, or leads one."""
        desk, call, text = trip.desk, trip.call, trip.key.text
        if trip.scope.is_within(text):
            return (yield from self._uncached(desk, call, trip.scope, trip.deep, desk.cache))
        while True:
            flight, leads = self.flights.join(text)
            if leads:
                try:
                    return (yield from self._lead(trip, flight, landed))
                finally:
                    if flight.landing is None:  # the stack was at its end: here there is as much of it as for joining
                        self.flights.land(text, flight, Landing())
            landing = yield Wait(flight)
            if trip.must_run:
                continue
            if landing.error is not None:
                return (yield from self._fail(trip, landing.error))
            found = yield trip.do(self.look, desk.cache, trip.key)
            if found is not None and found.entry.is_fresh(self._clock.now()):
                return self.hit(desk, call, found, trip.scope)
            if landing.fetch is not None:
                return Outcome(landing.fetch(), Status.UNCACHED, trip.key)
            if landing.unkept:
                return (yield from self._uncached(desk, call, trip.scope, trip.deep, desk.cache))

    def _lead(self, trip: Trip, flight: Flight, landed: int) -> Path[End]:
        """Runs the body for all who wait, once here and, where the store has leases, once among processes."""
        desk = trip.desk
        landing, lease = Landing(), None
        try:
            if desk.leases is not None:
                lease, found = yield from self._claim(trip, desk.leases)
            else:
                # Someone may have landed between our look and our flight.
                look = landed != self.flights.landed and not trip.must_run
                found = (yield trip.do(self._look_fresh, trip)) if look else None
            if found is not None:
                return self.hit(desk, trip.call, found, trip.scope)
            ran = yield from self._producer.run(desk, trip.call, trip.scope, trip.deep, desk.cache, lease)
            if ran.error is not None:
                landing = Landing(error=ran.error)
                return (yield from self._fail(trip, ran.error))
            kept: tuple[Outcome[Any], Landing] = yield trip.do(self._finish, trip, ran, lease)
            outcome, landing = kept
            lease = None
            return outcome
        finally:
            try:
                if lease is not None:
                    lease.is_over = True  # so that a heartbeat gives it back where the stack is at its end
                    self._release(desk, lease)
            finally:
                self.flights.land(trip.key.text, flight, landing)

    def _look_fresh(self, trip: Trip) -> Found | None:
        found = self.look(trip.desk.cache, trip.key)
        return found if found is not None and found.entry.is_fresh(self._clock.now()) else None

    def _finish(self, trip: Trip, ran: Ran, lease: Lease | None) -> tuple[Outcome[Any], Landing]:
        kept = self._producer.keep(trip, ran)
        if trip.deep is not None:
            trip.deep.done.add(trip.key.text)
        if lease is not None:
            self._release(trip.desk, lease)
        return kept

    def _claim(self, trip: Trip, leases: Leases) -> Path[tuple[Lease | None, Found | None]]:
        """The lease of the key, or what another process made of it; neither where the store is in trouble."""
        desk = trip.desk
        watch = leases.watch(trip.key.text, desk.name)
        seconds = 0.002

        def give_back(claim: Claim) -> None:
            if claim.lease is not None:
                self._release(desk, claim.lease)

        while True:
            claim: Claim = yield Take(desk.cache.blocking, give_back, self._attempt, trip, watch)
            if claim.is_settled:
                return claim.lease, claim.found
            yield Pause(self._clock, seconds)
            seconds = min(seconds * 1.5, 0.2)

    def _attempt(self, trip: Trip, watch: Watch) -> Claim:
        desk = trip.desk
        try:
            lease = watch.attempt()
        except Exception as error:  # noqa: BLE001  # a store may raise anything; a lease only saves work
            self._reports.backend_failed(desk.cache.url, "claim a lease", error)
            return Claim(None, None, is_settled=True)
        # Even without having waited: another process may have put it between our look and our claim.
        try:
            found = None if trip.must_run else self._look_fresh(trip)
        except BaseException:
            if lease is not None:
                self._release(desk, lease)
            raise
        if lease is not None and found is not None:
            self._release(desk, lease)
            lease = None
        if lease is not None and watch.took_over:
            self._reports.taken_over(trip.key.text)
        return Claim(lease, found, is_settled=lease is not None or found is not None)

    def _release(self, desk: Desk, lease: Lease) -> None:
        try:
            if desk.leases is not None:
                desk.leases.release(lease)
        except Exception as error:  # noqa: BLE001  # it ends by itself within the lease time
            self._reports.backend_failed(desk.cache.url, "release a lease", error)

    def _may_serve_stale(self, entry: Entry, seconds: float) -> bool:
        return seconds > 0 and self._clock.now() < entry.expires_at + seconds

    def _fail(self, trip: Trip, error: Exception) -> Path[End]:
        """An operation's exception, or the stale result that it allows in its place."""
        if trip.desk.spec.stale_if_error > 0:
            found = yield trip.do(self.look, trip.desk.cache, trip.key)
            if found is not None and self._may_serve_stale(found.entry, trip.desk.spec.stale_if_error):
                self._count(trip.desk, "Errors")
                return self.hit(trip.desk, trip.call, found, trip.scope, Status.STALE)
        return Failure(error)

    def _refresh_behind(self, trip: Trip) -> None:
        """Starts to make a stale result anew in a thread of its own, unless that is under way here already."""
        if self.flights.is_under_way(trip.key.text):
            return
        behind = replace(trip, scope=Scope(trip.scope.runtime), deep=None)
        try:
            threading.Thread(target=self._refresh, args=(behind,), name="rave-refresh", daemon=True).start()
        except RuntimeError as error:  # no more threads; the stale result is an answer all the same
            _log.warning("%s could not be refreshed behind its caller: %s", trip.desk.name, error)

    def _refresh(self, trip: Trip) -> None:
        path = self._fly(trip, _LONG_AGO)
        try:
            end = asyncio.run(walk_async(path)) if trip.desk.spec.is_async else walk(path)
        except Exception:  # noqa: BLE001  # nobody waits for it; the stale result serves until its window ends
            _log.exception("%s could not be refreshed behind its caller", trip.desk.name)
            return
        if isinstance(end, Failure):
            _log.warning("%s could not be refreshed behind its caller: %r", trip.desk.name, end.error)
