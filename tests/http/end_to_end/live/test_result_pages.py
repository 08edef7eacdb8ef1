"""The page about a product, as people get it: facts, rows, pictures, frames, trees, and the ticket that becomes it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.http.browser import MODES, Browser
from tests.http.end_to_end.live.page_lab import MORE

Service = Any  # RunningService of the conftest
PAGES = [
    *("/lab/measured?n=250", "/lab/parent?n=3", "/lab/picture", "/lab/letter", "/lab/hostile", "/lab/fleeting_rows"),
    *("/lab/noted", "/lab/files/document?size=2000", "/lab/total?l=1,2,3", "/lab/talkers?start=2024-05-14"),
]
TABS = ("view", "why", "lineage", "as of", "formats", "code")


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose namespace has results of every kind; everybody may refresh them."""
    place = tmp_path_factory.mktemp("pages")
    permissions = {"anonymous": ["view", "run", "refresh", "metrics", "purge"]}
    running = launch_service(place, more=MORE, environ={"HOME": str(place)}, service={"permissions": permissions})
    for path in PAGES:  # so that pages show kept results, not tickets
        running.get(path)
    yield running
    running.end()


@pytest.mark.parametrize("mode", MODES)
def test_every_result_has_a_page_that_fits(service: Service, browser: Browser, mode: str) -> None:
    """No message, no report of the policy, no sideways scrolling, nothing from elsewhere, whatever the value is."""
    browser.mode(mode)
    for path in PAGES:
        browser.open(f"{service.url}{path}")
        assert (path, browser.said, browser.overflow()) == (path, [], 0)
        assert all(url.startswith((service.url, "data:", "about:")) for url in browser.asked)
        assert "Change and run again" in browser.text()


def test_the_parts_of_the_page_fit_as_well(service: Service, browser: Browser) -> None:
    """On the narrowest screen, and each is linked from the first. In every colour, axe-core finds nothing wrong."""
    browser.mode("phone")
    browser.open(f"{service.url}/lab/parent?n=3")
    for tab in TABS:
        browser.mode("phone")
        browser.click(f".tabs a:nth-child({TABS.index(tab) + 1})")
        assert (tab, browser.said, browser.overflow()) == (tab, [], 0)
        for mode in ("phone", "light", "dark"):  # the page changes at once
            browser.mode(mode)
            assert (tab, mode, browser.barriers()) == (tab, mode, [])
        assert browser.value("document.querySelector('.tabs [aria-current]').textContent") == tab


def test_the_page_tells_the_facts_of_a_result(service: Service) -> None:
    """What was asked, how old it is, how long it is good and took, its size and version, and where it stays."""
    page = service.page("/lab/fleeting?name=page")
    assert page.headers["Cache-Control"] == "no-store"
    text = page.text
    for fact in ("lab/fleeting", "&#39;page&#39;", "ago</time>", "data-until=", "took <strong", "by source"):
        assert fact in text
    key = service.key_of("/lab/parent?n=3")
    text = service.page("/lab/parent?n=3").text
    assert f'href="/-/ui/r/{key}?rave.digest=' in text
    assert 'href="/lab/parent?n=3"' in text
    assert 'href="/-/ui/lab/parent?n=3"' in text
    assert 'href="/lab/parent?n=3&amp;rave.refresh=true"' in text


def test_programs_get_what_they_got(service: Service) -> None:
    """A page is for those who like HTML best, name no form, and want something to read."""
    assert service.get("/lab/measured").headers["Content-Type"] == "application/json"
    assert service.get("/lab/measured", headers={"Accept": "text/csv"}).headers["Content-Type"].startswith("text/csv")
    assert "Dear team" in service.get("/lab/letter", headers={"Accept": "text/html"}).text
    assert "Dear team" in service.page("/lab/letter?rave.f=html").text
    assert service.page("/lab/measured?rave.f=json").headers["Content-Type"] == "application/json"
    for _ in range(4):  # whichever worker answers, and whatever it holds ready
        framed = service.page("/lab/letter", **{"Sec-Fetch-Dest": "iframe"})
        assert "Dear team" in framed.text
        assert "Sec-Fetch-Dest" in framed.headers["Vary"]
        assert "Dear team" not in service.page("/lab/letter").text
    mixed = service.get("/lab/measured", headers={"Accept": "application/json, text/html"})
    assert mixed.headers["Content-Type"] == "application/json"
    assert "Change and run again" in service.get("/lab/measured", headers={"Accept": "text/html"}).text


