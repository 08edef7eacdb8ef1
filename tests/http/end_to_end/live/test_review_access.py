"""Who is told what, and at whose word something changes: hiding, operators, names, stores in trouble."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Service = Any  # RunningService of the conftest
ALICE = {"X-Remote-User": "alice"}
MAY = ["view", "run", "refresh", "purge", "reload", "metrics"]
SECRET = """\
from rave_core import mime_type, op, progress, typemap
import time

@op
@typemap(float)
@mime_type("text/plain")
def plan(seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return "hidden"

__export__ = {"plan": plan}
"""
MANY = """\
from rave_core import op

@op
def one() -> int:
    return 1

__export__ = {f"operation{n:04}": one for n in range(450)}
"""
PAGES = """
@op
@mime_type("Text/HTML")
def page() -> str:
    return "<script>alert(1)</script>"


@op
@mime_type("application/rss+xml; charset=utf-8")
def feed() -> str:
    return "<x/>"


__export__ |= {"page": page, "feed": feed}
"""


def with_namespaces(place: Path, **sources: str) -> dict[str, str]:
    """Settings of a service that has these namespaces, too."""
    lines = ["[namespaces]"]
    for name, source in sources.items():
        (place / name).mkdir(exist_ok=True)
        (place / name / "__init__.py").write_text(source)
        lines.append(f"{name} = {place / name}")
    (place / "namespaces.ini").write_text("\n".join(lines) + "\n")
    return {"namespace_config": f"{place}/namespaces.ini"}


@pytest.fixture
def hiding(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with a namespace that nobody sees but carol."""
    return start_service(
        workers=1,
        proxy_header="X-Remote-User",
        permissions={"*": {"*": MAY, "secret": []}, "carol": [*MAY, "debug"]},
        **with_namespaces(tmp_path, secret=SECRET, broken="import nothing_of_this_name\n"),
    )


# What operators see


def test_what_is_kept_is_for_operators(start_service: Callable[..., Service]) -> None:
    """Who may only look gets nothing of it; where the stores lie is told to those who may debug, and nobody else."""
    service = start_service(
        workers=1,
        proxy_header="X-Remote-User",
        anonymous=["view"],
        permissions={"alice": ["view", "metrics"], "carol": ["view", "metrics", "debug"]},
    )
    assert service.get("/-/cache").status_code == 401
    told = service.get("/-/cache", headers=ALICE)
    assert str(service.place) not in told.text
    assert told.json()["caches"]["data"]["url"] == "memory over file"
    assert told.json()["caches"]["products"]["url"] == "file"
    page = service.get("/-/ui/status", headers=ALICE).text
    assert f"{service.place}/data" not in page
    assert f"{service.place}/products" not in page
    carol = {"X-Remote-User": "carol"}
    assert str(service.place) in service.get("/-/cache", headers=carol).json()["caches"]["products"]["url"]


def test_what_is_done_in_hidden_namespaces_is_not_told(hiding: Service, wait_until: Callable[..., Any]) -> None:
    """Neither computations nor statistics of theirs, in no worker; whoever sees them, or may debug, is told."""
    carol = {"X-Remote-User": "carol"}
    hiding.get("/secret/plan", headers=carol)
    hiding.get("/lab/square?n=1", headers=ALICE)
    hiding.get("/secret/plan?seconds=5", headers={**carol, "Prefer": "respond-async"})
    wait_until(lambda: "seconds=5" in hiding.get("/-/ui/status", headers=carol).text)
    assert "secret" not in hiding.get("/-/ui/status", headers=ALICE).text
    statistics = hiding.get("/-/statistics", headers=ALICE)
    assert "secret" not in statistics.text
    assert "lab/square" in statistics.json()["RAVE"]["Operations"]
    assert "secret/plan" in hiding.get("/-/statistics", headers=carol).json()["RAVE"]["Operations"]


def test_hidden_and_absent_look_alike(hiding: Service) -> None:
    """By the same status and words, whatever is done with them; nor does readiness name what is hidden."""

    def answers(name: str) -> list[tuple[int, str]]:
        asked = [
            ("GET", f"/{name}", {}),
            ("GET", f"/-/ops/{name}/x", {}),
            ("GET", f"/-/ui/{name}/x", {}),
            ("POST", f"/-/namespaces/{name}/reload", {}),
            ("POST", "/-/cache/purge", {"json": {"namespace": name}}),
            ("POST", "/-/cache/purge", {"json": {"operation": f"{name}/plan"}}),
        ]
        found = [hiding.ask(method, path, headers=ALICE, **more) for method, path, more in asked]
        return [(each.status_code, each.json()["detail"]) for each in found]

    assert answers("secret") == answers("nothing")
    assert {status for status, _ in answers("secret")} == {404}
    assert "namespace broken" in hiding.get("/-/readyz", headers=ALICE).json()["degraded"]


def test_readiness_names_no_namespace_that_is_hidden(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """It tells that there is one in trouble."""
    namespaces = with_namespaces(tmp_path, secret="import nothing_of_this_name\n")
    service = start_service(workers=1, anonymous=[], **namespaces)
    answer = service.get("/-/readyz")
    assert answer.json()["degraded"] == ["namespaces"]
    assert "secret" not in answer.text


# By what name


def test_only_a_proxy_says_by_what_name_the_service_is_known(start_service: Callable[..., Service]) -> None:
    """Anybody else names it by the host that is asked for, if that can be one."""
    asked = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    service = start_service(workers=1, trusted_proxies=[])
    page = service.get("/-/ui/lab/square", headers=asked).text
    assert "evil.example" not in page
    assert service.url in page
    assert "evil" not in service.get("/-/ui/lab/square", headers={"Host": "a'; evil"}).text
    service.stop()
    trusting = start_service(workers=1)
    assert "https://evil.example/lab/square" in trusting.get("/-/ui/lab/square", headers=asked).text


# Media types


def test_whatever_a_browser_may_run_gets_a_sandbox(start_service: Callable[..., Service]) -> None:
    """However its type is written."""
    service = start_service(more=PAGES, workers=1)
    for name in ("page", "feed"):
        assert "sandbox" in service.get(f"/lab/{name}").headers["Content-Security-Policy"]
    assert "Content-Security-Policy" not in service.get("/lab/total?l=1").headers


def test_a_new_media_type_is_seen_though_the_version_stays(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """What is kept is good still, and sent as what it is said to be now, by another validator."""
    source = 'from rave_core import mime_type, op, version\n@op\n@version("1")\n@mime_type("text/plain")\n'
    source += 'def letter():\n    return "<p>Dear all</p>"\n__export__ = {"letter": letter}\n'
    service = start_service(workers=1, **with_namespaces(tmp_path, mail=source))
    before = [service.get("/mail/letter") for _ in range(3)][-1]
    (tmp_path / "mail" / "__init__.py").write_text(source.replace("text/plain", "text/html"))
    after = wait_until(
        lambda: (each := service.get("/mail/letter")).headers["Content-Type"].startswith("text/html") and each
    )
    assert after.content == before.content
    assert after.headers["ETag"] != before.headers["ETag"]


# Stores in trouble, plugins that fail, very many operations


def test_a_store_in_trouble_is_said_to_be(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """503 and not a mistake of the service, without its path; the page of the state says so in place of numbers."""
    service = start_service(workers=1, anonymous=MAY)
    key = service.get("/lab/files/document?size=10").headers["Content-Location"]
    shutil.rmtree(tmp_path / "products")
    (tmp_path / "products").symlink_to(tmp_path / "products")  # a place that nothing can be read from
    asked = [
        ("GET", "/-/cache", None),
        ("DELETE", key, None),
        ("POST", "/-/cache/purge", {"operation": "lab/files/document"}),
    ]
    for method, path, data in asked:
        answer = service.ask(method, path, json=data)
        assert (answer.status_code, answer.json()["type"]) == (503, "/-/problems/store-trouble"), (method, answer.text)
        assert answer.headers["Retry-After"] == "5"
        assert str(tmp_path) not in answer.text
    page = service.get("/-/ui/status")
    assert page.status_code == 200
    assert "in trouble" in page.text


def test_a_failing_hook_of_middleware_is_left_out(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """It is a problem, logged and told; the service answers, through the middleware of others."""
    code = "from rave_http.hookspecs import hookimpl\n@hookimpl\ndef rave_http_middleware():\n    "
    marks = "class Mark:\n        async def process_response(self, req, resp, *_):\n"
    marks += "            resp.set_header('X-Mark', 'here')\n    return [Mark()]\n"
    for name, body in (
        ("bad", "raise RuntimeError('of a stranger')\n"),
        ("odd", "return [object()]\n"),
        ("fine", marks),
    ):
        info = tmp_path / "plugins" / f"{name}http-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}http\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[rave.http]\n{name}http = {name}http\n")
        (tmp_path / "plugins" / f"{name}http.py").write_text(code + body)
    service = start_service(
        workers=1,
        anonymous=[*MAY, "debug"],
        environ={"PYTHONPATH": os.pathsep.join([f"{tmp_path}/plugins", os.environ.get("PYTHONPATH", "")])},
    )
    assert service.get("/lab/square?n=2").headers["X-Mark"] == "here"
    told = service.get("/-/readyz").json()
    assert told["degraded"] == ["plugins"]
    assert "of a stranger" in told["parts"]["plugins"]
    assert "oddhttp" in told["parts"]["plugins"]
    assert "of a stranger" in service.log


@pytest.fixture
def large(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with more operations than fit on one page."""
    return start_service(workers=1, proxy_header="X-Remote-User", **with_namespaces(tmp_path, many=MANY))


def test_a_long_catalog_comes_in_pages(large: Service) -> None:
    """Each with 200 operations and a link to the next, until every one was there once."""
    path, seen, pages = "/many", list[str](), 0
    while path:
        page = large.get(path, headers={"Accept": "text/html"}).text
        found = re.findall(r'href="/-/ui/many/(operation\d+)"', page)
        assert len(found) <= 200
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
        seen, pages = seen + found, pages + 1
    assert seen == [f"operation{n:04}" for n in range(450)]
    assert pages == 3
    assert large.get("/?cursor=zz", headers={"Accept": "text/html"}).status_code == 400


def test_the_description_of_all_is_sent_again_only_if_it_changed(
    large: Service, tmp_path: Path, wait_until: Any
) -> None:
    """By a strong validator, of which each view of the operations has its own."""
    first = large.get("/-/openapi.json")
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    assert "/many/operation0449" in first.json()["paths"]
    assert "no-cache" in first.headers["Cache-Control"]
    again = large.get("/-/openapi.json", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    (tmp_path / "many" / "__init__.py").write_text(MANY.replace("450", "3"))
    wait_until(lambda: large.get("/-/openapi.json", headers={"If-None-Match": etag}).status_code == 200)
