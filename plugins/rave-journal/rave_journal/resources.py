"""What answers below ``/-/journal``: lists, commits and their metadata.

Coroutines of the worker's own loop answer. What memory has, they send at once; the store is asked in threads.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from falcon.asgi import Request, Response

from rave_core.documents import Conflict
from rave_core.errors import InvalidDocumentError
from rave_http.hookspecs import ResourceContext
from rave_http.settings import ServiceSettings
from rave_journal.answers import listed, send_conflict, send_document, send_payload
from rave_journal.commits import Commit
from rave_journal.headers import YES, HeaderError, draft_of, flag_of
from rave_journal.journal import Draft, Journal
from rave_journal.mirrored import MirroredJournals
from rave_journal.validation import CheckAwayError

T = TypeVar("T")
_HIDDEN: Final = "there is nothing here that you may see"  # as the service says of what is hidden
_VERSION: Final = re.compile(r"[0-9]{1,18}")
_TAG: Final = re.compile(r'"([0-9]{1,18})"')
_THREADS: Final = 8


class JournalDesk:
    """What all resources share: the journals, and threads that ask the store."""

    def __init__(self, context: ResourceContext, journals: MirroredJournals, default: str) -> None:
        """Answers for some journals; ``default`` is the one that a path without a name means."""
        self.context = context
        self.journals = journals
        self._default = default
        self._listing = ServiceSettings.of(context.settings).namespaces
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rave-journal")

    def journal(self, name: str | None) -> Journal:
        """The journal that a path names.

        Raises:
            Problem: there is none.
        """
        found = self.journals.find(self._default if name is None else name)
        if found is None:
            raise self.context.Problem("not-found", _HIDDEN)
        return found

    def guard(self, req: Request, journal: Journal) -> None:
        """Returns if the request may commit to a journal that says which code the service runs, or to any other one.

        Raises:
            Problem: it says so, and nobody vouches for who asks, or they may not ``reload`` in its namespace.
        """
        if journal.collection != self._listing:
            return
        if self.context.principal(req).kind == "anonymous":
            self.context.audit(req, "commit", allowed=False)
            raise self.context.Problem("forbidden", f"{journal.collection} lists what is served: sign in to change it")
        self.context.require(req, "reload", journal.collection)

    async def apart(self, function: Callable[[], T]) -> T:
        """What a function returns that may wait for the store."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    async def found(self, req: Request, journal: Journal, key: str, version: str | None) -> tuple[Commit, bool]:
        """A commit, and whether it comes from memory, which a client may rule out with ``Cache-Control: no-cache``.

        Raises:
            Problem: there is none.
        """
        if version:
            number = int(version) if _VERSION.fullmatch(version) else 0
            commit, is_seen = await self.apart(lambda: journal.get(key, number)), False
        elif "no-cache" in (req.get_header("Cache-Control") or ""):
            commit, is_seen = await self.apart(lambda: journal.get(key)), False
        else:
            commit = self.journals.seen(journal, key)
            is_seen = commit is not None
            if commit is None:
                commit, is_seen = await self.apart(lambda: self.journals.head(journal, key))
        if commit is None:
            raise self.context.Problem("not-found", "Key not found")
        return commit, is_seen

    def tell_source(self, resp: Response, *, is_seen: bool) -> None:
        """Says that an answer comes from memory, and how late it may be if memory can't follow the store."""
        if is_seen:
            resp.set_header("X-Rainer-Cached", YES)
            delay = self.journals.delay()
            if delay:
                resp.set_header("Age", str(int(delay) + 1))


class CommitList:
    """The newest commit of each key."""

    def __init__(self, desk: JournalDesk) -> None:
        self._desk = desk

    async def on_get(self, req: Request, resp: Response, name: str | None = None) -> None:
        """The newest commits of a journal, by key.

        Tombstones are left out, unless ``all`` is true; ``payload_utf8`` and ``payload_base64`` add the payloads.
        """
        journal = self._desk.journal(name)
        deleted, utf8, base64 = (self._flag(req, each) for each in ("all", "payload_utf8", "payload_base64"))

        def read() -> dict[str, object]:
            heads = self._desk.journals.heads(journal, deleted=deleted)
            return {head.key: listed(head, utf8=utf8, base64=base64) for head in heads}

        send_document(resp, await self._desk.apart(read))
        self._desk.tell_source(resp, is_seen=True)

    def _flag(self, req: Request, name: str) -> bool:
        values = req.get_param_as_list(name) or ["no"]
        try:
            [flag] = {flag_of(value) for value in values}
        except ValueError:
            raise self._desk.context.Problem("bad-request", f"Invalid '{name}' parameter (should be boolean)") from None
        return flag


