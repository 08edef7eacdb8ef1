"""The names under which the service answers."""

from __future__ import annotations

import socket

import pytest

from rave_http.protocol.hosts import Hosts
from rave_http.protocol.problems import Problem

OWN = Hosts(["Data.Example"], base="https://rave.example/sub")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8888",
        "lab.localhost",
        "127.0.0.1:1",
        "[::1]:8888",
        "192.0.2.7",
        "rave.example",
        "RAVE.example.:443",
        "data.example:80",
        socket.gethostname(),
    ],
)
def test_own_names_and_addresses_pass(host: str) -> None:
    """Again, too, when they are known."""
    for _ in range(2):
        OWN.check(host.encode(), version="1.1")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "rave.example.evil:443", "example"])
def test_a_foreign_name_is_misdirected(host: str) -> None:
    """A page of its own may have led a browser here."""
    with pytest.raises(Problem) as caught:
        OWN.check(host.encode(), version="1.1")
    assert caught.value.status == 421


@pytest.mark.parametrize("host", [None, b"", b"a b", b"a/b", b"[::1", b"user@localhost", b"\xff", b"localhost:123456"])
def test_a_missing_or_malformed_host_is_a_bad_request(host: bytes | None) -> None:
    """It may mean one thing to a proxy and another here."""
    with pytest.raises(Problem) as caught:
        OWN.check(host, version="1.1")
    assert caught.value.status == 400


def test_http_1_0_needs_no_host() -> None:
    """It knows of none."""
    OWN.check(None, version="1.0")


def test_a_star_lets_every_name_pass() -> None:
    """Where something in front checks it."""
    Hosts(["*"]).check(b"anything.example", version="1.1")
