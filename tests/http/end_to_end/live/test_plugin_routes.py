"""Plugins answer paths of their own, by the rules of the service, and cost no other path anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

Service = Any  # RunningService of the conftest

BOARD = '''\
import asyncio, html, threading
from pathlib import Path
from rave_core import OperationError
from rave_http.hookspecs import Route, hookimpl


def block():
    while not Path(__file__).with_name("gate").exists():
        threading.Event().wait(0.02)


class Notes:
    """Kept in memory of one worker."""

    def __init__(self, context):
        self.context, self.notes = context, {}

    def on_get(self, req, resp, name, space=""):
        """One note."""
        if name not in self.notes:
            raise self.context.Problem("not-found", f"There is no note {name!r}")
        self.context.send_json(resp, {"note": self.notes[name].decode()})

    async def on_put(self, req, resp, name, space=""):
        """Writes one note."""
        self.notes[name] = self.context.read_body(req)
        self.context.audit(req, "write note")
        resp.set_cookie("seen", name)
        self.context.send_json(resp, {"by": self.context.principal(req).name}, status="201 Created")


class Page:
    def __init__(self, context):
        self.context = context

    def on_get(self, req, resp):
        self.context.send_page(resp, "Board", f"<p>{html.escape('<all notes>')}</p>", style="p { margin: 0 }")


class Papers:
    """Documents: 'expect' says on which version a change is based."""

    def __init__(self, context):
        self.context = context
        self.heard = []
        context.events.subscribe("document.*", lambda event: self.heard.append(event.data["key"]))

    def on_get(self, req, resp, key):
        found = self.context.documents.get("papers", key)
        self.context.send_json(resp, {"text": found.payload.decode(), "heard": self.heard})

    def on_put(self, req, resp, key):
        fence = self.context.leadership("board").fence if req.get_param("fenced") else None
        saved = self.context.documents.save(
            "papers", key, self.context.read_body(req), expect=int(req.get_param("expect")), author="-", fence=fence
        )
        self.context.send_json(resp, {"version": saved.version})

    def on_post(self, req, resp, key):
        """Leads; ``key`` of an older fence is refused."""
        leadership = self.context.leadership("board")
        leads = leadership.wait(10)
        if key == "lose":
            self.context.documents.next_fence("board", above=leadership.fence)
        self.context.send_json(resp, {"leads": leads, "same": leadership is self.context.leadership("board")})


class Trouble:
    def __init__(self, context):
        self.context = context

    async def on_get(self, req, resp, kind):
        if kind == "block":
            block()
        elif kind == "exit":
            raise SystemExit(3)
        elif kind == "refuse":
            raise OperationError("no such hour", status=409)
        elif kind == "stream":
            resp.stream = self.parts()
        raise_or_not = {"key": KeyError("x")}.get(kind)
        if raise_or_not:
            raise raise_or_not
        if kind != "stream":
            self.context.send_json(resp, {"thread": threading.current_thread().name})

    async def parts(self):
        for n in range(3):
            await asyncio.sleep(0)
            yield f"{n} in {threading.current_thread().name}\\n".encode()

    def on_post(self, req, resp, kind):
        if kind == "block":
            block()
        elif kind == "exit":
            raise SystemExit(3)
        self.context.send_json(resp, {"thread": threading.current_thread().name})


@hookimpl
def rave_http_resources(context):
    may = {"GET": "view", "PUT": "write"}
    return [
        Route("/-/board", Page(context), {"GET": "view"}, title="Board"),
        Route("/-/board/notes/{name}", Notes(context), may, max_body=10),
        Route("/-/board/papers/{key}", Papers(context), {"GET": "view", "PUT": "write", "POST": "write"}),
        Route("/-/board/of/{space}/{name}", Notes(context), may, namespace="{space}"),
        Route("/-/board/trouble/{kind}", Trouble(context), {"GET": "view", "POST": "view"}, limit=2),
        Route("/-/board/inline/{kind}", Trouble(context), {"GET": "view"}, inline=True),
    ]
'''
CLASHING = """\
from rave_http.hookspecs import Route, hookimpl
class Page:
    def on_get(self, req, resp): resp.text = "mine"
@hookimpl
def rave_http_resources(context):
    return [Route("/-/%s", Page(), {"GET": "view"}), Route("/-/%s/mine", Page(), {"GET": "view"})]
