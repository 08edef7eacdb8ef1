"""Dashboards in a browser: panels, variables and time, editing by two people, and documents that can't be shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import pytest

from rave_core.clock import SystemClock
from rave_core.documents import open_store
from rave_http.auth.api_keys import KeyStore
from tests.http.browser import MODES, Browser
from tests.http.conftest import wait_until
from tests.http.end_to_end.live.board_lab import BOARD, CHOOSING, DRAG, KEYS, MORE, TROUBLED
from tests.http.representation.forms import BROWSER

Service = Any  # RunningService of the conftest
DOCUMENT, PAGE = "/-/dashboards/ada/border", "/-/ui/d/ada/border"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service's things are."""
    return tmp_path_factory.mktemp("dashboards")


@pytest.fixture(scope="module")
def keys(place: Path) -> dict[str, str]:
    """An API key for each user."""
    store = KeyStore(place / "keys", SystemClock())
    return {user: store.create(user) for user in ("ada", "bob", "dan")}


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], place: Path, keys: dict[str, str]) -> Iterator[Service]:
    """A service with users, and a namespace that has an operation with a time range."""
    assert keys  # they are there before the service starts
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
    running = launch_service(
        place,
        more=MORE.replace("PLACE", str(place)),
        environ=environ,
        service={"keys_file": str(place / "keys"), "workers": 1},
    )
    running.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    yield running
    running.end()


@pytest.fixture(scope="module")
def headers(service: Service, keys: dict[str, str]) -> dict[str, dict[str, str]]:
    """For each user, the header that their browser sends."""
    return {user: {"Cookie": service.sign_in(key)} for user, key in keys.items()}


@pytest.fixture
def sign_in(browser: Browser, service: Service, headers: dict[str, dict[str, str]]) -> Callable[[str], None]:
    """Signs a user in, in the browser; the empty name signs out."""

    return lambda user: browser.sign_in(service.url, headers[user]["Cookie"] if user else "")


@pytest.fixture(autouse=True)
def _board(service: Service, headers: dict[str, dict[str, str]]) -> None:
    """The dashboard, as it is at first."""
    assert service.ask("PUT", DOCUMENT, headers=headers["ada"], json=BOARD).status_code == 200


def panel(service: Service, name: str, **asked: str) -> str:
    """The page of a panel."""
    answer = service.get(PAGE, params={"panel": name, **asked}, headers={"Accept": BROWSER})
    assert answer.status_code in (200, 202)
    return str(answer.text)


@pytest.mark.parametrize("mode", MODES)
def test_a_dashboard_shows_its_panels(service: Service, browser: Browser, sign_in: Any, mode: str) -> None:
    """Each in a frame that fits, in every kind of window; those that have no result say why and how to go on."""
    browser.mode(mode)
    sign_in("")
    browser.open(f"{service.url}{PAGE}")
    assert (browser.said, browser.overflow()) == ([], 0)
    assert all(url.startswith((service.url, "data:")) for url in browser.asked)
    text = browser.text()
    for told in (
        "Border <b>",
        "Runbook\n",
        "ask ada <script>",
        "shared with everyone",
        "2024-05-14 00:00 to 2024-05-15 00:00 UTC",
    ):
        assert told in text
    has_script = mode != "no-script"
    assert not has_script or browser.barriers() == []
    places = browser.value("[...document.querySelectorAll('iframe')].map(each => each.title)")
    moves = browser.value("[...document.querySelectorAll('.moves a')].map(each => each.textContent)")
    assert moves == ["◀ Earlier", "Later ▶", "Last hour", "6 hours", "Day", "Week"]
    assert places == ["Bytes", "lab/between", "lab/drawing", "lab/gone", "lab/fails", "lab/square"]
    for name in ("chart", "rows", "picture", "gone", "failing", "tree"):
        browser.open(f"{service.url}{PAGE}?panel={name}")
        assert (name, browser.said, browser.overflow()) == (name, [], 0)
        assert not has_script or browser.barriers() == []


