"""Kept results: they stay as they were, at an address of their own, for those who may see the operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet
import pytest

from tests.http.browser import MODES, Browser
from tests.http.end_to_end.live.page_lab import MORE
from tests.http.representation.forms import BROWSER

Service = Any  # RunningService of the conftest
ADA = {"X-User": "ada"}
PURGER = {"X-User": "peggy"}
STRANGER = {"X-User": "stranger"}
ADMIN = {"X-User": "root"}


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Anonymous clients and ada may view and run; a proxy, which the tests play, says who asks."""
    place = tmp_path_factory.mktemp("kept")
    permissions = {
        "anonymous": ["view", "run", "refresh"],
        "ada": ["view", "run"],
        "peggy": ["view", "run", "purge"],
        "root": ["view", "run", "admin"],
        "stranger": {"lab": []},
    }
    own = {"permissions": permissions, "proxy_header": "X-User", "kept_bytes": "100kB", "kept_time": "30d"}
    running = launch_service(place, more=MORE, environ={"HOME": str(place)}, service=own)
    yield running
    running.stop()


def keep(service: Service, path: str, headers: dict[str, str] | None = None, **more: str) -> Any:
    """The answer to a request to keep the answer to a question."""
    return service.ask("POST", "/-/kept", json={"key": service.key_of(path), **more}, headers=headers or ADA)


def test_a_kept_result_stays_as_it_was(service: Service) -> None:
    """After the product was made anew; it is a product itself, with rows, a record and forms."""
    first = service.get("/lab/measured?n=9").json()
    kept = keep(service, "/lab/measured?n=9", comment="the outage").json()
    assert (kept["operation"], kept["by"], kept["comment"]) == ("lab/measured", "ada", "the outage")
    assert service.ask("DELETE", f"/-/products/{kept['source']}", headers=PURGER).status_code == 204
    for _ in range(4):  # in every worker
        answer = service.get(kept["url"])
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/-/products/{kept['key']}")
        assert service.get(f"/-/products/{kept['key']}").json() == first
    meta = service.get(f"/-/products/{kept['key']}/meta").json()
    assert (meta["digest"], meta["made"], meta["expires"]) == (kept["digest"], kept["made"], kept["until"])
    assert service.get(f"/-/products/{kept['key']}/rows?where=port>50007").json()["matching"] == 1
    assert service.get(f"{kept['url']}?rave.f=csv").headers["Location"].endswith("?rave.f=csv")
    listed = service.get("/-/kept").json()["kept"]
    assert kept in listed


def test_files_are_kept(service: Service) -> None:
    """As they were."""
    kept = keep(service, "/lab/files/document?size=2000").json()
    assert service.ask("DELETE", f"/-/products/{kept['source']}", headers=PURGER).status_code == 204
    assert len(service.get(f"/-/products/{kept['key']}").content) == kept["size"] == 2000


def test_a_kept_result_that_was_removed_says_that_it_is_gone(service: Service) -> None:
    """In the list, on its page and at its address; keeping it again brings it back."""
    path = "/lab/measured?n=10"
    kept = keep(service, path).json()
    assert service.ask("DELETE", f"/-/products/{kept['key']}", headers=PURGER).status_code == 204
    listed = {each["id"]: each["gone"] for each in service.get("/-/kept").json()["kept"]}
    assert listed[kept["id"]] is True
    assert "removed from the store since" in service.get("/-/kept", headers={"Accept": BROWSER}).text
    gone = service.get(kept["url"])
    assert (gone.status_code, gone.json()["operation"]) == (410, "/lab/measured")
    assert keep(service, path).json()["id"] == kept["id"]
    assert service.get(kept["url"]).status_code == 302


def test_an_address_with_a_digest_never_gives_other_bytes(service: Service, wait_until: Callable[..., Any]) -> None:
    """It gives 410, with the way to the kept result if there is one; the page goes there by itself."""
    path = "/lab/fleeting?name=digest"
    service.get(path)
    key = service.key_of(path)
    meta = service.get(f"/-/products/{key}/meta").json()
    product, page = f"/-/products/{key}?rave.digest={meta['digest']}", f"/-/ui/r/{key}?rave.digest={meta['digest']}"
    assert service.get(product).status_code == 200
    assert f"/-/ui/r/{key}?rave.digest=" in service.get(path, headers={"Accept": BROWSER}).text
    kept = service.ask("POST", "/-/kept", json={"key": key, "digest": meta["digest"]}).json()
    service.get(f"{path}&rave.refresh=true")
    # The other worker may have the earlier bytes in memory, until it hears of the refresh.
    wait_until(lambda: service.get(product).status_code == 410)
    assert service.get(product).json()["kept"] == kept["url"]
    assert service.get(page, headers={"Accept": BROWSER}).headers["Location"] == kept["page"]
    other = service.get(f"/-/products/{key}?rave.digest=xxh3:00")
    assert (other.status_code, "kept" in other.json()) == (410, False)


