"""``/-/ui/cache``: what each operation keeps, for people, who may purge it here after a dry run."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from falcon.asgi import Request, Response

from rave_core.text.humanize import size
from rave_http.auth.authorizer import Authorizer
from rave_http.pages.cache_view import cache_page
from rave_http.protocol.links import Links
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_page
from rave_http.resources.caches import CacheFacts, Purge, Purged
from rave_http.resources.pins import Pins

_REMOVED: Final = ("removed", "bytes")


class CachePage:
    """The contents of the caches as a page."""

    def __init__(self, facts: CacheFacts, purge: Purge, pins: Pins, authorizer: Authorizer, links: Links) -> None:
        """Shows ``facts`` and ``pins``, and lets ``purge`` remove results, for whom ``authorizer`` allows it."""
        self._facts = facts
        self._pins = pins
        self._purge = purge
        self._authorizer = authorizer
        self._links = links

    async def on_get(self, req: Request, resp: Response) -> None:
        """What the operations that the client may see keep, the largest first. It needs the permission ``metrics``."""
        given = read(req, *_REMOVED)
        count, bytes_ = (int(text[:15]) if (text := given.get(name, "")).isdecimal() else 0 for name in _REMOVED)
        await self._send(req, resp, said=f"{count:,} results were removed, {size(bytes_)}." if given else "")

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Purges, and shows the page again; after a dry run with what would go, and a button that removes it."""
        self._authorizer.require(req, "metrics")
        done = await self._purge.purge(req)
        if done.is_dry:
            await self._send(req, resp, would=done)
            return
        resp.status = "303 See Other"
        location = self._links.to(f"/-/ui/cache?removed={done.removed}&bytes={done.bytes}")
        resp.set_headers({"Location": location, "Cache-Control": "no-store"})

    async def _send(self, req: Request, resp: Response, *, said: str = "", would: Purged | None = None) -> None:
        self._authorizer.require(req, "metrics")
        document = await self._facts.document(req)
        names = document["operations"]
        may_purge = {name for name in names if self._authorizer.may(req, "purge", name.partition("/")[0])}
        preview = None if would is None else (would.asked, would.removed, size(would.bytes))
        pins = await self._pins.states(req)
        make = partial(cache_page, document, may_purge, pins, base=self._links.base, said=said, preview=preview)
        made = await asyncio.to_thread(make)
        send_page(resp, made)
