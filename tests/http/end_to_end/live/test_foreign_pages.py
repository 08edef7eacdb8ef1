"""What pages of other sites have a browser send: they get results that exist, start nothing and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

Service = Any  # RunningService of the conftest

_NUMBERS = count(100)
PORTAL = "https://portal.example.org"
ALICE = {"X-Remote-User": "alice"}
MAY = ["view", "run", "refresh", "purge", "reload", "metrics"]
CHANGES = [
    ("POST", "/-/cache/purge", {"operation": "lab/square"}),
    ("POST", "/-/namespaces/lab/reload", None),
    ("POST", "/-/statistics", {"resume": "RAVE"}),
    ("DELETE", "/-/products/lab/square/x/y", None),
    ("POST", "/lab/square", {"n": "99"}),
    ("GET", "/lab/square?n=99&rave.refresh=1", None),
    ("HEAD", "/lab/square?n=99&rave%2Edeep%5Frefresh", None),
]
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Referer": "https://rave.example.org/page"},  # which a site redirected
    {"Referer": "https://evil.example/page"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://rave.example.org.evil.example", "Sec-Fetch-Site": "cross-site"},
]


@pytest.fixture(scope="module")
def signed_in(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service behind a proxy at which users sign in; pages of one other site may use it."""
    settings = {
        "workers": 1,
        "proxy_header": "X-Remote-User",
        "url_base": "https://rave.example.org/rave",
        "cors_origins": [PORTAL],
        "permissions": {"alice": [*MAY, "debug"]},
        "anonymous": MAY,
    }
    service = launch_service(tmp_path_factory.mktemp("signed_in"), service=settings)
    yield service
    service.end()


@pytest.fixture
def number() -> int:
    """One that no other test asks about."""
    return next(_NUMBERS)


def test_no_page_of_another_site_changes_anything_for_who_signed_in(signed_in: Service) -> None:
    """It is refused, whatever it is, before anything is done."""
    for method, path, data in CHANGES:
        for headers in FOREIGN:
            answer = signed_in.ask(method, path, data=data, headers={**ALICE, **headers})
            assert answer.status_code == 403, (method, path, headers)
    assert signed_in.runs("square 99") == []
    assert "cross-site" in signed_in.log


def test_no_page_of_another_site_uses_any_path_that_changes_something(signed_in: Service) -> None:
    """Of all in the OpenAPI document, those of plugins among them; whoever the browser says is there."""
    paths = signed_in.get("/-/openapi.json").json()["paths"]
    asked = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    unsafe = [each for each in asked if each[0] in {"POST", "PUT", "PATCH", "DELETE"}]
    assert len(unsafe) > 20
    answers = {
        (method, path): signed_in.ask(method, path, headers={**headers, "Origin": "null"}).status_code
        for method, path in unsafe
        for headers in ({}, ALICE)
    }
    assert {each: status for each, status in answers.items() if status != 403} == {}


def test_a_page_of_another_site_gets_results_that_exist_and_starts_no_job(signed_in: Service, number: int) -> None:
    """A person who followed a link finds the form."""
    path = f"/lab/square?n={number}"
    for headers in ({}, ALICE):
        for foreign in FOREIGN:
            answer = signed_in.get(path, headers={**headers, **foreign})
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "cross-site"), foreign
    page = signed_in.page(path, **FOREIGN[0])
    assert page.status_code == 403
    assert f"/-/ui{path}" in page.text
    assert signed_in.runs(f"square {number}") == []
    assert signed_in.get(path, headers={"Sec-Fetch-Site": "none"}).ok
    for foreign in FOREIGN:
        assert signed_in.get(path, headers={**ALICE, **foreign}).json()["n"] == number


def test_a_page_of_a_site_that_may_starts_jobs(signed_in: Service, number: int) -> None:
    """For a picture in it the browser names the site as referrer alone."""
    headers = {"Referer": f"{PORTAL}/wiki", "Sec-Fetch-Site": "cross-site"}
    assert signed_in.get(f"/lab/square?n={number}", headers=headers).ok


def test_own_pages_allowed_pages_and_programs_change_what_their_user_may(signed_in: Service) -> None:
    """By the host that was asked, by that of the URLs that are given out, by the settings, or without any page."""
    own = signed_in.url
    for headers in (
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://rave.example.org"},
        {"Origin": PORTAL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://other.example.org", "X-Forwarded-Host": "other.example.org"},
    ):
        answer = signed_in.ask("POST", "/-/cache/purge", data={"namespace": "lab"}, headers={**ALICE, **headers})
        assert answer.status_code == 200, headers
    assert signed_in.ask("POST", "/-/cache/purge", headers=FOREIGN[1]).status_code == 403, "nor for anybody"


def test_every_answer_varies_by_origin_where_only_some_may_read(signed_in: Service) -> None:
    """Whatever else it varies by, and whether or not a page asked."""
    for path in ("/lab/square?n=1", "/lab/square?n=1", "/-/livez", "/-/none", "/", "/lab/rows"):
        for headers in ({}, {"Origin": PORTAL}, {"Origin": "https://evil.example"}):
            answer = signed_in.get(path, headers=headers)
            assert "Origin" in [each.strip() for each in answer.headers["Vary"].split(",")], path
    assert "Accept" in signed_in.get("/lab/rows").headers["Vary"]
