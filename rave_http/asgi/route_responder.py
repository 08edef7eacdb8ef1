"""Answers the requests of a plugin's route: permission, limits and body first, then the plugin's code, kept apart."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_http.asgi.resource_context import BODY
from rave_http.asgi.route import Route
from rave_http.auth.authorizer import Authorizer
from rave_http.executors.foreign_code import ForeignCode
from rave_http.executors.loop_thread import LoopThread
from rave_http.protocol.bodies import body_of
from rave_http.protocol.problems import PLAIN_PROBLEMS, Problem
from rave_http.protocol.responses import send_events_head

_READS: Final = frozenset({"GET", "HEAD"})


class PluginThreads:
    """Where the code of one plugin runs. For the event loop of one worker."""

    def __init__(self, plugin: str, foreign: ForeignCode, *, seconds: float) -> None:
        """Limits every call to ``seconds``."""
        self.owner = f"plugin {plugin}"
        self.loop = LoopThread(self.owner, seconds=seconds)
        self._foreign = foreign
        self._seconds = seconds

    async def call(self, responder: Callable[..., Any], *args: Any, **fields: Any) -> None:
        """Runs a responder; errors as those of `LoopThread.run` and `ForeignCode.call`."""
        if inspect.iscoroutinefunction(responder):
            await self.loop.run(responder(*args, **fields))
        else:
            await self._foreign.call_within(self._seconds, self.owner, lambda: responder(*args, **fields))

    def close(self) -> None:
        """Stops the loop."""
        self.loop.close()


class GuardedRoute:
    """The resource that Falcon calls for a route. For the event loop of one worker.

    It has an ``on_get`` and the like for each method of the route, and for no others.
    """

    def __init__(self, route: Route, threads: PluginThreads, authorizer: Authorizer, *, max_body: int) -> None:
        """Guards a route that was checked; ``max_body`` is for routes without a limit of their own, in bytes."""
        self._route = route
        self._threads = threads
        self._authorizer = authorizer
        self._max_body = max_body if route.max_body is None else route.max_body
        self._busy = 0
        methods = {"HEAD": route.permissions["GET"]} if "GET" in route.permissions else {}
        for method, permission in {**methods, **route.permissions}.items():
            setattr(self, f"on_{method.lower()}", self._responder(method, permission))

    def _responder(self, method: str, permission: str) -> Callable[..., Awaitable[None]]:
        responder = self._route.responder(method)
        is_inline = self._route.inline and inspect.iscoroutinefunction(responder)

        async def respond(req: Request, resp: Response, **fields: Any) -> None:
            namespace = self._route.namespace.format_map(fields)
            setattr(req.context, PLAIN_PROBLEMS, self._route.plain_problems)
            self._authorizer.require(req, permission, namespace, audited=method not in _READS)
            self._enter()
            is_streamed = False
            try:
                setattr(req.context, BODY, await body_of(req, self._max_body))
                if is_inline:
                    await responder(req, resp, **fields)
                else:
                    await self._apart(responder, req, resp, fields)
                is_streamed = self._follow_stream(req, resp)
            finally:
                if not is_streamed:
                    self._leave()

        return respond

    def _enter(self) -> None:
        if self._busy >= self._route.limit:
            detail = f"{self._route.limit} requests for this path are already being answered here"
            raise Problem("busy", detail, headers={"Retry-After": "1"})
        self._busy += 1

    async def _apart(self, responder: Callable[..., Any], req: Request, resp: Response, fields: dict[str, Any]) -> None:
        """Runs a responder away from this loop, with a response of its own: a late one must not change the answer."""
        draft = type(resp)(options=resp.options)
        draft.set_headers(resp.headers)
        await self._threads.call(responder, req, draft, **fields)
        resp.status = draft.status
        resp.set_headers(draft.headers)
        resp.text, resp.data, resp.media = draft.text, draft.data, draft.media
        resp._cookies = draft._cookies  # Falcon has no public way to copy these two
        resp._extra_headers = draft._extra_headers
        if draft.stream is not None:
            resp.stream = self._threads.loop.iterate(aiter(draft.stream))
        if draft.sse is not None:
            resp.sse = self._threads.loop.iterate(aiter(draft.sse))

    def _follow_stream(self, req: Request, resp: Response) -> bool:
        """Keeps the request's place until its stream ends. Returns whether there is a stream to follow."""
        if req.method == "HEAD":
            if resp.sse is not None:
                resp.sse = None
                send_events_head(resp)
            return False
        if resp.stream is None and resp.sse is None:
            return False
        if resp.stream is not None:
            resp.stream = _FollowedStream(resp.stream, self._leave)
        else:
            resp.sse = _FollowedStream(resp.sse, self._leave)
        return True

    def _leave(self) -> None:
        self._busy -= 1


class _FollowedStream:
    """A stream that reports its end, even if nobody ever reads it."""

    def __init__(self, source: Any, ended: Callable[[], None]) -> None:
        self._source = source
        self._parts = aiter(source)
        self._end = weakref.finalize(self, ended)

    def __aiter__(self) -> _FollowedStream:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._parts)
        except BaseException:
            self._end()
            raise

    async def close(self) -> None:
        """Closes the stream. Falcon calls this when the client is gone."""
        self._end()
        for name in ("aclose", "close"):
            if hasattr(self._source, name):
                await getattr(self._source, name)()
                return
