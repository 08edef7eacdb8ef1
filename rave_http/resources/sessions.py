"""``/-/session``: signing in and out."""

from __future__ import annotations

import asyncio
from typing import Any

from falcon.asgi import Request, Response

from rave_http.asgi.session_middleware import session_of
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import CHALLENGE
from rave_http.auth.authorizer import Authorizer
from rave_http.auth.sessions import Sessions
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.pages.templating import page
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.proxies import address_of
from rave_http.protocol.queries import read
from rave_http.protocol.responses import JSON, prefers, send_json, send_page
from rave_http.protocol.session_cookie import give_token
from rave_http.protocol.times import iso


class SessionResource:
    """Exchanges an API key for a token in a cookie. For the event loop of one worker."""

    def __init__(
        self, sessions: Sessions, keys: KeyStore, authorizer: Authorizer, links: Links, *, max_body: int
    ) -> None:
        self._sessions = sessions
        self._keys = keys
        self._authorizer = authorizer
        self._links = links
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response) -> None:
        """Who asks, how they identified themselves, and until when; a page to sign in and out."""
        read(req)
        document = self._document(req)
        if prefers(req, JSON, "text/html") == "text/html":
            made = await asyncio.to_thread(page, "session.html", base=self._links.base, who=document)
            send_page(resp, made)
        else:
            send_json(resp, document)

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Signs in: gives a token for the API key in the body (``key``), or in the request's headers.

        Raises:
            Problem: the key is not valid, or the connection is not encrypted and not local.
        """
        given = await self._given(req)
        if given.get("action") == "sign out":
            await self._sign_out(req, resp)
            return
        is_secure = self._checked(req)
        key = self._keys.find(str(given.get("key") or _sent(req)).strip())
        if key is None:
            self._authorizer.audit(req, "sign in", allowed=False)
            raise Problem(
                "unauthorized",
                "the API key is not valid: it is unknown, was revoked, or has expired",
                headers=CHALLENGE,
            )
        check_write(req, ())
        token, session = await asyncio.to_thread(self._sessions.open, key)
        self._authorizer.sign_in(req, session.principal, lambda: True)
        self._authorizer.audit(req, "sign in", allowed=True)
        give_token(resp, token, seconds=self._sessions.left(session), is_secure=is_secure)
        self._answer(req, resp, {"user": key.user, "kind": "session", "expires": iso(session.expires_at)})

    async def on_delete(self, req: Request, resp: Response) -> None:
        """Signs out: the token is not valid any more. What the user keeps stays."""
        read(req)
        await self._sign_out(req, resp)

    async def _sign_out(self, req: Request, resp: Response) -> None:
        check_write(req, ())
        session = session_of(req)
        if session is not None:
            await asyncio.to_thread(self._sessions.end, session)
            self._authorizer.audit(req, "sign out", allowed=True)
        give_token(resp, "", seconds=0, is_secure=self._authorizer.is_secure(req))
        self._answer(req, resp, {"user": None, "kind": "anonymous", "expires": None})

    def _answer(self, req: Request, resp: Response, document: dict[str, Any]) -> None:
        if prefers(req, JSON, "text/html") == "text/html":
            resp.status = "303 See Other"
            resp.set_headers({"Location": self._links.to("/"), "Cache-Control": "no-store"})
        else:
            send_json(resp, document)

    def _document(self, req: Request) -> dict[str, Any]:
        principal, session = self._authorizer.principal(req), session_of(req)
        return {
            "user": None if principal.kind == "anonymous" else principal.name,
            "kind": principal.kind,
            "expires": None if session is None else iso(session.expires_at),
        }

    async def _given(self, req: Request) -> dict[str, Any]:
        request = read_body(
            "session",
            req.query_string,
            req.content_type,
            await body_of(req, self._max_body),
        )
        given: dict[str, Any] = dict(request.asked.texts) or request.asked.document or {}
        check_document("SignIn", given)
        return given

    def _checked(self, req: Request) -> bool:
        """Whether the client uses HTTPS.

        Raises:
            Problem: it does not, and is on another host: others could read the token.
        """
        if self._authorizer.is_secure(req):
            return True
        client = address_of(self._authorizer.client(req))
        if client is None or not client.is_loopback:
            raise Problem("forbidden", "Sign in over HTTPS: others could read the token on this connection")
        return False


def _sent(req: Request) -> str:
    """The API key in the headers of a request; empty if there is none."""
    scheme, _, token = (req.get_header("Authorization") or "").partition(" ")
    return token if scheme.lower() == "bearer" else req.get_header("X-API-Key") or ""
