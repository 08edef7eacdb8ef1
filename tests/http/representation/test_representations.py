"""Representations: what tells one from another, what is kept of them, and what a browser may do with them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pluggy
import pytest

from rave_core import op, op_file
from rave_core.model import Entry
from rave_http import hookspecs
from rave_http.representation.representations import MadeProduct, Representation, Representations

ENTRY = Entry(key="lab/letter/1/a", created_at=1000.0, expires_at=2000.0, codec="text", digest="d" * 64)
HTML_OR_TEXT = b"<p>Dear all</p>"


@op(name="lab/letter", mime_type="text/plain")
def letter() -> bytes:
    """A letter."""
    return HTML_OR_TEXT


@op_file(name="lab/picture", mime_type="image/png")
def picture(out: str) -> None:
    """A picture."""


def kept(max_bytes: int = 1 << 20) -> Representations:
    """Those of a worker."""
    manager = pluggy.PluginManager("rave_http")
    manager.add_hookspecs(hookspecs)
    return Representations(max_bytes, manager.hook)


def product(mime_type: str, value: object = HTML_OR_TEXT) -> MadeProduct:
    """What is kept of an operation that is said to make something of a type."""
    return MadeProduct("lab/letter", replace(letter.spec, mime_type=mime_type), value, ENTRY)


def made(representations: Representations, *products: MadeProduct) -> list[Representation]:
    """What they are sent as, one after the other."""

    async def make() -> list[Representation]:
        found = []
        for each in products:
            found.append(await representations.of(each, accept=None, form=None))
            await asyncio.sleep(0)  # what is kept of one is kept by a callback
        return found

    return asyncio.run(make())


def test_no_two_media_types_share_a_validator(tmp_path: Path) -> None:
    """Though their bytes are the same, and though the operation's version stays; so with files."""
    plain, html = made(kept(), *map(product, ("text/plain", "text/html")))
    assert plain.body == html.body
    assert (plain.media_type, html.media_type) == ("text/plain", "text/html")
    assert plain.etag != html.etag
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    types = ("image/png", "image/gif", "image/png")
    specs = [replace(picture.spec, mime_type=each) for each in types]
    files = made(kept(), *(MadeProduct("lab/picture", spec, str(path), ENTRY) for spec in specs))
    assert files[0].etag == files[2].etag != files[1].etag


@pytest.mark.parametrize("max_bytes", [0, 1000, 9000, 1 << 20])
def test_what_does_not_fit_is_not_kept_and_nobody_is_told(max_bytes: int, caplog: pytest.LogCaptureFixture) -> None:
    """However small the budget is: no callback fails."""
    with caplog.at_level(logging.DEBUG):
        again = made(kept(max_bytes), *[product("text/plain")] * 3)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert (again[1] is again[2]) is (max_bytes > 8 * 1100)


@pytest.mark.parametrize(
    ("media_type", "is_active"),
    [
        ("Text/HTML", True),
        ("text/html ; charset=utf-8", True),
        ("text/xml", True),
        ("application/xml; charset=utf-8", True),
        ("application/rss+xml", True),
        ("image/SVG+XML", True),
        ("application/xhtml+xml", True),
        ("text/plain", False),
        ("application/json", False),
        ("text/htmlish", False),
    ],
)
def test_what_a_browser_may_run_gets_a_sandbox(media_type: str, is_active: bool) -> None:
    """By the bare type, in whatever case."""
    headers = dict(Representation(media_type, '"x"', 1, body=b"x").headers)
    assert ("Content-Security-Policy" in headers) is is_active
