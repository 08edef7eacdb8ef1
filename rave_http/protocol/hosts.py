"""The host names of the service. Other names are refused, against DNS rebinding attacks on browsers."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from rave_http.protocol.problems import Problem

_HOST: Final = re.compile(
    rb"(?:([A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_])?)\.?|\[([0-9A-Fa-f:.]{2,45})\])(?::[0-9]{0,5})?"
)
_MOST: Final = 1000


class Hosts:
    """Checks the header ``Host`` of requests.

    Addresses pass, since they involve no DNS. So do ``localhost``, the machine's own name, and the given names.
    """

    def __init__(self, names: Iterable[str], *, base: str = "") -> None:
        """Accepts these names, and that of ``base``, the public URL of the service; ``*`` accepts all."""
        given = {name.strip().lower().rstrip(".") for name in names}
        own = {"localhost", socket.gethostname().lower(), (urlsplit(base).hostname or "").lower()}
        self._names = (given | own) - {""}
        self._known: set[bytes] = set()

    def check(self, host: bytes | None, *, version: str) -> None:
        """Returns if a request may be answered.

        Args:
            host: the header; ``None`` if there is none.
            version: of HTTP; in 1.0 it may be missing.

        Raises:
            Problem: ``bad-request`` for a header that is missing or malformed, ``misdirected`` for a foreign name.
        """
        if host in self._known or (host is None and version == "1.0"):
            return
        found = _HOST.fullmatch(host) if host is not None else None
        if host is None or found is None:
            raise Problem("bad-request", "The header 'Host' is missing, or names no host")
        name = (found[1] or found[2]).decode().lower()
        if not ("*" in self._names or name in self._names or name.endswith(".localhost") or _is_address(name)):
            raise Problem(
                "misdirected", f"This service does not answer as {name[:100]!r}; the setting 'hosts' names more hosts"
            )
        if len(self._known) < _MOST:
            self._known.add(host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
