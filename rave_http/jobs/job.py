"""A job: one run under way, as waiting requests and status pages see it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from rave_core.engine.context import Cancellation
from rave_core.engine.execution import ResolvedOperation
from rave_core.model import PLAIN, Call, Options, Outcome, Progress
from rave_core.storage.lease_record import LeaseRecord
from rave_http.auth.asker import Asker
from rave_http.description.request_arguments import Asked
from rave_http.jobs.tickets import Failed, StoredTicket

_LOOK: Final = 0.02


class Job:
    """One run under way, or one that ended a moment ago.

    Attributes:
        name: ``namespace/operation``.
        asked: the call as it was written.
        started_at: Unix seconds; ``began`` is the monotonic time at which it got its place, ``None`` before.
        progress: the latest report, or ``None``.
        failed: how it failed, once it did.
        is_elsewhere: whether another process, or another body in this one, currently makes the product.
        is_running: whether its own body runs or has run; until then another process may have made the product.
        promised_at: when the first ticket for it was issued, in Unix seconds; ``None`` while there is none.
        is_resumed: whether it was started for the sake of a ticket that nobody made the product of any more.
        is_suspect: whether its process died when its body ran last: that or another one has killed it.
        may_be_kept: whether its body has ended, so that the caches may have its result before the job ends.
        is_made: whether it ended with a result.
        is_counted: whether its ticket says that its body runs.
        is_stale: whether it failed and answers with a stale result.
        waiting: requests that wait for it.
        user: who started it; ``None`` if the service did, to refresh a result or to resume a job.
        askers: who wants its result, except those that only follow a ticket.
        cancelled: why its run was given up: by whom it was cancelled, or how it failed elsewhere meanwhile; ``None`` if
            it was not.
        cancellation: ends its bodies as far as that can be done.
    """

    def __init__(
        self,
        name: str,
        asked: Asked,
        resolved: ResolvedOperation,
        call: Call,
        options: Options,
        started_at: float,
        user: Asker | None = None,
    ) -> None:
        self.name = name
        self.asked = asked
        self.resolved = resolved
        self.call = call
        self.options = options
        self.started_at = started_at
        self.began: float | None = None
        self.ended: float | None = None
        self.progress: Progress | None = None
        self.failed: Failed | None = None
        self.is_elsewhere = self.is_running = False
        self.promised_at: float | None = None
        self.is_resumed = self.is_suspect = False
        self.may_be_kept = self.is_made = self.is_counted = self.is_stale = False
        self.waiting = 0
        self.user = user
        self.askers: set[Asker] = set() if user is None else {user}
        self.cancelled: Failed | None = None
        self.cancellation = Cancellation()
        self.task: asyncio.Task[Outcome[Any]]
        self._counting = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._news, self._is_told = list[asyncio.Event](), True

    @property
    def status(self) -> str:
        """``queued`` until its body runs, then ``making``; also ``making`` while another run makes the product."""
        return "making" if self.is_running or self.is_elsewhere else "queued"

    @property
    def is_promised(self) -> bool:
        """Whether a ticket was issued for it."""
        return self.promised_at is not None

    @property
    def has_left_bodies(self) -> bool:
        """Whether bodies of it may still run after it ended: those that nothing can end from outside."""
        return self.cancellation.bodies > 0

    @property
    def client(self) -> str:
        """Who started it, as limits count clients; empty if the service did."""
        return "" if self.user is None else self.user.identity

    @property
    def is_left(self) -> bool:
        """Whether nobody would notice its end: it has no place yet, and only tickets refer to it, not requests."""
        return self.began is None and self.is_promised and not self.waiting

    @property
    def key(self) -> str | None:
        """The text of its key; ``None`` if it has none."""
        return self.call.key.text if self.call.key is not None else None

    def is_answered_by(self, ticket: StoredTicket) -> bool:
        """Whether the outcome that a ticket records is that of this job too: it came from elsewhere while this waited.

        Another worker takes over what waits for its turn here, if a client asks it for the ticket.
        """
        if ticket.ended_at is None:
            return False
        return self.is_resumed or (self.options is PLAIN and ticket.ended_at >= self.started_at)

    async def count(self, begin: Callable[[str, float], bool]) -> None:
        """Records once in its ticket that its body runs. Both the body's start and the first ticket ask for that.

        Args:
            begin: writes the record for a key in a thread, with the seconds since the job got its place, and returns
                whether there is a ticket yet.
        """
        async with self._counting:
            if not self.is_counted and self.key is not None:
                seconds = 0.0 if self.began is None else self._loop.time() - self.began
                self.is_counted = await asyncio.to_thread(begin, self.key, seconds)

    async def promise(self, give: Callable[[], StoredTicket], begin: Callable[[str, float], bool]) -> None:
        """Has its ticket written. Its body does not begin meanwhile: it may kill this process, and that has to count.

        Args:
            give: writes the ticket in a thread.
            begin: as for `count`.
        """
        self.promised_at = self.started_at  # it may end before the ticket is written
        async with self._counting:
            self.promised_at = (await asyncio.to_thread(give)).created_at
        if self.is_running:
            await self.count(begin)

    async def cancel(self, failed: Failed, seconds: float, *, ends_bodies: bool) -> bool:
        """Stops the job. Waits for its bodies to end, ``seconds`` at most. Returns whether they did.

        A queued job never runs. A body in a child process is killed, and a coroutine is cancelled. Any other body ends
        when it next reports progress or calls an operation that has to run; its result is dropped.

        Args:
            failed: by whom it was cancelled, and when.
            seconds: how long to wait.
            ends_bodies: whether its executor is sure to end them.
        """
        self.cancelled = failed
        self.cancellation.ask()
        self.task.cancel()
        end = self._loop.time() + seconds
        await asyncio.wait({self.task}, timeout=seconds)
        while self.has_left_bodies and self._loop.time() < end:
            await asyncio.sleep(_LOOK)
        is_sure = ends_bodies or self.cancellation.was_here or not self.is_running
        return is_sure and self.task.done() and not self.has_left_bodies

    def listen(self, _operation: str, progress: Progress) -> None:
        """Takes a report of progress, from any thread."""
        self.progress = progress
        if self._is_told:
            self._is_told = False
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                self._loop.call_soon_threadsafe(self.tell)

    def follow(self, holder: LeaseRecord | None) -> None:
        """Takes over the progress that another process reports in its lease; ``None`` if it is unknown."""
        if holder is None or holder.done is None:
            return
        progress = Progress(holder.done, holder.total, holder.text)
        if progress != self.progress:
            self.listen(holder.operation, progress)

    def tell(self) -> None:
        """Wakes the tasks that wait for news."""
        self._is_told = True
        for event in self._news:
            event.set()

    @contextlib.contextmanager
    def news(self) -> Iterator[asyncio.Event]:
        """An event that is set at each news of the job; the task that waits clears it."""
        event = asyncio.Event()
        self._news.append(event)
        try:
            yield event
        finally:
            self._news.remove(event)


def progress_document(progress: Progress) -> dict[str, Any]:
    """How far a job is, as tickets have it."""
    return {"done": progress.done, "total": progress.total, "text": progress.text}
