"""``/-/log``: the levels of loggers."""

from __future__ import annotations

from typing import Any

from falcon.asgi import Request, Response

from rave_http.auth.authorizer import Authorizer
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_json
from rave_http.workers.log_levels import LogLevels


class LogResource:
    """The levels, which can be changed while the service runs."""

    def __init__(self, levels: LogLevels, authorizer: Authorizer, *, max_body: int) -> None:
        self._levels = levels
        self._authorizer = authorizer
        self._max_body = max_body

    async def on_get(self, req: Request, resp: Response) -> None:
        """The loggers of this worker that have a level of their own."""
        read(req)
        self._authorizer.require(req, "admin")
        send_json(resp, self._levels.document())

    on_head = on_get

    async def on_post(self, req: Request, resp: Response) -> None:
        """Sets the level of a logger in every worker: ``{"logger": "rave_flow", "level": "DEBUG"}``."""
        self._authorizer.require(req, "admin", audited=True)
        request = read_body(
            "log",
            req.query_string,
            req.content_type,
            await body_of(req, self._max_body),
        )
        given: dict[str, Any] = dict(request.asked.texts) or request.asked.document or {}
        check_document("LogLevel", given)
        check_write(req, ())  # there are levels, and their representation has no validator
        silent = await self._levels.change(given["logger"], given["level"])
        send_json(resp, {"logger": given["logger"], "level": given["level"], "silent": silent})
