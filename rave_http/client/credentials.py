"""Credentials: what one host may see, and no other, wherever redirects and tickets lead."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from rave_http.client.errors import BadURL

_PORTS: Final = {"http": 80, "https": 443}
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "prefer",
        "range",
        "transfer-encoding",
    }
)
"""Headers that a caller can't set: the client depends on what they say."""


class Credentials:
    """A key, the user in a URL, and the caller's headers, which may be credentials too."""

    def __init__(self, home: str, key: str = "", headers: Mapping[str, str] | None = None) -> None:
        """For the host of the URL ``home``.

        Raises:
            BadURL: one of them can't be sent.
        """
        self._home, user = _without_user(home)
        self._headers = _checked(headers or {})
        if key or user:
            self._headers["Authorization"] = f"Bearer {_checked_key(key)}" if key else user

    @property
    def can_authorize(self) -> bool:
        """Whether they identify the caller."""
        return any(name.lower() == "authorization" for name in self._headers)

    def are_for(self, url: str) -> bool:
        """Whether this URL gets them."""
        theirs, ours = _origin(url), _origin(self._home)
        # A step from http to https on one host, both on their usual ports, stays with the same party.
        return theirs == ours or (theirs == ("https", ours[1], 443) and ours == ("http", ours[1], 80))

    def headers_for(self, url: str) -> Mapping[str, str]:
        """What a request for this URL carries."""
        return self._headers if self.are_for(url) else {}


def origin_of(url: str) -> str:
    """The part of a URL before its path, with the user that it names.

    Raises:
        BadURL: it is not an http or https URL.
    """
    parts = _parsed(url)
    return f"{parts.scheme}://{parts.netloc}"


def whole_url(base: str, place: str) -> str:
    """The URL of ``place``, seen from ``base``.

    Raises:
        BadURL: it is not an http or https URL.
    """
    try:
        found = urljoin(base, place)
    except ValueError as error:
        raise BadURL(f"{place!r} is not a URL: {error}") from None
    _parsed(found)
    return found


def without_user(url: str) -> str:
    """The URL without its user, safe to show.

    Raises:
        BadURL: it is not an http or https URL.
    """
    return _without_user(url)[0]


def _without_user(url: str) -> tuple[str, str]:
    parts = _parsed(url)
    user, at, host = parts.netloc.rpartition("@")
    basic = f"Basic {b64encode(unquote(user).encode()).decode()}" if at else ""
    return urlunsplit(parts._replace(netloc=host)), basic


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise BadURL(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadURL(f"{url!r} is not a URL of a service: it has to start with http:// or https:// and a host")
    return parts


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _OURS:
            raise BadURL(f"the header {name!r} can't be set: the client sets it itself where it is needed")
        if not name.strip() or any(char in "\r\n\0" or ord(char) > 255 for char in name + value):
            raise BadURL(f"the header {name!r} can't be sent as it is")
    return dict(headers)


def _checked_key(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadURL("the key can't be sent: it has characters that no key has")
    return key
