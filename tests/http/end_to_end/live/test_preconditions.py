"""Conditions of requests that change something: they count just before the change, in the order of RFC 9110, 13.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Service = Any  # RunningService of the conftest
LONG_AGO, NEVER = "Thu, 01 Jan 1998 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """A service in which anybody on this machine may do everything."""
    return start_service(workers=1, anonymous=["view", "run", "refresh", "purge", "reload", "metrics", "debug"])


def asked(service: Service, method: str, path: str, json: object = None, **headers: str) -> int:
    """The status of the answer to a request with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return int(service.ask(method, path, json=json, headers=named).status_code)


def test_a_product_of_another_version_is_not_deleted(service: Service) -> None:
    """Each of its forms has a validator, and each of them names the version."""
    table = service.get("/lab/rows?n=3", headers={"Accept": "text/csv"})
    tags = {
        form: service.get("/lab/rows?n=3", headers={"Accept": form}).headers["ETag"] for form in ("text/csv", "*/*")
    }
    href = table.headers["Content-Location"]
    assert len(set(tags.values())) == 2
    for refused in (
        {"If_Match": '"other"'},
        {"If_Match": f"W/{tags['*/*']}"},
        {"If_Match": '"other"', "If_Unmodified_Since": NEVER},
        {"If_Unmodified_Since": LONG_AGO},
        {"If_None_Match": "*"},
        {"If_None_Match": tags["text/csv"]},
        {"If_Match": tags["*/*"], "If_None_Match": "*"},
    ):
        assert asked(service, "DELETE", href, **refused) == 412, refused
    assert asked(service, "DELETE", href, If_Match=tags["text/csv"], If_Unmodified_Since=LONG_AGO) == 204
    assert asked(service, "DELETE", href, If_Match="*") == 404  # as without it
    for allowed in (
        {"If_Match": tags["*/*"]},
        {"If_Match": "*"},
        {"If_Unmodified_Since": NEVER},
        {"If_None_Match": '"o"'},
    ):
        service.get("/lab/rows?n=3")
        assert asked(service, "DELETE", href, **allowed) == 204, allowed


def test_a_file_of_another_version_is_not_deleted(service: Service) -> None:
    """Its validator is that of its bytes."""
    made = service.get("/lab/files/document?size=9")
    href = made.headers["Content-Location"]
    assert asked(service, "DELETE", href, If_Match='"other"') == 412
    assert asked(service, "DELETE", href, If_Match=made.headers["ETag"]) == 204


@pytest.mark.parametrize(
    ("path", "body", "exists"),
    [
        ("/-/cache/purge", {"operation": "lab/rows"}, False),
        ("/-/cache/purge", {}, False),
        ("/-/namespaces/lab/reload", None, False),
        ("/-/statistics", {"pause": "RAVE"}, True),
    ],
)
def test_what_has_no_validator_is_no_version_that_could_be_meant(
    service: Service, path: str, body: object, exists: bool
) -> None:
    """``*`` means any version; a date is ignored, because there is none."""
    service.get("/lab/rows?n=4")
    assert asked(service, "POST", path, body, If_Match='"other"') == 412
    assert asked(service, "POST", path, body, If_Match="*") == (200 if exists else 412)
    assert asked(service, "POST", path, body, If_None_Match="*") == (412 if exists else 200)
    assert asked(service, "POST", path, body, If_None_Match='"other"', If_Unmodified_Since=LONG_AGO) == 200


def test_a_condition_never_hides_why_a_request_fails(service: Service) -> None:
    """It counts only if the request would succeed without it (RFC 9110, 13.2.1)."""
    for path, body, status in (
        ("/-/cache/purge", {"older_than": "a while"}, 400),
        ("/-/cache/purge", {"namespace": "nowhere"}, 404),
        ("/-/namespaces/nowhere/reload", None, 404),
        ("/-/statistics", {"pause": "a", "resume": "b"}, 400),
    ):
        assert asked(service, "POST", path, body, If_Match='"other"') == status


def test_a_call_by_post_that_wants_no_present_version_is_refused(service: Service) -> None:
    """Only safe requests get 304."""
    first = service.ask("POST", "/lab/rows", json={"n": 5})
    tag = first.headers["ETag"]
    assert asked(service, "POST", "/lab/rows", {"n": 5}, If_None_Match=tag) == 412
    assert asked(service, "POST", "/lab/rows", {"n": 5}, If_None_Match='"other"') == 200
    assert asked(service, "GET", "/lab/rows?n=5", If_None_Match=tag) == 304