def test_panels_ask_with_variables_and_time(service: Service) -> None:
    """Those of the page, else those of the document; each leads to its question, and cells to others."""
    rows = panel(service, "rows")
    assert "ada 2024-05-14T00:00:00Z 900s" in rows
    assert "2 of 3 rows" in rows
    assert 'href="/lab/rows?n=2000" target="_top"' in rows
    assert rows.index("2000") < rows.index("1000")
    other = panel(service, "rows", **{"var.who": "bob", "from": "2024-05-14 06:00", "zone": "Europe/Berlin"})
    assert "bob 2024-05-14T04:00:00Z" in other
    chart = panel(service, "chart")
    assert 'aria-label="bytes over ts, from 2024-05-14 00:00 UTC' in chart
    assert "; dashed: 7 d earlier" in chart
    assert "3.0 kB in all, 3.0 kB before (±0 %)" in chart
    assert '<line x1="750.0"' in chart
    assert "<li>2024-05-14 01:30 UTC &lt;b&gt;release</li>" in chart
    assert "fix" not in chart
    assert 'href="/lab/between?who=ada&amp;start=2024-05-14T00%3A00%3A00Z' in chart
    assert '<img class="picture" src="/-/products/' in panel(service, "picture")


def test_a_chart_does_without_what_it_shows_besides(service: Service, headers: Any) -> None:
    """It says what is missing and why; what is still being made comes by itself."""
    service.ask("PUT", DOCUMENT, headers=headers["ada"], json=BOARD | {"annotations": TROUBLED})
    chart = panel(service, "chart")
    assert "; dashed: 7 d earlier" in chart
    for told in (
        "Moments of lab/gone: there is no operation &#39;lab/gone&#39; any more",
        "no luck",
        "lab/people declares no time range",
        "the column &#39;name&#39; holds no times",
        "&#39;kind&#39; is no column followed by one of",
        "Moments of lab/gated: being made.",
        '<meta http-equiv="refresh" content="2">',
    ):
        assert told in chart
    service.open_gate("beside")
    assert service.get("/lab/gated?name=beside&rave.prefer=wait%3D20").status_code == 200
    chart = panel(service, "chart")
    assert 'http-equiv="refresh" content="2"' not in chart
    assert "being made" not in chart


def test_choices_come_from_an_operation(service: Service, browser: Browser, headers: Any, sign_in: Any) -> None:
    """Each once; a text that is none of them is used as well, and without them one can type."""
    service.ask("PUT", DOCUMENT, headers=headers["ada"], json=BOARD | {"variables": CHOOSING})
    browser.mode("light")
    sign_in("")
    browser.open(f"{service.url}{PAGE}")
    assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
    assert browser.value("[...document.querySelector('#var-who').options].map(each => each.value)") == [
        *("eve", "ada", "bob", "<i>")
    ]
    assert "No choices: there is no operation 'lab/gone' any more" in browser.text()
    assert "No choices: there is no column 'nobody'; there are name" in browser.text()
    assert browser.value("document.querySelector('#var-n').value") == "3"
    assert "eve 2024-05-14" in panel(service, "rows")
    assert "&lt;i&gt; 2024-05-14" in panel(service, "rows", **{"var.who": "<i>"})


def test_a_panel_that_fails_shows_its_last_result(service: Service, headers: Any) -> None:
    """And says so, and why there is no newer one."""
    changed = BOARD | {"panels": [{"id": "p", "call": {"operation": "lab/shaky"}, "at": [0, 0, 6, 3]}]}
    service.ask("PUT", DOCUMENT, headers=headers["ada"], json=changed)
    broken = service.place / "broken"
    assert "the last good one" in panel(service, "p")
    broken.touch()
    try:
        wait_until(lambda: "No newer result: " in panel(service, "p"))
        failed = panel(service, "p")
        assert "it is broken" in failed
        assert "the last good one" in failed
    finally:
        broken.unlink()


def test_a_panel_without_result_says_why(service: Service) -> None:
    """An operation that is gone, one that fails, a text that is no choice, a time that is none."""
    assert "There is no operation &#39;lab/gone&#39; any more" in panel(service, "gone")
    assert "no luck" in panel(service, "failing")
    assert "&#39;eve&#39; is none of ada, bob" in panel(service, "rows", **{"var.who": "eve"})
    assert "&#39;soon&#39; is no time" in panel(service, "rows", **{"from": "soon"})
    page = service.get(PAGE, params={"from": "soon"}, headers={"Accept": BROWSER}).text
    assert "&#39;soon&#39; is no time" in page
    assert 'value="soon"' in page
    assert service.get(f"{PAGE}?panel=none").status_code == 404
    assert service.get(f"{PAGE}?more=1").status_code == 400


