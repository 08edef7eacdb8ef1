"""What the plugins say of permissions, asked in a thread before a request is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from falcon.asgi import Request, Response

from rave_core.errors import TimeLimitError
from rave_http.auth.authorization import SERVICE
from rave_http.auth.authorizer import Authorizer
from rave_http.executors.executor import BusyError
from rave_http.executors.foreign_code import ForeignCode
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord

_SECONDS: Final = 10.0
_log = logging.getLogger("rave.http")


class Verdicts:
    """Falcon middleware, the last: plugins may need what the middleware of plugins learns."""

    def __init__(self, authorizer: Authorizer, foreign: ForeignCode, namespaces: Callable[[], Iterable[str]]) -> None:
        """Asks about the service itself and a request's namespace, or all ``namespaces`` for a path of the system."""
        self._authorizer = authorizer
        self._foreign = foreign
        self._namespaces = namespaces

    async def process_request(self, req: Request, resp: Response) -> None:
        """Asks the plugins all that the request may depend on.

        Raises:
            Problem: ``busy``: they do not answer in time.
        """
        try:
            principal = self._authorizer.principal(req)
        except Problem:
            return  # the resource that needs the principal reports the problem
        record: RequestRecord = req.scope["rave"]
        first = req.path.strip("/").partition("/")[0]
        names = {SERVICE, first} if first not in ("", "-") else {SERVICE, *self._namespaces()}
        owner = f"rave_http_authorize for {principal.kind} {principal.name} {record.client}"
        try:
            record.verdicts = await self._foreign.call_within(
                _SECONDS, owner, self._authorizer.verdicts, principal, names
            )
        except (TimeLimitError, BusyError) as error:
            _log.warning("request %s: rave_http_authorize: %s", record.request_id, error)
            detail = "A plugin did not say in time whether you may do this; ask again"
            raise Problem("busy", detail, headers={"Retry-After": "5"}) from error
