"""Requests with retries: they survive a restart of the service, a full queue, or a dropped connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import requests

from rave_http.client.ask import Ask
from rave_http.client.deadline import Deadline, Limits, backoff, jittered, now, unix_time
from rave_http.client.errors import ConnectionFailed, ServiceError, service_error
from rave_http.client.transport import Transport, logger, read_small

_MOST_CUTS: Final = 3
_LONGEST_PAUSE: Final = 300.0
_GATEWAY: Final = frozenset({502, 503, 504})


@dataclass(slots=True)
class _Outage:
    """Failures in a row.

    Attributes:
        is_known: whether the service has answered before, so that it is worth waiting for it to come back.
    """

    longest: float
    is_known: bool
    since: float | None = None
    tries: int = 0

    def bears(self, *, was_cut: bool, is_final: bool = False) -> bool:
        """Records a failure. Returns whether to ask again."""
        self.tries += 1
        self.since = now() if self.since is None else self.since
        if is_final:
            return False
        if not self.is_known:
            return was_cut and self.tries < _MOST_CUTS
        return now() - self.since < self.longest

    def end(self) -> None:
        """Records an answer."""
        self.is_known, self.since, self.tries = True, None, 0


class Requester:
    """Repeats a request while the trouble is temporary. Safe for threads."""

    def __init__(self, transport: Transport, outage: float) -> None:
        """Sends by ``transport``. Tolerates ``outage`` seconds of failures from a service that once answered."""
        self.transport = transport
        self._outage = outage

    def answer(
        self, ask: Ask, limits: Limits, *, is_known: bool = False, tell: Callable[[str], object]
    ) -> requests.Response:
        """The answer, its body still to be read: of any status but 429 and 503.

        Args:
            ask: the request.
            limits: until when.
            is_known: whether the service has answered before.
            tell: called with the reason for each retry.

        Raises:
            ConnectionFailed: there was none.
            ServiceError: the service is busy, for longer than there is time.
        """
        outage = _Outage(self._outage, is_known)
        while True:
            pause, reason = 0.0, ""
            try:
                response = self.transport.send(ask, limits.total)
            except ConnectionFailed as error:
                is_borne = outage.bears(was_cut=error.was_cut, is_final=error.is_final)
                # The service may have closed a kept-alive connection at any time, which is worth one more try.
                is_stale = error.was_cut and outage.tries == 1
                if not is_borne or (limits.ready.passed and not is_stale):
                    raise
                pause, reason = backoff(outage.tries), str(error)
            else:
                if not _is_trouble(response):
                    return response
                pause, reason = self._after(response, outage, limits.ready)
            logger.debug("asking again in %.1f s: %s", pause, reason)
            tell(reason)
            limits.ready.pause(pause)

    def _after(self, response: requests.Response, outage: _Outage, ready: Deadline) -> tuple[float, str]:
        """How long to pause after temporary trouble, and why. Raises the trouble if the pause would be too long."""
        problem = problem_of(response)
        asked = retry_after(response)
        if asked is None and response.status_code != 429:
            # A proxy whose service is away, which is an outage.
            if not outage.bears(was_cut=False):
                raise problem
            pause = backoff(outage.tries)
        else:
            outage.end()
            pause = jittered(min(max(asked or 0.0, backoff(1)), _LONGEST_PAUSE))
        if pause > ready.left:
            raise problem
        return pause, str(problem)


def problem_of(response: requests.Response) -> ServiceError:
    """The error that an answer means; its body is read for that."""
    body = read_small(response)
    return service_error(response.status_code, response.headers.get("Content-Type", ""), body, response.url)


def retry_after(response: requests.Response) -> float | None:
    """Seconds that ``Retry-After`` asks for, never negative; ``None`` if it is absent or can't be read."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - unix_time(), 0.0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _is_trouble(response: requests.Response) -> bool:
    """Whether the answer says to come back, or comes from a proxy whose service does not answer."""
    status = response.status_code
    if status in (429, 503):
        return True
    return status in _GATEWAY and "json" not in response.headers.get("Content-Type", "").lower()
