from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy
import pytest

from rave_core.errors import ConfigurationError
from rave_core.testing.clock import FakeClock
from rave_http import hookspecs
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import ANONYMOUS, HIDDEN, Access, Principal
from rave_http.hookspecs import hookimpl
from rave_http.protocol.problems import Problem
from rave_http.protocol.proxies import Proxies
from rave_http.settings import ServiceSettings

ALICE = Principal("alice", "proxy")
BOB = Principal("bob", "key")
USUAL = [(b"host", b"localhost:8888"), (b"accept", b"*/*"), (b"cookie", b"a=b")]


def hooks(*plugins: object) -> Any:
    """The relay of these plugins."""
    manager = pluggy.PluginManager("rave_http")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager.hook


@pytest.fixture
def keys(tmp_path: Path, clock: FakeClock) -> KeyStore:
    """A store without keys yet."""
    return KeyStore(tmp_path / "keys.json", clock)


@pytest.fixture
def access(keys: KeyStore, clock: FakeClock) -> Callable[..., Access]:
    """Makes it from plugins and settings."""
    return lambda *plugins, **settings: Access(ServiceSettings(**settings), keys, hooks(*plugins), clock)


def refused(ask: Callable[[], object]) -> Problem:
    """The problem with which credentials are refused."""
    with pytest.raises(Problem) as caught:
        ask()
    assert caught.value.slug == "unauthorized"
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="RAVE"'}
    return caught.value


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


def test_permissions_of_a_namespace_take_the_place_of_the_general_ones(access: Callable[..., Access]) -> None:
    """A plain list is for all of them, and for the service itself."""
    made = access(
        permissions={"alice": {"flow": ["view", "run", "purge"], "*": ["view"], "shut": []}, "bob": ["metrics"]}
    )
    assert made.allows(ALICE, "purge", "flow")
    assert not made.allows(ALICE, "metrics", "flow")
    assert made.allows(ALICE, "view", "other")
    assert made.allows(ALICE, "view", "*")
    assert not made.allows(ALICE, "run", "other")
    assert not made.allows(ALICE, "view", "shut")
    assert made.allows(BOB, "metrics", "*")
    assert not made.allows(BOB, "view", "flow")


def test_a_principal_without_an_entry_has_that_of_everybody(access: Callable[..., Access]) -> None:
    """Without one they may view, run and read metrics; entries for namespaces alone give nothing elsewhere."""
    made = access(anonymous=[])
    assert [made.allows(BOB, name, "flow") for name in ("view", "run", "refresh")] == [True, True, False]
    made = access(permissions={"*": {"flow": "view"}})
    assert [made.allows(BOB, "view", name) for name in ("flow", "other", "*")] == [True, False, False]


def test_the_anonymous_have_permissions_of_their_own(access: Callable[..., Access]) -> None:
    """Those of the setting, or by namespace of the entry; never those of a user who is called like them."""
    assert access().allows(ANONYMOUS, "run", "flow")
    assert not access(anonymous="view").allows(ANONYMOUS, "run", "flow")
    made = access(permissions={"anonymous": {"flow": ["view"]}, "*": ["view", "run"]})
    assert made.allows(ANONYMOUS, "view", "flow")
    assert not made.allows(ANONYMOUS, "run", "flow")
    assert not made.allows(ANONYMOUS, "view", "other")
    assert not made.allows(ANONYMOUS, "purge", "flow")
    assert made.allows(Principal("anonymous", "key"), "run", "flow")


def test_a_narrowed_key_may_do_no_more_than_its_user(access: Callable[..., Access]) -> None:
    """Only what both have, even where a plugin allows everything."""
    key = Principal("alice", "key", frozenset({"view", "purge"}))
    made = access(permissions={"alice": ["view", "run"]})
    assert [made.allows(key, name, "flow") for name in ("view", "run", "purge")] == [True, False, False]
    made = access(Deciding(lambda *_: True))
    assert [made.allows(key, name, "flow") for name in ("view", "run", "purge")] == [True, False, True]


class Deciding:
    """A plugin that answers as a function does, and counts how often it is asked."""

    def __init__(self, decide: Callable[..., Any]) -> None:
        self.decide = decide
        self.asked = 0

    @hookimpl
    def rave_http_authorize(self, principal: Principal, permission: str, namespace: str) -> Any:
        """Answers."""
        self.asked += 1
        return self.decide(principal, permission, namespace)


def test_a_plugin_decides_both_ways(access: Callable[..., Access]) -> None:
    """Against the settings; what it does not decide, they do. It is asked each time."""
    plugin = Deciding(lambda who, permission, namespace: {"purge": True, "view": False}.get(permission))
    made = access(plugin)
    assert [made.allows(ANONYMOUS, name, "flow") for name in ("purge", "view", "run", "debug")] == [
        True,
        False,
        True,
        False,
    ]
    plugin.decide = lambda *_: None
    assert made.allows(ANONYMOUS, "view", "flow")
    assert plugin.asked == 5