def test_a_slow_panel_says_how_far_it_is_and_becomes_its_result(service: Service, headers: Any) -> None:
    """It looks again by itself, without a script."""
    waiting = BOARD | {
        "panels": [{"id": "p", "call": {"operation": "lab/gated", "arguments": {"name": "board"}}, "at": [0, 0, 6, 3]}]
    }
    waiting = {name: text for name, text in waiting.items() if name not in ("range", "variables", "annotations")}
    service.ask("PUT", DOCUMENT, headers=headers["ada"], json=waiting)
    first = panel(service, "p")
    assert "waits at its gate" in first
    assert '<meta http-equiv="refresh" content="2">' in first
    service.open_gate("board")
    key = service.get("/lab/gated?name=board&rave.prefer=wait%3D20").text
    assert key == "board went through"
    assert "board went through" in panel(service, "p")


def test_two_people_who_save_see_both_versions(service: Service, browser: Browser, headers: Any, sign_in: Any) -> None:
    """The second is told by 412, sees what the first saved, keeps what they typed, and can save it on top."""
    browser.mode("light")
    sign_in("bob")
    browser.open(f"{service.url}{PAGE}?edit=1")
    browser.value("document.querySelector('#title').value = 'Typed by bob'")
    service.ask("PUT", DOCUMENT, headers=headers["ada"], json=BOARD | {"title": "Saved by ada"})
    browser.click("button[value=save]")
    text = browser.text()
    for told in ("While you were editing, ada saved version", "+ title: Saved by ada", "− title: Typed by bob"):
        assert told in text
    assert any("412" in each for each in browser.said)
    assert browser.value("document.querySelector('#title').value") == "Typed by bob"
    assert service.get(DOCUMENT).json()["title"] == "Saved by ada"
    browser.click("button[value=save]")
    assert "Typed by bob" in browser.text()
    newest = service.get(DOCUMENT).headers["ETag"].strip('"')
    old = service.get(f"{PAGE}?version={int(newest) - 1}", headers={"Accept": BROWSER}).text
    assert "Saved by ada" in old
    assert f"The newest is version {newest}" in old
    assert service.get(f"{DOCUMENT}?version={int(newest) - 1}").json()["title"] == "Saved by ada"


def test_nothing_typed_is_lost(service: Service, browser: Browser, sign_in: Any) -> None:
    """When the session ended in the middle of an edit, and when what was typed makes no dashboard."""
    browser.mode("light")
    sign_in("ada")
    browser.open(f"{service.url}{PAGE}?edit=1")
    browser.value("document.querySelector('#call_1').value = 'between'")
    browser.click("button[value=save]")
    assert "Panel 2: 'between' is no call" in browser.text()
    browser.value("document.querySelector('#call_1').value = 'lab/rows?n=2'")
    browser.value("document.querySelector('#range_1').checked = false")
    browser.click("button[value=save]")
    assert "compares with an earlier time, but has no 'range'" in browser.text()
    browser.value("document.querySelector('#view_1').value = 'area'")
    sign_in("")
    browser.click("button[value=save]")
    assert "Nothing that you typed is lost" in browser.text()
    assert browser.value("document.querySelector('#call_1').value") == "lab/rows?n=2"
    sign_in("dan")
    browser.click("button[value=save]")
    assert "It belongs to 'ada'" in browser.text()
    sign_in("ada")
    browser.click("button[value=save]")
    assert service.get(DOCUMENT).json()["panels"][1]["call"] == {"operation": "lab/rows", "arguments": {"n": "2"}}


