"""Signing in with a cookie, and what a user keeps: no locks, no lost changes; no document expires with a token."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import pytest
import requests

from rave_core.documents import open_store

Service = Any  # RunningService of the conftest


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service's things are."""
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture(name="signed", scope="module")
def _signed(launch_service: Callable[..., Service], place: Path) -> Iterator[Service]:
    """Two workers; anonymous clients may view and run, ada everything, and bob nothing in the namespace lab."""
    may = {"ada": ["view", "run", "purge"], "bob": {"*": ["view"], "lab": []}}
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{place}/documents.sqlite"}
    service = {"keys_file": str(place / "keys"), "permissions": may, "session_time": "10m"}
    running = launch_service(place, environ=environ, service=service)
    running.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # tests say themselves which they send
    yield running
    running.end()


def new_key(place: Path, user: str, *switches: str) -> str:
    """An API key."""
    rave = str(Path(sys.executable).parent / "rave")
    command = [rave, "key", "create", user, "--keys-file", str(place / "keys"), *switches]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"rave_\w+", done.stdout)
    assert found is not None
    return found[0]


@pytest.fixture(name="keys", scope="module")
def _keys(place: Path, signed: Service) -> dict[str, str]:
    """An API key for each user."""
    return {user: new_key(place, user) for user in ("ada", "bob", "cleo", "dan")}


