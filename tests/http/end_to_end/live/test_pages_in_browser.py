"""Every page of the service in a real browser: light, dark, on a phone, and without scripts."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from tests.http.browser import MODES, Browser

Service = Any  # RunningService of the conftest
PAGES = [
    "/",
    "/lab",
    "/-/ui/lab/rows",
    "/-/ui/status",
    "/-/statistics",
    "/-/ui/jobs",
    "/-/kept",
    "/-/ui/cache",
    "/-/problems/gone",
    "/-/ui/me",
    "/-/session",
    "/lab/square?n=many",
]


@pytest.mark.parametrize("mode", MODES)
def test_every_page_fits_and_loads_nothing_from_elsewhere(shared_service: Service, browser: Browser, mode: str) -> None:
    """No message on the console, none of the policy, no sideways scrolling, no request to others."""
    browser.mode(mode)
    for path in PAGES:
        browser.open(f"{shared_service.url}{path}")
        said = [each for each in browser.said if path != "/lab/square?n=many" or "400" not in each]
        assert (path, said, browser.overflow()) == (path, [], 0)
        assert all(url.startswith((shared_service.url, "data:")) for url in browser.asked)
        assert browser.value("getComputedStyle(document.body).display") == "flex", "the style was not loaded"


@pytest.mark.parametrize("mode", ["light", "dark", "phone"])
def test_every_page_is_for_everybody(shared_service: Service, browser: Browser, mode: str) -> None:
    """Landmarks, names of fields, headings, contrast: axe-core finds nothing wrong."""
    browser.mode(mode)
    for path in PAGES:
        browser.open(f"{shared_service.url}{path}")
        assert (path, browser.barriers()) == (path, [])


def test_pages_of_state_change_without_being_loaded_again(shared_service: Service, browser: Browser) -> None:
    """The status and the jobs, when something happens; what has the focus keeps it. Without scripts they load again."""
    for path, place in (("/-/ui/status", "[aria-label=Computations]"), ("/-/ui/jobs", ".job")):
        name = f"live{time.time_ns()}"
        browser.mode("light")
        browser.open(f"{shared_service.url}{path}")
        browser.value("document.querySelector('.links a').focus(); window.kept = document.querySelector('h1')")
        shared_service.get(f"/lab/gated?name={name}", headers={"Prefer": "respond-async"})
        browser.until(f"document.querySelector('main').innerText.includes('{name}')")
        assert browser.value(f"!!document.querySelector('{place}') && window.kept === document.querySelector('h1')")
        shared_service.open_gate(name)
        browser.until(
            f"!document.querySelector('main').innerText.includes('{name}') || location.pathname.endsWith('jobs')"
        )
        assert browser.value("window.kept.isConnected && document.activeElement.innerText") == "Catalog"
        assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
        assert '<noscript><meta http-equiv="refresh"' in shared_service.page(path).text


def test_files_of_pages_are_kept_for_ever(shared_service: Service) -> None:
    """Their addresses change with their content; an address of another version leads to the present one."""
    page = shared_service.get("/", headers={"Accept": "text/html"})
    path = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    found = shared_service.get(path)
    assert (found.status_code, found.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    script = shared_service.get(shared_service.get("/-/static/0123456789abcdef/rave.js").headers["Location"])
    assert "requestSubmit" in script.text
    assert len(gzip.compress(found.content + script.content)) < 20_000
    other = shared_service.get("/-/static/0123456789abcdef/rave.css")
    assert (other.status_code, other.headers["Location"]) == (302, path)
    assert shared_service.get("/-/static/0123456789abcdef/nothing.css").status_code == 404


def test_the_policy_allows_only_what_pages_need(shared_service: Service) -> None:
    """Scripts only with the nonce of this very answer, since products have addresses of this service, too."""
    policies = [
        shared_service.get("/", headers={"Accept": "text/html"}).headers["Content-Security-Policy"] for _ in range(2)
    ]
    assert policies[0] != policies[1]
    rules = dict(each.strip().partition(" ")[::2] for each in policies[0].split(";"))
    assert rules["default-src"] == rules["base-uri"] == "'none'"
    assert rules["script-src"].startswith("'nonce-")
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["frame-ancestors"] == "'self'"
    assert "unsafe" not in policies[0]