def test_who_may_keep_and_remove(service: Service) -> None:
    """Those who may compute may keep, for a time; whoever keeps it may remove it, and those who may purge."""
    path = "/lab/square?n=7"
    kept = keep(service, path).json()
    assert service.get(kept["url"], headers=STRANGER).status_code == 404
    assert service.get("/-/kept", headers=STRANGER).json() == {"kept": []}
    assert keep(service, path, STRANGER).status_code == 404
    assert service.ask("DELETE", kept["url"]).status_code == 401
    assert service.ask("DELETE", kept["url"], headers=ADA).status_code == 204
    assert service.get(kept["url"]).status_code == 404
    kept = keep(service, path).json()
    assert service.ask("POST", kept["url"], headers=PURGER).status_code == 204
    for duration, headers, status in [("31d", ADA, 403), ("ever", ADA, 403), ("ever", ADMIN, 200), ("2d", ADA, 200)]:
        assert keep(service, path, headers, **{"for": duration}).status_code == status
    assert service.get("/-/kept").json()["kept"][0]["until"] is None


def test_kept_results_have_a_budget(service: Service) -> None:
    """They are never evicted, so somebody has to be asked for more."""
    path = "/lab/files/document?size=120000"
    refused = keep(service, path)
    assert refused.status_code == 403
    assert "kept_bytes" in refused.json()["detail"]
    kept = keep(service, path, ADMIN).json()
    assert service.ask("DELETE", kept["url"], headers=ADMIN).status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"key": "lab/nothing/1/2"}, 404),
        ({"key": "lab/square", "for": "a while"}, 404),
        ({"key": 7}, 400),
        ({"key": "x", "more": "y"}, 400),
    ],
)
def test_what_can_not_be_kept_is_refused(service: Service, body: dict[str, Any], status: int) -> None:
    """It is never a failure of the service."""
    assert service.ask("POST", "/-/kept", json=body).status_code == status


def test_wrong_times_digests_and_copies_are_refused(service: Service) -> None:
    """Nothing is kept in place of what was meant."""
    assert keep(service, "/lab/square?n=8", **{"for": "a while"}).status_code == 400
    assert keep(service, "/lab/square?n=8", digest="xxh3:00").status_code == 404
    kept = keep(service, "/lab/square?n=8").json()
    assert service.ask("POST", "/-/kept", json={"key": kept["key"]}, headers=ADA).status_code == 400
    assert service.get("/-/kept/nothing").status_code == 404


def test_rows_of_a_picture_are_those_of_its_table(service: Service) -> None:
    """With the same arguments, if the table is there; otherwise the answer says where to ask for it."""
    path = f"/-/products/{service.key_of('/lab/picture?n=41')}/rows"
    missing = service.get(path)
    assert (missing.status_code, missing.json()["operation"]) == (404, "/lab/measured?n=41")
    table = service.key_of("/lab/measured?n=41")
    found = service.get(f"{path}?where=port%3E=50040&rave.f=csv")
    assert (found.status_code, found.headers["Location"]) == (
        302,
        f"/-/products/{table}/rows?where=port%3E=50040&rave.f=csv",
    )
    parquet = service.get(path, headers={"Accept": "application/vnd.apache.parquet"}, allow_redirects=True)
    assert parquet.headers["Content-Type"] == "application/vnd.apache.parquet"
    rows = pyarrow.parquet.read_table(pyarrow.BufferReader(parquet.content))
    assert rows.column("port").to_pylist() == list(range(50000, 50041))
    assert service.get(f"/-/products/{service.key_of('/lab/letter')}/rows").status_code == 406
    copy = keep(service, "/lab/picture?n=41").json()["key"]
    assert service.get(f"/-/products/{copy}/rows").headers["Location"].endswith(f"/{table}/rows")