"""


def plugins(place: Path, **codes: str) -> dict[str, str]:
    """The environment of a service that finds these modules as plugins of ``rave.http``."""
    for name, code in codes.items():
        info = place / "plugins" / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[rave.http]\n{name} = {name}\n")
        (place / "plugins" / f"{name}.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([f"{place}/plugins", os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(name="board", scope="module")
def _board(launch_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker with the plugin above."""
    place = tmp_path_factory.mktemp("board")
    may = {
        "anonymous": ["view", "run", "write", "metrics"],
        "permissions": {"ada": {"*": ["view", "write"], "secret": []}},
        "proxy_header": "X-Remote-User",
    }
    environ = {**plugins(place, board=BOARD), "RAVE_DOCUMENTS": f"sqlite:///{place}/documents/all.sqlite"}
    running = launch_service(place, environ=environ, service={"workers": 1, **may})
    yield running
    running.end()


def test_a_route_has_what_a_path_of_the_service_has(board: Service) -> None:
    """Answers, problems, HEAD, OPTIONS, cookies, limits, metrics, a page, OpenAPI."""
    written = board.ask("PUT", "/-/board/notes/a", data=b"hello")
    assert (written.status_code, written.json()) == (201, {"by": "-"})
    assert written.headers["Set-Cookie"].startswith("seen=a;")
    found = board.get("/-/board/notes/a")
    assert (found.json(), found.headers["Cache-Control"]) == ({"note": "hello"}, "no-store")
    assert board.ask("HEAD", "/-/board/notes/a").status_code == 200
    missing = board.get("/-/board/notes/b")
    assert (missing.status_code, missing.json()["type"]) == (404, "/-/problems/not-found")
    assert board.ask("PUT", "/-/board/notes/a", data=b"x" * 11).status_code == 413
    assert board.ask("PUT", "/-/board/notes/a", data=iter([b"x" * 6, b"x" * 6])).status_code == 413
    refused = board.ask("DELETE", "/-/board/notes/a")
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PUT"}
    assert 'route="board"' in board.get("/-/metrics").text
    page = board.get("/-/board", headers={"Accept": "text/html"})
    assert "&lt;all notes&gt;" in page.text
    policy, nonce = page.headers["Content-Security-Policy"], page.text.partition('<style nonce="')[2].partition('"')[0]
    assert f"'nonce-{nonce}'" in policy
    assert f'<style nonce="{nonce}">p {{ margin: 0 }}</style>' in page.text
    assert 'href="/-/board">Board</a>' in page.text
    assert 'href="/-/board">Board</a>' in board.get("/", headers={"Accept": "text/html"}).text
    item = board.get("/-/openapi.json").json()["paths"]["/-/board/notes/{name}"]
    assert (item["get"]["summary"], item["parameters"][0]["name"]) == ("One note.", "name")
    assert {"put", "get", "parameters"} == set(item)


def test_a_resource_keeps_documents_hears_events_and_leads(board: Service, wait_until: Callable[..., Any]) -> None:
    """By its context; a conflict is a 409 that names the newest version, and an earlier leader's save is refused."""
    path = "/-/board/papers/a"
    assert board.ask("POST", path).json() == {"leads": True, "same": True}
    assert board.ask("PUT", f"{path}?expect=0&fenced=1", data=b"one").json() == {"version": 1}
    assert board.ask("PUT", f"{path}?expect=1", data=b"two").json() == {"version": 2}
    stale = board.ask("PUT", f"{path}?expect=1", data=b"three")
    assert (stale.status_code, stale.json()["type"]) == (409, "/-/problems/document-conflict")
    assert stale.json()["version"] == 2
    assert "read it again, and save on top of that" in stale.json()["detail"]
    assert board.get(path).json()["text"] == "two"
    wait_until(lambda: board.get(path).json()["heard"] == ["a", "a"])
    board.ask("POST", "/-/board/papers/lose")
    fenced = board.ask("PUT", f"{path}?expect=2&fenced=1", data=b"three")
    assert (fenced.status_code, fenced.json()["type"]) == (409, "/-/problems/conflict")
    assert fenced.headers["Retry-After"] == "1"


