"""The interface, to the byte: every row of its table, and who may do what."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

BASE = "/-/journal"
MTIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_commit_and_its_metadata(service: Any, wait_until: Any) -> None:
    """Members in Rainer's order, a line end, headers, an entity tag."""
    made = service.commit(f"{BASE}/t.foo/1", b'{"hey":"what"}', **{"X-Rainer-Comment": "rofl"})
    mtime = MTIME.search(made.text)
    assert mtime is not None
    text = f'{{"key":"t.foo","version":1,"author":"gian","comment":"rofl","mtime":"{mtime[0]}","empty":false}}\r\n'
    known = text.encode()
    assert (made.status_code, made.content) == (200, known)
    assert service.get(f"{BASE}/t.foo/1/meta").content == known
    found = service.get(f"{BASE}/t.foo/1")
    assert (found.content, found.headers["Content-Type"]) == (b'{"hey":"what"}', "text/plain; charset=UTF-8")
    told = {name: value for name, value in found.headers.items() if name.startswith("x-rainer-")}
    assert told == {
        "x-rainer-key": "t.foo",
        "x-rainer-version": "1",
        "x-rainer-author": "gian",
        "x-rainer-comment": "rofl",
        "x-rainer-modified-time": mtime[0],
        "x-rainer-empty": "No",
    }
    head = wait_until(lambda: service.get(f"{BASE}/t.foo"))
    assert (head.content, head.headers["ETag"]) == (found.content, '"1"')
    wait_until(lambda: service.get(f"{BASE}/t.foo").headers.get("X-Rainer-Cached") == "Yes")
    assert service.get(f"{BASE}/t.foo", headers={"If-None-Match": '"1"'}).status_code == 304
    assert service.ask("HEAD", f"{BASE}/t.foo/1").headers["Content-Length"] == "14"


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("random", random.Random(7).randbytes(100_000)),
        ("lines", b" a\r\nb \n\n\t \r\n"),
        ("broken", b"\xff\xfe half \xc3"),
        ("nothing", b""),
    ],
)
def test_bytes_in_are_bytes_out(service: Any, name: str, payload: bytes) -> None:
    """100 kB at random, line ends and white space, what is not UTF-8, and no byte at all, which is no tombstone."""
    assert service.commit(f"{BASE}/t.bytes.{name}/1", payload).status_code == 200
    for path in ("", "/1"):
        found = service.get(f"{BASE}/t.bytes.{name}{path}")
        assert (found.content, found.headers["X-Rainer-Empty"]) == (payload, "No")
        is_text = name in ("lines", "nothing")
        wanted = "text/plain; charset=UTF-8" if is_text else "application/octet-stream"
        assert found.headers["Content-Type"] == wanted


def test_a_tombstone_is_empty_and_can_be_followed(service: Any) -> None:
    """It stays in the history, out of the list, and the key may come back."""
    service.commit(f"{BASE}/t.gone/1", b"x")
    assert service.commit(f"{BASE}/t.gone/2", b"", **{"X-Rainer-Empty": "True"}).json()["empty"] is True
    found = service.get(f"{BASE}/t.gone/2")
    assert (found.status_code, found.content, found.headers["X-Rainer-Empty"]) == (200, b"", "Yes")
    assert "t.gone" not in service.get(BASE).json()
    for yes in ("yes", "TRUE", "1"):
        listed = service.get(f"{BASE}/?all={yes}&payload_utf8=yes&payload_base64=no").json()["t.gone"]
        assert (listed["empty"], listed["payload_utf8"], "payload_base64" in listed) == (True, "", False)
    assert service.commit(f"{BASE}/t.gone/3", b"back", **{"X-Rainer-Empty": "0"}).status_code == 200
    assert service.get(f"{BASE}?payload_base64=1").json()["t.gone"]["payload_base64"] == "YmFjaw=="


def test_an_empty_journal_and_the_slash(service: Any) -> None:
    """An object without members; no redirection."""
    for path in ("/-/journal:empty", "/-/journal:empty/"):  # nobody commits there
        found = service.get(path)
        assert (found.status_code, found.content) == (200, b"{}\r\n")


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "told"),
    [
        ("t.no/1", {"X-Rainer-Author": ""}, b"x", 400, "Missing header: X-Rainer-Author"),
        ("t.no/1", {"X-Rainer-Empty": "yes"}, b"x", 400, "X-Rainer-Empty says that there is no payload"),
        ("t.no/1", {"X-Rainer-Empty": "maybe"}, b"", 400, "X-Rainer-Empty should be boolean"),
        ("t.no/1", {"X-Rainer-Key": "other"}, b"x", 400, "X-Rainer-Key is 'other', and the URL says 't.no'"),
        ("t.no/1", {"X-Rainer-Version": "2"}, b"x", 400, "X-Rainer-Version is '2', and the URL says '1'"),
        ("t.no/1", {"X-Rainer-Modified-Time": "today"}, b"x", 400, "X-Rainer-Modified-Time is 'today'"),
        ("t.no/first", {}, b"x", 400, "Invalid version 'first'"),
        ("t.no", {}, b"x", 400, "Missing version"),
        ("t.no", {"If-Match": "1"}, b"x", 400, "If-Match is '1'"),
        ("t.no/2", {"If-None-Match": "*"}, b"x", 400, "contradict"),
        ("a" * 256 + "/1", {}, b"x", 400, "expected 1 to 255 bytes"),
        ("a%0Ab/1", {}, b"x", 400, "printable"),
        ("t.no/1", {}, b"x" * (1 << 20) + b"y", 413, "1048576 bytes"),
    ],
)
def test_what_a_commit_must_not_say(
    service: Any, path: str, headers: dict[str, str], body: bytes, status: int, told: str
) -> None:
    """The answer is a text that a client can print, and nothing is kept."""
    refused = (
        service.commit(f"{BASE}/{path}", body, **headers)
        if headers.get("X-Rainer-Author") != ""
        else (service.ask("POST", f"{BASE}/{path}", data=body))
    )
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, "text/plain; charset=UTF-8")
    assert told in refused.text
    assert service.get(f"{BASE}/t.no").status_code == 404


