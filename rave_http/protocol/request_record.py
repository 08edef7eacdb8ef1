"""The request record: facts about a request for the access log, metrics, and the resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rave_http.protocol.proxies import Address, address_of

ANONYMOUS_NAME = "-"


@dataclass(slots=True)
class RequestRecord:
    """One request. The outer middleware creates it as ``scope["rave"]``; resources fill in what they learn.

    Attributes:
        request_id: taken from ``X-Request-ID`` where that is well formed, else made.
        trace: the ``traceparent`` to pass on: the caller's trace with a span of ours.
        started: by the monotonic clock.
        client: the address of the client, behind trusted proxies; empty for a Unix socket.
        principal: who asks (`rave_http.auth.authorization.Principal`), once known.
        is_still_valid: whether a session that identified the principal has not ended; ``None`` for other ways.
        verdicts: what plugins say of the principal's permissions, by permission and namespace; ``None`` before.
        is_private: whether the answer is for the principal alone, so that no shared cache may keep it.
        is_cross_site: whether a page of another site asks in the name of the browser's user, so that only results that
            exist may answer.
        operation: ``namespace/operation``, if the request names one.
        cache: ``hit``, ``stale``, ``miss``, ``wait`` (joined or started, and answered), ``ticket``, or empty.
        key: the text of the product's key, if known.
        status: of the response, 0 until it starts.
        sent: bytes of the body.
    """

    request_id: str = ""
    trace: str = ""
    started: float = 0.0
    client: str = ""
    principal: Any = None
    is_still_valid: Callable[[], bool] | None = None
    verdicts: Mapping[tuple[str, str], bool | None] | None = None
    is_private: bool = False
    is_cross_site: bool = False
    operation: str = ""
    cache: str = ""
    key: str = ""
    status: int = 0
    sent: int = 0

    @property
    def address(self) -> Address | None:
        """``client``, to be compared with networks; ``None`` if it is no address, as for a Unix socket."""
        return address_of(self.client)
