"""A cache in a Valkey server: one string for each frame, named for its key.

rave:e:operation/version/args   the frame
rave:l:operation/version/args   the lease, which the server forgets an hour after it was last renewed
rave:purged                     when the entries were last purged
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import ClassVar

from rave_core.backend import Backend, Purged, StoreURL, parse_flag
from rave_core.errors import BackendError, ConfigurationError
from rave_core.expiry import parse_duration
from rave_core.model import Bytes, Entry
from rave_valkey.address import Address, address_of
from rave_valkey.server import Server
from rave_valkey.state import shortcomings
from rave_valkey.sweeper import Purger

DEFAULT_TIMEOUT = 5.0
"""Seconds that the server may be silent."""

LARGEST = 512 << 20
"""The most bytes that a string on the server may have."""

_FORGOTTEN = 3600

_SWAP = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if #ARGV == 1 then redis.call('unlink', KEYS[1]) else redis.call('set', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""


class ValkeyBackend(Backend):
    """Keeps frames and leases in a Valkey server, which many processes and hosts may share.

    Opening makes no connection; trouble shows in the calls, as `BackendError`, and in ``check``. The store counts as
    shared, so it has no sealing key of its own. It keeps no products. Its budget is the server's own ``maxmemory``.
    """

    remote: ClassVar[bool] = True

    def __init__(self, address: Address, prefix: str = "rave", *, timeout: float = DEFAULT_TIMEOUT) -> None:
        """The cache at ``address``, in keys whose names start with ``prefix`` and a colon.

        Args:
            address: the server and the database.
            prefix: parts joined by colons. Everything else in the database stays untouched.
            timeout: seconds that the server may be silent.

        Raises:
            ConfigurationError: the prefix is wrong, or valkey is not installed.
        """
        if find_spec("valkey") is None:
            raise ConfigurationError("valkey:// needs the package valkey: pip install rave-valkey")
        if not prefix.isprintable() or {"", "e", "l"} & set(prefix.split(":")):
            raise ConfigurationError(
                f"{prefix!r} can't be a prefix; expected parts joined by ':', none empty, 'e' or 'l', as in team:rave"
            )
        self._server = Server(address, timeout)
        self._prefix = f"{prefix}:"
        self._entries = f"{prefix}:e:"
        self._sweeper = Purger(self._server, self._entries, f"{prefix}:purged")

    @classmethod
    def from_url(cls, url: StoreURL) -> ValkeyBackend:
        """The cache at ``valkey://[user:password@]host:port/database?prefix=…&timeout=…&tls=…``.

        Raises:
            ConfigurationError: the URL names no host, or an option is wrong.
        """
        prefix = url.take("prefix", str, "rave")
        timeout, tls = url.take("timeout", _timeout, DEFAULT_TIMEOUT), url.take("tls", parse_flag, False)
        address = address_of(url, tls=tls)
        url.done()
        try:
            return cls(address, prefix.removesuffix(":"), timeout=timeout)
        except ConfigurationError as error:
            raise ConfigurationError(f"{url}: {error}") from error

    def __repr__(self) -> str:
        return f"ValkeyBackend({str(self._server)!r}, {self._prefix!r})"

    def get(self, key: str) -> bytes | None:
        """The frame kept under ``key``, whole, or ``None``."""
        frame: bytes | None = self._server.run("get an entry", "GET", self._entries + key)
        return frame

    def head(self, key: str, size: int) -> bytes | None:
        """The first ``size`` bytes of the frame under ``key`` (fewer if it is shorter), or ``None``."""
        if size > 0:
            head: bytes = self._server.run("get the head of", "GETRANGE", self._entries + key, 0, size - 1)
            if head:
                return head
        return b"" if self._server.run("look for an entry", "EXISTS", self._entries + key) else None

    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame``, given in pieces, in place of the old one. A reader sees the whole old or new frame.

        Raises:
            BackendError: also for a frame of more than 512 MiB, which no server accepts.
        """
        size = sum(memoryview(piece).nbytes for piece in frame)
        if size > LARGEST:
            raise BackendError(
                f"{self._server}: can't put {key}: it has {size} bytes, and a server keeps {LARGEST} at most in one "
                "place; keep such results in file:// or s3://"
            )
        self._server.run("put an entry", "SET", self._entries + key, b"".join(frame))

    def delete(self, key: str) -> bool:
        """Forgets ``key``; whether it existed."""
        return bool(self._server.run("delete an entry", "UNLINK", self._entries + key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with ``prefix``, in no order, each once. Keys that come or go may or may not appear.

        The server scans all names in the database, and this process remembers those that it has seen.
        """
        seen: set[bytes] = set()
        for names in self._server.scan(self._entries + prefix):
            for name in names:
                if name not in seen:
                    seen.add(name)
                    yield name[len(self._entries.encode()) :].decode(errors="replace")

    def close(self) -> None:
        """Drops the connections."""
        self._server.close()

    def check(self) -> str | None:
        """Why the server can't be reached, read or written to, in words; ``None`` when it can."""
        name = f"{self._prefix}checked"
        try:
            self._server.run("put an entry", "SET", name, b"checked", "EX", _FORGOTTEN)
            self._server.run("get an entry", "GET", name)
            self._server.run("read an entry", "GETRANGE", name, 0, 0)
            self._server.run("swap a lease", "EVAL", _SWAP, 1, name, b"other")
            self._server.run("list the entries", "SCAN", 0, "COUNT", 1)
            self._server.run("delete an entry", "UNLINK", name)
        except BackendError as error:
            return str(error)
        return None

    def notice(self) -> str | None:
        """Which server settings do not suit a cache, in words; ``None`` if all do, or if the server hides them."""
        found = shortcomings(self._server)
        return f"{self._server}: {'; '.join(found)}" if found else None

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none. Exactly one of many claimants gets ``True``."""
        name = self._lease(key)
        return self._server.run("claim a key", "SET", name, record, "NX", "EX", _FORGOTTEN) is not None

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, or ``None`` when nobody holds one."""
        record: bytes | None = self._server.run("look at a lease", "GET", self._lease(key))
        return record

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record with ``record`` (``None`` removes it) if it is still ``seen``; whether it did."""
        following = () if record is None else (record, _FORGOTTEN)
        return bool(self._server.run("swap a lease", "EVAL", _SWAP, 1, self._lease(key), seen, *following))

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:  # noqa: ARG002  # no products
        """Removes damaged entries and those for which ``is_dead``. There are no products; leases expire by themselves.

        A purge is not split up: a server with a limit of its own holds no more than fits in memory.
        """
        return self._sweeper.purge(is_dead)

    def last_purge(self) -> float | None:
        """Unix time of the last purge by any process, by the server's clock; ``None`` if there was none."""
        return self._sweeper.last_purge()

    def _lease(self, key: str) -> str:
        return f"{self._prefix}l:{key}"


def _timeout(text: str) -> float:
    seconds = parse_duration(text)
    if not 0.1 <= seconds <= 3600:
        raise ValueError("expected a time from 0.1s to 1h")
    return seconds
