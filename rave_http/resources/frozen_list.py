"""``/-/dashboards/{owner}/{name}/frozen``: what was frozen of a dashboard, listed and removed by programs."""

from __future__ import annotations

from falcon.asgi import Request, Response

from rave_http.description.dashboards import Dashboard
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_json
from rave_http.protocol.times import iso
from rave_http.resources.frozen_boards import FrozenBoards
from rave_http.resources.saved import SavedAccess


class FrozenList:
    """What was frozen of a dashboard. For the event loop of one worker."""

    def __init__(self, access: SavedAccess[Dashboard], frozen: FrozenBoards) -> None:
        self._access = access
        self._frozen = frozen

    async def on_get(self, req: Request, resp: Response, owner: str, name: str) -> None:
        """The identifiers, with who froze it and when, the newest first: for all who may see the dashboard."""
        read(req)
        await self._access.found(req, owner, name)
        listed = await self._frozen.listed(owner, name)
        found = [{"as_of": each, "by": saved.author, "frozen": iso(saved.time)} for each, saved in listed]
        send_json(resp, {"frozen": found})

    on_head = on_get


class FrozenResource:
    """One of them. For the event loop of one worker."""

    def __init__(self, access: SavedAccess[Dashboard], frozen: FrozenBoards) -> None:
        self._access = access
        self._frozen = frozen

    async def on_delete(self, req: Request, resp: Response, owner: str, name: str, as_of: str) -> None:
        """Removes it: for the owner of the dashboard, and for who froze it."""
        read(req)
        await self._access.found(req, owner, name)
        user, is_owner = self._access.sharing.required_user(req), self._access.sharing.is_owner(req, owner)
        await self._frozen.remove(owner, name, as_of, by=user, is_owner=is_owner)
        resp.status = "204 No Content"
