"""Dashboards as they were: each panel keeps the result that it had."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rave_core.clock import SystemClock
from rave_http.auth.api_keys import KeyStore
from rave_http.cli.dashboards import dashboards
from rave_http.client import Client, Forbidden, NotFound
from tests.http.browser import Browser, opened
from tests.http.representation.forms import BROWSER

Service = Any  # RunningService of the conftest
DOCUMENT, PAGE = "/-/dashboards/ada/frozen", "/-/ui/d/ada/frozen"
MORE = '''

@op(time_range=("start", "end"))
@typemap(str, str, str)
def drifting(start="", end="", who=""):
    """A table that says otherwise each time that it is made."""
    import datetime, itertools, pathlib
    counter = pathlib.Path("PLACE", "count")
    count = len(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text("x" * count)
    return [{"ts": datetime.datetime.fromisoformat(start), "n": count, "asked": f"{who} number {count} from {start}"}]


@op
@expires(nocache)
def fleeting():
    """Never stored."""
    return "fleeting"


__export__ |= {"drifting": drifting, "fleeting": fleeting}
'''
CALL = {"operation": "lab/drifting", "arguments": {"who": "$who"}}
BOARD: dict[str, Any] = {
    "format": "rave.dashboard/1",
    "title": "Frozen",
    "shared": ["everyone"],
    "range": {"from": "2024-05-14", "to": "2024-05-15"},
    "variables": {"who": {"label": "Who", "default": "ada"}},
    "annotations": [{"operation": "lab/drifting", "time": "ts", "label": "asked"}],
    "panels": [
        {"id": "rows", "call": CALL, "range": True, "view": {"mark": "table"}, "at": [0, 0, 6, 4]},
        {
            "id": "chart",
            "call": CALL,
            "range": True,
            "view": {"mark": "line", "y": "n", "compare": "-1d"},
            "at": [6, 0, 6, 4],
        },
        {"id": "fleeting", "call": {"operation": "lab/fleeting"}, "at": [0, 4, 6, 2]},
    ],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service's things are."""
    return tmp_path_factory.mktemp("frozen")


@pytest.fixture(scope="module")
def keys(place: Path) -> dict[str, str]:
    """An API key for each user."""
    store = KeyStore(place / "keys", SystemClock())
    return {user: store.create(user) for user in ("ada", "bob")}


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Service], place: Path, keys: dict[str, str]) -> Iterator[Service]:
    """A service with users, and results that can be made anew."""
    assert keys  # they are there before the service starts
    more, may = MORE.replace("PLACE", str(place)), {"ada": ["view", "run", "refresh"]}
    own = {"keys_file": str(place / "keys"), "workers": 1, "permissions": may}
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
    running = launch_service(place, more=more, environ=environ, service=own)
    running.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    yield running
    running.end()


@pytest.fixture(scope="module")
def ada(keys: dict[str, str]) -> dict[str, str]:
    """The header of ada's programs."""
    return {"Authorization": f"Bearer {keys['ada']}"}


@pytest.fixture
def who(service: Service, ada: dict[str, str], request: pytest.FixtureRequest) -> str:
    """A value of the variable that no other test has; the dashboard is as it is at first."""
    assert service.ask("PUT", DOCUMENT, headers=ada, json=BOARD).status_code == 200
    return request.node.name


def panel(service: Service, name: str, **asked: str) -> str:
    """The page of a panel."""
    answer = service.get(PAGE, params={"panel": name, **asked}, headers={"Accept": BROWSER})
    assert answer.status_code == 200
    return str(answer.text)


def frozen(service: Service, ada: dict[str, str], who: str) -> str:
    """The identifier of the dashboard, frozen now."""
    for name in ("rows", "chart"):
        panel(service, name, **{"var.who": who})
    answer = service.ask(
        "POST", PAGE, headers=ada, json=None, data={"action": "freeze", "version": "0", "var.who": who}
    )
    assert answer.status_code == 303
    return str(answer.headers["Location"].partition("?as_of=")[2])


def renew(service: Service, ada: dict[str, str], who: str) -> None:
    """Makes the results of the dashboard anew."""
    asked = {"who": who, "start": "2024-05-14T00:00:00Z", "end": "2024-05-15T00:00:00Z", "rave.refresh": "true"}
    assert service.get("/lab/drifting", params=asked, headers=ada).status_code == 200
    del asked["who"]
    assert service.get("/lab/drifting", params=asked, headers=ada).status_code == 200


def test_a_frozen_dashboard_stays_as_it_was(service: Service, ada: dict[str, str], who: str) -> None:
    """Its panels, the earlier time and the moments, whatever is computed or saved since; for all who see it."""
    identifier = frozen(service, ada, who)
    then = panel(service, "rows", as_of=identifier).partition("<tbody>")[2]
    assert who in then
    chart = panel(service, "chart", as_of=identifier)
    assert "; dashed: 24 h earlier" in chart
    assert "1 marked moment" in chart
    moment = chart.partition("<details>")[2].partition("</details>")[0]
    renew(service, ada, who)
    service.ask("PUT", DOCUMENT, headers=ada, json=BOARD | {"panels": BOARD["panels"][1:], "title": "Another"})
    assert panel(service, "rows", as_of=identifier).partition("<tbody>")[2] == then
    later = panel(service, "chart", as_of=identifier)
    assert moment in later
    assert "number" in moment
    assert moment not in panel(service, "chart", **{"var.who": who})
    assert 'http-equiv="refresh"' not in later
    assert "It had no result when the dashboard was frozen" in panel(service, "fleeting", as_of=identifier)


