"""Middleware of plugins, kept apart from the event loop: one that blocks costs its own request, and for a time only."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.errors import TimeLimitError
from rave_http.executors.executor import BusyError
from rave_http.executors.foreign_code import ForeignCode
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord

SECONDS: Final = 10.0
"""How long one method may take."""

_METHODS: Final = ("process_request", "process_resource", "process_response")
_COPIED: Final = ("_headers", "_extra_headers", "_cookies")
_UNSET: Final = object()
_log = logging.getLogger("rave.http")
_of_thread = threading.local()


def kept_apart(component: object, plugin: str, foreign: ForeignCode, *, seconds: float = SECONDS) -> object:
    """Middleware that runs the methods of another in threads. One that is marked as ``inline`` stays as it is.

    A method sees the context variables of its request, and may set them. It must not read the body of the request,
    which belongs to the event loop.

    Args:
        component: Falcon middleware that was checked.
        plugin: whose it is.
        foreign: has the threads.
        seconds: for each call.
    """
    if getattr(component, "inline", False):
        return component
    calls: dict[str, Any] = {}
    for name in _METHODS:
        method = getattr(component, f"{name}_async", None) or getattr(component, name, None)
        if method is not None:
            calls[name] = _method(_Apart(method, plugin, foreign, seconds))
    for name in ("process_startup", "process_shutdown"):
        if hasattr(component, name):
            calls[name] = staticmethod(getattr(component, name))
    return type(type(component).__name__, (), calls)() if calls else component


def _method(apart: _Apart) -> Callable[..., Any]:
    """A method in the form of which Falcon takes all three."""

    async def process(_self: object, req: Request, resp: Response, *rest: Any) -> None:
        await apart(req, resp, *rest)

    return process


class _Apart:
    """One method, called in threads."""

    def __init__(self, method: Callable[..., Any], plugin: str, foreign: ForeignCode, seconds: float) -> None:
        self._method = method
        self._plugin = plugin
        self._foreign = foreign
        self._seconds = seconds

    async def __call__(self, req: Request, resp: Response, *rest: Any) -> None:
        """Calls the method with a response of its own: a late one must not change the answer.

        Raises:
            Problem: it takes too long.
            Exception: whatever the method raises.
        """
        context, draft = contextvars.copy_context(), _copy(resp)
        record: RequestRecord = req.scope["rave"]
        owner = f"middleware of {self._plugin} for {record.client}"  # who makes it block waits for it alone
        try:
            await self._foreign.call_within(self._seconds, owner, self._call, context, req, draft, *rest)
        except (TimeLimitError, BusyError) as error:
            _log.warning("request %s: middleware of plugin %s: %s", record.request_id, self._plugin, error)
            detail = f"The plugin {self._plugin} did not let the request pass in time; ask again"
            raise Problem("busy", detail, headers={"Retry-After": "5"}) from error
        _take_variables(context)
        _take(resp, draft)

    def _call(self, context: contextvars.Context, *args: Any) -> None:
        if inspect.iscoroutinefunction(self._method):
            _runner().run(self._method(*args), context=context)
        else:
            context.run(self._method, *args)


def _runner() -> asyncio.Runner:
    """The event loop of this thread."""
    runner: asyncio.Runner | None = getattr(_of_thread, "runner", None)
    if runner is None:
        runner = _of_thread.runner = asyncio.Runner()
    return runner


def _take_variables(context: contextvars.Context) -> None:
    """Sets the variables of this task to what they are in another context."""
    now = contextvars.copy_context()
    for variable, value in context.items():
        if now.get(variable, _UNSET) is not value:
            variable.set(value)


def _copy(resp: Response) -> Response:
    draft = copy.copy(resp)
    for name in _COPIED:
        setattr(draft, name, copy.copy(getattr(resp, name)))
    return draft


def _take(resp: Response, draft: Response) -> None:
    """Makes a response like another one."""
    slots = {slot for kind in type(resp).__mro__ for slot in getattr(kind, "__slots__", ()) if slot != "__dict__"}
    for name in (*slots, *vars(draft)):
        if hasattr(draft, name):
            setattr(resp, name, getattr(draft, name))
