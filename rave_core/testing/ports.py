"""Ports of the loopback for the servers of tests."""

from __future__ import annotations

import random
import socket

# Below the ports that Linux, macOS and Windows lend to outgoing connections and to sockets bound to port 0, and above
# those of services that a developer's machine may run.
_PORTS = range(20_000, 32_000)
_CHANCE = random.SystemRandom()  # a seeded one would give processes that test side by side the same ports
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback on which nobody listens; no later call in this process gives it again.

    The operating system does not give it away either, so a server may be started there later, stopped and started
    again. Other processes choose at random among 12,000 ports. Not safe for threads.

    Raises:
        OSError: a hundred ports chosen at random were all taken.
    """
    for _ in range(100):
        port = _CHANCE.choice(_PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port was found among {_PORTS.start} to {_PORTS.stop - 1} in 100 trials")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
