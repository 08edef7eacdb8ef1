"""Requests of pages of other sites, as one that checks them before they are routed sees them."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import create_autospec

import pytest
from falcon.asgi import Response
from falcon.testing import create_asgi_req

from rave_http.auth.authorization import Principal
from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.resources.origin_guard import CrossSiteGuard


def is_cross_site(kind: Any, *, cors_origins: tuple[str, ...] = (), method: str = "GET", **headers: str) -> bool:
    """Whether a request counts as one of a page of another site."""
    authorizer: Any = create_autospec(Authorizer, instance=True)
    authorizer.principal.return_value = Principal("somebody", kind)
    authorizer.is_behind_proxy.return_value = False
    guard = CrossSiteGuard(authorizer, Links(""), cors_origins=cors_origins)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    req = create_asgi_req(method=method, headers=sent, host="127.0.0.1", port=8888)
    req.scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in req.headers.items()]
    record = req.scope["rave"] = RequestRecord()
    asyncio.run(guard.process_request(req, Response()))
    return record.is_cross_site


@pytest.mark.parametrize("kind", ["anonymous", "proxy", "session"])
def test_every_identity_that_a_browser_brings_by_itself_counts(kind: str) -> None:
    """A key does not: a browser never sends one by itself."""
    assert is_cross_site(kind, Sec_Fetch_Site="cross-site")
    assert is_cross_site(kind, Sec_Fetch_Site="same-site")
    assert not is_cross_site(kind, Sec_Fetch_Site="same-origin")
    assert not is_cross_site("key", Sec_Fetch_Site="cross-site")


@pytest.mark.parametrize(
    ("referer", "is_foreign"),
    [
        ("http://127.0.0.1:8888/-/ui/lab/square", False),
        ("http://127.0.0.1:9999/", True),
        ("https://evil.example/127.0.0.1:8888", True),
        ("http://[broken", False),
        ("about:blank", False),
    ],
)
def test_without_another_word_of_the_browser_the_referrer_counts(referer: str, is_foreign: bool) -> None:
    """As over plain HTTP; one that names no page of the web says nothing."""
    assert is_cross_site("anonymous", Referer=referer) is is_foreign


def test_where_all_origins_may_read_they_may_do_what_anybody_may() -> None:
    """But change nothing, and nothing in the name of a user."""
    foreign: Any = {"Origin": "https://evil.example", "cors_origins": ("*",)}
    assert not is_cross_site("anonymous", **foreign)
    assert is_cross_site("proxy", **foreign)
    with pytest.raises(Problem, match="another site"):
        is_cross_site("anonymous", method="POST", **foreign)
