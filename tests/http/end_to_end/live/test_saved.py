"""What users save, share and pin: calls, what they asked, and operations, over HTTP and in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rave_core.clock import SystemClock
from rave_http.auth.api_keys import KeyStore
from rave_http.cli.dashboards import dashboards
from rave_http.client import BadRequest, BadURL, Client, Forbidden, NotFound, PreconditionFailed
from tests.http.browser import MODES, Browser
from tests.http.conftest import wait_until
from tests.http.representation.forms import BROWSER

Service = Any  # RunningService of the conftest
CALL = {"format": "rave.call/1", "title": "Some rows", "call": {"operation": "lab/rows", "arguments": {"n": "4"}}}
BOARD = {
    "format": "rave.dashboard/1",
    "title": "Rows \x1b[1m",
    "shared": ["user:dan"],
    "panels": [{"id": "p", "call": {"operation": "lab/rows", "arguments": {"n": "4"}}, "at": [0, 0, 6, 4]}],
}
PAGE = {"Accept": BROWSER}
FORM = "document.querySelector('#save-title') !== null"  # of a result that is there


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service's things are."""
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def keys(place: Path) -> dict[str, str]:
    """An API key for each user."""
    store = KeyStore(place / "keys", SystemClock())
    return {user: store.create(user) for user in ("ada", "bob", "cleo", "dan", "eve")}


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], place: Path, keys: dict[str, str]) -> Iterator[Service]:
    """A service with users; bob may not view the namespace lab, and cleo may write there."""
    assert keys  # they are there before the service starts
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
    may = {
        "bob": {"*": ["view"], "lab": []},
        "cleo": ["view", "run", "write"],
        "eve": ["view", "run", "metrics", "purge"],
    }
    own = {"keys_file": str(place / "keys"), "permissions": may}
    running = launch_service(place, environ=environ, service=own)
    running.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    yield running
    running.end()


@pytest.fixture(scope="module")
def headers(service: Service, keys: dict[str, str]) -> dict[str, dict[str, str]]:
    """For each user, the header that their browser sends."""
    return {user: {"Cookie": service.sign_in(key)} for user, key in keys.items()} | {"nobody": {}}


@pytest.fixture
def sign_in(browser: Browser, service: Service, headers: dict[str, dict[str, str]]) -> Callable[[str], None]:
    """Signs a user in, in the browser; the empty name signs out."""

    return lambda user: browser.sign_in(service.url, headers[user]["Cookie"] if user else "")


def test_a_saved_call_is_seen_by_those_whom_it_is_shared_with(service: Service, headers: Any) -> None:
    """By its owner alone at first; then by a user, by those who see a namespace, by everyone. Others get 404."""
    path = "/-/calls/ada/shared-one"
    readers = {"user:dan": {"dan"}, "namespace:lab": {"cleo", "dan", "eve", "nobody"}, "everyone": {*headers} - {"ada"}}
    for shared, others in {None: set(), **readers}.items():
        document = CALL | {"shared": [shared] if shared else []}
        assert service.ask("PUT", path, headers=headers["ada"], json=document).status_code == 200
        seen = {user for user in headers if service.get(path, headers=headers[user]).status_code == 200}
        listed = {user for user in headers if "shared-one" in service.get("/-/calls", headers=headers[user]).text}
        assert (shared, seen) == (shared, {"ada"} | others) == (shared, listed)


def test_who_may_change_a_document_is_said_by_its_sharing(service: Service, headers: Any) -> None:
    """A named user and those with 'write' in the namespace; nobody else, and only the owner shares and removes."""
    path, document = "/-/calls/ada/changing", CALL | {"shared": ["namespace:lab", "user:bob"]}
    assert service.ask("PUT", path, headers=headers["ada"], json=document).status_code == 200
    mended = document | {"title": "Mended"}
    statuses = {user: service.ask("PUT", path, headers=headers[user], json=mended).status_code for user in headers}
    assert statuses == {"ada": 200, "bob": 200, "cleo": 200, "dan": 403, "eve": 403, "nobody": 401}
    assert service.get(path, headers=headers["ada"]).headers["ETag"] == '"4"'
    wider = service.ask("PUT", path, headers=headers["bob"], json=CALL | {"shared": ["everyone"]})
    assert (wider.status_code, wider.json()["detail"]) == (403, "Only 'ada' can change with whom it is shared")
    assert service.ask("DELETE", path, headers=headers["cleo"]).status_code == 403
    assert service.ask("PUT", "/-/calls/ada/new", headers=headers["bob"], json=CALL).status_code == 403
    assert service.ask("DELETE", path, headers=headers["ada"]).status_code == 204
    assert service.get(path, headers=headers["ada"]).status_code == 404


