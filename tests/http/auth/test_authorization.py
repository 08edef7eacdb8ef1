"""None"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rave_core.testing.clock import FakeClock
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import ANONYMOUS, Access, Principal
from tests.http.auth.principals import ALICE, USUAL, refused


def test_whoever_brings_no_credentials_is_anonymous(access: Callable[..., Access]) -> None:
    """That is never refused, and the answers may be shared."""
    made = access(proxy_header="X-Remote-User")
    assert made.principal([], "192.0.2.1") is made.principal(USUAL, "") is ANONYMOUS
    assert not made.is_private(ANONYMOUS)


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer %s"),
        (b"authorization", b"bearer   %s "),
        (b"authorization", b"BEARER %s"),
        (b"x-api-key", b"%s"),
    ],
)
def test_a_key_tells_who_asks(access: Callable[..., Access], keys: KeyStore, header: tuple[bytes, bytes]) -> None:
    """In either header; answers are for them alone."""
    text = keys.create("alice", permissions=["view"]).encode()
    made = access()
    found = made.principal([*USUAL, (header[0], header[1] % text)], "192.0.2.1")
    assert found == Principal("alice", "key", frozenset({"view"}))
    assert made.is_private(found)


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"Bearer ",
        b"Bearer\tx",
        b"Bearer rave_",
        b"Bearer rave_0123456789ab_" + b"0" * 64,
        b"Basic YWxpY2U6c2VjcmV0",
        b"rave_0123456789ab_" + b"0" * 64,
        b"Bearer " + "ключ".encode(),
        b"Bearer \xff\xfe\x00",
        b"Bearer " + b"x" * 10_000_000,
        b"x" * 10_000_000,
        b"Bearer rave_" + b"_" * 1_000_000,
    ],
)
def test_wrong_credentials_are_refused_and_not_repeated(access: Callable[..., Access], value: bytes) -> None:
    """Whatever their bytes and length: none is taken for no credentials, or breaks anything."""
    problem = refused(lambda: access().principal([*USUAL, (b"authorization", value)], "192.0.2.1"))
    assert len(problem.detail) < 100
    assert "YWxp" not in problem.detail


def test_a_revoked_and_an_expired_key_are_refused(
    access: Callable[..., Access], keys: KeyStore, clock: FakeClock
) -> None:
    """In a running service, with the same words as an unknown one."""
    made = access()
    revoked, expiring = keys.create("alice"), keys.create("alice", expires_after=60)
    for text in (revoked, expiring):
        assert made.principal([(b"x-api-key", text.encode())], "").name == "alice"
    keys.revoke(revoked)
    clock.advance(60)

    def detail(text: str) -> str:
        return refused(lambda: made.principal([(b"x-api-key", text.encode())], "")).detail

    assert detail(revoked) == detail(expiring) == detail("nonsense")


def test_two_different_keys_are_refused(access: Callable[..., Access], keys: KeyStore) -> None:
    """It must not depend on the order of headers who somebody is; the same key twice is clear enough."""
    alice, bob = (keys.create(user).encode() for user in ("alice", "bob"))
    made = access()
    bearer = (b"authorization", b"Bearer " + alice)
    assert made.principal([bearer, (b"x-api-key", alice)], "").name == "alice"
    assert "two different" in refused(lambda: made.principal([bearer, (b"x-api-key", bob)], "")).detail
    assert "twice" in refused(lambda: made.principal([bearer, bearer], "")).detail
    assert "twice" in refused(lambda: made.principal([(b"x-api-key", alice), (b"x-api-key", bob)], "")).detail


def test_a_trusted_proxy_tells_who_asks(access: Callable[..., Access]) -> None:
    """By its address, in the clothes of IPv6 too, or by coming through a Unix socket."""
    made = access(proxy_header="X-Remote-User", trusted_proxies=["10.1.0.0/16", "2001:db8::/64"])
    header = [*USUAL, (b"x-remote-user", " Zoë ".encode())]
    for peer in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7", ""):
        assert made.principal(header, peer) == Principal("Zoë", "proxy")


@pytest.mark.parametrize("peer", ["10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "2001:db8:0:1::7", "fe80::1%eth0", "?"])
def test_a_user_smuggled_in_from_elsewhere_is_ignored(access: Callable[..., Access], peer: str) -> None:
    """As if the header were not there, even twice or with nonsense in it: whoever may ask without it, may ask."""
    made = access(proxy_header="X-Remote-User", trusted_proxies=["10.1.0.0/16", "2001:db8::/64"])
    for headers in ([(b"x-remote-user", b"admin")], [(b"x-remote-user", b"admin")] * 2, [(b"x-remote-user", b"\xff")]):
        assert made.principal([*USUAL, *headers], peer) is ANONYMOUS


def test_a_header_of_another_spelling_names_nobody(access: Callable[..., Access]) -> None:
    """Underscores, which some servers take for hyphens, and the header while none is configured."""
    made = access(proxy_header="X-Remote-User")
    for name in (b"x_remote_user", b"x-remote_user", b"x-remote-user-", b"remote-user"):
        assert made.principal([(name, b"admin")], "127.0.0.1") is ANONYMOUS
    assert access().principal([(b"x-remote-user", b"admin"), (b"", b"admin")], "127.0.0.1") is ANONYMOUS


def test_a_proxy_that_passes_on_a_smuggled_user_is_refused(access: Callable[..., Access]) -> None:
    """Two headers mean that it adds its own to that of the client, so neither is believed."""
    made = access(proxy_header="X-Remote-User")
    headers = [(b"x-remote-user", b"admin"), (b"x-remote-user", b"alice")]
    assert "twice" in refused(lambda: made.principal(headers, "127.0.0.1")).detail


@pytest.mark.parametrize("value", [b"", b"  ", b"-", b"(null)", b"anonymous"])
def test_a_proxy_that_names_nobody_means_the_anonymous(access: Callable[..., Access], value: bytes) -> None:
    """In each of the ways that proxies have to say so."""
    assert access(proxy_header="X-Remote-User").principal([(b"x-remote-user", value)], "") is ANONYMOUS


@pytest.mark.parametrize("value", [b"*", b"\xff", b"a\x00b", b"a\x1bb", "a\u202eb".encode(), b"x" * 100_000])
def test_a_user_whose_name_can_not_be_written_is_refused(access: Callable[..., Access], value: bytes) -> None:
    """It would stand in logs; and ``*`` means everybody."""
    refused(lambda: access(proxy_header="X-Remote-User").principal([(b"x-remote-user", value)], ""))


def test_a_key_counts_more_than_what_the_proxy_says(access: Callable[..., Access], keys: KeyStore) -> None:
    """A key that is not valid is refused there too."""
    made = access(proxy_header="X-Remote-User")
    proxied = (b"x-remote-user", b"alice")
    assert made.principal([proxied, (b"x-api-key", keys.create("bob").encode())], "").name == "bob"
    refused(lambda: made.principal([proxied, (b"authorization", b"Bearer rave_gone")], ""))


@pytest.mark.parametrize(
    "header", [(b"authorization", b"Basic eA=="), (b"authorization", b"Bearer ey.ey.x"), (b"x-api-key", b"gateway")]
)
def test_credentials_that_were_for_the_proxy_do_not_concern_us(
    access: Callable[..., Access], header: tuple[bytes, bytes]
) -> None:
    """It took them, named the user, and passed them on; where it named nobody, they are refused as elsewhere."""
    made = access(proxy_header="X-Remote-User")
    assert made.principal([header, (b"x-remote-user", b"alice")], "") == ALICE
    assert made.principal([header, (b"x-remote-user", b"")], "") is ANONYMOUS
    refused(lambda: made.principal([header], ""))
    refused(lambda: made.principal([header, (b"x-remote-user", b"alice")], "192.0.2.1"))
