"""The connections of one worker: how many there may be, of all clients and of one."""

from __future__ import annotations

import logging
import resource
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from rave_core.clock import Clock, SystemClock
from rave_http.protocol.proxies import Proxies, site_of
from rave_http.settings import ServiceSettings

_SPARE: Final = 512
"""Descriptors that a worker needs besides those of connections: files, stores, threads, child processes."""
_COMPLAINTS: Final = 60.0  # seconds between two complaints of the same kind
_log = logging.getLogger("rave.server")


class OpenConnection(Protocol):
    """What the register needs of a connection."""

    def leave(self) -> None:
        """Closes it."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of a request has come that is not answered."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection is not admitted.

    Attributes:
        slug: the kind of problem; ``detail`` says more.
        is_final: whether there is not even room to answer.
    """

    slug: str
    detail: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection, one client and all of them may take of one worker.

    Attributes:
        header_time: seconds for the head of a request.
        stall_time: seconds without progress while a client reads an answer.
        most: connections; ``most_of_one``: those of one client.
        proxies: that bring the requests of many clients.
    """

    header_time: float
    stall_time: float
    most: int
    most_of_one: int
    proxies: Proxies

    @classmethod
    def of(cls, settings: ServiceSettings, descriptors: int) -> Self:
        """The limits of the settings, where the process may have so many ``descriptors`` open."""
        most = min(settings.max_connections, max(descriptors - _SPARE, descriptors // 2))
        if most < settings.max_connections:
            _log.warning(
                "each worker takes %d connections only, not max_connections = %d: it may open %d files (ulimit -n)",
                most,
                settings.max_connections,
                descriptors,
            )
        proxies = Proxies(settings.trusted_proxies)
        return cls(settings.header_time, settings.stall_time, most, settings.share_of(most), proxies)


@dataclass
class Connections:
    """The connections of one worker. For its event loop.

    Attributes:
        idle: those that wait for a next request, the one that waits longest first.
    """

    limits: ConnectionLimits
    clock: Clock = field(default_factory=SystemClock)
    idle: dict[OpenConnection, None] = field(default_factory=dict)
    _sites: dict[OpenConnection, str] = field(default_factory=dict)
    _count: Counter[str] = field(default_factory=Counter)
    _complained_at: dict[str, float] = field(default_factory=dict)

    def admit(self, connection: OpenConnection, peer: str) -> Refusal | None:
        """Takes a connection into account; why it can't be served, or ``None``. An idle one makes room for it.

        Args:
            connection: a new one.
            peer: its address, empty on a Unix socket.
        """
        site = "" if self.limits.proxies.trust(peer) else site_of(peer)
        self._sites[connection] = site
        self._count[site] += 1
        if site and self._count[site] > self.limits.most_of_one < self.limits.most:
            self.complain("connections of %s are refused: it has %d", site, self.limits.most_of_one)
            detail = f"You have {self.limits.most_of_one} connections to this worker, and may not have more"
            return Refusal("too-many-requests", detail, is_final=self._is_beyond)
        if len(self._sites) > self.limits.most and not self.close_idle():
            self.complain("connections are refused: this worker has %d, all in use", self.limits.most)
            return Refusal("busy", "All connections of this worker are in use; ask again", is_final=self._is_beyond)
        return None

    def release(self, connection: OpenConnection) -> None:
        """Forgets a connection that is closed. Calling it twice is harmless."""
        self.idle.pop(connection, None)
        site = self._sites.pop(connection, None)
        if site is not None:
            self._count[site] -= 1
            if not self._count[site]:
                del self._count[site]

    def close_idle(self) -> bool:
        """Closes the connection that has waited longest for a next request. Returns whether there was one."""
        oldest = next(iter(self.idle), None)
        if oldest is None:
            return False
        self.release(oldest)
        oldest.leave()
        return True

    def close_quiet(self) -> None:
        """Closes all connections on which no request is under way."""
        for each in [each for each in self._sites if each.is_quiet]:
            each.leave()

    def complain(self, message: str, *values: object) -> None:
        """Logs a complaint, each kind once a minute at most: there may be thousands in a second."""
        now = self.clock.monotonic()
        if now - self._complained_at.get(message, -_COMPLAINTS) >= _COMPLAINTS:
            self._complained_at[message] = now
            _log.warning(message, *values)

    @property
    def _is_beyond(self) -> bool:
        """Whether so many are refused at once that there is no room for their answers."""
        return len(self._sites) > self.limits.most + self.limits.most // 8 + 8


def allow_descriptors(wanted: int) -> int:
    """Lets this process open ``wanted`` files besides some spare ones, if that is allowed; how many it may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted + _SPARE
    if soft < wanted + _SPARE:
        soft = wanted + _SPARE if hard == resource.RLIM_INFINITY else min(wanted + _SPARE, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
