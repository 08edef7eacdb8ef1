"""Conditions of requests: whether the client has already what it asks for."""

from __future__ import annotations

import pytest
from falcon.testing import create_asgi_req

from rave_http.protocol.conditions import is_unchanged
from rave_http.protocol.headers import http_date

MADE = 1_700_000_000.7


def is_known(etag: str = '"a"', *, method: str = "GET", **headers: str) -> bool:
    """Whether a request with these headers has a representation already that was made at `MADE`."""
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return is_unchanged(create_asgi_req(method=method, headers=sent), etag, MADE)


@pytest.mark.parametrize("text", ['"a"', 'W/"a"', 'W/"b", "a"', '"b","a"', "*", ' "a" '])
def test_a_tag_among_those_that_the_client_has_is_known(text: str) -> None:
    """Weak marks do not matter (RFC 9110, 13.1.2)."""
    assert is_known(if_none_match=text)


@pytest.mark.parametrize("text", ['"b"', '"b", junk , "c"', '"a', "junk", '"*"', '"b", "*"'])
def test_another_tag_and_what_is_malformed_is_not_known(text: str) -> None:
    """A quoted asterisk is a tag as any other."""
    assert not is_known(if_none_match=text)


def test_a_tag_may_have_a_comma_in_it() -> None:
    """It does not end there."""
    assert is_known('"c,d"', if_none_match='"b", "c,d"')
    assert not is_known('"c"', if_none_match='"b", "c,d"')


@pytest.mark.parametrize(
    "text",
    [
        http_date(MADE),
        http_date(MADE + 1),
        "Tuesday, 14-Nov-23 22:13:20 GMT",
        "Tue Nov 14 22:13:20 2023",
    ],
)
def test_what_was_not_made_since_is_known(text: str) -> None:
    """To the second, and in the two obsolete forms of dates, too."""
    assert is_known(if_modified_since=text)


@pytest.mark.parametrize("text", [http_date(MADE - 1), "yesterday", "", "Tue, 31 Feb 2023 00:00:00 GMT"])
def test_what_was_made_since_is_not_known(text: str) -> None:
    """Nor is anything where the date is none."""
    assert not is_known(if_modified_since=text)


def test_tags_count_more_than_dates() -> None:
    """The date is not looked at (RFC 9110, 13.2.2)."""
    assert not is_known(if_none_match='"b"', if_modified_since=http_date(MADE))


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_is_not_safe_is_never_answered_by_304(method: str) -> None:
    """It is to be done."""
    assert not is_known(method=method, if_none_match='"a"')
