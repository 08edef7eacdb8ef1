"""Addresses to listen on: opened before any fork, so that the user who starts the service sees errors."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from rave_core.errors import ConfigurationError

BACKLOG: Final = 2048
_RIGHT: Final = "write HOST:PORT, [IPv6]:PORT or unix:/PATH"
_FIRST_PASSED: Final = 3  # where systemd puts the first socket


class Listener:
    """A socket that listens.

    Attributes:
        url: what a client asks; of a Unix socket its path.
        outside: the address where it can be reached from other hosts, empty for nowhere.
        is_passed: whether it is systemd's, which goes on listening when the service ends.
    """

    def __init__(self, sock: socket.socket, *, is_passed: bool = False) -> None:
        self._socket = sock
        self.is_passed = is_passed
        name = sock.getsockname()
        self.url, self.outside = (f"unix:{name}", "") if isinstance(name, str) else _described(name[0], name[1])

    @property
    def descriptor(self) -> int:
        """Its file descriptor, to be kept open."""
        return self._socket.fileno()

    def handed_over(self) -> str:
        """The socket in gunicorn's form. From now on gunicorn closes it."""
        return f"fd://{self._socket.detach()}"

    def close(self) -> None:
        """Stops listening, unless the socket was handed over."""
        self._socket.close()


def check_address(bind: str) -> None:
    """Returns if ``bind`` is written as an address; whether it can be listened on is not tried.

    Raises:
        ConfigurationError: it is not; the message says what would be right.
    """
    if not bind.startswith("unix:"):
        _parts(bind)


def listen(bind: str) -> Listener:
    """Listens at ``bind``, or where systemd listens for this process.

    Raises:
        ConfigurationError: ``bind`` is no address, or can't be listened on; the message names it and the reason.
    """
    try:
        passed = _passed()
        if passed is not None:
            return Listener(passed, is_passed=True)
        return Listener(_unix(bind) if bind.startswith("unix:") else _internet(bind))
    except OSError as error:
        raise ConfigurationError(f"{bind} can't be listened on: {_reason(error)}") from error


def _internet(bind: str) -> socket.socket:
    host, port = _parts(bind)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # If a name has both, everybody expects the IPv4 address.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return _listening(socket.socket(family, socket.SOCK_STREAM), address)


def _unix(bind: str) -> socket.socket:
    path = os.path.abspath(bind.removeprefix("unix:").removeprefix("//"))
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise ConfigurationError(
                f"{bind} can't be listened on: it is not a socket; name another path, or remove it"
            )
        _unlink_dead(path)
    # A client that comes by it is trusted like a proxy, so it is for our user and group alone.
    before = os.umask(0o117)
    try:
        return _listening(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), path)
    finally:
        os.umask(before)


def _listening(sock: socket.socket, address: object) -> socket.socket:
    try:
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)  # type: ignore[arg-type]  # an address of its family
        # At once: until one of them listens, two processes could have bound the same port.
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _unlink_dead(path: str) -> None:
    """Removes a socket on which nobody listens.

    Raises:
        OSError: somebody does.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
    raise OSError(0, "another process listens there; stop it, or choose another path")


def _parts(bind: str) -> tuple[str, int]:
    host, _, port = bind.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not port.isdecimal() or int(port) > 0xFFFF:
        raise ConfigurationError(f"{bind!r} is not an address to listen on: {_RIGHT}")
    return host, int(port)


def _described(host: str, port: int) -> tuple[str, str]:
    address = ip_address(host.partition("%")[0])
    place = f"[{host}]:{port}" if address.version == 6 else f"{host}:{port}"
    return f"http://{place}", "" if address.is_loopback else place


def _passed() -> socket.socket | None:
    """The socket that systemd passed to this process, if any; no other process can claim it."""
    given = {name: os.environ.get(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if given["LISTEN_PID"] != str(os.getpid()) or given["LISTEN_FDS"] in ("", "0"):
        return None
    if given["LISTEN_FDS"] != "1":
        raise ConfigurationError(f"systemd passes {given['LISTEN_FDS']} sockets: expected one ListenStream")
    for name in given:
        os.environ.pop(name, None)
    os.set_inheritable(_FIRST_PASSED, False)
    return socket.socket(fileno=_FIRST_PASSED)


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host is unknown ({error.strerror})"
    if isinstance(error, PermissionError):
        return "permission denied; ports below 1024 are for root"
    if error.errno == errno.EADDRINUSE:
        return "another process listens there; stop it, or choose another port"
    return str(error.strerror)
