"""Identifies requests by the cookie of a session, before anything else asks who sent them."""

from __future__ import annotations

import asyncio

from falcon.asgi import Request, Response

from rave_http.auth.authorizer import Authorizer
from rave_http.auth.sessions import Session, Sessions, signed_in
from rave_http.protocol.problems import Problem
from rave_http.protocol.session_cookie import carries_token, give_token, token_of


class SessionMiddleware:
    """Falcon middleware. A key, or a user whom a proxy names, overrides a session."""

    def __init__(self, sessions: Sessions, authorizer: Authorizer) -> None:
        self._sessions = sessions
        self._authorizer = authorizer

    async def process_request(self, req: Request, resp: Response) -> None:
        """Finds the session of a request that has a token. A token that is not valid is none."""
        signed_in.set("")
        if req.get_header("Cookie") is None:  # as with most programs; anything else costs each hit time
            return
        if not carries_token(req.scope["headers"]) or not self._is_anonymous(req):
            return
        token = token_of(req, is_secure=self._authorizer.is_secure(req))
        session = await asyncio.to_thread(self._sessions.find, token) if token else None
        if session is not None:
            self._authorizer.sign_in(req, session.principal, lambda: self._sessions.is_valid(session))
            req.context.rave_session = session
            req.context.rave_token = token
            signed_in.set(session.principal.name)

    async def process_response(self, req: Request, resp: Response, resource: object, req_succeeded: bool) -> None:
        """Tells the browser that its token is valid for longer."""
        session = session_of(req)
        if session is not None and session.is_renewed:
            seconds = self._sessions.left(session)
            give_token(resp, req.context.rave_token, seconds=seconds, is_secure=self._authorizer.is_secure(req))

    def _is_anonymous(self, req: Request) -> bool:
        try:
            return self._authorizer.principal(req).kind == "anonymous"
        except Problem:
            return False  # the resource that needs the principal reports the problem


def session_of(req: Request) -> Session | None:
    """The session by which a request was identified; ``None`` for another way, or none."""
    found: Session | None = getattr(req.context, "rave_session", None)
    return found
