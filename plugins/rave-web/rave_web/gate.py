"""The gate: middleware that knows where a request comes from, and what headers its response needs."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core import current_runtime
from rave_core.errors import RaveError
from rave_http.hookspecs import RequestRecord, inline
from rave_web.settings import Network, WebSettings

granted: Final[ContextVar[frozenset[str]]] = ContextVar("rave_web_granted", default=frozenset())
"""What the current request's network grants."""

_HSTS: Final = "Strict-Transport-Security"
_log = logging.getLogger("rave.http")


@inline
class Gate:
    """Falcon middleware. It knows its settings once the worker has started."""

    def __init__(self) -> None:
        self._grants: list[tuple[Network, frozenset[str]]] = []
        self._headers: list[tuple[str, str]] = []
        self._hsts = ""

    async def process_startup(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """Reads the settings, which the service has by now. A wrong one keeps the worker from serving."""
        settings = current_runtime().settings
        try:
            own = WebSettings.of(settings)
        except RaveError as error:
            _log.error("%s", error)
            raise
        self._grants, self._headers = own.grants(), own.texts()
        self._hsts = "" if own.hsts is None else f"max-age={int(own.hsts)}"

    async def process_request(self, req: Request, _resp: Response) -> None:
        """Records what the request's network grants."""
        if self._grants:
            granted.set(self._granted_to(req))

    async def process_response(self, req: Request, resp: Response, _resource: object, _succeeded: bool) -> None:
        """Adds the headers, and keeps an answer that not everybody may see out of shared caches."""
        for name, value in self._headers:
            resp.set_header(name, value)
        # A browser must not trust this on a connection that anybody could have tampered with.
        if self._hsts and req.scheme == "https":
            resp.set_header(_HSTS, self._hsts)
        if self._grants and granted.get():
            control = resp.get_header("Cache-Control", default="")
            if control.startswith("public"):
                resp.set_header("Cache-Control", control.replace("public", "private", 1))

    def _granted_to(self, req: Request) -> frozenset[str]:
        record: RequestRecord = req.scope["rave"]
        address = record.address
        if address is None:
            return frozenset()
        return frozenset[str]().union(*(each for network, each in self._grants if address in network))