def test_rows_are_a_fragment_for_pages_of_others(service: Service) -> None:
    """A table of one page, in words for people; names and cells are text."""
    path = f"/-/products/{service.key_of('/lab/measured?n=31')}/rows?columns=bytes,name"
    found = service.get(f"{path}&limit=1&page=2", headers={"Accept": "text/html"})
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "sandbox" in found.headers["Content-Security-Policy"]
    assert found.text == (
        '<table><caption>2 to 2 of 31 rows</caption><thead><tr><th scope="col">bytes</th><th scope="col">name</th></tr>'
        '</thead><tbody><tr><td title="4096">4.1 kB</td><td>row 1</td></tr></tbody></table>'
    )
    assert "<caption>None of 0 rows</caption>" in service.get(f"{path}&where=name=x&rave.f=html").text
    hostile = service.get(f"/-/products/{service.key_of('/lab/hostile')}/rows?rave.f=html").text
    assert ("<script" in hostile, "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile) == (False, True)


def test_a_result_is_kept_from_its_page(service: Service, browser: Browser) -> None:
    """The page of the kept result says so, and leads on."""
    browser.mode("no-script")
    service.get("/lab/parent?n=4")
    browser.open(f"{service.url}/lab/parent?n=4")
    browser.value("document.querySelector('.keep summary').click()")
    browser.value("document.getElementById('keep-comment').value = 'The night of the outage'")
    browser.click(".keep button")
    text = browser.text()
    assert "kept as it was" in text
    assert "The night of the outage" in text
    assert browser.value("document.querySelectorAll('.keep').length") == 0
    assert browser.value("document.querySelector('.acts a').getAttribute('href')") == "/-/ui/lab/parent?n=4"


def test_the_page_of_a_result_leads_to_what_it_was_before(service: Service, browser: Browser) -> None:
    """ "As of" lists the kept results of the same call alone, from the newest one and from a kept one."""
    key = service.key_of("/lab/fresh?n=1")
    kept = keep(service, "/lab/fresh?n=1", comment="<first>").json()
    keep(service, "/lab/fresh?n=2")
    service.get("/lab/fresh?n=1&rave.refresh=true")
    browser.mode("light")
    browser.open(f"{service.url}/-/ui/r/{key}")
    browser.click(".tabs a:nth-child(4)")
    rows = (
        "[...document.querySelectorAll('main tbody tr')].map(e => [...e.querySelectorAll('td')].map(c => c.innerText))"
    )
    assert browser.value(rows) == [["ada", "<first>", "Compare"]]
    assert (browser.barriers(), browser.said) == ([], [])
    compared = browser.value("document.querySelector('main tbody td a').getAttribute('href')")
    assert service.get(compared, headers={"Accept": "application/json"}).json()["same"] is False
    browser.click("main tbody th a")
    assert "kept as it was" in browser.text()
    browser.click(".tabs a:nth-child(4)")
    assert browser.value(rows) == [["ada", "<first>", "shown here"]]
    assert f"/-/kept/{kept['id']}" not in browser.value("document.querySelector('main tbody').innerHTML")
    nothing = service.get(f"/-/ui/r/{service.key_of('/lab/fresh?n=3')}?tab=as%20of", headers={"Accept": BROWSER}).text
    assert "Nobody keeps an earlier result" in nothing


@pytest.mark.parametrize("mode", MODES)
def test_kept_results_have_pages_that_fit(service: Service, browser: Browser, mode: str) -> None:
    """The list, a result with the form to keep it, and every part of a kept one."""
    kept = keep(service, "/lab/measured?n=6", comment="a long comment " * 20).json()
    paths = ["/-/kept", "/lab/measured?n=6", *(f"{kept['page']}?tab={tab}" for tab in ("view", "why", "lineage"))]
    browser.mode(mode)
    for path in paths:
        browser.open(f"{service.url}{path}")
        browser.value("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert (path, browser.said, browser.overflow()) == (path, [], 0)


def test_two_results_are_compared(service: Service) -> None:
    """By keys, or by IDs of kept results; without a second one, a page offers some."""
    one, two = service.key_of("/lab/measured?n=5"), service.key_of("/lab/measured?n=7")
    kept = keep(service, "/lab/measured?n=5", comment="before").json()
    for name in (one, kept["key"], kept["id"]):
        found = service.get("/-/compare", params={"a": name, "b": two}).json()
        assert (found["rows"]["same"], found["rows"]["added"], found["same"]) == (5, 2, False)
        assert (found["a"]["operation"], found["b"]["arguments"]) == ("lab/measured", {"n": "7"})
    equal = service.get("/-/compare", params={"a": one, "b": kept["id"]}).json()
    assert (equal["same"], equal["rows"]) == (True, None)
    parents = [service.key_of(f"/lab/parent?n={n}") for n in (1, 2)]
    lines = service.get("/-/compare", params=dict(zip("ab", parents, strict=True))).json()["lines"]
    assert '-  "sum": 5,' in lines
    offered = service.get("/-/compare", params={"a": one}, headers={"Accept": BROWSER}).text
    assert f"/-/compare?a={one}&amp;b={two}" in offered
    assert "before" in offered
    for wrong, status in [
        ({"a": one}, 400),
        ({"b": one}, 400),
        ({"a": one, "b": "x"}, 404),
        ({"a": one, "b": two, "by": "x"}, 400),
        ({"a": one, "b": two, "c": "x"}, 400),
    ]:
        assert service.get("/-/compare", params=wrong).status_code == status
    assert service.get("/-/compare", params={"a": one, "b": two}, headers=STRANGER).status_code == 404


@pytest.mark.parametrize("mode", MODES)
def test_comparisons_have_pages_that_fit(service: Service, browser: Browser, mode: str) -> None:
    """Of tables, structures and files, and the page that offers others."""
    browser.mode(mode)
    tables = [service.key_of(f"/lab/measured?n={n}") for n in (5, 7)]
    parents = [service.key_of(f"/lab/parent?n={n}") for n in (1, 2)]
    files = [service.key_of(f"/lab/files/document?size={n}") for n in (1000, 2000)]
    for one, two in (tables, parents, files):
        browser.open(f"{service.url}/-/compare?a={one}&b={two}&by={'port' if one == tables[0] else ''}")
        assert (one, browser.said, browser.overflow()) == (one, [], 0)
        assert "different" in browser.text()
    browser.open(f"{service.url}/-/compare?a={tables[0]}")
    assert (browser.said, browser.overflow()) == ([], 0)
