"""Protection against requests that pages of other sites make a browser send with its own credentials (CSRF).

Some users sign in at a proxy, or have rights by their network or as anybody on this machine. The browser proves this
with every request, whichever page sends it. So requests from foreign pages that change something are refused, and
others get only results that exist. A browser never sends an API key by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from falcon.asgi import Request, Response

from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.links import Links
from rave_http.protocol.origins import hosts_of, is_of, origin_of
from rave_http.protocol.problems import Problem

_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})
"""What ``Sec-Fetch-Site`` says of pages that are not ours; another port of this host is of the same site."""
_CHANGING: Final = frozenset({"rave.refresh", "rave.deep_refresh"})


class CrossSiteGuard:
    """Falcon middleware that checks every request before it is routed, so that no resource can forget to."""

    def __init__(self, authorizer: Authorizer, links: Links, *, cors_origins: Iterable[str]) -> None:
        """Accepts pages of the service itself, and those of ``cors_origins``."""
        self._authorizer = authorizer
        origins = frozenset(origin.lower() for origin in cors_origins)
        self._origins, self._is_open = origins - {"*"}, "*" in origins
        self._own = frozenset({urlsplit(links.base).netloc.lower()}) - {""}

    async def process_request(self, req: Request, resp: Response) -> None:
        """Accepts a request, unless it would change something on behalf of a foreign page.

        Raises:
            Problem: ``cross-site``.
        """
        if not self._is_foreign(req):
            return
        kind = self._kind(req)
        if kind in ("", "key"):
            return
        if _changes(req):
            self._authorizer.audit(req, "cross-site", allowed=False)
            raise Problem("cross-site", "A page of another site asked for this in your name")
        req.scope["rave"].is_cross_site = not (self._is_open and kind == "anonymous")

    def _kind(self, req: Request) -> str:
        """How the sender was identified; empty if the credentials are not valid."""
        try:
            return self._authorizer.principal(req).kind
        except Problem:
            return ""  # the resource that needs the principal reports the problem

    def _is_foreign(self, req: Request) -> bool:
        """Whether a page of another site sent the request, according to the browser; other programs do not say.

        A page can hide the ``Referer``, and other sites may have redirected what it asked for, but it can't forge one.
        """
        origin, site = req.get_header("Origin"), (req.get_header("Sec-Fetch-Site") or "").strip().lower()
        if origin is None and site in ("none", "same-origin"):
            return False
        referer = req.get_header("Referer") if origin is None else None
        page = origin_of(referer) if referer else (origin or "").lower()
        if not page:
            return site in _ELSEWHERE
        if page in self._origins:
            return False
        hosts = hosts_of(req.scope["headers"], is_trusted=self._authorizer.is_behind_proxy(req))
        return (origin is None and site in _ELSEWHERE) or not is_of(page, self._own | hosts)


def _changes(req: Request) -> bool:
    """Whether a request may change something, or refreshes a result."""
    if req.method not in _HARMLESS:
        return True
    query = req.query_string
    if not query or ("refresh" not in query and "%" not in query):
        return False
    return any(name in _CHANGING for name, _ in parse_qsl(query, keep_blank_values=True))