@pytest.fixture(name="sign_in")
def _sign_in(signed: Service, keys: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """Signs a user in; gives the header that their browser sends from then on."""

    def sign_in(user: str) -> dict[str, str]:
        answer = signed.ask("POST", "/-/session", data={"key": keys[user]})
        assert (answer.status_code, answer.json()["user"]) == (200, user), answer.text
        cookie = answer.headers["Set-Cookie"]
        token = re.match(r"rave=([\w-]{43}); ", cookie)
        assert token is not None, cookie
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        return {"Cookie": f"rave={token[1]}"}

    return sign_in


def test_a_token_stands_for_a_user_until_it_ends(signed: Service, sign_in: Any) -> None:
    """In every worker and several times at once; signing out ends it, and only it."""
    first, second = sign_in("ada"), sign_in("ada")
    for _ in range(4):
        assert signed.get("/-/session", headers=first).json()["kind"] == "session"
    out = signed.ask("DELETE", "/-/session", headers=first)
    assert out.headers["Set-Cookie"].startswith('rave=""; ') or out.headers["Set-Cookie"].startswith("rave=; ")
    assert signed.get("/-/session", headers=second).json()["user"] == "ada"
    for made_up in ("x" * 43, "x", "", "ä" * 43, second["Cookie"][5:-1]):
        found = signed.get("/-/session", headers={"Cookie": f"rave={made_up}".encode()})
        assert (found.status_code, found.json()["user"]) == (200, None)


def test_a_token_that_ended_works_nowhere_after_two_seconds(signed: Service, sign_in: Any, wait_until: Any) -> None:
    """Also in a worker that has just found it."""
    token = sign_in("ada")
    for _ in range(4):
        signed.get("/-/session", headers=token)
    signed.ask("DELETE", "/-/session", headers=token)
    wait_until(
        lambda: all(signed.get("/-/session", headers=token).json()["user"] is None for _ in range(6)), what="the end"
    )


def test_what_the_store_has_is_no_token(signed: Service, sign_in: Any, place: Path) -> None:
    """It keeps digests."""
    token = sign_in("ada")["Cookie"].removeprefix("rave=")
    with open_store(f"sqlite:///{place}/documents.sqlite") as store:
        kept = [*store.documents("_auth")]
    assert kept
    assert not [each for each in kept if token in each.metadata.key or token.encode() in (each.payload or b"")]
    stolen = {"Cookie": f"rave={kept[0].metadata.key}"}
    assert signed.get("/-/session", headers=stolen).json()["user"] is None


def test_a_revoked_key_ends_its_sessions(signed: Service, place: Path, wait_until: Any) -> None:
    """Within seconds."""
    key = new_key(place, "ada", "--expires", "9d")
    answer = signed.ask("POST", "/-/session", headers={"Authorization": f"Bearer {key}"})
    token = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    assert signed.get("/-/session", headers=token).json()["user"] == "ada"
    rave = str(Path(sys.executable).parent / "rave")
    subprocess.run(
        [rave, "key", "revoke", key.split("_")[1], "--keys-file", str(place / "keys")], check=True, capture_output=True
    )
    wait_until(lambda: signed.get("/-/session", headers=token).json()["user"] is None, what="the end of the session")
    wait_until(
        lambda: signed.ask("POST", "/-/session", data={"key": key}).status_code == 401, what="the end of the key"
    )


def test_permissions_are_those_of_the_user(signed: Service, sign_in: Any) -> None:
    """Also where a ready answer is in memory for others."""
    ada, bob = sign_in("ada"), sign_in("bob")
    for _ in range(4):
        assert signed.get("/lab/square?n=3").status_code == 200
    for _ in range(4):
        assert signed.get("/lab/square?n=3", headers=bob).status_code == 404
        assert "private" in signed.get("/lab/square?n=3", headers=ada).headers["Cache-Control"]
    assert signed.ask("POST", "/-/cache/purge", json={"operation": "lab/none"}, headers=ada).status_code != 403


def test_a_foreign_page_can_do_nothing_with_a_cookie(signed: Service, sign_in: Any, keys: dict[str, str]) -> None:
    """Neither change a slate, nor sign somebody in or out, nor start a job, also from another port of this host."""
    foreign = {**sign_in("ada"), "Origin": "https://elsewhere.example"}
    for headers in (foreign, {**sign_in("ada"), "Sec-Fetch-Site": "same-site"}):
        assert signed.get("/lab/square?n=9311", headers=headers).status_code == 403
    for method, path in (("PUT", "/-/me/x"), ("PATCH", "/-/me/x"), ("DELETE", "/-/session"), ("POST", "/-/session")):
        assert signed.ask(method, path, json={}, headers=foreign).status_code == 403
    alone = {"Origin": "https://elsewhere.example"}
    assert signed.ask("POST", "/-/session", data={"key": keys["bob"]}, headers=alone).status_code == 403


def test_behind_https_the_cookie_is_of_this_host_alone(signed: Service, keys: dict[str, str]) -> None:
    """A cookie without the prefix then counts for nothing; without HTTPS nobody signs in from another host."""
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    answer = signed.ask("POST", "/-/session", data={"key": keys["ada"]}, headers=proxied)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-rave=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    token = cookie.partition(";")[0].partition("=")[2]
    for name, user in (("__Host-rave", "ada"), ("rave", None)):
        found = signed.get("/-/session", headers={**proxied, "Cookie": f"{name}={token}"})
        assert found.json()["user"] == user
    far = signed.ask("POST", "/-/session", data={"key": keys["ada"]}, headers={"X-Forwarded-For": "192.0.2.7"})
    assert (far.status_code, "HTTPS" in far.json()["detail"]) == (403, True)


def test_every_page_links_to_signing_in(signed: Service, sign_in: Any) -> None:
    """Under the name of whoever is signed in."""
    html = {"Accept": "text/html"}
    assert '<a href="/-/session">Sign in</a>' in signed.get("/", headers=html).text
    assert '<a href="/-/session">ada</a>' in signed.get("/", headers=html | sign_in("ada")).text


def test_the_page_signs_in_and_out(signed: Service, keys: dict[str, str]) -> None:
    """With a form, and no script."""
    html = {"Accept": "text/html"}
    assert 'name="key"' in signed.get("/-/session", headers=html).text
    into = signed.ask("POST", "/-/session", data={"key": keys["ada"]}, headers=html)
    assert (into.status_code, into.headers["Location"]) == (303, "/")
    token = {"Cookie": into.headers["Set-Cookie"].partition(";")[0]}
    assert "You are <strong>ada</strong>" in signed.get("/-/session", headers=html | token).text
    out = signed.ask("POST", "/-/session", data={"action": "sign out"}, headers=html | token)
    assert (out.status_code, "01 Jan 1970" in out.headers["Set-Cookie"]) == (303, True)


def test_a_document_is_read_and_replaced_under_conditions(signed: Service, sign_in: Any) -> None:
    """412 where it is stale; anybody else has documents of their own."""
    cleo, dan = sign_in("cleo"), sign_in("dan")
    path = "/-/me/home page"
    assert signed.get(path, headers=cleo).status_code == 404
    made = signed.ask("PUT", path, json={"a": 1}, headers={**cleo, "If-None-Match": "*"})
    assert (made.status_code, made.headers["ETag"]) == (200, '"1"')
    assert signed.ask("PUT", path, json={"a": 2}, headers={**cleo, "If-None-Match": "*"}).status_code == 412
    assert signed.ask("PUT", path, json={"a": 2}, headers={**cleo, "If-Match": '"1"'}).headers["ETag"] == '"2"'
    assert signed.ask("PATCH", path, json={"b": 1}, headers={**cleo, "If-Match": '"1"'}).status_code == 412
    found = signed.get(path, headers=cleo)
    assert (found.json(), found.headers["ETag"]) == ({"a": 2}, '"2"')
    assert signed.get(path, headers={**cleo, "If-None-Match": '"2"'}).status_code == 304
    assert [each["name"] for each in signed.get("/-/me", headers=cleo).json()["documents"]] == ["home page"]
    assert signed.get("/-/me", headers=dan).json() == {"user": "dan", "documents": []}
    assert signed.get(path, headers=dan).status_code == 404
    assert signed.ask("DELETE", path, headers={**cleo, "If-Match": '"1"'}).status_code == 412
    assert signed.ask("DELETE", path, headers=cleo).status_code == 204
    assert signed.get("/-/me", headers=cleo).json()["documents"] == []


def test_fifty_changes_of_different_members_are_all_there(signed: Service, sign_in: Any) -> None:
    """Sent at once, to two workers, without conditions; ``null`` removes a member."""
    ada = sign_in("ada")
    with ThreadPoolExecutor(50) as pool:

        def patch(number: int) -> int:
            return int(signed.ask("PATCH", "/-/me/many", json={"in": {f"m{number}": number}}, headers=ada).status_code)

        assert set(pool.map(patch, range(50))) == {200}
    assert signed.get("/-/me/many", headers=ada).json() == {"in": {f"m{number}": number for number in range(50)}}
    merge = {**ada, "Content-Type": "application/merge-patch+json"}
    signed.ask("PATCH", "/-/me/many", data=b'{"in": {"m0": null}}', headers=merge)
    assert "m0" not in signed.get("/-/me/many", headers=ada).json()["in"]


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("PUT", "/-/me/x", b"{", "application/json", 400),
        ("PUT", "/-/me/x", b"[" * 100_000, "application/json", 400),
        ("PUT", "/-/me/x", b"1", "text/plain", 415),
        ("PUT", "/-/me/" + "x" * 101, b"1", "application/json", 400),
        ("PUT", "/-/me/a%0Ab", b"1", "application/json", 400),
        ("PUT", "/-/me/x", b'"' + b"x" * (1 << 20) + b'"', "application/json", 413),
        ("DELETE", "/-/me/never", b"", "application/json", 404),
        ("POST", "/-/session", b'{"kex": "x"}', "application/json", 400),
        ("POST", "/-/session", b'{"key": 7}', "application/json", 400),
        ("POST", "/-/session", b"", "application/json", 401),
    ],
)
def test_what_is_wrong_is_refused(
    signed: Service, keys: dict[str, str], method: str, path: str, body: bytes, kind: str, status: int
) -> None:
    """With a problem that says why; nobody keeps anything without a name."""
    headers = {"Content-Type": kind}
    if path.startswith("/-/me"):
        assert signed.ask(method, path, data=body[:10], headers=headers).status_code in (400, 401, 415)
        headers["Authorization"] = f"Bearer {keys['ada']}"
    refused = signed.ask(method, path, data=body, headers=headers)
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, "application/problem+json"), refused.text


def test_events_of_documents_are_for_those_who_may_know(signed: Service, sign_in: Any) -> None:
    """A user hears of their own documents, and nobody of tokens or of others'."""
    ada, bob = sign_in("ada"), sign_in("bob")
    with requests.get(f"{signed.url}/-/events?topic=document.*", headers=ada, stream=True, timeout=20) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        next(lines)  # it has begun
        signed.ask("PUT", "/-/me/secret plan", json=1, headers=bob)
        sign_in("bob")
        signed.ask("PUT", "/-/me/own", json=1, headers=ada)
        heard = []
        for line in lines:
            heard.append(line)
            if '"own"' in line:
                break
    assert not [line for line in heard if "secret plan" in line or "_auth" in line]
