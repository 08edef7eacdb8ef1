"""Turns every exception that reaches Falcon into a problem for the client."""

from __future__ import annotations

import logging
from typing import Any, Final

import falcon
import falcon.asgi
from falcon.asgi import Request, Response

from rave_core.errors import (
    ArgumentError,
    BackendError,
    Conflict,
    DocumentError,
    FenceError,
    InvalidDocumentError,
    OperationError,
    RaveError,
    TimeLimitError,
    UnrenderableError,
)
from rave_http.executors import BusyError
from rave_http.jobs.failures import failure_of, problem_of
from rave_http.protocol.problems import Problem
from rave_http.worker.responder import Responder

_SLUGS: Final = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    412: "precondition-failed",
    413: "too-large",
    414: "uri-too-long",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    429: "too-many-requests",
    503: "busy",
}
_log = logging.getLogger("rave.http")


class ErrorHandlers:
    """Answers requests that failed."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    def install(self, app: falcon.asgi.App[Request, Response]) -> None:
        """Registers the handlers with Falcon, which calls the one for the nearest class of an exception."""
        app.add_error_handler(Exception, self._handle_unexpected)
        app.add_error_handler(RaveError, self._handle_rave)
        app.add_error_handler(OSError, self._handle_store)
        app.add_error_handler(BackendError, self._handle_store)
        app.add_error_handler(DocumentError, self._handle_document)
        for kind in (TimeoutError, ConnectionError):  # OSErrors that no store raises
            app.add_error_handler(kind, self._handle_unexpected)
        app.add_error_handler(falcon.HTTPError, self._handle_http)
        app.add_error_handler(Problem, self._handle_problem)

    async def _handle_problem(self, req: Request, resp: Response, error: Problem, _: Any) -> None:
        self._responder.send_problem(req, resp, error)

    async def _handle_http(self, req: Request, resp: Response, error: falcon.HTTPError, _: Any) -> None:
        slug = _SLUGS.get(error.status_code, "internal-error" if error.status_code >= 500 else "bad-request")
        detail = error.description or error.title or slug
        self._responder.send_problem(req, resp, Problem(slug, detail, headers=dict(error.headers or {})))

    async def _handle_rave(self, req: Request, resp: Response, error: RaveError, _: Any) -> None:
        if isinstance(error, ArgumentError | OperationError):
            refused = problem_of(failure_of(error, 0.0), retry_after=0.0)
            self._responder.send_problem(req, resp, refused)
        elif isinstance(error, TimeLimitError):
            self._responder.send_problem(req, resp, Problem("time-limit", str(error)))
        elif isinstance(error, BusyError):
            self._responder.send_problem(req, resp, Problem("busy", str(error), headers={"Retry-After": "5"}))
        elif isinstance(error, UnrenderableError):
            self._responder.send_problem(req, resp, Problem("not-acceptable", str(error)))
        else:
            await self._handle_unexpected(req, resp, error, None)

    async def _handle_document(self, req: Request, resp: Response, error: DocumentError, _: Any) -> None:
        if isinstance(error, Conflict):
            problem = Problem("document-conflict", str(error), version=error.expected)
        elif isinstance(error, InvalidDocumentError):
            problem = Problem("bad-request", str(error))
        elif isinstance(error, FenceError):
            problem = Problem("conflict", str(error), headers={"Retry-After": "1"})
        else:
            await self._handle_store(req, resp, error, None)
            return
        self._responder.send_problem(req, resp, problem)

    async def _handle_store(self, req: Request, resp: Response, error: Exception, _: Any) -> None:
        # Its message names paths and addresses, which belong in the log.
        request = req.scope["rave"].request_id
        _log.error("%s %s failed (request %s): %s", req.method, req.path, request, error)
        detail = f"What is stored could not be reached for request {request}; the log says why"
        self._responder.send_problem(req, resp, Problem("store-trouble", detail, headers={"Retry-After": "5"}))

    async def _handle_unexpected(self, req: Request, resp: Response, error: Exception, _: Any) -> None:
        request = req.scope["rave"].request_id
        _log.exception("%s %s failed (request %s)", req.method, req.path, request, exc_info=error)
        self._responder.send_problem(req, resp, Problem("internal-error", f"request {request} failed; see the log"))