def test_a_table_is_shown_by_the_page(service: Service) -> None:
    """A hundred rows at a time, with numbers for people and the exact ones beside them."""
    text = service.page("/lab/measured?n=250").text
    assert text.count("<tr>") == 101
    assert "250 rows, 5 columns: 1 to 100 shown" in text
    assert '<td class="number" title="40960">41 kB</td>' in text
    assert '<td class="number" title="12345">12,345</td>' in text
    assert '<td class="number">50000</td>' in text
    assert "2026-11-25 12:00:00 UTC" in text
    assert len(text) < 40_000
    key = service.key_of("/lab/measured?n=250")
    last = service.page(f"/-/ui/r/{key}?page=3").text
    assert "201 to 250 shown" in last
    assert "row 249" in last
    assert service.page(f"/-/ui/r/{key}?page=99").text.count("row 249") == 1
    for wrong in ("page=0", "page=x", "tab=nothing", "more=1"):
        assert service.page(f"/-/ui/r/{key}?{wrong}").status_code == 400


def test_what_is_left_out_is_told(service: Service) -> None:
    """By the notes of the table."""
    assert '<div class="note warn">one file is left out</div>' in service.page("/lab/noted").text


def test_pages_within_products_stay_in_their_frame(service: Service, browser: Browser) -> None:
    """Their scripts have no rights on the page around them."""
    browser.mode("light")
    browser.open(f"{service.url}/lab/letter")
    assert browser.value("document.querySelector('iframe').getAttribute('sandbox')") == "allow-scripts"
    assert browser.value("document.title") == "lab/letter · RAVE"


def test_a_picture_leads_to_the_table_behind_it(service: Service, browser: Browser) -> None:
    """It is shown in the page, which links to the question with the same arguments."""
    browser.mode("light")
    browser.open(f"{service.url}/lab/picture?n=7")
    assert browser.value("document.querySelector('main img').naturalWidth") == 400
    assert browser.value("document.querySelector('.facts-line a').getAttribute('href')") == "/lab/measured?n=7"


def test_hostile_names_and_cells_are_only_text(service: Service, browser: Browser) -> None:
    """Nothing of them is markup, and nothing runs."""
    browser.mode("light")
    browser.open(f"{service.url}/lab/hostile")
    assert "<script>alert(1)</script>" in browser.text()
    assert browser.value("document.querySelectorAll('main b').length") == 0


def test_a_ticket_becomes_its_result_in_place(service: Service, browser: Browser) -> None:
    """From the first second it says that it computes; the result has the address that the ticket had."""
    browser.mode("no-script")
    browser.open(f"{service.url}/lab/gated?name=ticket")
    assert "waits at its gate" in browser.text()
    browser.until("location.pathname.startsWith('/-/ui/r/lab/gated/')")
    service.open_gate("ticket")
    browser.until("document.body.innerText.includes('ticket went through')")
    assert browser.value("document.querySelector('h1').textContent") == "lab/gated"
    again = browser.value("document.querySelector('.acts a').getAttribute('href')")
    assert again == "/-/ui/lab/gated?name=ticket"


def test_a_refresh_leads_to_the_page_of_the_result(service: Service) -> None:
    """Else loading the page again would refresh once more."""
    key = service.key_of("/lab/square?n=9")
    answer = service.page("/lab/square?n=9&rave.refresh=true")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/-/ui/r/{key}")


def test_the_page_of_a_key_knows_its_question(service: Service) -> None:
    """From what is recorded, if that gives the very key; a forged question is not shown."""
    key = service.key_of("/lab/total?l=4,5")
    assert 'href="/lab/total?l=4&amp;l=5"' in service.page(f"/-/ui/r/{key}").text
    forged = service.page(f"/-/ui/r/{key}?of=l%3D9").text
    assert "l=9" not in forged
    why = service.page(f"/-/ui/r/{key}?tab=why").text
    assert "hit, since a result was made" in why
    code = service.page(f"/-/ui/r/{key}?tab=code").text
    assert re.search(r"curl -L &#39;http://127.0.0.1:\d+/lab/total\?l=4&amp;l=5&#39;", code)


def test_the_lineage_leads_to_what_it_was_made_from_and_back(service: Service, browser: Browser) -> None:
    """A list with a link to each page, and a graph that needs no script; there, what uses it is a table."""
    key, square = service.key_of("/lab/parent?n=3"), service.key_of("/lab/square?n=4")
    text = service.page(f"/-/ui/r/{key}?tab=lineage").text
    assert "It was made from the results below it" in text
    assert f'href="/-/ui/r/{square}"' in text
    browser.mode("phone")
    browser.open(f"{service.url}/-/ui/r/{key}?tab=lineage")
    assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
    browser.mode("no-script")
    browser.open(
        browser.value("[...document.querySelectorAll('.graph a')].map(e => location.origin + e.href.baseVal)[1]")
    )
    assert "/lab/square/" in browser.value("location.pathname")
    used = "document.querySelector('[aria-label=\"Used by\"] tbody a')"
    assert browser.value(f"[{used}.innerText, {used}.pathname]") == ["lab/parent", f"/-/ui/r/{key}"]
    assert (browser.said, browser.overflow()) == ([], 0)


