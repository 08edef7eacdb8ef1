"""Slates in use: as arguments, where each client reads their own, and on pages that change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Service = Any  # RunningService of the conftest

WEIGHED = '''

@op
@typemap("slate", int)
@mime_type("application/json")
def weighed(config, n: int = 1):
    """What it was called with."""
    ran(f"weighed {config} {n}")
    gate = config.get("gate") if isinstance(config, dict) else None
    while gate and not LOG.with_name(f"{gate}.gate").exists():
        time.sleep(0.02)
    return {"config": config, "n": n}


@op
@typemap("slate")
@mime_type("application/json")
def preset(config="slate:preset"):
    """What its default names."""
    return config


__export__.update(weighed=weighed, preset=preset)
'''
ADA, BOB = {"X-Remote-User": "ada"}, {"X-Remote-User": "bob"}
CURRENT = "private, no-cache"


@pytest.fixture(name="slates", scope="module")
def _slates(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose users a proxy names; anonymous clients may view and run."""
    place = tmp_path_factory.mktemp("slates")
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
    service = {"proxy_header": "X-Remote-User", "workers": 1, "permissions": {"*": ["view", "run"]}}
    running = launch_service(place, environ=environ, service=service, more=WEIGHED)
    yield running
    running.end()


def keep(service: Service, user: dict[str, str], name: str, content: Any) -> None:
    """Keeps a slate."""
    assert service.ask("PUT", f"/-/me/{name}", json=content, headers=user).status_code == 200


def test_each_client_reads_slates_of_their_own(slates: Service) -> None:
    """By query and by body; the answer is for the client alone, and no cache gives it again without asking."""
    keep(slates, ADA, "own", {"whose": "ada's"})
    keep(slates, BOB, "own", ["bob's"])
    path = "/lab/weighed?config=slate:own"
    for user, content in ((ADA, {"whose": "ada's"}), (BOB, ["bob's"]), (ADA, {"whose": "ada's"})):
        found = slates.get(path, headers=user)
        assert (found.json(), found.headers["Cache-Control"]) == ({"config": content, "n": 1}, CURRENT)
        posted = slates.ask("POST", "/lab/weighed", json={"config": "slate:own"}, headers=user)
        assert (posted.json(), posted.headers["ETag"]) == (found.json(), found.headers["ETag"])
    same = slates.get('/lab/weighed?config=["bob\'s"]')
    assert (same.json()["config"], same.headers["Cache-Status"][:9]) == (["bob's"], "rave; hit")
    assert len(slates.runs("ada's")) == len(slates.runs("bob's")) == 1
    keep(slates, BOB, "own", "another")
    assert slates.get(path, headers={**BOB, "If-None-Match": same.headers["ETag"]}).json()["config"] == "another"


def test_a_slate_of_nobody_is_refused(slates: Service) -> None:
    """Without a user, and under a name that the user does not keep; a forecast says no more."""
    keep(slates, ADA, "hers", 1)
    for method, more in (("GET", {}), ("POST", {"json": {"config": "slate:hers"}})):
        path = "/lab/weighed" if more else "/lab/weighed?config=slate:hers"
        found = slates.ask(method, path, **more)
        assert (found.status_code, "nobody is signed in" in found.json()["detail"]) == (400, True)
        found = slates.ask(method, path, headers=BOB, **more)
        assert (found.status_code, "you keep nothing under the name 'hers'" in found.json()["detail"]) == (400, True)
    for way in ("plan", "explain"):
        asked = f"/-/{way}/lab/weighed?config=slate:hers"
        assert [slates.get(asked, headers=user).status_code for user in (ADA, BOB, {})] == [200, 400, 400]


def test_a_default_is_what_each_user_keeps(slates: Service) -> None:
    """The description shows its name to everybody."""
    keep(slates, ADA, "preset", ["ada's preset"])
    found = slates.get("/lab/preset", headers=ADA)
    assert (found.json(), found.headers["Cache-Control"]) == (["ada's preset"], CURRENT)
    for user, reason in ((BOB, "you keep nothing under the name 'preset'"), ({}, "nobody is signed in")):
        refused = slates.get("/lab/preset", headers=user)
        assert (refused.status_code, reason in refused.json()["detail"]) == (400, True)
    for path in ("/-/ops/lab/preset", "/-/openapi.json"):
        shown = slates.get(path, headers=ADA).text
        assert ("slate:preset" in shown, "ada's preset" in shown) == (True, False)


