"""The client: how it asks, waits, and tells what went wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rave_http.client import (
    BadRequest,
    BadURL,
    Client,
    Forbidden,
    Gone,
    NotFound,
    NotKept,
    OperationFailed,
    Options,
    Product,
    ServiceError,
    TimeLimitReached,
    Unauthorized,
)

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)


def test_a_ready_product_comes_in_one_request(stub: StubService, client: Client) -> None:
    """Its bytes, and what the service says of them."""
    headers = {"Cache-Status": "rave; hit; ttl=30", "Cache-Control": "private, max-age=30", "Age": "10"}
    stub.make("top", "ä,b\n".encode(), headers=headers)
    product = client.get("lab/top", n=5, by="bytes")
    assert product.content == "ä,b\n".encode()
    assert product.text == "ä,b\n"
    assert (product.media_type, product.charset, product.size) == ("text/csv", "utf-8", 5)
    assert product.etag == stub.works["top"].etag
    assert product.cache_status == "rave; hit; ttl=30"
    assert product.is_hit
    assert product.expires_in == 20
    assert product.path is None
    (seen,) = stub.seen
    assert seen.query == {"n": ["5"], "by": ["bytes"]}
    assert seen.headers["Prefer"] == "wait=2"
    assert seen.headers["User-Agent"].startswith("rave-framework")


@pytest.mark.parametrize(
    ("header", "seconds"), [("no-store", 0), ("", None), ("public, max-age=7, stale-if-error=3", 7)]
)
def test_how_long_a_product_stays_fresh_is_told(
    stub: StubService, client: Client, header: str, seconds: float | None
) -> None:
    """In seconds; nothing where the service does not say."""
    stub.make("top", b"[1]", headers={"Cache-Control": header}, media_type="application/json")
    product = client.get("lab/top")
    assert product.expires_in == seconds
    assert product.json() == [1]


def test_a_key_comes_from_where_the_product_is(stub: StubService, client: Client) -> None:
    """The service names the product's own URL beside it."""
    stub.make("top", b"x", headers={"Content-Location": "/-/products/lab/top/1/ktop"})
    assert client.get("lab/top").key == "lab/top/1/ktop"


def test_options_are_no_arguments(stub: StubService, client: Client) -> None:
    """They are called rave_…; one that does not exist is refused with the nearest."""
    stub.make("top", b"x")
    client.get("lab/top", rave_refresh=True, rave_deep_refresh=True, rave_format="csv", rave_accept="text/csv", path=1)
    (seen,) = stub.seen
    assert seen.query == {
        "path": ["1"], "rave.refresh": ["true"], "rave.deep_refresh": ["true"], "rave.f": ["csv"]
    }  # fmt: skip
    assert seen.headers["Accept"] == "text/csv"
    with pytest.raises(TypeError, match=r"unknown option 'rave_refreh'; did you mean 'rave_refresh'\?"):
        client.get("lab/top", rave_refreh=True)


def test_a_page_is_asked_for_by_name(stub: StubService, client: Client) -> None:
    """A header Accept for HTML would make a browser of the client: tickets and problems would come as pages."""
    stub.make("top", b"<p>", media_type="text/html")
    client.get("lab/top", rave_accept="text/html")
    assert stub.seen[0].query == {"rave.f": ["text/html"]}
    assert stub.seen[0].headers["Accept"] == "*/*"


@pytest.mark.parametrize(
    ("status", "slug", "error", "builtin"),
    [
        (400, "bad-arguments", BadRequest, ValueError),
        (401, "unauthorized", Unauthorized, PermissionError),
        (403, "forbidden", Forbidden, PermissionError),
        (404, "not-found", NotFound, LookupError),
        (406, "not-acceptable", BadRequest, ValueError),
        (410, "gone", Gone, LookupError),
        (500, "operation-failed", OperationFailed, ServiceError),
        (500, "internal-error", ServiceError, Exception),
        (504, "not-kept", NotKept, LookupError),
        (504, "time-limit", TimeLimitReached, OperationFailed),
    ],
)
def test_each_kind_of_problem_is_an_error_of_its_own(
    stub: StubService, client: Client, status: int, slug: str, error: type[ServiceError], builtin: type[Exception]
) -> None:
    """With all that the service said."""
    work = stub.make("top")
    work.fail(slug, status, "so it is")
    assert work.problem is not None
    work.problem["errors"] = [{"parameter": "n", "detail": "no int"}]
    with pytest.raises(error, match="so it is") as caught:
        client.get("lab/top")
    assert type(caught.value) is error
    assert isinstance(caught.value, builtin)
    assert caught.value.errors == [{"parameter": "n", "detail": "no int"}]
    assert caught.value.document["title"] == caught.value.title