def test_what_is_no_key_is_no_result(service: Service) -> None:
    """Nor is what expired; both say what to do."""
    assert service.page("/-/ui/r/lab/square/nothing/here").status_code == 404
    key = service.key_of("/lab/square?n=77")
    assert service.ask("DELETE", f"/-/products/{key}").status_code == 204
    assert service.page(f"/-/ui/r/{key}").status_code in (404, 410)


def test_rows_are_sorted_and_filtered_by_plain_links(service: Service, browser: Browser) -> None:
    """Without scripts: a head sorts, a form filters, a chip takes that back; the downloads have these rows."""
    browser.mode("no-script")
    browser.open(f"{service.url}/lab/measured?n=250")
    browser.click("thead th:nth-child(4) a")
    assert browser.value("document.querySelector('tbody td:last-child').textContent") == "row 249"
    assert browser.value("document.querySelector('th[aria-sort]').textContent").startswith("flows")
    browser.value("document.querySelector('[name=column]').value = 'port'")
    browser.value("document.querySelector('[name=operator]').value = '<'")
    browser.value("document.querySelector('[name=value]').value = '50010'")
    browser.click(".tools button")
    assert "10 rows of 250" in browser.text()
    assert browser.value("document.querySelector('tbody td:last-child').textContent") == "row 9"
    assert (browser.said, browser.overflow()) == ([], 0)
    csv = service.get(browser.value("document.querySelector('.these a').getAttribute('href')")).text.splitlines()
    assert (len(csv), csv[1].rpartition(",")[2]) == (11, "row 9")
    browser.click(".chips a")
    assert "250 rows," in browser.text()
    browser.mode("phone")
    browser.value("document.querySelector('[name=facet]').value = 'name'")
    browser.click(".tools form:nth-child(2) button")
    assert browser.value("document.querySelectorAll('.facet li').length") == 20
    assert (browser.said, browser.overflow()) == ([], 0)


def test_programs_get_rows(service: Service) -> None:
    """A page of JSON, or a stream of all."""
    path = f"/-/products/{service.key_of('/lab/measured?n=250')}/rows"
    found = service.get(f"{path}?where=port>=50100&sort=-port&columns=port,name&limit=2&page=2&facet=bytes").json()
    assert found["rows"] == [[50247, "row 247"], [50246, "row 246"]]
    assert (found["total"], found["matching"], found["page"], len(found["facet"])) == (250, 150, 2, 20)
    lines = service.get(f"{path}?where=port<50002", headers={"Accept": "application/x-ndjson"})
    assert [each["name"] for each in map(json.loads, lines.text.splitlines())] == ["row 0", "row 1"]
    assert len(service.get(f"{path}?rave.f=csv").text.splitlines()) == 251
    head = service.ask("HEAD", f"{path}?rave.f=csv")
    assert (head.status_code, head.content) == (200, b"")


def test_rows_that_make_no_sense_are_explained(service: Service) -> None:
    """As problems for programs, as pages for people; nothing of it is run or shown as markup."""
    key = service.key_of("/lab/measured?n=250")
    for wrong in ("where=nothing=1", "where=port%3Bdrop", "where=port>x", "sort=<b>", "limit=0", "more=1", "page=x"):
        answer = service.get(f"/-/products/{key}/rows?{wrong}")
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, wrong.partition("=")[0])
    back = f'<a class="button primary" href="/-/ui/r/{key}?of=n%3D250">The result with all its rows</a>'
    for wrong in ("sort=<b>", "where=gone%3D1", "facet=gone"):
        page = service.page(f"/-/ui/r/{key}?{wrong}")
        assert (page.status_code, "<b>" in page.text, back in page.text) == (400, False, True)
    other = service.key_of("/lab/total?l=1,2,3")
    assert service.get(f"/-/products/{other}/rows").status_code == 406
    assert service.get(f"/-/products/{key}/rows?rave.f=pdf").status_code == 406


def test_the_form_says_what_the_call_would_cost(service: Service, browser: Browser) -> None:
    """At once for the arguments in its address, and again while they are typed; nothing is run for that."""
    browser.mode("light")
    browser.open(f"{service.url}/-/ui/lab/parent?n=3")
    assert browser.value("document.getElementById('forecast').textContent").startswith("stored, made ")
    browser.value("document.querySelector('[name=n]').value = '71'")
    browser.value("document.querySelector('[name=n]').dispatchEvent(new Event('input', {bubbles: true}))")
    browser.until("document.getElementById('forecast').textContent.startsWith('about ')")
    assert browser.said == []
    assert service.runs("square 71") == []