def test_an_operation_is_explored_in_time(service: Service, browser: Browser, sign_in: Any) -> None:
    """From its form: this time and the time before; dragging over a chart chooses a part of it."""
    browser.mode("light")
    sign_in("")
    browser.open(f"{service.url}/-/ui/lab/between")
    browser.click("a[href*='/-/ui/explore/']")
    assert browser.said == []
    browser.open(
        f"{service.url}/-/ui/explore/lab/between?who=%24me&view.from=2024-05-14&view.to=2024-05-15&view.y=bytes"
    )
    assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])
    frames = browser.value("[...document.querySelectorAll('iframe')].map(each => each.src)")
    times = [service.get(url.removeprefix(service.url), headers={"Accept": BROWSER}).text for url in frames]
    assert "from 2024-05-14 00:00 UTC" in times[0]
    assert "; dashed: 24 h earlier" in times[0]
    assert "$me 2024-05-14T00:00:00Z 900s" in times[1]
    assert (
        'option value="previous" selected'
        in service.get(browser.value("location.pathname + location.search"), headers={"Accept": BROWSER}).text
    )
    frame = "document.querySelector('iframe').contentDocument.querySelector('svg[data-start]')"
    browser.until(f"!!{frame} && document.querySelector('iframe').contentDocument.readyState === 'complete'")
    browser.value(DRAG.replace("PLOT", frame))
    browser.until("location.search.includes('view.from=2024-05-14T00%3A30')")
    assert browser.value("document.querySelector('#to').value").startswith("2024-05-14T01:30")
    browser.until(f"!!{frame} && document.querySelector('iframe').contentDocument.readyState === 'complete'")
    browser.value(KEYS.replace("PLOT", frame))
    browser.until("location.search.includes('view.from=2024-05-14T01%3A2')")
    assert "who=%24me" in browser.value("location.search")
    asked = "/-/ui/explore/lab/between?view.from=2024-05-14&view.to=2024-05-15"
    rows = f"{asked}&view.mark=table&view.compare=-1w"
    assert "2024-05-07T00:00:00Z" in service.get(f"{rows}&view.frame=before", headers={"Accept": BROWSER}).text
    assert service.get(rows, headers={"Accept": BROWSER}).text.count("<iframe") == 3
    assert service.get(f"{asked}&view.compare=none", headers={"Accept": BROWSER}).text.count("<iframe") == 2
    alone = service.get(f"{asked}&view.compare=none&view.frame=now", headers={"Accept": BROWSER}).text
    assert "dashed" not in alone.partition("<body>")[2]
    soon = service.get(f"{asked}&view.compare=soon", headers={"Accept": BROWSER}).text
    assert "&#39;soon&#39; is no earlier time" in soon
    assert service.get("/-/ui/explore/lab/rows").status_code == 404
    assert service.get("/-/ui/explore/lab/between?view.mark=pie").status_code == 400
    wrong = service.get("/-/ui/explore/lab/between?view.from=soon", headers={"Accept": BROWSER}).text
    assert "&#39;soon&#39; is no time" in wrong


def test_a_question_becomes_a_shared_dashboard(service: Service, browser: Browser, headers: Any, sign_in: Any) -> None:
    """From the page of a result to a new dashboard, to another panel, to somebody else who looks at it."""
    browser.mode("phone")
    sign_in("dan")
    browser.open(f"{service.url}/lab/rows?n=5")
    browser.until("document.querySelector(\"a[href*='me?add=']\") !== null")  # it may be made just now
    browser.click("a[href*='me?add=']")
    browser.value("document.querySelector('#board-title').value = 'Rows of mine'")
    browser.click("button[value=dashboard]")
    assert (browser.said, browser.overflow()) == ([], 0)
    browser.value("document.querySelector('#shared').value = 'user:bob'")
    browser.click("button[value=save]")
    browser.open(f"{service.url}/-/ui/me?add=lab/square%3Fn%3D3")
    browser.click("button[value=add]")
    document = service.get("/-/dashboards/dan/rows-of-mine", headers=headers["bob"]).json()
    assert [each["call"]["operation"] for each in document["panels"]] == ["lab/rows", "lab/square"]
    assert "Rows of mine" in service.get("/-/ui/me", headers=headers["bob"] | {"Accept": BROWSER}).text
    assert service.get("/-/ui/d/dan/rows-of-mine").status_code == 404
    browser.open(f"{service.url}/-/ui/d/dan/rows-of-mine?edit=1")
    browser.click("button[value=remove]")
    assert "It is removed" in browser.text()


def test_a_document_of_a_later_format_says_so(service: Service, headers: Any) -> None:
    """Its versions are offered; nothing is changed or lost."""
    later = json.dumps({"format": "rave.dashboard/9", "title": "Later", "shared": ["everyone"], "more": 1}).encode()
    with open_store(f"sqlite:///{service.place}/documents.sqlite") as store:
        version = int(service.get(DOCUMENT).headers["ETag"].strip('"'))
        store.save("_dashboards", "ada/border", later, expect=version, author="ada")
    page = service.get(PAGE, headers={"Accept": BROWSER})
    assert page.status_code == 200
    assert "It has the format rave.dashboard/9, and this version of RAVE reads rave.dashboard/1" in page.text
    assert f'href="{PAGE}?version={version}"' in page.text
    assert "Border" in service.get(f"{PAGE}?version={version}", headers={"Accept": BROWSER}).text
    assert service.get(DOCUMENT).content == later
    wrong = service.ask("PUT", DOCUMENT, headers=headers["ada"], data=later, json=None)
    assert wrong.status_code == 400
