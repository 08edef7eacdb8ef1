"""Which jobs may join those of an executor: there is a limit for all of them, and one client's share of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rave_http.jobs.job import Job
from rave_http.protocol.problems import Problem
from rave_http.settings import ServiceSettings

_LATER = {"Retry-After": "5"}


class Admission:
    """Decides about new jobs. For the event loop of one worker."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Reads the limits from ``settings``."""
        self._queue = settings.queue
        self._share_of = settings.share_of

    def admit(self, client: str, jobs: Sequence[Job], slots: int) -> None:
        """Returns if a client may start another job.

        If there is no room, it may take that of a client who has more jobs: one that nobody waits for. Its ticket stays
        valid, and starts it again when the client asks.

        Args:
            client: who asks.
            jobs: those of the executor, the oldest first.
            slots: how many of them run at once.

        Raises:
            Problem: the client has its share (429), or there is no room (503), also if its own jobs take all of it.
        """
        own, most = sum(each.client == client for each in jobs), slots + self._queue
        if self._share_of(most) <= own < most:
            detail = f"{own} computations of yours run or wait for their turn, which is your share; ask again later"
            raise Problem("too-many-requests", detail, headers=_LATER)
        if len(jobs) < most:
            return
        given_up = _dispensable(jobs, own)
        if given_up is None:
            detail = f"{slots} computations run and {self._queue} wait for their turn; ask again a little later"
            raise Problem("busy", detail, headers=_LATER)
        given_up.task.cancel()


def _dispensable(jobs: Sequence[Job], own: int) -> Job | None:
    """The latest promised job that nobody waits for, of the client with the most jobs; ``None`` if it has few."""
    counts = Counter(each.client for each in jobs)
    biggest, most = counts.most_common(1)[0]
    if most <= own + 1:
        return None
    return next((each for each in reversed(jobs) if each.client == biggest and each.is_left), None)
