"""The commits of a journal as they happen, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from falcon.asgi import Request, Response, SSEvent

from rave_core.errors import StoreAwayError
from rave_journal.commits import Commit
from rave_journal.journal import Journal
from rave_journal.resources import CommitResource, JournalDesk

STREAM: Final = "text/event-stream"
_PAGE: Final = 100
_LOOK: Final = 1.0
"""Seconds between looks at whether the worker stops."""
_HEARTBEAT: Final = 10
"""Such looks between signs of life."""


class CommitStream:
    """``events``: the stream of commits for clients that accept one; for others, the document of that name."""

    def __init__(self, desk: JournalDesk, commits: CommitResource) -> None:
        """``commits`` answers for the document."""
        self._desk = desk
        self._document = commits

    async def on_get(self, req: Request, resp: Response, name: str | None = None) -> None:
        """The commits of a journal from now on, or after ``Last-Event-ID``; else the document ``events``."""
        if STREAM not in (req.get_header("Accept") or ""):
            await self._document.on_get(req, resp, "events", name)
            return
        journal, last = self._desk.journal(name), req.get_header("Last-Event-ID") or ""
        if last and not (last.isascii() and last.isdecimal() and len(last) <= 18):
            raise self._desk.context.Problem("bad-request", f"Invalid Last-Event-ID {last[:40]!r} (should be a number)")
        since = int(last) if last else await self._desk.apart(self._desk.journals.sequence)
        resp.set_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        resp.sse = self._commits(req, journal, since)

    async def on_post(self, req: Request, resp: Response, name: str | None = None) -> None:
        """Makes a commit of the body, as for any other key."""
        await self._document.on_post(req, resp, "events", name)

    async def _commits(self, req: Request, journal: Journal, since: int) -> AsyncIterator[SSEvent | None]:
        """Each commit, under its number in the store, so that a client that comes back misses none."""
        yield SSEvent(event="open", event_id=str(since), retry=1000)
        with self._desk.journals.news() as news:
            quiet = 0
            while not self._desk.context.is_stopping:
                news.clear()
                found = await self._read(journal, since)
                for sequence, commit in found:
                    since = sequence
                    if commit is not None:
                        yield SSEvent(event="commit", event_id=str(sequence), json=commit.document())
                if len(found) == _PAGE:
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), _LOOK)
                quiet = 0 if found else quiet + 1
                if quiet >= _HEARTBEAT:
                    quiet = 0
                    if not self._desk.context.may(req, "view", journal.collection):
                        return
                    yield None

    async def _read(self, journal: Journal, since: int) -> list[tuple[int, Commit | None]]:
        """The next commits after a number, ``None`` for those of others; nothing while the store is away."""
        try:
            return await self._desk.apart(lambda: self._desk.journals.commits(journal, since, _PAGE))
        except StoreAwayError:
            return []
