"""Files that clients get from the object store itself, by URLs that the service gives them."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from rave_http.client import Client
from tests.http.representation.forms import BROWSER

DOCUMENT = "/lab/files/document?size=20000"
PICTURE = """

from pathlib import Path
from rave_core import op_file


@op_file(mime_type="image/png", time_range=("start", "end"))
def drawn(out: str, start: str = "", end: str = "") -> None:
    \"\"\"A picture.\"\"\"
    Path(out).write_bytes(b"PNG")


__export__ |= {"drawn": drawn}
"""


@pytest.fixture
def start(start_service: Callable[..., Any], s3_url: str, tmp_path: Path) -> Callable[..., Any]:
    """Starts the service with its files in a bucket; keywords are settings."""
    environ = {"RAVE_PRODUCTS": s3_url, "XDG_CACHE_HOME": str(tmp_path / "home")}
    return lambda more="", **settings: start_service(more=more, environ=environ, **settings)


@pytest.fixture
def service(start: Callable[..., Any]) -> Any:
    """One that sends clients to the bucket, where a document lies."""
    running = start(product_urls="10m")
    made = running.get(DOCUMENT)
    assert made.status_code == 200
    running.document = made.content
    return running


def test_a_kept_file_is_got_from_the_store(service: Any) -> None:
    """307, to a URL that is signed and good for the time that was set; with the product's type, and no credentials."""
    answer = service.get(DOCUMENT)
    assert (answer.status_code, answer.content) == (307, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    target = answer.headers["Location"]
    assert parse_qs(urlsplit(target).query)["X-Amz-Expires"] == ["600"]
    found = requests.get(target, timeout=10)
    assert found.content == service.document
    assert found.headers["Content-Type"] == "application/pdf"


def test_a_tickets_target_is_the_store_too(service: Any) -> None:
    """The product's own URL leads there."""
    reference = service.get(DOCUMENT, headers={"Prefer": "return=minimal"})
    answer = service.get(reference.headers["Location"])
    assert answer.status_code == 307
    assert requests.get(answer.headers["Location"], timeout=10).content == service.document


def test_nothing_is_copied_to_the_host_that_only_refers(
    service: Any, start: Callable[..., Any], tmp_path: Path
) -> None:
    """Another host, with an empty home, that did not make the file."""
    service.stop()
    other = start(product_urls="10m")
    copies = tmp_path / "home" / "rave" / "copies"
    before = list(copies.rglob("*.pdf"))
    assert len(before) == 1
    for path in before:
        path.unlink()
    answer = other.get(DOCUMENT)
    assert answer.status_code == 307
    assert requests.get(answer.headers["Location"], timeout=10).content == service.document
    assert not [path for path in before if path.exists()]


def test_what_the_client_has_is_not_sent_again(service: Any) -> None:
    """The service's own validator decides, before anybody is sent anywhere."""
    head = service.ask("HEAD", DOCUMENT)
    assert head.status_code == 200
    assert head.headers["Content-Length"] == str(len(service.document))
    assert service.get(DOCUMENT, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304


def test_a_form_is_sent_on_by_get(service: Any) -> None:
    """303: the store takes no POST."""
    answer = service.ask("POST", "/lab/files/document", json={"size": 20000})
    assert answer.status_code == 303
    assert requests.get(answer.headers["Location"], timeout=10).content == service.document


def test_a_range_is_the_stores(service: Any) -> None:
    """It goes with the client to where the bytes are."""
    answer = service.get(DOCUMENT, headers={"Range": "bytes=2-5"}, allow_redirects=True)
    assert (answer.status_code, answer.content) == (206, service.document[2:6])


def test_the_client_follows_and_goes_on_where_it_broke_off(service: Any, tmp_path: Path) -> None:
    """Into a file, with what is there already continued by range."""
    target = tmp_path / "document.pdf"
    with Client(service.url) as client:
        product = client.get("lab/files/document", size=20000)
        assert product.body == service.document
        client.fetch("lab/files/document", target, size=20000)
    assert target.read_bytes() == service.document


def test_a_page_may_show_a_picture_of_the_store(start: Callable[..., Any]) -> None:
    """Its policy names the bucket's origin beside the service's own, as does a panel's; other pages' does not."""
    running = start(product_urls="10m", more=PICTURE)
    browser = {"Accept": BROWSER}
    span = "view.from=2024-05-14T00:00:00Z&view.to=2024-05-14T01:00:00Z"
    around = running.get(f"/-/ui/explore/lab/drawn?{span}", headers=browser)
    panel = re.search(r'<iframe[^>]* src="([^"]+)"', around.text)
    assert panel
    for url in ("/lab/drawn", html.unescape(panel[1])):  # just made, both of them
        page, source = _picture_on(running, url)
        target = urlsplit(running.get(source).headers["Location"])
        rules = dict(rule.strip().split(" ", 1) for rule in page.headers["Content-Security-Policy"].split(";"))
        assert rules["img-src"] == f"'self' data: {target.scheme}://{target.netloc}"
    assert "://" not in around.headers["Content-Security-Policy"]


def _picture_on(running: Any, url: str) -> tuple[requests.Response, str]:
    """A page that shows a picture, once it does; and the URL of that."""
    deadline = time.monotonic() + 60
    while True:
        page = running.get(url, headers={"Accept": BROWSER})
        found = re.search(r'<img[^>]* src="([^"]+)"', page.text)
        if found:
            return page, found[1]
        assert time.monotonic() < deadline, page.text


def test_without_the_setting_the_service_sends_it(start: Callable[..., Any]) -> None:
    """From its copy, also one that another host made."""
    one = start()
    made = one.get(DOCUMENT)
    kept = one.get(DOCUMENT)
    assert (kept.status_code, kept.content) == (200, made.content)


def test_a_url_is_over_after_its_time(start: Callable[..., Any]) -> None:
    """Each answer gives a new one; an old one says when it ends."""
    running = start(product_urls="1s")
    running.get(DOCUMENT)
    first = running.get(DOCUMENT).headers["Location"]
    deadline = time.monotonic() + 60
    while running.get(DOCUMENT).headers["Location"] == first:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert parse_qs(urlsplit(first).query)["X-Amz-Expires"] == ["1"]
