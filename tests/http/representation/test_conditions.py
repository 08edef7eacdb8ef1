"""Conditions of requests, against representations that are and are not kept."""

from __future__ import annotations

import asyncio

import pytest
from falcon import testing
from falcon.asgi import Request, Response

from rave_http.protocol.headers import http_date
from rave_http.protocol.problems import Problem
from rave_http.representation.conditional_responses import Sendfile, deliver
from rave_http.representation.representations import Representation

MADE = 1_700_000_000.5
BODY = b"0123456789"
BEFORE, SAME, AFTER = (http_date(MADE + seconds) for seconds in (-1, 0, 1))


def answer(method: str = "GET", *, kept: bool = True, strong: bool = False, **headers: str) -> tuple[int, bytes]:
    """Status and body of the response to a request with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    req: Request = testing.create_asgi_req(method=method, headers=named)
    resp = Response()
    found = Representation(
        "text/plain", '"tag"', len(BODY), body=BODY, created_at=MADE if kept else None, is_date_strong=strong
    )
    try:
        asyncio.run(deliver(req, resp, found, Sendfile()))
    except Problem as problem:
        return int(problem.status), b""
    return resp.status_code, resp.data or b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "QUERY", "POST"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": '"tag"'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": '"other", "tag"'}, 200),
        ({"If_Match": '"other"'}, 412),
        ({"If_Match": 'W/"tag"'}, 412),
        ({"If_Match": '"*"'}, 412),
        ({"If_Unmodified_Since": BEFORE}, 412),
        ({"If_Unmodified_Since": SAME}, 200),
        ({"If_Unmodified_Since": AFTER}, 200),
        ({"If_Unmodified_Since": "yesterday"}, 200),
        ({"If_Match": '"tag"', "If_Unmodified_Since": BEFORE}, 200),
        ({"If_Match": '"other"', "If_None_Match": '"tag"'}, 412),
    ],
)
def test_a_request_for_another_version_is_refused(method: str, headers: dict[str, str], status: int) -> None:
    """If-Match by strong comparison; without it If-Unmodified-Since; both before If-None-Match."""
    assert answer(method, **headers)[0] == status


def test_a_part_of_another_version_is_refused() -> None:
    """A client that goes on with what it has never gets a part of something else."""
    assert answer(Range="bytes=5-", If_Match='"other"') == (412, b"")
    assert answer(Range="bytes=5-", If_Match='"tag"') == (206, b"56789")


@pytest.mark.parametrize(("strong", "date", "status"), [(False, SAME, 200), (True, SAME, 206), (True, BEFORE, 200)])
def test_a_date_tells_versions_apart_only_where_it_is_strong(strong: bool, date: str, status: int) -> None:
    """Two versions may have been made within one second (RFC 9110, 8.8.2.2)."""
    assert answer(Range="bytes=5-", If_Range=date, strong=strong)[0] == status


def test_what_is_made_anew_each_time_has_no_parts() -> None:
    """Nor does a date of it mean anything."""
    assert answer(kept=False, Range="bytes=5-") == (200, BODY)
    assert answer(kept=False, If_Unmodified_Since=BEFORE) == (200, BODY)
    assert answer(kept=False, If_Match='"other"')[0] == 412


def test_only_safe_requests_are_told_that_nothing_changed() -> None:
    """Others are refused, if they want what is not the present version (RFC 9110, 13.1.2)."""
    assert [answer(each, If_None_Match='W/"tag"')[0] for each in ("GET", "HEAD", "QUERY", "POST")] == [
        304,
        304,
        304,
        412,
    ]
    assert answer("POST", If_None_Match="*")[0] == 412
    assert answer("POST", If_None_Match='"other"')[0] == 200