def test_a_ticket_holds_what_the_slate_held(slates: Service, wait_until: Any) -> None:
    """The job and its product are of the content at the time of the question, whatever happens to the slate."""
    keep(slates, ADA, "gated", {"gate": "held"})
    headers = {**ADA, "Prefer": "respond-async"}
    ticket = slates.get("/lab/weighed?config=slate:gated", headers=headers)
    assert ticket.status_code == 202
    (job,) = slates.get("/-/jobs", headers=ADA).json()["jobs"]
    assert job["arguments"] == 'config={"gate":"held"}'
    keep(slates, ADA, "gated", {"other": 1})
    slates.open_gate("held")
    product = ticket.headers["Location"]
    wait_until(lambda: slates.get(product).status_code == 200, what="the product")
    assert slates.get(product).json()["config"] == {"gate": "held"}
    assert slates.get("/lab/weighed?config=slate:gated", headers=ADA).json()["config"] == {"other": 1}


def test_the_form_offers_the_slates_of_the_user(slates: Service) -> None:
    """By name, beside JSON; nobody sees those of others."""
    keep(slates, ADA, 'odd "<name>', 1)
    html = {"Accept": "text/html"}
    own = slates.get("/-/ui/lab/weighed", headers=html | ADA).text
    assert '<option value="slate:odd &#34;&lt;name&gt;">odd &#34;&lt;name&gt;</option>' in own
    assert 'list="field-0-choices"' in own
    for user in (BOB, {}):
        assert "odd &#34;" not in slates.get("/-/ui/lab/weighed", headers=html | user).text


def test_slates_are_written_changed_and_removed_on_pages(slates: Service) -> None:
    """With forms and no script; only their user sees them, and a name can hold anything printable."""
    name, html = 'a "b" <c>? &#%é', {"Accept": "text/html", **BOB}
    to = slates.get("/-/ui/slates", params={"name": name}, headers=html).headers["Location"]
    assert 'name="version" value="0"' in slates.get(to, headers=html).text
    form = {"action": "save", "version": "0", "content": '{"n": [1, "</textarea>"]}\r\n'}
    saved = slates.ask("POST", to, data=form, headers=html)
    assert (saved.status_code, saved.headers["Location"]) == (303, "/-/ui/slates?done=saved")
    listed = slates.get("/-/ui/slates?done=saved", headers=html).text
    for part in ("It is saved.", "a &#34;b&#34; &lt;c&gt;? &amp;#%é", to):
        assert part in listed
    page = slates.get(to, headers=html).text
    assert ("&lt;/textarea&gt;" in page, 'name="version" value="1"' in page) == (True, True)
    assert to not in slates.get("/-/ui/slates", headers={**html, **ADA}).text
    assert 'name="version" value="0"' in slates.get(to, headers={**html, **ADA}).text
    gone = slates.ask("POST", to, data={"action": "remove", "version": "1"}, headers=html)
    assert gone.headers["Location"] == "/-/ui/slates?done=removed"
    assert name not in [each["name"] for each in slates.get("/-/me", headers=BOB).json()["documents"]]
    assert 'name="version" value="2"' in slates.get(to, headers=html).text


def test_what_a_page_can_not_save_is_shown_again(slates: Service) -> None:
    """Beside what was saved meanwhile, which stays; also for somebody whose session has ended."""
    keep(slates, ADA, "shared tab", {"new": 2})
    html, to = {"Accept": "text/html", **ADA}, "/-/ui/slates/shared%20tab"
    typed = {"action": "save", "version": "0", "content": "[1]"}
    both = slates.ask("POST", to, data=typed, headers=html)
    assert (both.status_code, "What is saved now" in both.text) == (412, True)
    for part in ("&#34;new&#34;: 2", ">[1]</textarea>", 'name="version" value="1"'):
        assert part in both.text
    removing = {**typed, "action": "remove"}
    assert slates.ask("POST", to, data=removing, headers=html).status_code == 412
    assert slates.get("/-/me/shared tab", headers=ADA).json() == {"new": 2}
    ended = slates.ask("POST", to, data=typed, headers={"Accept": "text/html"})
    assert (ended.status_code, ">[1]</textarea>" in ended.text, "Sign in" in ended.text) == (401, True, True)
    for wrong, status in (({"content": "{"}, 400), ({"version": "x"}, 400), ({"action": "y"}, 400), ({"z": ""}, 400)):
        assert slates.ask("POST", to, data={**typed, **wrong}, headers=html).status_code == status
    for path in ("/-/ui/slates", to):
        assert slates.get(path, headers={"Accept": "text/html"}).status_code == 401
    assert slates.get("/-/ui/slates", params={"name": "a/b"}, headers=html).status_code == 400
    assert slates.ask("POST", to, data={**typed, "version": "1"}, headers=html).status_code == 303
    assert slates.get("/-/me/shared tab", headers=ADA).json() == [1]
