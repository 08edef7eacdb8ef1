"""``/-/calls`` and the like: documents that users save and share, for programs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
from falcon.asgi import Request, Response

from rave_core.documents import Conflict
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.sharing import Sharing, checked
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write, is_unchanged
from rave_http.protocol.json_bodies import from_json
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, send_json
from rave_http.protocol.times import iso
from rave_http.worker.saved_documents import SavedDocument, SavedDocuments

_NAME: Final = re.compile(r"[^/?#\x00-\x1f\x7f]{1,100}")
_NOT_IN_NAMES: Final = re.compile(r"[^\w.-]+")


class _Shared(Protocol):
    @property
    def title(self) -> str: ...

    @property
    def shared(self) -> list[str]: ...


T = TypeVar("T", bound=_Shared)


@dataclass(frozen=True, slots=True)
class Opened(Generic[T]):
    """A document that can be read.

    Attributes:
        saved: the version.
        content: what it says; ``None`` if this version of RAVE can't read it.
        trouble: why not.
        shared: with whom, as far as that can be read.
        title: likewise.
    """

    saved: SavedDocument
    content: T | None
    trouble: str
    shared: list[str]
    title: str


class SavedAccess(Generic[T]):
    """The documents of one kind that a client may see and change. For the event loop of one worker."""

    def __init__(self, kind: type[T], form: str, store: SavedDocuments, sharing: Sharing, links: Links):
        """Reads documents of a format.

        Args:
            kind: what a document is read as.
            form: the name of the format, such as ``rave.call/1``.
            store: has them.
            sharing: decides who may see and change them.
            links: URLs that answers contain.
        """
        self.store = store
        self.sharing = sharing
        self.links = links
        self._kind = kind
        self._form = form

    def decoded(self, payload: bytes) -> T:
        """What a document says.

        Raises:
            Problem: it is no document of this format; the message says where it breaks that.
        """
        try:
            content = msgspec.json.decode(payload, type=self._kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            detail = f"The document is no {self._form}: {str(error)[:300]}"
            raise Problem("bad-arguments", detail, errors=[{"parameter": "", "detail": detail}]) from None
        checked(content.shared)
        return content

    def opened(self, saved: SavedDocument) -> Opened[T]:
        """A stored document, also one that can't be read."""
        assert saved.payload is not None  # the caller looked
        try:
            content = self.decoded(saved.payload)
        except Problem as problem:
            return self._unreadable(saved, problem.detail)
        return Opened(saved, content, "", list(content.shared), content.title)

    def _unreadable(self, saved: SavedDocument, detail: str) -> Opened[T]:
        try:
            raw = msgspec.json.decode(saved.payload or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raw = {}
        members = raw if isinstance(raw, dict) else {}
        form, shared, title = members.get("format"), members.get("shared"), members.get("title")
        if isinstance(form, str) and form != self._form and form.startswith(self._form.partition("/")[0] + "/"):
            detail = f"It has the format {form[:40]}, and this version of RAVE reads {self._form}"
        listed = [each for each in shared if isinstance(each, str)] if isinstance(shared, list) else []
        return Opened(saved, None, detail, listed, title if isinstance(title, str) else saved.name)

    async def visible(self, req: Request) -> list[Opened[T]]:
        """What the client may see: their own first, then those of others by title."""
        every = [self.opened(each) for each in await asyncio.to_thread(self.store.all)]
        seen = [each for each in every if self.sharing.may_see(req, each.saved.owner, each.shared)]
        user = self.sharing.user(req)
        return sorted(seen, key=lambda each: (each.saved.owner != user, each.title.lower(), each.saved.owner))

    async def found(self, req: Request, owner: str, name: str, version: int | None = None) -> Opened[T]:
        """A document that the client may see.

        Raises:
            Problem: there is none. Who may see an old version depends on the newest.
        """
        newest = await asyncio.to_thread(self.store.get, owner, name)
        opened = None if newest.payload is None else self.opened(newest)
        if opened is None or not self.sharing.may_see(req, owner, opened.shared):
            raise Problem("not-found", HIDDEN)
        if version is None or version == newest.version:
            return opened
        old = await asyncio.to_thread(self.store.get, owner, name, version)
        if old.payload is None:
            raise Problem("not-found", f"There is no version {version} of this document any more")
        return self.opened(old)

    def check(self, req: Request, old: SavedDocument, content: T) -> None:
        """Returns if the client may save ``content`` in the place of ``old``.

        Raises:
            Problem: they may not; ``not-found`` if they may not even see it.
        """
        sharing = self.sharing
        sharing.required_user(req)
        if old.payload is None:
            if not sharing.is_owner(req, old.owner):
                raise Problem("forbidden", f"Only {old.owner!r} can keep new documents under that name")
            return
        before = self.opened(old).shared
        if not sharing.may_see(req, old.owner, before):
            raise Problem("not-found", HIDDEN)
        if not sharing.may_change(req, old.owner, before):
            raise Problem("forbidden", f"It belongs to {old.owner!r}, who has not shared it so that you may change it")
        if sorted(content.shared) != sorted(before) and not sharing.is_owner(req, old.owner):
            raise Problem("forbidden", f"Only {old.owner!r} can change with whom it is shared")

    async def save(self, req: Request, owner: str, name: str, content: T, *, expect: int) -> SavedDocument:
        """Saves a document on top of version ``expect``; see `check`.

        Raises:
            Conflict: another version is the newest.
            Problem: the client may not.
        """
        user, payload = self.sharing.required_user(req), msgspec.json.format(msgspec.json.encode(content), indent=1)
        checked(content.shared)
        return await asyncio.to_thread(self.store.save, owner, checked_name(name), payload, expect=expect, author=user)

    async def remove(self, req: Request, opened: Opened[T]) -> None:
        """Removes a document.

        Raises:
            Conflict: it was changed meanwhile.
            Problem: the client may not.
        """
        user, saved = self.sharing.required_user(req), opened.saved
        if not self.sharing.is_owner(req, saved.owner):
            raise Problem("forbidden", f"Only {saved.owner!r} can remove it")
        save = self.store.save
        await asyncio.to_thread(save, saved.owner, saved.name, None, expect=saved.version, author=user)

    def document(self, opened: Opened[T]) -> dict[str, Any]:
        """A document in a list, as JSON."""
        saved = opened.saved
        return {
            "owner": saved.owner,
            "name": saved.name,
            "title": opened.title,
            "shared": opened.shared,
            "etag": etag_of(saved),
            "by": saved.author,
            "modified": iso(saved.time),
        }


class SavedList(Generic[T]):
    """The documents of one kind."""

    def __init__(self, access: SavedAccess[T]) -> None:
        self._access = access

    async def on_get(self, req: Request, resp: Response) -> None:
        """Those that the client may see, without their content; their own first."""
        read(req)
        found = await self._access.visible(req)
        send_json(resp, {"documents": [self._access.document(each) for each in found]})

    on_head = on_get


class SavedResource(Generic[T]):
    """One document. For the event loop of one worker."""

    def __init__(self, access: SavedAccess[T], *, max_body: int) -> None:
        self._access = access
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response, owner: str, name: str) -> None:
        """The document, with its version as entity tag; ``version`` asks for an earlier one."""
        wanted = version_of(read(req, "version").get("version"))
        found = await self._access.found(req, owner, name, wanted)
        etag = etag_of(found.saved)
        resp.set_headers({"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"})
        if is_unchanged(req, etag):
            resp.status = "304 Not Modified"
            return
        resp.content_type = JSON
        resp.data = found.saved.payload

    on_head = on_get

    async def on_put(self, req: Request, resp: Response, owner: str, name: str) -> None:
        """Saves the document, or makes it.

        Raises:
            Problem: it breaks the format, the client may not, or a condition does not hold.
        """
        kind = (req.content_type or JSON).partition(";")[0].strip().lower()
        if kind != JSON:
            detail = f"A body of type {kind[:80]!r} is not understood; {JSON} is"
            raise Problem("unsupported-media-type", detail, headers={"Accept": JSON})
        read(req)
        self._access.sharing.required_user(req)
        body = await body_of(req, self._max_body)
        from_json(body)
        content = self._access.decoded(body)
        old = await asyncio.to_thread(self._access.store.get, owner, checked_name(name))
        self._access.check(req, old, content)
        check_write(req, None if old.payload is None else (etag_of(old),))
        try:
            saved = await self._access.save(req, owner, name, content, expect=old.version)
        except Conflict as error:
            raise Problem("precondition-failed", "Somebody saved another version at the same moment") from error
        resp.set_header("ETag", etag_of(saved))
        send_json(resp, self._access.document(self._access.opened(saved)))

    async def on_delete(self, req: Request, resp: Response, owner: str, name: str) -> None:
        """Removes the document: for its owner."""
        read(req)
        found = await self._access.found(req, owner, name)
        check_write(req, (etag_of(found.saved),))
        try:
            await self._access.remove(req, found)
        except Conflict as error:
            raise Problem("precondition-failed", "Somebody saved another version at the same moment") from error
        resp.status = "204 No Content"


def checked_name(name: str) -> str:
    """The name, if it can be one.

    Raises:
        Problem: it can't.
    """
    if not _NAME.fullmatch(name):
        detail = f"{name[:40]!r} can't be a name: write 1 to 100 printable characters without '/', '?' and '#'"
        raise Problem("bad-request", detail)
    return name


def name_of(title: str) -> str:
    """A name for a document of that title, for its address."""
    return _NOT_IN_NAMES.sub("-", title.strip().lower()).strip("-.")[:60] or "untitled"


def version_of(text: str | None) -> int | None:
    """The number of a version; ``None`` for the newest.

    Raises:
        Problem: it is none.
    """
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) < 2**31:
        detail = f"version: {text[:40]!r} is not the number of a version, from 1 on"
        raise Problem("bad-arguments", detail, errors=[{"parameter": "version", "detail": detail}])
    return int(text)


def etag_of(saved: SavedDocument) -> str:
    """The validator of a version."""
    return f'"{saved.version}"'
