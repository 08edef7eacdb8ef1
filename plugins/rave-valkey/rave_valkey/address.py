"""Where a server is, and which credentials it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from rave_core.backend import StoreURL
from rave_core.errors import ConfigurationError

PORT = 6379
_RIGHT = "expected valkey://host:port/database"


@dataclass(frozen=True, slots=True)
class Address:
    """One database of one server; ``user`` and ``password`` are empty for none, and never shown."""

    host: str
    port: int = PORT
    database: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"Valkey at {host}:{self.port}, database {self.database}"


def address_of(url: StoreURL, *, tls: bool) -> Address:
    """The part of a URL before its options.

    Raises:
        ConfigurationError: the URL names no host, or the port, the database or the credentials are wrong.
    """
    if "@" in url.text.partition("?")[0]:  # the part before the last one may be half a password: not shown
        raise ConfigurationError(
            f"a {url.scheme}:// URL with a bare '/' or '@' in its password: quote them, as %2F, %40"
        )
    user, password = url.take_credentials()
    if user and not password:
        raise ConfigurationError(f"{url}: a user without a password; valkey://user:password@host or :password@host")
    host, port = _place(url)
    return Address(host, port, _database(url), user, password, tls)


def _place(url: StoreURL) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{url.host}")
        host, port = parts.hostname, PORT if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url}: {error}; {_RIGHT}") from error
    if not host or not port:
        raise ConfigurationError(f"{url}: no {'port' if host else 'host'} is named; {_RIGHT}")
    return host, port


def _database(url: StoreURL) -> int:
    text = url.path.strip("/") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ConfigurationError(f"{url}: {text!r} can't be a database, which has a number; {_RIGHT}")
    return int(text)
