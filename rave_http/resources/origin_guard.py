"""Requests that pages of other sites have a browser send, with the credentials that it adds by itself.

Who signs in at a proxy, or has rights by the network or as anybody on this machine, is known by what the browser brings
along with every request, whichever page had it sent. So what changes something is refused where a foreign page asked
for it. An API key is never sent by a browser by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from falcon.asgi import Request, Response

from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.links import Links
from rave_http.protocol.origins import hosts_of, is_of
from rave_http.protocol.problems import Problem

_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CHANGING: Final = frozenset({"rave.refresh", "rave.deep_refresh"})


class CrossSiteGuard:
    """Falcon middleware that looks at every request before it is routed, so that no resource can forget to."""

    def __init__(self, authorizer: Authorizer, links: Links, *, cors_origins: Iterable[str]) -> None:
        """Lets pages of the service itself pass, and those of ``cors_origins``."""
        self._authorizer = authorizer
        self._origins = frozenset(origin.lower() for origin in cors_origins) - {"*"}
        self._own = frozenset({urlsplit(links.base).netloc.lower()}) - {""}

    async def process_request(self, req: Request, resp: Response) -> None:
        """Lets a request pass, unless it would change something for somebody on behalf of a foreign page.

        Raises:
            Problem: ``forbidden``.
        """
        if not _changes(req) or not self._is_signed_in(req) or not self._is_foreign(req):
            return
        self._authorizer.audit(req, "cross-site", allowed=False)
        raise Problem(
            "forbidden",
            "A page of another site asked for this in your name. Ask for it yourself; pages of sites that may are "
            "named by the setting 'cors_origins'",
        )

    def _is_signed_in(self, req: Request) -> bool:
        try:
            return self._authorizer.principal(req).kind != "key"
        except Problem:
            return False  # the resource that needs to know who asks says what is wrong

    def _is_foreign(self, req: Request) -> bool:
        """Whether a page of another site had the request sent, as far as the browser says; programs say nothing."""
        origin = req.get_header("Origin")
        if origin is None:
            return (req.get_header("Sec-Fetch-Site") or "").strip().lower() == "cross-site"
        if origin.lower() in self._origins:
            return False
        hosts = hosts_of(req.scope["headers"], is_trusted=self._authorizer.is_behind_proxy(req))
        return not is_of(origin, self._own | hosts)


def _changes(req: Request) -> bool:
    """Whether a request may change something, or has something computed anew."""
    if req.method not in _HARMLESS:
        return True
    query = req.query_string
    if not query or ("refresh" not in query and "%" not in query):
        return False
    return any(name in _CHANGING for name, _ in parse_qsl(query, keep_blank_values=True))
