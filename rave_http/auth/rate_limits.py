"""How many jobs one principal may start. Kept results cost nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError
from rave_http.auth.asker import Asker
from rave_http.auth.authorization import Principal
from rave_http.protocol.problems import Problem
from rave_http.settings import ServiceSettings

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import SlidingWindowCounterRateLimiter

_RIGHT = "write e.g. '60/minute', or several as in '10 per second; 500 per hour'"


class Rates:
    """Counts the jobs that each principal starts; the anonymous by address, or by /64 network with IPv6.

    Workers do not share their counts: each allows its share, the limit divided by the number of workers and rounded
    up. So no more than the limit is started in all (or one per worker, where the limit is smaller than their number),
    but a client that asks one worker only, as by one connection kept open, is stopped at that worker's share.

    The window slides: the previous window counts for the part that still overlaps (the sliding window counter of
    `limits`). Not safe for threads: it belongs to the event loop, where it takes microseconds.
    """

    def __init__(self, text: str, *, workers: int = 1, origin: str = "settings") -> None:
        """Reads the limits in ``text``; empty for none.

        Args:
            text: as in ``60/minute`` or ``10 per second; 500 per hour``.
            workers: among how many the limits are divided.
            origin: the source of the text.

        Raises:
            ConfigurationError: it can't be read; the message says what would be right.
        """
        self._text = text
        self._limits: list[RateLimitItem] = []
        if text:
            self._limits = [_share(limit, workers) for limit in _parsed(text, origin)]
            self._limiter = _limiter()

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """The limits of the settings, as one worker applies them.

        Raises:
            ConfigurationError: they can't be read.
        """
        origin = settings.origins.get("rate_limit", "settings")
        return cls(settings.rate_limit, workers=settings.workers, origin=origin)

    def take(self, principal: Principal, client: str) -> None:
        """Counts one job of ``principal``, who asks from the address ``client``.

        Raises:
            Problem: ``too-many-requests``, and nothing is counted.
        """
        if not self._limits:
            return
        asker = Asker.of(principal, client)
        who = asker.kind, asker.value
        seconds = [self._wait(limit, who) for limit in self._limits if not self._limiter.test(limit, *who)]
        if seconds:
            raise Problem(
                "too-many-requests",
                f"computations are limited to {self._text} for each user; ask again in {max(seconds)} s",
                headers={"Retry-After": str(max(seconds))},
            )
        for limit in self._limits:
            self._limiter.hit(limit, *who)

    def _wait(self, limit: RateLimitItem, who: tuple[str, str]) -> int:
        """Whole seconds until one more is allowed."""
        until = self._limiter.get_window_stats(limit, *who).reset_time
        # The library uses the machine's clock and accepts no other.
        return max(math.ceil(until - SystemClock().now()), 1)


def _parsed(text: str, origin: str) -> list[RateLimitItem]:
    from limits import parse_many  # takes a tenth of a second, which only services with a limit should pay

    try:
        limits = parse_many(text)
    except ValueError as error:
        raise ConfigurationError(f"{origin}: 'rate_limit' is {text!r}: {_RIGHT}") from error
    if any(not limit.amount for limit in limits):
        raise ConfigurationError(
            f"{origin}: 'rate_limit' is {text!r}, which allows nothing: {_RIGHT}; to let users compute nothing, "
            "leave out the permission 'run' instead"
        )
    return limits


def _share(limit: RateLimitItem, workers: int) -> RateLimitItem:
    return type(limit)(math.ceil(limit.amount / workers), limit.multiples)


def _limiter() -> SlidingWindowCounterRateLimiter:
    from limits.storage import MemoryStorage
    from limits.strategies import SlidingWindowCounterRateLimiter

    return SlidingWindowCounterRateLimiter(MemoryStorage())
