"""The errors of the client.

ClientError
├── ServiceError                           the service answered with a problem
│   ├── BadRequest        (ValueError)     400, 405, 406, 413, 414, 415: the request must be corrected
│   ├── Unauthorized      (PermissionError)  401
│   ├── Forbidden         (PermissionError)  403
│   ├── NotFound          (LookupError)    404
│   ├── Gone              (LookupError)    410: the product expired
│   ├── Cancelled                          409: the job that made the product was cancelled
│   ├── Busy                               429, 503: and there is no time left to ask again
│   ├── NotKept           (LookupError)    only a stored result was wanted, and there is none
│   └── OperationFailed                    the analysis itself failed
│       └── TimeLimitReached               the service ended it at its time limit
├── WaitTimeout           (TimeoutError)   it took longer than the caller wanted to wait
├── ConnectionFailed      (ConnectionError)  the service can't be reached, or hung up too often
├── UnexpectedAnswer      (ValueError)     no answer that a RAVE service gives
└── BadURL                (ValueError)     a URL, header or key that can't be sent
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

_MUST_BE_MENDED: Final = frozenset({400, 405, 406, 413, 414, 415, 422, 431})


class ClientError(Exception):
    """The root of every error that the client itself raises."""


class ServiceError(ClientError):
    """The service answered with a problem (RFC 9457), or with a bare error status.

    Attributes:
        document: the problem as sent; for a bare status, one that describes it.
        url: the requested URL.
    """

    def __init__(self, document: Mapping[str, Any], url: str = "") -> None:
        self.document = dict(document)
        self.url = url
        super().__init__(": ".join(part for part in (self.title, self.detail) if part))

    @property
    def type(self) -> str:
        """The URL that names the kind of problem; ``about:blank`` for a bare status."""
        return str(self.document.get("type") or "about:blank")

    @property
    def slug(self) -> str:
        """The last part of `type`, as in ``operation-failed``; empty if the service gave none."""
        return self.type.rpartition("/")[2] if "/" in self.type else ""

    @property
    def title(self) -> str:
        """What is wrong, the same for every problem of the kind."""
        return str(self.document.get("title") or _phrase(self.status))

    @property
    def status(self) -> int:
        """The HTTP status."""
        status = self.document.get("status")
        return status if isinstance(status, int) else 0

    @property
    def detail(self) -> str:
        """What is wrong this time; may be empty."""
        return str(self.document.get("detail") or "")

    @property
    def errors(self) -> Sequence[Mapping[str, Any]]:
        """One for each wrong argument: ``{"parameter", "detail", "schema"}``."""
        found = self.document.get("errors")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


class BadRequest(ServiceError, ValueError):
    """The request does not fit the operation or the service; asking again does not help."""


class Unauthorized(ServiceError, PermissionError):
    """Credentials are needed, or those given are not valid."""


class Forbidden(ServiceError, PermissionError):
    """The credentials do not permit this."""


class NotFound(ServiceError, LookupError):
    """There is nothing at this address, or the caller may not see it."""


class Gone(ServiceError, LookupError):
    """The product expired: its operation has to be asked again."""


class PreconditionFailed(ServiceError):
    """A condition of the request does not hold: there is another version, or there is one already."""


class Cancelled(ServiceError):
    """Somebody cancelled the job that made the product; ``document["by"]`` says who."""


class Busy(ServiceError):
    """The service is busy, and the caller's time ends before the service wants another try."""


class NotKept(ServiceError, LookupError):
    """Only a stored result was wanted, and none is stored."""


class OperationFailed(ServiceError):
    """The analysis raised an exception; its class and message are in the detail."""


class TimeLimitReached(OperationFailed):
    """The service ended the analysis at its time limit."""


class WaitTimeout(ClientError, TimeoutError):
    """The product was not ready in time. The service continues to make it.

    Attributes:
        href: the ticket's URL, for a later request; empty if there is no ticket yet.
    """

    def __init__(self, message: str, href: str = "") -> None:
        super().__init__(message)
        self.href = href


class ConnectionFailed(ClientError, ConnectionError):
    """The service can't be reached, does not answer, or hung up.

    Attributes:
        was_cut: whether the service was reached and hung up; asking again at once may help.
        is_final: whether asking again can't help, as for a certificate that is not trusted.
    """

    def __init__(self, message: str, *, was_cut: bool = False, is_final: bool = False) -> None:
        super().__init__(message)
        self.was_cut = was_cut
        self.is_final = is_final


class UnexpectedAnswer(ClientError, ValueError):
    """The answer does not come from a RAVE service: perhaps something else listens there."""


class BadURL(ClientError, ValueError):
    """A URL, a header or a key can't be sent as it is."""


_BY_SLUG: Final[Mapping[str, type[ServiceError]]] = {
    "cancelled": Cancelled,
    "operation-failed": OperationFailed,
    "time-limit": TimeLimitReached,
    "not-kept": NotKept,
}
_BY_STATUS: Final[Mapping[int, type[ServiceError]]] = {
    **dict.fromkeys(_MUST_BE_MENDED, BadRequest),
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    410: Gone,
    412: PreconditionFailed,
    429: Busy,
    503: Busy,
}


def service_error(status: int, content_type: str, body: bytes, url: str) -> ServiceError:
    """The error that an answer with an error status means.

    Args:
        status: of the answer.
        content_type: its header. A body that is not JSON, such as a proxy's page, is not shown.
        body: its beginning at least.
        url: the requested URL.
    """
    document = _document(body) if "json" in content_type.lower() else {}
    if not isinstance(document.get("status"), int):
        document["status"] = status
    return error_of(document, url)


def error_of(document: Mapping[str, Any], url: str) -> ServiceError:
    """The error that a problem document describes."""
    plain = ServiceError(document, url)
    kind = _BY_SLUG.get(plain.slug) or _BY_STATUS.get(plain.status) or ServiceError
    return kind(document, url)


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}" if status else "the operation failed"
