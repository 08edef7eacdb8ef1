"""Permissions: of namespaces, of the anonymous, of narrowed keys, and by plugins."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from rave_core.errors import ConfigurationError
from rave_core.testing.clock import FakeClock
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import ANONYMOUS, HIDDEN, Access, Principal
from rave_http.hookspecs import hookimpl
from rave_http.protocol.problems import Problem
from rave_http.protocol.proxies import Proxies
from tests.http.auth.principals import ALICE, USUAL, refused

BOB = Principal("bob", "key")


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
        ({"permissions": {"alice": {"flow/top": ["run"]}}}, "permissions.alice: 'flow/top' is not a namespace"),
        ({"anonymous": ["*"]}, "given: anonymous: unknown permission '*': known: admin, debug, metrics"),
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
