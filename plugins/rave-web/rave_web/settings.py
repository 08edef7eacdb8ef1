"""The settings of this package: the table ``[plugins.web]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings import Count, OptionalDuration, PluginSettings, Table, listed
from rave_http.settings import PERMISSIONS

TABLE = "[plugins.web]"
Network: TypeAlias = "IPv4Network | IPv6Network"


@dataclass(frozen=True, kw_only=True)
class WebSettings(PluginSettings):
    """The checked content of ``[plugins.web]``.

    Attributes:
        networks: for an address or network, what requests from there may do without credentials.
        headers: for every response, by name.
        hsts: seconds for which browsers must use HTTPS only; ``None`` leaves the header out.
        coroutines: how many bodies the executor ``coroutines`` runs at once in each worker.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin = "web"
    networks: Table = Table(dict)
    headers: Table = Table(dict)
    hsts: OptionalDuration = OptionalDuration(None)
    coroutines: Count = Count(100)

    def check(self, _origin: str) -> None:
        """Returns if networks, permissions and headers can be read."""
        self.grants()
        self.texts()

    def grants(self) -> list[tuple[Network, frozenset[str]]]:
        """Each network, and the permissions of requests that come from it.

        Raises:
            ConfigurationError: something is not a network, or not a permission.
        """
        return [(_network(name), _permissions(name, given)) for name, given in self.networks.items()]

    def texts(self) -> list[tuple[str, str]]:
        """The headers, names and values.

        Raises:
            ConfigurationError: one can't be sent.
        """
        for name, value in self.headers.items():
            if not (isinstance(value, str) and value.isascii() and value.isprintable() and _is_token(name)):
                raise ConfigurationError(f"{TABLE}: headers: {name!r} is {value!r}: write a name and a printable text")
        return [(name, str(value)) for name, value in self.headers.items()]


def _network(name: str) -> Network:
    try:
        return ip_network(name)
    except ValueError as error:
        raise ConfigurationError(f"{TABLE}: networks has {name!r}: {error}; write it as '10.1.0.0/16'") from error


def _permissions(name: str, given: object) -> frozenset[str]:
    try:
        words = listed(given, "a list of permissions, such as ['view', 'run']")
    except ValueError as error:
        raise ConfigurationError(f"{TABLE}: networks: {name!r} is {given!r}: {error}") from error
    for word in words:
        if word not in PERMISSIONS:
            hint = nearest(str(word), PERMISSIONS)
            raise ConfigurationError(f"{TABLE}: networks: {name!r}: unknown permission {word!r}: {hint}")
    return frozenset(words)


def _is_token(name: str) -> bool:
    return bool(name) and name.isascii() and all(each.isalnum() or each == "-" for each in name)