def test_a_plugin_that_fails_denies(
    access: Callable[..., Access], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, with where it happened, but once a minute: it may be asked very often."""
    made = access(Deciding(lambda *_: 1 / 0))
    for _ in range(100):
        assert not made.allows(ANONYMOUS, "view", "flow")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ZeroDivisionError" in caplog.text
    clock.advance(60)
    assert not made.allows(ANONYMOUS, "view", "flow")
    assert len(caplog.records) == 2


@pytest.mark.parametrize("answer", ["yes", 1, [], object()])
def test_a_plugin_that_says_neither_yes_nor_no_denies(
    access: Callable[..., Access], caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    """As a coroutine, which a plugin may give by mistake, and which is true whatever it would say."""
    assert not access(Deciding(lambda *_: answer)).allows(ANONYMOUS, "view", "flow")
    assert "in place of True, False or None" in caplog.text


def test_who_may_not_see_a_thing_is_told_that_there_is_none(access: Callable[..., Access]) -> None:
    """Whoever they are, and whatever they wanted of it."""
    made = access(anonymous=["purge"], permissions={"*": {"other": ["view"]}})
    for principal in (ANONYMOUS, ALICE):
        for permission in ("view", "run", "debug"):
            with pytest.raises(Problem) as caught:
                made.require(principal, permission, "flow")
            assert (caught.value.slug, caught.value.detail) == ("not-found", HIDDEN)


def test_who_lacks_a_permission_is_told_which(access: Callable[..., Access]) -> None:
    """The anonymous are asked who they are; users learn whether it was they or their key."""
    made = access(permissions={"alice": ["view", "purge"]})
    made.require(ALICE, "purge", "flow")
    assert "'purge' in the namespace 'flow'" in refused(lambda: made.require(ANONYMOUS, "purge", "flow")).detail
    for principal, why in (
        (BOB, "'bob' does not have it"),
        (Principal("alice", "key", frozenset({"view"})), "this API key of 'alice' was made without it"),
    ):
        with pytest.raises(Problem) as caught:
            made.require(principal, "purge", "*")
        assert caught.value.slug == "forbidden"
        assert caught.value.extensions == {"permission": "purge"}
        assert caught.value.detail == f"the permission 'purge' for the service itself is needed, and {why}"


def test_authentication_is_configured_by_a_valid_key_or_a_proxy(
    access: Callable[..., Access], keys: KeyStore, clock: FakeClock
) -> None:
    """A key that has expired or was revoked lets nobody in."""
    assert not access().is_configured
    assert access(proxy_header="X-Remote-User").is_configured
    text = keys.create("alice", expires_after=60)
    assert access().is_configured
    clock.advance(60)
    assert not access().is_configured
    keys.revoke(text)
    assert not access().is_configured


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"permissions": {"alice": ["veiw"]}},
            "given: permissions.alice: unknown permission 'veiw': did you mean 'view'?",
        ),
        (
            {"permissions": {"alice": {"flow": ["view", 7]}}},
            "given: permissions.alice.flow: unknown permission 7: known",
        ),
        (
            {"permissions": {"alice": {"flow": {"view": True}}}},
            "permissions.alice.flow is {'view': True}: write a list",
        ),
        ({"permissions": {"alice": True}}, "permissions.alice is True: write a list of permissions, such as"),
        ({"permissions": {" alice": ["view"]}}, "given: permissions: ' alice' can't be a user's name"),
        ({"permissions": {"alice": {"flow/top": ["run"]}}}, "permissions.alice: 'flow/top' is no namespace"),
        ({"anonymous": ["*"]}, "given: anonymous: unknown permission '*': known: debug, metrics"),
        ({"trusted_proxies": ["proxy.local"]}, "given: 'trusted_proxies' has 'proxy.local': …write addresses"),
        ({"trusted_proxies": ["10.1.2.3/16"]}, "10.1.2.3/16 has host bits set"),
        ({"proxy_header": "X Remote"}, "given: 'proxy_header' is 'X Remote': write the name of a header"),
        ({"proxy_header": "Authorization"}, "write the name of a header of its own"),
    ],
)
def test_wrong_settings_are_named(access: Callable[..., Access], settings: dict[str, Any], message: str) -> None:
    """With what would be right."""
    with pytest.raises(ConfigurationError, match=".*".join(map(re.escape, message.split("…")))):
        access(**settings)


def test_the_client_is_whoever_the_last_trusted_proxy_names() -> None:
    """What the client itself wrote in front of that counts for nothing, and neither does nonsense."""
    proxies = Proxies(["10.0.0.0/8", "::1"])

    def client(peer: str, *values: bytes) -> str:
        return proxies.client([*USUAL, *((b"x-forwarded-for", value) for value in values)], peer)

    assert client("192.0.2.1", b"198.51.100.7") == "192.0.2.1"
    assert client("10.0.0.1", b"198.51.100.7") == "198.51.100.7"
    assert client("10.0.0.1", b"127.0.0.1, 198.51.100.7") == "198.51.100.7"
    assert client("", b"1.1.1.1, 198.51.100.7, 10.0.0.2", b"10.0.0.3") == "198.51.100.7"
    assert client("::1", b"2001:DB8:0::7") == "2001:db8::7"
    assert client("10.0.0.1", b"1.1.1.1,, 10.0.0.2") == "10.0.0.2"
    assert client("10.0.0.1", b"1.1.1.1, \xff\n") == "10.0.0.1"
    assert client("10.0.0.1") == "10.0.0.1"
    assert client("") == ""
