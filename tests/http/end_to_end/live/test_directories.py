"""Directories over HTTP: one archive, with all that holds for files."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_http.client import Client

MORE = """
@op_file(kind="directory", version=1)
@typemap(int)
def tree(out, size: int = 10) -> None:
    \"\"\"A directory with a program.\"\"\"
    ran(f"tree {size}")
    Path(out, "below").mkdir()
    Path(out, "below", "run").write_text("#!/bin/sh\\n" + "x" * size)
    Path(out, "below", "run").chmod(0o755)


@op_file(kind="directory", version=1, expires="nocache")
def unkept(out) -> None:
    \"\"\"Another one each time.\"\"\"
    Path(out, "time").write_text(str(time.time()))


__export__ |= {"tree": tree, "unkept": unkept}
"""


@pytest.fixture(scope="module")
def service(launch_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One with operations that make directories; each test has sizes of its own."""
    place = tmp_path_factory.mktemp("directories")
    running = launch_service(place, more=MORE, environ={"HOME": str(place)}, service={})
    yield running
    running.end()


def members(archive: bytes) -> dict[str, bytes]:
    """The files in an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = [member for member in opened if member.isfile()]
        return {member.name: opened.extractfile(member).read() for member in files}  # type: ignore[union-attr]  # a file


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_directory_is_sent_as_an_archive(start_service: Callable[..., Any], executor: str) -> None:
    """With its media type, a name to save it by, and one validator, made or kept, by every worker."""
    service = start_service(more=MORE, executor=executor)
    answers = [service.get("/lab/tree?size=30000") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/x-tar"}
    assert 'filename="lab-tree.tar"' in answers[0].headers["Content-Disposition"]
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    assert len({answer.content for answer in answers}) == 1
    assert members(answers[0].content) == {"below/run": b"#!/bin/sh\n" + b"x" * 30000}
    assert len(service.runs("tree")) == 1


def test_parts_and_conditions_hold_for_it(service: Any) -> None:
    """As for every file."""
    whole = service.get("/lab/tree?size=30001")
    part = service.get("/lab/tree?size=30001", headers={"Range": "bytes=600-20600"})
    assert (part.status_code, part.content) == (206, whole.content[600:20601])
    again = service.get("/lab/tree?size=30001", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304
    assert service.get("/lab/tree", headers={"Accept": "image/png"}).status_code == 406
    assert "Download" in service.get("/lab/tree", headers={"Accept": "text/html"}).text  # the page about it


def test_a_ticket_leads_to_it(service: Any, wait_until: Callable[..., Any]) -> None:
    """By the URL of the product."""
    ticket = service.get("/lab/tree?size=7", headers={"Prefer": "respond-async"})
    product = wait_until(lambda: (got := service.get(ticket.json()["href"])).status_code == 200 and got)
    assert members(product.content) == {"below/run": b"#!/bin/sh\nxxxxxxx"}


def test_one_that_is_not_kept_is_sent_too(service: Any) -> None:
    """Each request makes another."""
    first, second = (members(service.get("/lab/unkept").content)["time"] for _ in range(2))
    assert first != second


def test_what_the_archive_became_is_noticed(service: Any) -> None:
    """One that somebody changed is never sent."""
    good = service.get("/lab/tree?size=11").content
    archives = [path for path in service.place.rglob("*.tar") if ".rave" not in path.parts]
    archive = next(path for path in archives if path.read_bytes() == good)
    status = archive.stat()
    archive.write_bytes(good.replace(b"#!/bin/sh", b"#!/bin/no"))
    os.utime(archive, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert service.get("/lab/tree?size=11").content == good


def test_the_catalog_and_the_description_name_it(service: Any) -> None:
    """Its kind and its media type; the page of the operation says what it makes."""
    about = service.get("/-/ops/lab/tree").json()
    assert (about["kind"], about["mime_type"], about["media_types"]) == (
        "directory",
        "application/x-tar",
        ["application/x-tar"],
    )
    answer = service.get("/-/openapi.json").json()["paths"]["/lab/tree"]["get"]["responses"]["200"]
    assert list(answer["content"]) == ["application/x-tar"]
    assert "a directory, as an archive" in service.get("/-/ui/lab/tree", headers={"Accept": "text/html"}).text


def test_the_client_saves_the_archive(service: Any, tmp_path: Path) -> None:
    """Under the name that it is given."""
    with Client(service.url) as client:
        client.fetch("lab/tree", tmp_path / "tree.tar", size=5)
    assert members((tmp_path / "tree.tar").read_bytes()) == {"below/run": b"#!/bin/sh\nxxxxx"}