def test_a_change_can_be_conditional(service: Service, headers: Any) -> None:
    """A version that is not the newest is refused with 412, and nothing is changed."""
    path, ada = "/-/calls/ada/conditional", headers["ada"]
    first = service.ask("PUT", path, headers=ada | {"If-None-Match": "*"}, json=CALL)
    assert (first.status_code, first.headers["ETag"]) == (200, '"1"')
    assert service.ask("PUT", path, headers=ada | {"If-None-Match": "*"}, json=CALL).status_code == 412
    assert service.ask("PUT", path, headers=ada | {"If-Match": '"1"'}, json=CALL).headers["ETag"] == '"2"'
    assert service.ask("DELETE", path, headers=ada | {"If-Match": '"1"'}).status_code == 412
    assert service.get(path, headers=ada | {"If-None-Match": '"2"'}).status_code == 304


def test_documents_that_break_the_format_are_refused(service: Service, headers: Any) -> None:
    """By a message that says where."""
    for wrong, told in (
        ({"more": 1}, "unknown field `more`"),
        ({"format": "rave.call/2"}, "rave.call/2"),
        ({"title": ""}, "`$.title`"),
        ({"call": {"operation": "rows"}}, "`$.call.operation`"),
        ({"shared": ["all"]}, "'everyone', 'namespace:NAME' or 'user:NAME'"),
    ):
        answer = service.ask("PUT", "/-/calls/ada/wrong", headers=headers["ada"], json=CALL | wrong)
        assert answer.status_code == 400
        assert told in answer.json()["detail"]
    assert service.get("/-/calls/ada/wrong", headers=headers["ada"]).status_code == 404


def test_a_call_is_saved_from_its_page(service: Service, headers: Any, browser: Browser, sign_in: Any) -> None:
    """In a few words; it is then on the page of its user, and leads to the result."""
    browser.mode("light")
    sign_in("cleo")
    word = token_hex(3)
    title = f"Six <rows> {word}"
    browser.open(f"{service.url}/lab/rows?n=6")
    browser.until(FORM)
    browser.value(f"document.querySelector('#save-title').value = '{title}'")
    browser.click("button[value=save]")
    browser.until("document.body.innerText.includes('It is saved.')")
    assert title in browser.value("[...document.querySelectorAll('.calls .name')].map(each => each.textContent)")
    browser.click(".calls .name[href$='n=6']")
    browser.until("location.pathname + location.search == '/lab/rows?n=6'")
    assert service.get(f"/-/calls/cleo/six-rows-{word}", headers=headers["cleo"]).json()["call"]["arguments"] == {
        "n": "6"
    }


def test_nothing_typed_is_lost_when_a_session_has_ended(service: Service, browser: Browser, sign_in: Any) -> None:
    """The page shows it all again, and saves it once the user has signed in."""
    browser.mode("light")
    sign_in("dan")
    title = f"Seven {token_hex(3)}"
    browser.open(f"{service.url}/lab/rows?n=7")
    browser.until(FORM)
    browser.value(f"document.querySelector('#save-title').value = '{title}'")
    browser.value("document.querySelector('#save-shared').value = 'user:ada, user:bob'")
    sign_in("")
    browser.click("button[value=save]")
    browser.until("document.body.innerText.includes('Nothing that you typed is lost')")
    assert browser.value("document.querySelector('#save-shared').value") == "user:ada, user:bob"
    sign_in("dan")
    browser.click("button[value=save]")
    browser.until(f"document.body.innerText.includes('{title}')")
    browser.open(f"{service.url}/lab/rows?n=8")
    browser.until(FORM)
    browser.value(f"document.querySelector('#save-title').value = '{title.lower()}'")
    browser.click("button[value=save]")
    browser.until("document.body.innerText.includes('choose another one')")


def test_a_user_finds_again_what_they_asked(service: Service, headers: Any) -> None:
    """The last call first, each once; nobody else sees it, and it can be forgotten."""
    dan = headers["dan"] | PAGE
    for query in ("n=1", "n=2", "n=1"):
        assert service.get(f"/lab/square?{query}", headers=dan).status_code == 200
        last = {"operation": "lab/square", "arguments": {"n": query[2:]}}
        wait_until(lambda last=last: _history(service, dan)[:1] == [last], what=f"the history with {query}")
    assert [each["arguments"] for each in _history(service, dan)[:2]] == [{"n": "1"}, {"n": "2"}]
    assert 'href="/lab/square?n=1"' in service.get("/-/ui/me", headers=dan).text
    assert 'href="/lab/square?n=1"' not in service.get("/-/ui/me", headers=headers["cleo"] | PAGE).text
    assert service.ask("POST", "/-/ui/me", headers=dan, data={"action": "forget"}).status_code == 303
    assert _history(service, dan) == []