def test_an_error_without_a_problem_has_its_status(stub: StubService, client: Client) -> None:
    """A page of somebody else's is shown to nobody."""
    stub.script("/lab/top", lambda handler: handler.send(500, b"<html>secret</html>", "text/html"))
    with pytest.raises(ServiceError, match=r"^500 Internal Server Error$") as caught:
        client.get("lab/top")
    assert caught.value.slug == ""
    stub.script("/lab/top", lambda handler: handler.send(400, b"[]", "application/problem+json"))
    with pytest.raises(BadRequest, match=r"^400 Bad Request$"):
        client.get("lab/top")


def test_only_what_is_kept_may_be_wanted(stub: StubService, client: Client) -> None:
    """The service is told so, and says that there is nothing."""
    stub.make("top").fail("not-kept", 504, "nothing")
    with pytest.raises(NotKept):
        client.get("lab/top", rave_only_cached=True)
    assert stub.seen[0].query == {"rave.only_cached": ["true"]}


def test_a_request_gives_a_product_that_is_there(stub: StubService, client: Client) -> None:
    """At once, in one request."""
    stub.make("top", b"made")
    product = client.request("lab/top")
    assert isinstance(product, Product)
    assert product.content == b"made"
    assert len(stub.seen) == 1


def test_a_post_is_answered_where_its_product_is(stub: StubService, client: Client) -> None:
    """So that it has a URL of its own, whose bytes can be continued; a form is not lost on that way."""
    work = stub.make("top", b"made")
    product = client.get("lab/top", n="10")
    assert [each.method for each in stub.seen] == ["POST", "GET"]
    assert stub.seen[0].headers["Prefer"] == "return=minimal"
    assert json.loads(stub.seen[0].body) == {"n": "10"}
    assert (product.key, product.content) == (work.key, b"made")
    client.get("lab/top", n="10", rave_format="csv")
    assert (stub.seen[2].method, stub.seen[2].headers["Prefer"]) == ("POST", "respond-async")


def test_a_whole_url_is_opened(stub: StubService, client: Client) -> None:
    """Of an operation or a ticket, absolute or not, with more arguments and other options."""
    work = stub.make("top", b"made")
    for url in ("/lab/top?n=5", f"{stub.url}/lab/top?n=5"):
        assert client.open_url(url, options=Options(refresh=True), texts=[("m", "6")]).content == b"made"
        assert stub.seen[-1].query == {"n": ["5"], "m": ["6"], "rave.refresh": ["true"]}
    assert client.open_url(f"/-/products/{work.key}").key == work.key


def test_threads_share_a_client(stub: StubService, client: Client) -> None:
    """Each gets its own product."""
    for number in range(8):
        stub.make(f"n{number}", b"%d" % number * 1000)
    with ThreadPoolExecutor(8) as pool:
        products = list(pool.map(lambda number: client.get(f"lab/n{number % 8}").content, range(64)))
    assert products == [b"%d" % (number % 8) * 1000 for number in range(64)]


@pytest.mark.parametrize("url", ["", "lab/top", "ftp://h/x", "http://", "http://h:port/", "http://[::1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """When the client is made."""
    with pytest.raises(BadURL, match="is not a URL"):
        Client(url)
    with pytest.raises(BadURL, match="is not a URL"):
        Client("http://h").open_url("http://[::1")


def test_the_client_needs_nothing_of_rave() -> None:
    """Nor of the service's libraries; the command shows its help even without requests."""
    code = """
import sys
import {module}
names = {{name.partition(".")[0] for name in sys.modules}}
ours = {{name for name in sys.modules if name.startswith("rave_")}}
print(sorted(names & {{"rave_core", "rave_backends", "falcon", "gunicorn", "msgspec", "pluggy", "rich", "click"}}))
print(sorted(name for name in ours if not name.startswith(("rave_http.client", "rave_http.cli.get"))))
print("requests" in names)
"""
    for module, third_party, requests in (
        ("rave_http.client", "[]", "True"), ("rave_http.cli.get", "['click']", "False")
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code.format(module=module)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[0] == third_party
        assert done.stdout.splitlines()[1] in ("['rave_http']", "['rave_http', 'rave_http.cli']")
        assert done.stdout.splitlines()[2] == requests
