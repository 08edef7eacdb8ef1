"""``/-/me``: slates, the small documents that a user keeps. There are no sessions around them, and no locks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from falcon.asgi import Request, Response

from rave_core.documents import Conflict, DocumentStore, Metadata
from rave_core.documents.slates import SLATES, is_slate_name
from rave_http.auth.authorization import CHALLENGE
from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write, is_unchanged
from rave_http.protocol.json_bodies import from_json
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, send_json
from rave_http.protocol.times import iso

_MERGE: Final = ("application/merge-patch+json", JSON)
_MOST_TRIES: Final = 100

Change = Callable[[Any], Any]
"""Makes a new document of the present one, which is ``None`` if there is none. ``_GONE`` deletes it."""


class _Gone:
    """In place of a document: there shall be none."""


_GONE: Final = _Gone()


class SlateList:
    """The names of what a user keeps."""

    def __init__(self, documents: Callable[[], DocumentStore], authorizer: Authorizer) -> None:
        self._documents = documents
        self._authorizer = authorizer

    async def on_get(self, req: Request, resp: Response) -> None:
        """The documents of the user who asks, without their content."""
        read(req)
        user = user_of(self._authorizer, req)
        heads = await asyncio.to_thread(lambda: list(self._documents().heads(collection_of(user))))
        send_json(resp, {"user": user, "documents": [_listed(head) for head in heads]})

    on_head = on_get


class Slate:
    """One document of a user. For the event loop of one worker."""

    def __init__(self, documents: Callable[[], DocumentStore], authorizer: Authorizer, *, max_body: int) -> None:
        self._documents = documents
        self._authorizer = authorizer
        self._max_body = max_body
        self._declared: set[str] = set()

    async def on_get(self, req: Request, resp: Response, name: str) -> None:
        """The document, with its version as entity tag."""
        read(req)
        user = user_of(self._authorizer, req)
        found = await asyncio.to_thread(lambda: self._documents().get(collection_of(user), checked_name(name)))
        if found is None or found.payload is None:
            raise Problem("not-found", f"you keep nothing under the name {name!r}")
        etag = _etag(found.metadata.version)
        resp.set_headers({"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"})
        if is_unchanged(req, etag):
            resp.status = "304 Not Modified"
            return
        resp.content_type = JSON
        resp.data = found.payload

    on_head = on_get

    async def on_put(self, req: Request, resp: Response, name: str) -> None:
        """Replaces the document, or makes it: any JSON value."""
        given = await self._json(req, JSON)
        await self._change(req, resp, name, lambda _: given)

    async def on_patch(self, req: Request, resp: Response, name: str) -> None:
        """Merges changes into the document (RFC 7396), or makes it. Those of others at the same time stay."""
        patch = await self._json(req, *_MERGE)
        await self._change(req, resp, name, lambda document: merged(document, patch))

    async def on_delete(self, req: Request, resp: Response, name: str) -> None:
        """Removes the document."""
        await self._change(req, resp, name, lambda _: _GONE)

    async def _change(self, req: Request, resp: Response, name: str, change: Change) -> None:
        read(req)
        user = user_of(self._authorizer, req)
        saved = await asyncio.to_thread(self._saved, req, user, checked_name(name), change)
        if saved.empty:
            resp.status = "204 No Content"
            return
        resp.set_header("ETag", _etag(saved.version))
        send_json(resp, _listed(saved))

    def _saved(self, req: Request, user: str, name: str, change: Change) -> Metadata:
        """Saves what ``change`` makes of the present document; if somebody else was faster, of theirs.

        Raises:
            Problem: the request has a condition, and the document is another version; or there is nothing to delete.
        """
        store, collection = self._documents(), collection_of(user)
        if user not in self._declared:
            store.declare(collection, keep=1)
            self._declared.add(user)
        for _ in range(_MOST_TRIES):
            found = store.get(collection, name)
            version, payload = (0, None) if found is None else (found.metadata.version, found.payload)
            new = change(None if payload is None else msgspec.json.decode(payload))
            if new is _GONE and payload is None:
                raise Problem("not-found", f"you keep nothing under the name {name!r}")
            check_write(req, None if payload is None else (_etag(version),))
            try:
                saved = None if new is _GONE else msgspec.json.encode(new)
                return store.save(collection, name, saved, expect=version, author=user)
            except Conflict:
                continue
        raise Problem("busy", f"{name!r} changes all the time; ask again", headers={"Retry-After": "1"})

    async def _json(self, req: Request, *types: str) -> Any:
        kind = (req.content_type or types[0]).partition(";")[0].strip().lower()
        if kind not in types:
            detail = f"A body of type {kind[:80]!r} is not understood; {' or '.join(types)} is"
            raise Problem(
                "unsupported-media-type", detail, headers={"Accept-Patch" if len(types) > 1 else "Accept": types[0]}
            )
        return from_json(await body_of(req, self._max_body))


def collection_of(user: str) -> str:
    """The collection of what a user keeps."""
    return SLATES + user


def user_of(authorizer: Authorizer, req: Request) -> str:
    """The user who asks.

    Raises:
        Problem: nobody is signed in, or the credentials are not valid.
    """
    principal = authorizer.principal(req)
    if principal.kind == "anonymous":
        raise Problem("unauthorized", "only a user can keep something: sign in, or send an API key", headers=CHALLENGE)
    return principal.name


def merged(document: Any, patch: Any) -> Any:
    """A document with a merge patch applied (RFC 7396): members that are ``None`` in the patch go."""
    if not isinstance(patch, dict):
        return patch
    found = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def checked_name(name: str) -> str:
    """A name that a slate can have.

    Raises:
        Problem: it can't be one.
    """
    if not is_slate_name(name):
        raise Problem("bad-request", f"{name[:40]!r} can't be a name: write 1 to 100 printable characters without '/'")
    return name


def _listed(known: Metadata) -> dict[str, Any]:
    return {"name": known.key, "etag": _etag(known.version), "modified": iso(known.time)}


def _etag(version: int) -> str:
    return f'"{version}"'