def test_programs_get_explanations_and_plans(service: Service) -> None:
    """As the operation itself would give them; arguments that do not fit are refused."""
    hit = service.get("/-/explain/lab/parent?n=3").json()
    assert (hit["status"], hit["closure"]) == ("hit", {})  # what code reaches is for those who may debug
    assert service.get("/-/explain/lab/parent?n=72").json()["status"] == "miss"
    kept = service.get("/-/plan/lab/parent?n=3").json()
    assert (kept["to_run"], kept["seconds"], kept["steps"][0]["need"]) == (0, 0.0, "cached")
    key = service.key_of("/lab/parent?n=30")
    service.get("/lab/parent?n=30")
    service.ask("DELETE", f"/-/products/{key}")
    again = service.get("/-/plan/lab/parent?n=30").json()
    assert again["to_run"] >= 1
    assert service.get("/-/plan/lab/parent?n=x").status_code == 400
    assert service.get("/-/explain/lab/nothing").status_code == 404


def test_what_code_reaches_is_not_for_everybody(service: Service) -> None:
    """The page says why, but neither values nor names in the code."""
    key = service.key_of("/lab/parent?n=3")
    text = service.page(f"/-/ui/r/{key}?tab=why").text
    assert "hit, since a result was made" in text
    assert "depends on" not in text


def test_a_job_is_stopped_from_its_pages(service: Service, browser: Browser) -> None:
    """By a plain button, on the page of its ticket and on that of the jobs, which says what became of it."""
    for mode in ("no-script", "phone"):
        name = f"{mode}{time.time_ns()}"  # its gate is closed, also if the test runs again
        browser.mode(mode)
        browser.open(f"{service.url}/lab/gated?name={name}")
        if mode == "phone":
            browser.open(f"{service.url}/-/ui/jobs")
            assert "waits at its gate" in browser.text()
            assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
            bar = browser.value("document.querySelector('.times a[aria-label*=making]').getAttribute('aria-label')")
            assert bar.startswith("lab/gated, making, since ")
            assert browser.value("document.querySelector('.times > span').innerText").startswith("worker-")
        browser.click("form[method=post] button")
        assert browser.value("location.pathname") == "/-/ui/jobs"
        assert "cancelled" in browser.text() or "ended" in browser.text()
        service.open_gate(name)  # a thread runs to its end all the same
    assert service.page("/-/ui/jobs?done=nothing").status_code == 200
    service.get("/lab/fails?message=no+luck+today", headers={"Prefer": "respond-async"})
    browser.mode("phone")
    for _ in range(200):  # until the worker has recorded how it ended
        browser.open(f"{service.url}/-/ui/jobs")
        if {"failed", "cancelled"} <= set(browser.text().split()):
            break
    assert {"failed", "cancelled"} <= set(browser.text().split())
    assert "no luck today" in browser.text()
    assert (browser.said, browser.overflow()) == ([], 0)
    again = "document.querySelector('.ended a[href*=\"/-/ui/lab/fails\"]').getAttribute('href')"
    assert browser.value(again) == "/-/ui/lab/fails?message=no+luck+today"
    answer = service.ask("POST", "/-/ui/jobs", data={"key": service.key_of("/lab/parent?n=3")})
    assert answer.status_code == 404
    assert re.search(r'aria-label="lab/fails, failed, \d\d:\d\d:\d\d UTC to', service.page("/-/ui/jobs").text)
    foreign = service.ask("POST", "/-/ui/jobs", data={"key": "x"}, headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403


def test_what_an_operation_keeps_is_purged_after_a_dry_run(service: Service, browser: Browser) -> None:
    """Nothing goes before the second button, and only what the first one counted."""
    for n in (1, 2, 3):
        service.get(f"/lab/rows?n={n}")
    purge = {"operation": "lab/rows", "dry_run": True}
    told = service.ask("POST", "/-/cache/purge", json=purge).json()
    assert (told["removed"], told["dry_run"]) == (3, True)
    assert service.ask("POST", "/-/cache/purge", json={**purge, "older_than": "1h"}).json()["removed"] == 0
    assert service.ask("POST", "/-/cache/purge", json={"dry_run": True}).status_code == 400
    browser.mode("phone")
    browser.open(f"{service.url}/-/ui/cache")
    assert (browser.said, browser.overflow()) == ([], 0)
    browser.click("[aria-label='What would go of lab/rows']")
    assert "3 results of lab/rows would be removed" in browser.text()
    assert service.ask("POST", "/-/cache/purge", json=purge).json()["removed"] == 3
    browser.click(".preview button")
    assert "3 results were removed" in browser.text()
    assert service.ask("POST", "/-/cache/purge", json=purge).json()["removed"] == 0
