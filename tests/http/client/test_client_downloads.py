"""Downloads: continued where they stopped, and never a file that is half of one product and half of another."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rave_http.client import (
    Client,
    ClientError,
    Phase,
    Product,
    Progress,
    UnexpectedAnswer,
    WaitTimeout,
)
from tests.http.client.downloads import BODY, names_in, ranges_of

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_download_that_is_cut_goes_on_where_it_stopped(
    stub: StubService, client: Client, tmp_path: Path, to_file: bool, chunked: bool
) -> None:
    """By range, if it is still the same."""
    work = stub.make("top", BODY, cuts=deque([100, 50_000, 0]), chunked=chunked)
    product = client.fetch("lab/top", tmp_path / "x") if to_file else client.get("lab/top")
    assert product.content == BODY
    assert ranges_of(stub) == [None, "bytes=100-", "bytes=50100-", "bytes=50100-"]
    assert [seen.headers.get("If-Range") for seen in stub.seen[1:]] == [work.etag] * 3
    assert [seen.query for seen in stub.seen] == [{}] * 4


def test_a_request_that_is_answered_by_a_product_goes_on_too(stub: StubService, client: Client) -> None:
    """It holds no more than what came of the first answer otherwise."""
    stub.make("top", BODY, cuts=deque([100, 200]))
    product = client.request("lab/top")
    assert isinstance(product, Product)
    assert product.content == BODY


def test_a_download_that_falls_silent_goes_on_too(stub: StubService, tmp_path: Path) -> None:
    """A dead connection is not waited for."""
    stub.make("top", BODY, stalls=deque([100]))
    with Client(stub.url, read_timeout=0.2) as client:
        assert client.get("lab/top").content == BODY
    assert ranges_of(stub) == [None, "bytes=100-"]


def test_what_was_refreshed_is_not_refreshed_again_to_go_on(stub: StubService, client: Client) -> None:
    """The rest of it is wanted, not another one."""
    stub.make("top", BODY, cuts=deque([100]))
    client.get("lab/top", n=1, rave_refresh=True)
    assert [seen.query for seen in stub.seen] == [{"n": ["1"], "rave.refresh": ["true"]}, {"n": ["1"]}]


def test_what_changed_meanwhile_begins_again(stub: StubService, client: Client, tmp_path: Path) -> None:
    """The answer to the range is the whole of another product."""
    work = stub.make("top", BODY, cuts=deque([100]))

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.RETRYING:
            work.finish(b"another", '"another"')

    assert client.fetch("lab/top", tmp_path / "x", rave_on_progress=listen).content == b"another"
    assert len(stub.seen) == 2


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_continued(
    stub: StubService, client: Client, tmp_path: Path, etag: str
) -> None:
    """Nobody could tell whether it is still the same."""
    stub.make("top", BODY, etag=etag, cuts=deque([100]))
    assert client.fetch("lab/top", tmp_path / "x").content == BODY
    assert ranges_of(stub) == [None, None]


@pytest.mark.parametrize("odd", ["wrong start", "wrong etag", "no range", "encoded"])
def test_a_part_that_does_not_fit_is_not_taken(stub: StubService, client: Client, odd: str) -> None:
    """All of it is asked for again."""
    work = stub.make("top", BODY, cuts=deque([100]))
    headers = {"Content-Range": f"bytes 100-{len(BODY) - 1}/{len(BODY)}", "ETag": work.etag}
    headers |= {
        "wrong start": {"Content-Range": f"bytes 99-{len(BODY) - 1}/{len(BODY)}"},
        "wrong etag": {"ETag": '"other"'},
        "no range": {"Content-Range": "bytes */5"},
        "encoded": {"Content-Encoding": "gzip"},
    }[odd]

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.RETRYING and len(stub.seen) == 1:
            stub.script("/lab/top", lambda handler: handler.send(206, BODY[100:], "text/csv", **headers))

    assert client.get("lab/top", rave_on_progress=listen).content == BODY
    assert ranges_of(stub) == [None, "bytes=100-", None]


def test_a_part_may_be_shorter_than_was_asked_for(stub: StubService, client: Client) -> None:
    """The rest of it is asked for in turn."""
    work = stub.make("top", BODY, cuts=deque([100]))
    headers = {"Content-Range": f"bytes 100-199/{len(BODY)}", "ETag": work.etag}

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.RETRYING and len(stub.seen) == 1:
            stub.script("/lab/top", lambda handler: handler.send(206, BODY[100:200], "text/csv", **headers))

    assert client.get("lab/top", rave_on_progress=listen).content == BODY
    assert ranges_of(stub) == [None, "bytes=100-", "bytes=200-"]


def test_cuts_do_not_count_while_bytes_come(stub: StubService, client: Client) -> None:
    """A long download over a bad line gets through."""
    body = bytes(3 << 20)
    stub.make("top", body, cuts=deque([300_000] * 10))
    assert client.get("lab/top").content == body


@pytest.mark.parametrize("times", [1, 2])
def test_a_digest_is_checked_where_there_is_one(stub: StubService, client: Client, tmp_path: Path, times: int) -> None:
    """Damaged bytes are fetched again, once."""
    good = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    work = stub.make("top", BODY, headers={"Repr-Digest": f"sha-256=:{good}:"})
    work.finish(b"?" + BODY[1:])
    if times == 1:

        def mend(progress: Progress) -> None:
            if progress.phase is Phase.RETRYING:
                work.finish(BODY)

        assert client.fetch("lab/top", tmp_path / "x", rave_on_progress=mend).content == BODY
        return
    with pytest.raises(UnexpectedAnswer, match="does not have the digest"):
        client.fetch("lab/top", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_compressed_product_is_unpacked(stub: StubService, client: Client) -> None:
    """Though nobody asked for that: a proxy may do it."""
    packed = gzip.compress(BODY)
    stub.script("/lab/top", lambda handler: handler.send(200, packed, "text/csv", Content_Encoding="gzip", ETag='"x"'))
    product = client.get("lab/top")
    assert product.content == BODY
    assert stub.seen[0].headers["Accept-Encoding"] == "identity"


def test_all_of_it_has_to_come_in_time(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Bytes that trickle do not prolong it; what came is there for the next call."""
    stub.make("top", BODY, cuts=deque([1000] * 1000))
    with pytest.raises(WaitTimeout, match="was not here in time"):
        client.fetch("lab/top", tmp_path / "x", rave_total_timeout=0.2, rave_on_progress=lambda _: _pass_time())
    assert names_in(tmp_path) == [".x.part", ".x.part.json"]


def _pass_time() -> None:
    threading.Event().wait(0.1)


def test_a_stream_takes_what_comes_but_takes_nothing_back(stub: StubService, client: Client, tmp_path: Path) -> None:
    """It is continued by range; if the product changed, that is an error."""
    work = stub.make("top", BODY, cuts=deque([100]))
    with open(tmp_path / "x", "wb") as stream:
        product = client.open_url("/lab/top", stream)
    assert (tmp_path / "x").read_bytes() == BODY
    with pytest.raises(ValueError, match="written to a stream"):
        _ = product.content
    work.cuts.append(100)

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.RETRYING:
            work.finish(b"another")

    from rave_http.client import Options

    with open(tmp_path / "x", "wb") as stream, pytest.raises(ClientError, match=r"changed, .*after 100 bytes"):
        client.open_url("/lab/top", stream, Options(on_progress=listen))


def test_an_empty_product_is_one(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Nothing in it is no mistake."""
    stub.make("top", b"")
    assert client.fetch("lab/top", tmp_path / "x").size == 0
    assert (tmp_path / "x").read_bytes() == b""
    assert client.get("lab/top").content == b""
