"""One request over the wire: its time limits, its redirects, and what its failure means.

No other module of the client uses requests, except for the type of its responses.
"""

from __future__ import annotations

import logging
import math
from http.client import IncompleteRead
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from rave_http.client.ask import Ask
from rave_http.client.credentials import Credentials, whole_url
from rave_http.client.deadline import Deadline, now
from rave_http.client.errors import BadURL, ConnectionFailed, UnexpectedAnswer

logger = logging.getLogger("rave.client")

_MOST_REDIRECTS: Final = 10
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})
_SHORTEST: Final = 0.05


class Transport:
    """Sends requests, each once, and follows redirects. Safe for threads."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        user_agent: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
    ) -> None:
        """Sends to anywhere.

        Args:
            credentials: for the host that may see them.
            user_agent: how the client calls itself.
            connect_timeout: seconds to establish a connection.
            read_timeout: seconds of silence after which a connection counts as dead.
        """
        self.credentials = credentials
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._session = _Session()
        # No cookies: they would be one more credential, and the one thing in a session that threads can't share.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Ranges and lengths count the bytes of the product, not those of a compressed form.
        self._session.headers.update({"User-Agent": user_agent or _user_agent(), "Accept-Encoding": "identity"})

    def send(self, ask: Ask, limit: Deadline, *, silence: float = math.inf) -> requests.Response:
        """The answer, its body still to be read, after redirects.

        Args:
            ask: the request.
            limit: until when.
            silence: seconds after which this connection counts as dead, if that is earlier than for others.

        Raises:
            BadURL: the URL can't be requested.
            ConnectionFailed: there was no answer.
            UnexpectedAnswer: it redirects without end, or to nowhere.
        """
        for _ in range(_MOST_REDIRECTS):
            response = self._send(ask, limit, silence)
            place = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not place:
                return response
            read_small(response)
            ask = _redirected(ask, response.status_code, place)
        raise UnexpectedAnswer(f"{ask.url}: redirected more than {_MOST_REDIRECTS} times")

    def close(self) -> None:
        """Closes the connections that are kept open."""
        self._session.close()

    def _send(self, ask: Ask, limit: Deadline, silence: float) -> requests.Response:
        private = self.credentials.headers_for(ask.url)
        # Without an 'auth' of ours requests would put one from ~/.netrc over the header.
        auth = _left_alone if private and self.credentials.can_authorize else None
        left = max(limit.left, _SHORTEST)
        timeout = (min(self._connect_timeout, left), min(self._read_timeout, silence, left))
        started = now()
        try:
            response = self._session.request(
                ask.method,
                ask.url,
                headers={**private, **ask.headers},
                data=ask.body,
                auth=auth,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise _failure(error, ask.url) from error
        logger.debug("%s %s: %s, %.0f ms", ask.method, ask.url, response.status_code, (now() - started) * 1000)
        return response


class _Session(requests.Session):
    """A session that neither follows redirects nor reads their targets: it would send credentials there."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


def read_some(response: requests.Response, most: int) -> bytes:
    """The next bytes of a body, as they come; nothing at its end.

    Raises:
        ConnectionFailed: the connection was cut, or is silent for too long.
    """
    try:
        found: bytes = response.raw.read1(most, decode_content=True)
    except (HTTPError, OSError) as error:
        raise _failure(error, response.url) from error
    return found


def read_small(response: requests.Response, most: int = 1 << 18) -> bytes:
    """At least the first bytes of a small body; empty if the connection drops."""
    found = bytearray()
    try:
        while len(found) < most:
            part = read_some(response, most)
            if not part:
                break
            found += part
    except ConnectionFailed:
        return b""
    finally:
        response.close()
    return bytes(found)


def _redirected(ask: Ask, status: int, place: str) -> Ask:
    try:
        url = whole_url(ask.url, place)
    except BadURL as error:
        raise UnexpectedAnswer(f"{ask.url}: redirected to nowhere: {error}") from error
    if status in _KEEP_METHOD:
        return Ask(url, ask.headers, ask.body, ask.verb)
    return Ask(url, {name: value for name, value in ask.headers.items() if name != "Content-Type"})


def _left_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _user_agent() -> str:
    try:
        return f"rave-framework/{version('rave-framework')}"
    except PackageNotFoundError:
        return "rave-framework"


def _failure(error: Exception, url: str) -> BadURL | ConnectionFailed:
    """What a failed request means to the caller."""
    wrong = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)
    if isinstance(error, (*wrong, requests.exceptions.InvalidHeader, UnicodeError)):
        return BadURL(f"{url!r} can't be asked for: {error}")
    service = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    if isinstance(error, requests.exceptions.SSLError):
        return ConnectionFailed(f"no trusted connection to {service}: {_reason(error)}", is_final=True)
    chain = _chain(error)
    if any(isinstance(each, (NewConnectionError, requests.exceptions.ConnectTimeout)) for each in chain):
        return ConnectionFailed(f"can't connect to {service}: {_reason(error)}")
    if any(isinstance(each, (ReadTimeoutError, TimeoutError)) for each in chain):
        return ConnectionFailed(f"{service} does not answer")
    cut = any(isinstance(each, (ProtocolError, ConnectionError)) for each in chain)
    return ConnectionFailed(f"{service} hung up: {_reason(error)}", was_cut=cut)


def _chain(error: BaseException) -> list[BaseException]:
    """The error and its causes, the outermost first."""
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        each = todo.pop(0)
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found


def _reason(error: BaseException) -> str:
    """The innermost reason in the system's words."""
    if any(isinstance(each, IncompleteRead) for each in _chain(error)):
        return "its answer was cut short"
    for each in reversed(_chain(error)):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    innermost = _chain(error)[-1]
    return str(innermost) or type(innermost).__name__