def test_questions_without_an_answer(service: Any) -> None:
    """404 for commits that are not there, 400 for what is no yes or no; a problem document for whoever asks for one."""
    service.commit(f"{BASE}/t.one/1", b"x")
    for path in ("t.never", "t.never/meta", "t.one/2", "t.one/0", "t.one/2/meta", "t.one/x", f"t.one/{10**17}"):
        missing = service.get(f"{BASE}/{path}")
        assert (missing.status_code, missing.content) == (404, b"Key not found\r\n"), path
    for name in ("all", "payload_utf8", "payload_base64"):
        wrong = service.get(f"{BASE}?{name}=maybe")
        assert (wrong.status_code, wrong.text) == (400, f"Invalid '{name}' parameter (should be boolean)\r\n")
    asked = {"Accept": "application/problem+json"}
    assert service.get(f"{BASE}/t.never", headers=asked).json()["detail"] == "Key not found"
    conflict = service.commit(f"{BASE}/t.one/1", b"x", **asked)
    assert conflict.json()["conflict"] == {"key": "t.one", "expectedVersion": 2, "providedVersion": 1}
    assert conflict.json()["type"] == "/-/problems/document-conflict"
    assert service.commit(f"{BASE}/t.one/{10**17}", b"x").status_code == 409


def test_conditions_are_another_way_to_say_the_version(service: Any) -> None:
    """The entity tag is the version."""
    path = f"{BASE}/t.conditions"
    assert service.commit(path, b"1", **{"If-None-Match": "*"}).json()["version"] == 1
    assert service.commit(path, b"1", **{"If-None-Match": "*"}).status_code == 412
    assert service.commit(path, b"2", **{"If-Match": '"1"'}).json()["version"] == 2
    stale = service.commit(path, b"2", **{"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["conflict"]["expectedVersion"]) == (412, 3)


def test_headers_are_utf8_or_latin1_and_one_line(service: Any) -> None:
    """However a client writes them; the time may be given."""
    for number, author in enumerate(("Zoë".encode(), "Zoë".encode("latin-1")), start=1):
        told = {"X-Rainer-Author": author, "X-Rainer-Modified-Time": "2014-02-11T14:01:28.839-08:00"}
        made = service.ask("POST", f"{BASE}/t.text/{number}", data=b"x", headers=told)
        assert (made.json()["author"], made.json()["mtime"]) == ("Zoë", "2014-02-11T22:01:28.839Z")
        raw = service.get(f"{BASE}/t.text/{number}").headers["X-Rainer-Author"]
        assert raw.encode("latin-1").decode() == "Zoë"


def test_who_may_do_what(service: Any) -> None:
    """`view` reads and `write` commits in the namespace of the journal; what is hidden is as if it were not there."""
    ada, bob, eve = ({"X-Remote-User": name} for name in ("ada", "bob", "eve"))
    made = service.commit("/-/journal:secret/plan/1", b"x", **ada)
    assert (made.json()["author"], made.json()["claimed_author"]) == ("ada", "gian")
    found = service.get("/-/journal:secret/plan/1", headers=ada)
    assert (found.headers["X-Rainer-Author"], found.headers["X-Rainer-Claimed-Author"]) == ("ada", "gian")
    assert service.get("/-/journal:secret/plan/1", headers=bob).status_code == 200
    assert service.commit("/-/journal:secret/plan/2", b"x", **bob).status_code == 403
    for path in ("", "/", "/plan", "/plan/1", "/plan/1/meta"):
        hidden, absent = (service.get(f"/-/journal:{name}{path}", headers=eve) for name in ("secret", "nowhere"))
        assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)
        assert hidden.status_code == 404
    assert service.commit("/-/journal:secret/plan/2", b"x", **eve).status_code == 404
    assert "allowed: 'commit' '/-/journal:secret/plan/1' by proxy 'ada'" in service.log
    assert "refused: 'write' '/-/journal:secret/plan/2' by proxy 'bob'" in service.log
    service.commit("/-/journal:secret/plan/1", b"x", **ada)
    assert "refused: 'commit' '/-/journal:secret/plan/1' by proxy 'ada'" in service.log
