"""What a result can be had as, and in parts: negotiation, validators, ranges, files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

Service = Any  # RunningService of the conftest


@pytest.mark.parametrize("by", ["accept", "rave.f"])
def test_a_table_comes_in_the_form_that_is_asked_for(shared_service: Service, by: str) -> None:
    """The same rows as JSON, CSV, Arrow, Parquet and HTML."""
    types = {
        "json": "application/json",
        "csv": "text/csv",
        "arrow": "application/vnd.apache.arrow.stream",
        "parquet": "application/vnd.apache.parquet",
        "html": "text/html",
    }
    got = {}
    for form, media_type in types.items():
        query, headers = ("", {"Accept": media_type}) if by == "accept" else (f"&rave.f={form}", {})
        answer = shared_service.get(f"/lab/rows?n=3{query}", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].partition(";")[0] == media_type
        assert "Accept" in answer.headers["Vary"]
        got[form] = answer.content
    expected = [{"i": i, "half": i / 2, "name": f"row {i}"} for i in range(3)]
    assert json.loads(got["json"]) == expected
    assert got["csv"].decode().splitlines() == ["i,half,name", "0,0.0,row 0", "1,0.5,row 1", "2,1.0,row 2"]
    assert pa.ipc.open_stream(got["arrow"]).read_all().to_pylist() == expected
    assert pyarrow.parquet.read_table(io.BytesIO(got["parquet"])).to_pylist() == expected
    assert b"row 2" in got["html"]


def test_each_form_has_its_own_validator(shared_service: Service) -> None:
    """An ETag of the CSV does not validate the JSON."""
    csv = shared_service.get("/lab/rows?n=4", headers={"Accept": "text/csv"})
    asked = {"Accept": "application/json", "If-None-Match": csv.headers["ETag"]}
    assert shared_service.get("/lab/rows?n=4", headers=asked).status_code == 200


@pytest.mark.parametrize("times", [1, 3])
def test_what_the_client_has_is_not_sent_again(shared_service: Service, times: int) -> None:
    """If-None-Match wins over If-Modified-Since; a 304 has the validators and no body."""
    path = f"/lab/square?n=5{times}"
    first = None
    for _ in range(times):
        first = shared_service.get(path)
    assert first is not None
    known = shared_service.get(path, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["ETag"] == first.headers["ETag"]
    assert known.headers["Cache-Control"] == first.headers["Cache-Control"]
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert shared_service.get(path, headers=since).status_code == 304
    assert shared_service.get(path, headers={**since, "If-None-Match": '"other"'}).status_code == 200
    assert shared_service.get(path, headers={"If-None-Match": "*"}).status_code == 304


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=900-", slice(900, 1000)),
        ("bytes=-10", slice(990, 1000)),
        ("bytes=5-5", slice(5, 6)),
        ("bytes=990-5000", slice(990, 1000)),
    ],
)
@pytest.mark.parametrize("path", ["/lab/files/document?size=1000"])
def test_one_range_is_a_part(shared_service: Service, path: str, asked: str, expected: slice) -> None:
    """206 has the bytes asked for, and says where they belong."""
    whole = shared_service.get(path).content
    part = shared_service.get(path, headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == whole[expected]
    assert part.headers["Content-Range"] == f"bytes {expected.start}-{expected.stop - 1}/1000"
    assert int(part.headers["Content-Length"]) == len(part.content)


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=x-y", "bytes=-", "bytes 0-5"])
def test_what_is_no_single_range_gives_the_whole(shared_service: Service, asked: str) -> None:
    """Several ranges, other units and nonsense are ignored, as HTTP allows."""
    answer = shared_service.get("/lab/files/document?size=1000", headers={"Range": asked})
    assert (answer.status_code, len(answer.content)) == (200, 1000)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(shared_service: Service, asked: str) -> None:
    """416 tells the length."""
    answer = shared_service.get("/lab/files/document?size=1000", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */1000"


def test_a_range_of_something_else_gives_the_whole(shared_service: Service) -> None:
    """If-Range with an old validator means: all of the new one."""
    path = "/lab/files/document?size=1000"
    etag = shared_service.get(path).headers["ETag"]
    part = {"Range": "bytes=0-9"}
    assert shared_service.get(path, headers={**part, "If-Range": etag}).status_code == 206
    assert shared_service.get(path, headers={**part, "If-Range": f"W/{etag}"}).status_code == 200
    assert shared_service.get(path, headers={**part, "If-Range": '"old"'}).status_code == 200


def test_a_hot_answer_honours_ranges_and_validators_too(shared_service: Service) -> None:
    """What memory holds whole is sent by the same rules as anything else."""
    path = "/lab/square?n=777"
    whole = [shared_service.get(path) for _ in range(12)][-1]
    assert shared_service.get(path, headers={"Range": "bytes=0-3"}).content == whole.content[:4]
    assert shared_service.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_a_large_file_streams_with_flat_memory(start_service: Callable[..., Service]) -> None:
    """64 MB pass through a worker that grows by far less."""
    import psutil

    service = start_service(workers=1)
    service.get("/lab/files/document?size=1000")
    (worker,) = service.workers()
    path = f"/lab/files/document?size={64 << 20}"
    service.get(path, headers={"Range": "bytes=0-0"})
    before = psutil.Process(worker).memory_info().rss
    total = most = 0
    with service.ask("GET", path, stream=True) as answer:
        assert answer.headers["Content-Length"] == str(64 << 20)
        for chunk in answer.iter_content(1 << 20):
            total += len(chunk)
            most = max(most, psutil.Process(worker).memory_info().rss)
    assert total == 64 << 20
    assert most - before < 24 << 20


def test_results_can_not_run_scripts_as_the_service(shared_service: Service) -> None:
    """HTML that an operation made is put into a sandbox; nothing is sniffed."""
    answer = shared_service.get("/lab/rows?n=2&rave.f=html")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


FORMS = """
@op
@typemap(int)
@mime_type("application/octet-stream")
def blob(n: int = 3) -> bytes:
    return bytes(n)


def of_type(media_type):
    @op(name=f"lab/{media_type}")
    @mime_type(media_type)
    def body(n=1):
        return bytes(8)

    return body


TYPES = ["image/png", "image/jpeg", "application/pdf", "application/zip", "audio/mpeg", "text/markdown", "text/html",
         "application/x-of-our-own", "model/gltf+json", "application/geo+json", "text/csv; charset=utf-8"]
__export__ |= {"blob": blob, **{f"typed/{n}": of_type(each) for n, each in enumerate(TYPES)}}
"""


def test_every_form_that_the_document_lists_is_given(start_service: Callable[..., Service]) -> None:
    """By its short name and by its media type, of operations that declare one, as parameter and in the catalog."""
    service = start_service(workers=1, more=FORMS)
    document = service.get("/-/openapi.json").json()
    components = document["components"]["parameters"]
    seen = 0
    for path, item in document["paths"].items():
        if not path.startswith(("/lab/typed", "/lab/blob", "/lab/files")):
            continue
        names = [each["$ref"].rpartition("/")[2] for each in item["get"]["parameters"] if "$ref" in each]
        [forms] = [components[name]["schema"]["enum"] for name in names if name.startswith("rave.f")]
        for form in forms if path != "/lab/blob" else ["", "bin", "application/octet-stream"]:
            assert form in forms
            answer = service.get(path, params={"rave.f": form})
            assert answer.status_code == 200, (path, form, answer.text)
            seen += 1
    assert seen > 30
