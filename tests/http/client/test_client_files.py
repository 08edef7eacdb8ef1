"""Products in files: replaced all at once, and continued by the next call when this one was interrupted."""

from __future__ import annotations

import fcntl
import json
import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rave_http.client import (
    Client,
    ClientError,
    ConnectionFailed,
    Progress,
    Ticket,
)
from rave_http.client.names import stem_of, suffix_of
from tests.http.client.downloads import BODY, names_in, ranges_of

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)


def test_a_file_is_replaced_all_at_once(stub: StubService, client: Client, tmp_path: Path) -> None:
    """It has its old content until the last byte is there, and its permissions stay."""
    stub.make("top", BODY)
    target = tmp_path / "top.csv"
    target.write_text("old")
    target.chmod(0o660)
    seen = []
    product = client.fetch("lab/top", target, rave_on_progress=lambda _: seen.append(target.read_text()))
    assert set(seen) == {"old"}
    assert target.read_bytes() == BODY == product.content
    assert (product.path, product.size, product.key) == (target, len(BODY), "")
    assert target.stat().st_mode & 0o777 == 0o660
    assert names_in(tmp_path) == ["top.csv"]


def test_a_new_file_has_the_usual_permissions(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Those that the umask leaves."""
    stub.make("top", BODY)
    client.fetch("lab/top", str(tmp_path / "new"))
    (tmp_path / "other").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_too_many_cuts_are_an_error_that_the_next_call_makes_good(
    stub: StubService, client: Client, tmp_path: Path
) -> None:
    """What came stays beside the file, and the next call goes on from there."""
    stub.make("top", BODY, cuts=deque([100] + [0] * 9))
    with pytest.raises(ConnectionFailed, match=r"hung up: its answer was cut short, 5 times$"):
        client.fetch("lab/top", tmp_path / "x", n=1)
    assert names_in(tmp_path) == [".x.part", ".x.part.json"]
    stub.works["top"].cuts.clear()
    stub.seen.clear()
    assert client.fetch("lab/top", tmp_path / "x", n=1, rave_refresh=True).content == BODY
    assert ranges_of(stub) == ["bytes=100-"]
    assert names_in(tmp_path) == ["x"]


def test_what_is_complete_needs_no_more(stub: StubService, client: Client, tmp_path: Path) -> None:
    """The range behind its end can't be satisfied, which is as it should be."""
    _interrupt(stub, client, tmp_path / "x", len(BODY))
    assert client.fetch("lab/top", tmp_path / "x").media_type == "text/csv"
    assert (tmp_path / "x").read_bytes() == BODY
    assert ranges_of(stub) == [f"bytes={len(BODY)}-"]


def test_what_is_longer_than_the_product_begins_again(stub: StubService, client: Client, tmp_path: Path) -> None:
    """The service says so with the same status, but another length."""
    _interrupt(stub, client, tmp_path / "x", 1000)
    stub.works["top"].finish(b"short", stub.works["top"].etag)
    assert client.fetch("lab/top", tmp_path / "x").content == b"short"
    assert ranges_of(stub) == ["bytes=1000-", None]


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


def _change(directory: Path, change: str) -> None:
    """Changes what an interrupted call left there."""
    part, note = directory / ".x.part", directory / ".x.part.json"
    if change == "note":
        note.write_text('{"identity"')
    elif change == "no note":
        note.unlink()
    elif change == "longer":
        part.write_bytes(bytes(len(BODY) + 1))
    elif change == "link":
        part.rename(directory / "y")
        part.symlink_to("y")
    elif change == "dangling":
        part.unlink()
        part.symlink_to("y")
    elif change == "twins":
        os.link(part, directory / "y")


_CHANGES = ["argument", "form", "note", "no note", "longer", "no resume", "link", "dangling", "twins"]


@pytest.mark.parametrize("change", _CHANGES)
def test_only_the_beginning_of_the_same_is_continued(
    stub: StubService, client: Client, tmp_path: Path, change: str
) -> None:
    """Asked by the same request, noted whole, and written by nobody else."""
    target = tmp_path / "x"
    _interrupt(stub, client, target, 1000)
    _change(tmp_path, change)
    arguments = {"argument": {"n": 1}, "form": {"rave_accept": "text/csv"}, "no resume": {"rave_resume": False}}
    product = client.fetch("lab/top", target, **arguments.get(change, {}))
    assert product.content == BODY
    assert ranges_of(stub) == [None]
    assert not target.is_symlink()
    assert (tmp_path / "y").exists() is (change in ("link", "twins"))
    if change in ("link", "twins"):
        assert (tmp_path / "y").stat().st_size == 1000


def test_a_part_that_another_process_writes_is_left_to_it(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Both get the product, each by a file of its own."""
    _interrupt(stub, client, tmp_path / "x", 1000)
    with open(tmp_path / ".x.part", "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert client.fetch("lab/top", tmp_path / "x").content == BODY
    assert ranges_of(stub) == [None]
    assert names_in(tmp_path) == [".x.part", ".x.part.json", "x"]


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
    assert names_in(tmp_path) == []


def test_a_note_is_never_older_than_its_bytes(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Bytes without a validator do not stand beside the validator of others."""
    _interrupt(stub, client, tmp_path / "x", 1000)
    stub.works["top"].etag = ""
    stub.works["top"].stalls.append(500)

    def listen(progress: Progress) -> None:
        if progress.done == 500:
            assert names_in(tmp_path) == [".x.part"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.fetch("lab/top", tmp_path / "x", rave_on_progress=listen)


def test_a_directory_gets_a_name_for_the_product(stub: StubService, client: Client, tmp_path: Path) -> None:
    """Of the operation and the media type; it is continued too."""
    work = stub.make("top", BODY, cuts=deque([100] + [0] * 9))
    with pytest.raises(ConnectionFailed):
        client.fetch("lab/top", tmp_path)
    assert names_in(tmp_path) == [".lab-top.part", ".lab-top.part.json"]
    work.cuts.clear()
    assert client.fetch("lab/top", tmp_path).path == tmp_path / "lab-top.csv"
    assert names_in(tmp_path) == ["lab-top.csv"]
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
