"""One computation per key in this process: a flight, which others may join and wait for.

Flights are kept by key and never striped, since one operation may call another while it computes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from msgspec import Struct

_MANY = 64


class FlightResult(Struct, frozen=True):
    """How a flight ended, for those who waited.

    Attributes:
        error: the exception of the operation, shared by all who waited; ``None`` when there was none.
        traceback: of the error, as the body left it: each caller that raises it again adds frames to its own.
        fetch: gives each caller a value of its own if the result could not be put into the cache.
        unkept: the result is never kept, so all waiting callers run their own body, at the same time.
    """

    error: Exception | None = None
    traceback: TracebackType | None = None
    fetch: Callable[[], Any] | None = None
    unkept: bool = False


class SingleFlight:
    """A computation under way in this process.

    Attributes:
        thread: the identifier of the thread that leads it.
        needs: the flights that must land before it can: those that its body leads, and those that it waits for.
    """

    __slots__ = ("_lock", "_waiters", "flight_result", "needs", "thread")

    def __init__(self) -> None:
        self.flight_result: FlightResult | None = None
        self.thread = threading.get_ident()
        self.needs: list[SingleFlight] = []
        self._lock = threading.RLock()  # a signal handler may call an operation at any point
        self._waiters: list[Callable[[], object]] = []

    def need(self, flight: SingleFlight) -> None:
        """Notes that this flight can't land before ``flight`` has."""
        if len(self.needs) >= _MANY:
            self.needs = [each for each in self.needs if each.flight_result is None]
        self.needs.append(flight)

    def when_landed(self, waiter: Callable[[], object]) -> None:
        """Calls ``waiter`` once the flight has landed, from the landing thread; at once if it has."""
        with self._lock:
            if self.flight_result is None:
                self._waiters.append(waiter)
                return
        waiter()

    def land(self, flight_result: FlightResult) -> None:
        """Ends the flight and wakes all who wait."""
        with self._lock:
            self.flight_result = flight_result
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter()


class Flights:
    """The flights of one engine, by the text of their keys."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._flights: dict[str, SingleFlight] = {}
        self.landed = 0

    def join(self, key: str, within: SingleFlight | None = None) -> tuple[SingleFlight, bool]:
        """The flight of ``key``, and whether the caller started it and so must `land` it.

        Args:
            key: the text of the key.
            within: the flight whose body asks, if any.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = SingleFlight()
            if within is not None:
                within.need(flight)
            return flight, True

    def wait_for(self, flight: SingleFlight, within: SingleFlight | None) -> bool:
        """Notes that the body of ``within`` waits for ``flight``; ``False`` if it would wait for itself.

        It would if ``flight`` needs ``within`` to land, directly or through other flights and threads.
        """
        if within is None:
            return True
        with self._lock:
            if _needs(flight, within):
                return False
            within.need(flight)
            return True

    def needing(self, flight: SingleFlight) -> set[str]:
        """The keys of the flights that can't land before ``flight`` has, its own included."""
        with self._lock:
            return {key for key, each in self._flights.items() if _needs(each, flight)}

    def land(self, key: str, flight: SingleFlight, flight_result: FlightResult) -> None:
        """Ends a flight: the next caller that asks for ``key`` starts another."""
        with self._lock:
            self._flights.pop(key, None)
            self.landed += 1
        flight.land(flight_result)

    def is_under_way(self, key: str) -> bool:
        """Whether ``key`` is being computed now."""
        return key in self._flights

    def under_way(self) -> list[str]:
        """The texts of the keys being computed now."""
        with self._lock:
            return list(self._flights)


def _needs(flight: SingleFlight, other: SingleFlight) -> bool:
    """Whether ``flight`` can't land before ``other`` has."""
    seen, ahead = set[int](), [flight]
    while ahead:
        one = ahead.pop()
        if one is other:
            return True
        if id(one) not in seen and one.flight_result is None:
            seen.add(id(one))
            ahead += one.needs
    return False