def test_it_says_when_it_was_frozen(
    service: Service, ada: dict[str, str], keys: dict[str, str], who: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By a button for those who are signed in; the form that changes the dashboard lists what was frozen."""
    panel(service, "rows", **{"var.who": who})
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        assert "Freeze" not in service.get(PAGE, headers={"Accept": BROWSER}).text
        browser.mode("phone")
        browser.sign_in(service.url, service.sign_in(keys["ada"]))
        browser.open(f"{service.url}{PAGE}?var.who={who}")
        browser.click("button[value=freeze]")
        _looks_right(browser, who)
        identifier = browser.value("location.search").partition("?as_of=")[2]
    assert f"as_of={identifier}" in service.get(f"{PAGE}?edit=1", headers=ada | {"Accept": BROWSER}).text


def _looks_right(browser: Browser, who: str) -> None:
    text = browser.text()
    assert "by ada: every panel is as it was then" in text
    assert f"It shows 2024-05-14 00:00 to 2024-05-15 00:00 UTC, Who {who}." in text
    assert "Look at it now" in text
    assert (browser.said, browser.overflow(), browser.barriers()) == ([], 0, [])


def test_what_can_not_be_frozen_or_shown_is_told(service: Service, ada: dict[str, str], who: str) -> None:
    """Nobody in particular freezes nothing; a kept result that was removed is missed; others are not there."""
    freeze = {"action": "freeze", "version": "0", "var.who": who}
    assert service.ask("POST", PAGE, json=None, data=freeze).status_code == 401
    nothing = service.ask("POST", PAGE, headers=ada, json=None, data=freeze | {"from": "1999-01-01"})
    assert (nothing.status_code, "No panel of the dashboard has a result" in nothing.text) == (409, True)
    assert service.ask("POST", PAGE, headers=ada, json=None, data=freeze | {"from": "soon"}).status_code == 400
    for wrong in ("0123456789ab", "x", "a@0123456789ab"):
        assert service.get(PAGE, params={"as_of": wrong}).status_code == 404
    identifier = frozen(service, ada, who)
    for kept in service.get("/-/kept", headers=ada).json()["kept"]:
        if kept["arguments"].get("who") == repr(who):
            assert service.ask("DELETE", f"/-/kept/{kept['id']}", headers=ada, json=None).status_code == 204
    assert "The result that it had is kept no more" in panel(service, "rows", as_of=identifier)
    service.ask("PUT", DOCUMENT, headers=ada, json=BOARD | {"shared": []})
    assert service.get(PAGE, params={"as_of": identifier}).status_code == 404


def test_what_was_frozen_is_removed_by_those_who_may(
    service: Service, ada: dict[str, str], keys: dict[str, str], who: str
) -> None:
    """Its owner and who froze it, by its page and by programs; nobody else, and the dashboard stays."""
    bob = {"Authorization": f"Bearer {keys['bob']}"}
    first, second = frozen(service, ada, who), frozen(service, ada, who)
    page = service.get(PAGE, params={"as_of": first}, headers=ada | {"Accept": BROWSER}).text
    assert 'value="unfreeze"' in page
    assert 'value="unfreeze"' not in service.get(PAGE, params={"as_of": first}, headers=bob | {"Accept": BROWSER}).text
    sent = {"action": "unfreeze", "version": "0", "as_of": first}
    assert service.ask("POST", PAGE, headers=bob, json=None, data=sent).status_code == 403
    assert service.ask("DELETE", f"{DOCUMENT}/frozen/{first}").status_code == 401
    assert service.ask("POST", PAGE, headers=ada, json=None, data=sent).status_code == 303
    assert service.get(PAGE, params={"as_of": first}).status_code == 404
    with Client(service.url, headers=ada) as client:
        assert (second, "ada") in [(each.as_of, each.by) for each in client.dashboards.frozen("ada/frozen")]
        with Client(service.url, headers=bob) as other, pytest.raises(Forbidden, match="'ada', who froze it"):
            other.dashboards.remove_frozen("ada/frozen", second)
        run = partial(CliRunner(env={"RAVE_KEY": keys["ada"]}).invoke, dashboards, catch_exceptions=False)
        listed = json.loads(run(["frozen", "ada/frozen", "--json", "--url", service.url]).stdout)["frozen"]
        assert (second, "ada") in [(each["as_of"], each["by"]) for each in listed]
        assert run(["rm", "ada/frozen", "--as-of", second, "--url", service.url]).exit_code == 0
        assert second not in [each.as_of for each in client.dashboards.frozen("ada/frozen")]
        with pytest.raises(NotFound, match="was not frozen as"):
            client.dashboards.remove_frozen("ada/frozen", second)
    assert service.get(PAGE).status_code == 200
