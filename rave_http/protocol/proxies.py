"""The trusted proxies in front of the service. Only their headers about a request count."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from rave_core.errors import ConfigurationError

Address: TypeAlias = "IPv4Address | IPv6Address"
RawHeaders: TypeAlias = "Iterable[tuple[bytes, bytes]]"
"""Names in lower case and values, as ASGI gives them."""

_REMEMBERED = 1024
_SITE = 64


class Proxies:
    """The addresses of trusted proxies. A client of a Unix socket is one: the mode of the file controls access."""

    def __init__(self, names: Iterable[str], origin: str = "settings") -> None:
        """Takes addresses and networks.

        Raises:
            ConfigurationError: one is neither; the message names ``origin`` and what would be right.
        """
        self._networks = [_network(name, origin) for name in names]
        self._contain = lru_cache(_REMEMBERED)(self._is_among)

    def trust(self, peer: str) -> bool:
        """Whether ``peer``, an address or ``""`` for a Unix socket, is a trusted proxy."""
        return not peer or self._contain(peer)

    def client(self, headers: RawHeaders, peer: str) -> str:
        """The address of the client: ``peer``, or the client behind it if it is a trusted proxy.

        ``X-Forwarded-For`` is read from its end, where our own proxy writes, up to the first address that is not a
        trusted proxy. Anybody could have written the part before that.
        """
        if not self.trust(peer):
            return peer
        hops = [hop for name, value in headers if name == b"x-forwarded-for" for hop in value.split(b",")]
        for hop in reversed(hops):
            address = address_of(hop.strip().decode("latin-1"))
            if address is None:
                return peer
            peer = str(address)
            if not self.trust(peer):
                return peer
        return peer

    def _is_among(self, peer: str) -> bool:
        address = address_of(peer)
        return address is not None and any(address in network for network in self._networks)


def address_of(text: str) -> Address | None:
    """The address in ``text``; an IPv4-mapped IPv6 address becomes the IPv4 address. ``None`` if it is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def site_of(client: str) -> str:
    """The site of an address: itself, or with IPv6 its /64 network, of which one host can use any address."""
    address = address_of(client)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _SITE), strict=False))
    return client if address is None else str(address)


def _network(name: str, origin: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(name.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{origin}: 'trusted_proxies' has {name!r}: {error}; write addresses or networks, such as '10.1.0.0/16'"
        ) from error
