"""Origins: where a page comes from, and at which address a request claims to reach the service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rave_http.protocol.proxies import RawHeaders

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_PORTS: Final = {"http": "80", "https": "443"}


def address_of(headers: RawHeaders, *, scheme: str, is_trusted: bool) -> str:
    """The scheme and host by which the client knows the service; empty if the request is not clear about it.

    Args:
        headers: of the request.
        scheme: by which the request arrived.
        is_trusted: whether it comes from a proxy whose word counts (`rave_http.protocol.proxies.Proxies.trust`): only
            then do ``X-Forwarded-Host`` and ``-Proto`` count.
    """
    host, told = _single(headers, b"host"), ""
    if is_trusted:
        told = _single(headers, b"x-forwarded-proto").lower()
        # Each proxy appends the host that it received: the first is the client's.
        host = _single(headers, b"x-forwarded-host").partition(",")[0].strip() or host
    if not _HOST.fullmatch(host):
        return ""
    return f"{told if told in _PORTS else scheme}://{host}"


def hosts_of(headers: RawHeaders, *, is_trusted: bool) -> frozenset[str]:
    """The host of the service in the request itself, with the port if it has one; in lower case."""
    names = (b"host", b"x-forwarded-host") if is_trusted else (b"host",)
    texts = (_single(headers, name).partition(",")[0].strip() for name in names)
    return frozenset(text.lower() for text in texts if _HOST.fullmatch(text))


def is_of(origin: str, hosts: frozenset[str]) -> bool:
    """Whether an origin, as ``Origin`` has it, is one of some hosts.

    The scheme does not count: behind a proxy that encrypts, the service does not know its own.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    host, port = parts.netloc.lower(), _PORTS.get(parts.scheme, "")
    return bool(host) and bool({host, host.removesuffix(f":{port}"), f"{host}:{port}"} & hosts)


def origin_of(url: str) -> str:
    """The origin of the page that ``Referer`` names, in lower case; empty if it names none of the web."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.scheme in _PORTS and parts.netloc else ""


def _single(headers: RawHeaders, name: bytes) -> str:
    """The value of a header; empty if there is none, or several."""
    values = [value for each, value in headers if each == name]
    return values[0].decode("latin-1").strip() if len(values) == 1 else ""
