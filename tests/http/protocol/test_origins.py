"""Origins: whose word counts about the address of the service, and what an address can be."""

from __future__ import annotations

import pytest

from rave_http.protocol.origins import address_of, hosts_of, is_of

FORWARDED = [
    (b"host", b"127.0.0.1:8888"),
    (b"x-forwarded-host", b"rave.example.org, inner"),
    (b"x-forwarded-proto", b"https"),
]


def test_a_proxy_is_believed_and_nobody_else() -> None:
    """What it forwards comes before the host that it asked for itself."""
    assert address_of(FORWARDED, scheme="http", is_trusted=True) == "https://rave.example.org"
    assert address_of(FORWARDED, scheme="http", is_trusted=False) == "http://127.0.0.1:8888"
    assert hosts_of(FORWARDED, is_trusted=True) == {"127.0.0.1:8888", "rave.example.org"}
    assert hosts_of(FORWARDED, is_trusted=False) == {"127.0.0.1:8888"}


@pytest.mark.parametrize("host", [b"rave", b"Rave.example.org:80", b"[::1]:8888", b"10.0.0.1", b"my_host."])
def test_a_host_may_have_a_port(host: bytes) -> None:
    """Names, addresses, and addresses of IPv6."""
    assert address_of([(b"host", host)], scheme="http", is_trusted=False) == f"http://{host.decode()}"


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a'b", b"a/b", b"a@b", b"a:b", b"a:1234567", b"<x>", b"::1", b"-a", b"a?b"]
)
def test_what_can_be_no_host_is_none(host: bytes) -> None:
    """Nor are two of them, or a scheme that is not of the web."""
    assert address_of([(b"host", host)], scheme="http", is_trusted=False) == ""
    assert address_of([(b"host", b"a"), (b"host", b"b")], scheme="http", is_trusted=False) == ""
    odd = [(b"host", b"a"), (b"x-forwarded-proto", b"javascript")]
    assert address_of(odd, scheme="http", is_trusted=True) == "http://a"


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ("https://rave.example.org", True),
        ("https://RAVE.example.org:443", True),
        ("http://rave.example.org:80", True),
        ("https://rave.example.org:80", False),
        ("https://rave.example.org:8443", False),
        ("https://rave.example.org.evil.example", False),
        ("https://evil.example", False),
        ("http://host:8888", True),
        ("http://host", False),
        ("null", False),
        ("", False),
        ("https://", False),
        ("https://[", False),
    ],
)
def test_an_origin_is_ours_by_its_host_and_port(origin: str, is_ours: bool) -> None:
    """A port that goes without saying may be said or not."""
    assert is_of(origin, frozenset({"rave.example.org", "host:8888"})) is is_ours