def _history(service: Service, headers: dict[str, str]) -> list[Any]:
    found = service.get("/-/me/history", headers=headers)
    return [each["call"] for each in found.json()["calls"]] if found.status_code == 200 else []


def test_calls_whose_operation_is_gone_or_hidden_say_so(service: Service, headers: Any) -> None:
    """Their owner sees why they can't be used and may remove them; others do not see them."""
    gone = CALL | {"title": "Gone for good", "shared": ["everyone"], "call": {"operation": "lab/gone"}}
    service.ask("PUT", "/-/calls/ada/gone", headers=headers["ada"], json=gone)
    service.ask(
        "PUT", "/-/calls/ada/hidden", headers=headers["ada"], json=CALL | {"title": "Hid", "shared": ["everyone"]}
    )
    own = service.get("/-/ui/me", headers=headers["ada"] | PAGE).text
    assert "Gone for good" in own
    assert "The operation is served no more" in own
    others = service.get("/-/ui/me", headers=headers["bob"] | PAGE).text
    assert "Gone for good" not in others
    assert "Hid" not in others


def test_a_kept_result_of_a_namespace_that_one_may_not_see_is_not_there(service: Service, headers: Any) -> None:
    """Whoever followed a link to it gets a page that says so and leads on; lists and comparisons leave it out."""
    key = service.key_of("/lab/rows?n=3")
    kept = service.ask("POST", "/-/kept", headers=headers["ada"], json={"key": key}).json()["id"]
    pages = (f"/-/ui/r/{key}", f"/-/kept/{kept}", f"/-/ui/r/{key}?tab=as+of", f"/-/compare?a={kept}&b={kept}")
    for path in pages:
        assert service.get(path, headers=headers["ada"] | PAGE).status_code in (200, 303), path
        missed = service.get(path, headers=headers["bob"] | PAGE)
        assert (missed.status_code, "lab/rows" in missed.text.replace(path, "")) == (404, False), path
        assert '<a class="button" href="/">Catalog</a>' in missed.text
        assert "/-/session" in missed.text
    assert kept in service.get("/-/kept", headers=headers["ada"] | PAGE).text
    assert kept not in service.get("/-/kept", headers=headers["bob"] | PAGE).text


def test_a_column_that_is_gone_is_told_by_panels(service: Service, headers: Any) -> None:
    """By a chart and by a table, each with the way to its question."""
    views = {"drawn": {"mark": "bars", "y": "lost"}, "listed": {"mark": "table", "sort": "-lost"}}
    panels = [{"id": id, "call": CALL["call"], "view": view, "at": [0, 0, 6, 4]} for id, view in views.items()]
    document = BOARD | {"shared": ["everyone"], "panels": panels}
    assert service.ask("PUT", "/-/dashboards/ada/columns", headers=headers["ada"], json=document).status_code == 200
    for name in views:

        def shown(name: str = name) -> str:
            page = service.get("/-/ui/d/ada/columns", params={"panel": name}, headers=PAGE)
            return str(page.text) if page.status_code == 200 else ""

        text = wait_until(shown, what="a panel")
        assert "there is no column &#39;lost&#39;" in text
        assert 'target="_top">lab/rows</a>' in text


@pytest.mark.parametrize("mode", MODES)
def test_the_pages_fit(service: Service, headers: Any, browser: Browser, sign_in: Any, mode: str) -> None:
    """No message, no sideways scrolling, nothing from elsewhere, however long a title is."""
    service.ask("PUT", "/-/calls/cleo/long", headers=headers["cleo"], json=CALL | {"title": "long" * 40})
    service.ask("PUT", f"/-/me/{'long' * 25}", headers=headers["cleo"], json={"long": "long" * 100})
    browser.mode(mode)
    for user, path in (
        ("cleo", "/-/ui/me"),
        ("cleo", "/-/ui/slates"),
        ("cleo", f"/-/ui/slates/{'long' * 25}"),
        ("", "/-/ui/me"),
    ):
        sign_in(user)
        browser.open(f"{service.url}{path}")
        assert (path, browser.said, browser.overflow()) == (path, [], 0)
        assert mode != "dark" or not browser.barriers()
        assert all(url.startswith((service.url, "data:")) for url in browser.asked)


