"""Downloads: continued where they stopped, and never a file that is half of one product and half of another."""

from __future__ import annotations

import base64
import fcntl
import gzip
import hashlib
import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rave_http.client import (
    Client,
    ClientError,
    ConnectionFailed,
    Phase,
    Progress,
    Ticket,
    UnexpectedAnswer,
    WaitTimeout,
)
from rave_http.client.names import stem_of, suffix_of

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)

BODY = bytes(range(256)) * 1000


def _ranges(stub: StubService) -> list[str | None]:
    return [seen.headers.get("Range") for seen in stub.seen]


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_replaced_all_at_once(stub: StubService, client: Client, tmp_path: Path) -> None:
    """It has its old content until the last byte is there, and its permissions stay."""
    stub.make("top", BODY)
    target = tmp_path / "top.csv"
    target.write_text("old")
    target.chmod(0o640)
    seen = []
    product = client.fetch("lab/top", target, rave_on_progress=lambda _: seen.append(target.read_text()))
    assert set(seen) == {"old"}
    assert target.read_bytes() == BODY == product.content
    assert (product.path, product.size, product.key) == (target, len(BODY), "")
    assert target.stat().st_mode & 0o777 == 0o640
    assert _names(tmp_path) == ["top.csv"]


def test_a_new_file_has_the_usual_permissions(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Those that the umask leaves."""
    stub.make("top", BODY)
    client.fetch("lab/top", str(tmp_path / "new"))
    (tmp_path / "other").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_download_that_is_cut_goes_on_where_it_stopped(
    stub: StubService, client: Client, tmp_path: Path, to_file: bool, chunked: bool
) -> None:
    """By range, if it is still the same."""
    work = stub.make("top", BODY, cuts=deque([100, 50_000, 0]), chunked=chunked)
    product = client.fetch("lab/top", tmp_path / "x") if to_file else client.get("lab/top")
    assert product.content == BODY
    assert _ranges(stub) == [None, "bytes=100-", "bytes=50100-", "bytes=50100-"]
    assert [seen.headers.get("If-Range") for seen in stub.seen[1:]] == [work.etag] * 3
    assert [seen.query for seen in stub.seen] == [{}] * 4


def test_a_download_that_falls_silent_goes_on_too(stub: StubService, tmp_path: Path) -> None:
    """A dead connection is not waited for."""
    stub.make("top", BODY, stalls=deque([100]))
    with Client(stub.url, read_timeout=0.2) as client:
        assert client.get("lab/top").content == BODY
    assert _ranges(stub) == [None, "bytes=100-"]


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
    assert _ranges(stub) == [None, None]


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
    assert _ranges(stub) == [None, "bytes=100-", None]


def test_too_many_cuts_are_an_error_that_the_next_call_makes_good(
    stub: StubService, client: Client, tmp_path: Path
) -> None:
    """What came stays beside the file, and the next call goes on from there."""
    stub.make("top", BODY, cuts=deque([100] + [0] * 9))
    with pytest.raises(ConnectionFailed, match=r"hung up: its answer was cut short, 5 times$"):
        client.fetch("lab/top", tmp_path / "x", n=1)
    assert _names(tmp_path) == [".x.part", ".x.part.json"]
    stub.works["top"].cuts.clear()
    stub.seen.clear()
    assert client.fetch("lab/top", tmp_path / "x", n=1, rave_refresh=False).content == BODY
    assert _ranges(stub) == ["bytes=100-"]
    assert _names(tmp_path) == ["x"]


def test_cuts_do_not_count_while_bytes_come(stub: StubService, client: Client) -> None:
    """A long download over a bad line gets through."""
    body = bytes(3 << 20)
    stub.make("top", body, cuts=deque([300_000] * 10))
    assert client.get("lab/top").content == body


def test_what_is_complete_needs_no_more(stub: StubService, client: Client, tmp_path: Path) -> None:
    """The range behind its end can't be satisfied, which is as it should be."""
    _interrupt(stub, client, tmp_path / "x", len(BODY))
    assert client.fetch("lab/top", tmp_path / "x").media_type == "text/csv"
    assert (tmp_path / "x").read_bytes() == BODY
    assert _ranges(stub) == [f"bytes={len(BODY)}-"]


def test_what_is_longer_than_the_product_begins_again(stub: StubService, client: Client, tmp_path: Path) -> None:
    """The service says so with the same status, but another length."""
    _interrupt(stub, client, tmp_path / "x", 1000)
    stub.works["top"].finish(b"short", stub.works["top"].etag)
    assert client.fetch("lab/top", tmp_path / "x").content == b"short"
    assert _ranges(stub) == ["bytes=1000-", None]


def _interrupt(stub: StubService, client: Client, target: Path, size: int) -> None:
    """Leaves the first bytes of the product beside ``target``, as an interrupted process would."""
    work = stub.make("top", BODY)

    def listen(progress: Progress) -> None:
        if progress.done is not None and progress.done >= size:
            raise KeyboardInterrupt

    # Of what is whole the client keeps the connection, so it must not be a silent one.
    (work.cuts if size == len(BODY) else work.stalls).append(size)
    with pytest.raises(KeyboardInterrupt):
        client.fetch("lab/top", target, rave_on_progress=listen)
    assert target.with_name(f".{target.name}.part").stat().st_size == size
    stub.seen.clear()


@pytest.mark.parametrize("change", ["argument", "form", "note", "no note", "longer", "no resume", "link", "twins"])
def test_only_the_beginning_of_the_same_is_continued(
    stub: StubService, client: Client, tmp_path: Path, change: str
) -> None:
    """Asked by the same request, noted whole, and written by nobody else."""
    target = tmp_path / "x"
    _interrupt(stub, client, target, 1000)
    part, note = tmp_path / ".x.part", tmp_path / ".x.part.json"
    if change == "note":
        note.write_text('{"identity"')
    elif change == "no note":
        note.unlink()
    elif change == "longer":
        part.write_bytes(bytes(len(BODY) + 1))
    elif change == "link":
        part.rename(tmp_path / "y")
        part.symlink_to("y")
    elif change == "twins":
        os.link(part, tmp_path / "y")
    arguments = {"argument": {"n": 1}, "form": {"rave_accept": "text/csv"}, "no resume": {"rave_resume": False}}
    product = client.fetch("lab/top", target, **arguments.get(change, {}))
    assert product.content == BODY
    assert _ranges(stub) == [None]
    assert not target.is_symlink()
    if change in ("link", "twins"):
        assert (tmp_path / "y").stat().st_size == 1000


def test_a_part_that_another_process_writes_is_left_to_it(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Both get the product, each by a file of its own."""
    _interrupt(stub, client, tmp_path / "x", 1000)
    with open(tmp_path / ".x.part", "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert client.fetch("lab/top", tmp_path / "x").content == BODY
    assert _ranges(stub) == [None]
    assert _names(tmp_path) == [".x.part", ".x.part.json", "x"]


@pytest.mark.parametrize("etag", ["", None])
def test_what_can_not_be_continued_leaves_nothing(
    stub: StubService, client: Client, tmp_path: Path, etag: str | None
) -> None:
    """Without a validator, or without a byte."""
    stub.make("top", BODY, etag=etag, cuts=deque([0 if etag is None else 100] * 9))
    with pytest.raises(ConnectionFailed):
        client.fetch("lab/top", tmp_path / "x")
    stub.works["top"].fail("operation-failed", 500, "no")
    with pytest.raises(ClientError):
        client.fetch("lab/top", tmp_path / "x")
    assert _names(tmp_path) == []


def test_a_note_is_never_older_than_its_bytes(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Bytes without a validator do not stand beside the validator of others."""
    _interrupt(stub, client, tmp_path / "x", 1000)
    stub.works["top"].etag = ""
    stub.works["top"].stalls.append(500)

    def listen(progress: Progress) -> None:
        if progress.done == 500:
            assert _names(tmp_path) == [".x.part"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.fetch("lab/top", tmp_path / "x", rave_on_progress=listen)


@pytest.mark.parametrize("times", [1, 2])
def test_a_digest_is_checked_where_there_is_one(stub: StubService, client: Client, tmp_path: Path, times: int) -> None:
    """Damaged bytes are fetched again, once."""
    good = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    work = stub.make("top", BODY, headers={"Repr-Digest": f"sha-256=:{good}:"})
    work.finish(b"?" + BODY[1:])
    if times == 1:
        client_listen = lambda progress: work.finish(BODY) if progress.phase is Phase.RETRYING else None  # noqa: E731
        assert client.fetch("lab/top", tmp_path / "x", rave_on_progress=client_listen).content == BODY
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
    assert _names(tmp_path) == [".x.part", ".x.part.json"]


def _pass_time() -> None:
    threading.Event().wait(0.1)


def test_a_directory_gets_a_name_for_the_product(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Of the operation and the media type; it is continued too."""
    work = stub.make("top", BODY, cuts=deque([100] + [0] * 9))
    with pytest.raises(ConnectionFailed):
        client.fetch("lab/top", tmp_path)
    assert _names(tmp_path) == [".lab-top.part", ".lab-top.part.json"]
    work.cuts.clear()
    assert client.fetch("lab/top", tmp_path).path == tmp_path / "lab-top.csv"
    assert _names(tmp_path) == ["lab-top.csv"]
    assert client.open_url(f"/-/products/{work.key}", tmp_path).path == tmp_path / "lab-top.csv"


def test_names_are_safe() -> None:
    """Whatever is in a URL, the file is one in the directory, and not hidden."""
    assert stem_of("http://h/rave/flow/top?n=/../x") == "flow-top"
    assert stem_of("http://h/..%2F..%2Fetc/.pass wd") == "etc-.pass-wd"
    assert stem_of("http://h/") == "product"
    assert stem_of("http://h/base/-/products/lab/a/top/1/abc") == "lab-a-top"
    assert stem_of("http://h/-/products/%2E%2E/1/abc") == "product"
    assert len(stem_of(f"http://h/{'x' * 500}")) == 100
    assert [suffix_of(kind) for kind in ("image/png", "text/csv; charset=utf-8", "a/b", "", "application/gzip")] == [
        ".png", ".csv", "", "", ".gz"
    ]  # fmt: skip


def test_links_devices_and_long_names_are_targets_too(stub: StubService, client: Client, tmp_path: Path) -> None:
    """A link stays one, a device takes bytes as they come, and a name may be as long as the system allows."""
    stub.make("top", BODY)
    (tmp_path / "link").symlink_to("real")
    client.fetch("lab/top", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == BODY
    assert client.fetch("lab/top", "/dev/null").size == len(BODY)
    client.fetch("lab/top", tmp_path / ("n" * 255))
    assert (tmp_path / ("n" * 255)).stat().st_size == len(BODY)
    with pytest.raises(FileNotFoundError):
        client.fetch("lab/top", tmp_path / "missing" / "x")


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


def test_a_ticket_is_fetched_into_a_file(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Continued like everything else."""
    work = stub.make("top", cuts=deque([100]))
    ticket = client.request("lab/top")
    assert isinstance(ticket, Ticket)
    product = ticket.fetch(tmp_path / "x", on_progress=lambda _: work.finish(BODY) if not work.is_over else None)
    assert product.content == BODY
    assert product.key == work.key
    note = {"identity", "url", "etag", "media_type", "total"}
    work.cuts.extend([100] + [0] * 9)
    with pytest.raises(ConnectionFailed):
        ticket.fetch(tmp_path / "y")
    assert set(json.loads((tmp_path / ".y.part.json").read_text())) == note


def test_an_empty_product_is_one(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Nothing in it is no mistake."""
    stub.make("top", b"")
    assert client.fetch("lab/top", tmp_path / "x").size == 0
    assert (tmp_path / "x").read_bytes() == b""
    assert client.get("lab/top").content == b""