def test_documents_that_are_wrong_or_away_are_problems(board: Service) -> None:
    """A name that can't be one is a 400; a store that is gone a 503, and the log says where it was."""
    wrong = board.ask("PUT", f"/-/board/papers/{'k' * 513}?expect=0", data=b"x")
    assert (wrong.status_code, wrong.json()["type"]) == (400, "/-/problems/bad-request")
    assert "512 bytes" in wrong.json()["detail"]
    (board.place / "documents").rename(board.place / "elsewhere")
    try:
        away = board.ask("PUT", "/-/board/papers/b?expect=0", data=b"x")
        assert "documents" in board.get("/-/readyz").json()["degraded"]
    finally:
        (board.place / "elsewhere").rename(board.place / "documents")
    assert (away.status_code, away.json()["type"]) == (503, "/-/problems/store-trouble")
    assert away.headers["Retry-After"] == "5"
    assert "documents" not in away.json()["detail"]
    assert "documents/all.sqlite" in board.log
    assert "documents" not in board.get("/-/readyz").json()["degraded"]


def test_permissions_apply_and_what_is_hidden_is_not_there(board: Service) -> None:
    """Of the service, or of the namespace that the path names; refusals and writes are audited."""
    ada = {"X-Remote-User": "ada"}
    assert board.ask("PUT", "/-/board/of/lab/a", data=b"x", headers=ada).json() == {"by": "ada"}
    for method in ("GET", "PUT"):
        assert board.ask(method, "/-/board/of/secret/a", headers=ada).status_code == 404
    assert "refused: 'write' '/-/board/of/secret/a'" in board.log
    assert "allowed: 'write' '/-/board/of/lab/a'" in board.log
    foreign = {**ada, "Origin": "https://elsewhere.example"}
    assert board.ask("PUT", "/-/board/of/lab/a", data=b"x", headers=foreign).status_code == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_code_that_blocks_costs_its_own_paths_only(board: Service, method: str, wait_until: Callable[..., Any]) -> None:
    """Whether it is a coroutine or a function: an operation answers meanwhile, from the only worker."""
    gate = board.place / "plugins" / "gate"
    gate.unlink(missing_ok=True)
    board.get("/lab/square?n=2")
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(board.ask, method, "/-/board/trouble/block") for _ in range(3)]
        wait_until(lambda: any(each.done() for each in asked), what="the refusal of one too many")
        for _ in range(20):
            assert board.get("/lab/square?n=2").status_code == 200
        [full] = [each.result() for each in asked if each.done()]
        assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
        gate.touch()
        assert sorted(each.result().status_code for each in asked) == [200, 200, 503]
    assert board.ask(method, "/-/board/trouble/quick").status_code == 200


def test_code_that_fails_or_leaves_costs_its_request_only(board: Service) -> None:
    """`SystemExit` is a 500 like others; a refusal has its own status."""
    pids = set(board.workers())
    for method, kind, status in (
        ("GET", "exit", 500),
        ("POST", "exit", 500),
        ("GET", "key", 500),
        ("GET", "refuse", 409),
    ):
        answer = board.ask(method, f"/-/board/trouble/{kind}")
        assert answer.status_code == status, (kind, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert board.get("/-/board/inline/exit").status_code == 500
    assert board.get("/-/board/trouble/quick").json()["thread"] == "rave plugin board"
    assert board.get("/-/board/inline/quick").json()["thread"] == "MainThread"
    assert set(board.workers()) == pids


def test_a_stream_comes_from_the_plugin_s_own_thread(board: Service) -> None:
    """Part by part; and its place is free again at its end, also after HEAD and clients that leave."""
    for _ in range(5):
        assert board.get("/-/board/trouble/stream").text.count("in rave plugin board") == 3
        board.ask("HEAD", "/-/board/trouble/stream")
        board.get("/-/board/trouble/stream", stream=True).close()
    assert board.get("/-/board/inline/stream").text.count("in MainThread") == 3


def test_clashes_are_problems_that_name_both_sides(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """All routes of the later plugin are left out; the others answer."""
    found = plugins(tmp_path, board=BOARD, thief=CLASHING % ("fine", "board"), usurper=CLASHING % ("good", "cache"))
    service = start_service(workers=1, anonymous=["view", "write", "debug"], environ=found)
    told = service.get("/-/readyz").json()["parts"]["plugins"]
    assert "route '/-/board/mine': '/-/board' belongs to the plugin 'board'" in told
    assert "thief" in told
    assert "route '/-/cache/mine': '/-/cache' belongs to the service itself" in told
    assert {service.get(path).status_code for path in ("/-/fine", "/-/good")} == {404}
    assert service.get("/-/board").status_code == 200