def test_an_operation_is_pinned_from_the_page_of_the_cache(service: Service, headers: Any, browser: Browser) -> None:
    """Whoever may purge it pins and unpins it there; all who see the page see it, and the store knows."""
    service.get("/lab/total?l=1,2")
    ask = {"operation": "lab/total", "pinned": True}
    assert service.ask("POST", "/-/cache/pins", json=ask, headers=headers["dan"]).status_code == 403
    assert service.ask("POST", "/-/cache/pins", json=ask | {"operation": "lab/none"}).status_code == 404
    assert service.ask("POST", "/-/cache/pins", json={"operation": "lab/total"}).status_code == 400
    eve = headers["eve"]
    assert service.ask("POST", "/-/cache/pins", json=ask, headers=eve).json() == ask
    assert service.get("/-/cache/pins").json() == {"pins": ["lab/total"]}
    assert "pinned</span>" in service.get("/-/ui/cache").text
    browser.mode("phone")
    browser.call("Network.clearBrowserCookies")
    token = eve["Cookie"].removeprefix("rave=")
    browser.call("Network.setCookie", name="rave", value=token, url=service.url, httpOnly=True)
    browser.open(f"{service.url}/-/ui/cache")
    assert (browser.said, browser.overflow()) == ([], 0)
    browser.click("[aria-label='Unpin lab/total']")
    assert service.get("/-/cache/pins").json() == {"pins": []}


def test_the_client_reads_and_saves_dashboards(service: Service, keys: dict[str, str]) -> None:
    """By owner and name; a version is replaced only if it is the one that is meant."""
    with Client(service.url, keys["ada"]) as ada, Client(service.url, keys["dan"]) as dan:
        saved = ada.dashboards.save("ada/by client", BOARD, is_new=True)
        assert (saved.path, saved.title, saved.shared, saved.by) == (
            "ada/by client",
            BOARD["title"],
            ("user:dan",),
            "ada",
        )
        [listed] = [each for each in dan.dashboards.list() if each.name == "by client"]
        assert (listed.etag, listed.modified[:2], listed.document) == (saved.etag, "20", {})
        with pytest.raises(PreconditionFailed):
            ada.dashboards.save("ada/by client", BOARD, is_new=True)
        later = dan.dashboards.save("ada/by client", BOARD | {"title": "Later"}, etag=saved.etag)
        with pytest.raises(PreconditionFailed):
            ada.dashboards.save("ada/by client", BOARD, etag=saved.etag)
        found = ada.dashboards.get("ada/by client")
        assert (found.title, found.etag, found.document["panels"]) == ("Later", later.etag, BOARD["panels"])
        assert ada.dashboards.get("ada/by client", 1).title == BOARD["title"]
        with pytest.raises(BadRequest, match=r"rave\.dashboard/1"):
            ada.dashboards.save("ada/by client", {"format": "rave.dashboard/9"})
        with pytest.raises(Forbidden):
            dan.dashboards.remove("ada/by client")
        ada.dashboards.remove("ada/by client", etag=later.etag)
        with pytest.raises(NotFound):
            dan.dashboards.get("ada/by client")
        for wrong in ("ada", "ada/", "/x", "ada/x/y"):
            with pytest.raises(BadURL, match="is no dashboard; write OWNER/NAME"):
                ada.dashboards.get(wrong)


def test_the_command_moves_dashboards(service: Service, keys: dict[str, str], tmp_path: Path) -> None:
    """From one name to another by a file, which replaces nothing unless that is wanted; others see what they may."""

    def run(*words: str, user: str = "ada") -> Result:
        environ = {"RAVE_KEY": keys[user]}
        return CliRunner(env=environ).invoke(dashboards, [*words, "--url", service.url], catch_exceptions=False)

    with Client(service.url, keys["ada"]) as client:
        client.dashboards.save("ada/moved", BOARD)
    file = str(tmp_path / "board.json")
    assert run("export", "ada/moved", "-o", file).exit_code == 0
    imported = run("import", "ada/copy", file, "--json")
    assert (imported.exit_code, '"name": "copy"' in imported.stdout) == (0, True)
    again = run("import", "ada/copy", file)
    assert (again.exit_code, "there is a dashboard ada/copy already; --replace" in again.stderr) == (1, True)
    assert "ada/copy is saved, version 2" in run("import", "ada/copy", file, "--replace").stderr
    assert "panel p: call: lab/rows?n=4" in run("show", "ada/copy").stdout
    listed = run("ls", user="dan").stdout
    assert "ada/copy" in listed
    assert "\x1b" not in listed
    assert run("rm", "ada/copy", user="dan").exit_code == 1
    assert run("rm", "ada/copy").exit_code == 0
    assert run("show", "ada/copy").exit_code == 1
    assert "ada/copy" not in run("ls", "--json").stdout
    assert "ada/moved" not in run("ls", user="eve").stdout
    Path(file).write_text("[]")
    assert run("import", "ada/copy", file).exit_code == 2