class CommitMetadata:
    """What is known of a commit."""

    def __init__(self, desk: JournalDesk) -> None:
        self._desk = desk

    async def on_get(
        self, req: Request, resp: Response, key: str, name: str | None = None, version: str | None = None
    ) -> None:
        """What is known of a commit, the newest one by default, without its payload."""
        commit, is_seen = await self._desk.found(req, self._desk.journal(name), key, version)
        send_document(resp, commit.document())
        self._desk.tell_source(resp, is_seen=is_seen)


class CommitResource:
    """One commit: its payload, and how to make the next."""

    def __init__(self, desk: JournalDesk, commits: CommitList) -> None:
        """``commits`` answers for the path that ends in a slash."""
        self._desk = desk
        self._list = commits

    async def on_get(
        self, req: Request, resp: Response, key: str, name: str | None = None, version: str | None = None
    ) -> None:
        """The payload of a commit, byte for byte; the newest one by default. A tombstone is empty."""
        if not key:
            await self._list.on_get(req, resp, name)
            return
        commit, is_seen = await self._desk.found(req, self._desk.journal(name), key, version)
        send_payload(req, resp, commit)
        self._desk.tell_source(resp, is_seen=is_seen)

    async def on_post(
        self, req: Request, resp: Response, key: str, name: str | None = None, version: str | None = None
    ) -> None:
        """Makes a commit of the body: the version in the path, or the one that follows from the conditions."""
        journal, context = self._desk.journal(name), self._desk.context
        self._desk.guard(req, journal)
        try:
            draft = self._draft(req, key, version)
            saved = await self._desk.apart(lambda: self._desk.journals.commit(journal, draft))
        except Conflict as conflict:
            context.audit(req, "commit", allowed=False)
            status = "409 Conflict" if version else "412 Precondition Failed"
            send_conflict(context, req, resp, conflict, status=status)
        except CheckAwayError as error:
            raise context.Problem("busy", str(error), headers={"Retry-After": "5"}) from None
        except (HeaderError, InvalidDocumentError) as error:
            context.audit(req, "commit", allowed=False)
            raise context.Problem("bad-request", str(error)) from None
        else:
            context.audit(req, "commit")
            send_document(resp, saved.document())

    def _draft(self, req: Request, key: str, version: str | None) -> Draft:
        asker = self._desk.context.principal(req)
        return draft_of(
            req.headers_lower,
            self._desk.context.read_body(req),
            key=key,
            version=_version_of(req, version),
            principal=None if asker.kind == "anonymous" else asker.name,
        )


def _version_of(req: Request, version: str | None) -> int:
    """The version that a commit shall become.

    Raises:
        HeaderError: the path does not say, nor do the conditions; or they contradict each other.
    """
    found = {_number(version)} if version else set[int]()
    if (match := req.get_header("If-Match")) is not None:
        tag = _TAG.fullmatch(match.strip())
        if tag is None:
            raise HeaderError(f'Malformed header: If-Match is {match!r}, expected one version in quotes, such as "3"')
        found.add(int(tag[1]) + 1)
    if (none := req.get_header("If-None-Match")) is not None:
        if none.strip() != "*":
            raise HeaderError(f"Malformed header: If-None-Match is {none!r}, expected *")
        found.add(1)
    if len(found) != 1:
        raise HeaderError(
            "Conditions that contradict each other or the URL"
            if found
            else "Missing version: post to KEY/VERSION, or send If-Match or If-None-Match"
        )
    return found.pop()


def _number(version: str) -> int:
    if not _VERSION.fullmatch(version):
        raise HeaderError(f"Invalid version {version!r} (should be a positive integer)")
    return int(version)
