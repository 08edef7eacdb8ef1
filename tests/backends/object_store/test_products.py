"""Products in an object store: made and read as files here, kept as objects there."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import tarfile
from pathlib import Path
from urllib.request import urlopen

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.layered.backend import LayeredBackend
from rave_backends.object_store import purger
from rave_backends.object_store.backend import ObjectStoreBackend
from rave_backends.object_store.config import S3Config
from rave_core import Runtime, Settings, op_file, using
from rave_core.backend import SupportsFiles
from rave_core.errors import ConfigurationError, RaveWarning
from rave_core.storage.product_cache import Remote
from rave_core.testing import (
    BackendContract,
    FilesContract,
    ObjectsContract,
    PinsContract,
    PurgeContract,
    StatsContract,
    UnpackingContract,
    UrlContract,
    frame_of,
    key_of,
)
from tests.backends.object_store.emulated_leases import EmulatedLeaseContract

A = key_of("a")
NAME, NEWER = (f"{A.rpartition('/')[2]}-{number}.txt" for number in ("0a1b2c3d", "99999999"))


class TestFilesOverObjects(
    BackendContract,
    FilesContract,
    EmulatedLeaseContract,
    ObjectsContract,
    PinsContract,
    PurgeContract,
    StatsContract,
    UnpackingContract,
    UrlContract,
):  # fmt: skip
    lacks = frozenset({"aging", "holdings", "values"})
    persistent = True

    @pytest.fixture(autouse=True)
    def _where(self, moto, bucket):
        self.moto, self.bucket = moto, bucket

    def open_backend(self, place):
        """A directory and a prefix of the bucket for each place."""
        far = ObjectStoreBackend(S3Config(self.bucket, endpoint=self.moto), f"of/{place.name}")
        return LayeredBackend([FilesystemBackend(place), far])


class Host:
    """A host of its own: its files are seen by no other."""

    def __init__(self, home: Path, s3_url: str) -> None:
        self.copies = FilesystemBackend(home / "copies")
        bucket, _, endpoint = s3_url.removeprefix("s3://").partition("/team?endpoint=")
        self.objects = ObjectStoreBackend(S3Config(bucket, endpoint=endpoint), "team")
        self.backend = LayeredBackend([self.copies, self.objects])
        self.products = self.backend.capability(SupportsFiles)

    def commit(self, content: bytes, name: str = NAME) -> Path:
        """Keeps a product of ``A``."""
        draft = self.products.draft(".txt")
        draft.write_bytes(content)
        return self.products.commit(A, draft, name, frame_of(A, content, product=name, expires_at=5.0))

    def names(self) -> list[str]:
        """The objects in the bucket that are entries and products."""
        found = (each.name for chunk in self.objects._bucket.list("team/") for each in chunk)
        return sorted(name.rpartition("/")[2] for name in found if ".rave/" not in name)


@pytest.fixture
def one(tmp_path, s3_url):
    """A host."""
    return Host(tmp_path / "one", s3_url)


@pytest.fixture
def two(tmp_path, s3_url):
    """Another."""
    return Host(tmp_path / "two", s3_url)


def test_a_product_of_one_host_is_fetched_by_another(one, two):
    """Once; then its copy is there, and its frame beside it."""
    one.commit(b"content")
    assert two.backend.get(A) is not None
    assert not two.products.locate(A, NAME).exists()
    path = two.products.fetch(A, NAME)
    assert path.read_bytes() == b"content"
    two.objects.close()
    assert two.copies.get(A) == two.backend.get(A)
    inode = path.stat().st_ino
    assert two.products.fetch(A, NAME).stat().st_ino == inode


def test_a_fetch_that_fails_leaves_nothing(one, two):
    """Neither half a copy nor a draft."""
    one.commit(b"content")
    one.objects._bucket.delete([name for name in _all(one) if name.endswith(NAME)])
    with pytest.raises(FileNotFoundError):
        two.products.fetch(A, NAME)
    assert not list(Path(two.copies._tree.root).rglob("*.txt"))
    assert list(Path(two.copies._temporaries.directory).iterdir()) == []


def test_what_can_not_be_kept_elsewhere_is_kept_here(tmp_path, free_port, aws):
    """The trouble is raised, and whoever asks on this host is answered."""
    far = ObjectStoreBackend(S3Config("bucket", endpoint=f"http://127.0.0.1:{free_port}"), timeout=0.5)
    backend = LayeredBackend([FilesystemBackend(tmp_path / "copies"), far])
    products = backend.capability(SupportsFiles)
    draft = products.draft(".txt")
    draft.write_bytes(b"content")
    with pytest.raises(OSError, match="can't be reached"):
        products.commit(A, draft, NAME, frame_of(A, product=NAME))
    assert products.fetch(A, NAME).read_bytes() == b"content"
    assert backend.get(A) is not None
    assert "commit failed" in str(backend.last_failure)


def _all(host):
    return [each.name for chunk in host.objects._bucket.list("team/") for each in chunk]


def test_a_product_goes_after_its_time_of_grace(one, monkeypatch):
    """It is retired with its entry; the purge that finds its time over removes it."""
    monkeypatch.setattr(purger, "SETTLED", 0.0)
    one.commit(b"content")
    removed = one.objects.purge(lambda entry: not entry.is_fresh(9.0), grace=3600)
    assert (removed.entries, one.names()) == (1, [NAME])
    assert one.objects.purge(lambda entry: False, grace=3600).leftovers == 0
    assert one.names() == [NAME]
    removed = one.objects.purge(lambda entry: False, grace=0)
    assert (removed.leftovers, removed.bytes) == (1, len(b"content"))
    assert one.names() == []
    assert not [name for name in _all(one) if "/retired/" in name]


def test_a_replaced_product_is_noticed_by_a_purge(one, monkeypatch):
    """The newer one, which its entry names, stays."""
    monkeypatch.setattr(purger, "SETTLED", 0.0)
    one.commit(b"older")
    one.commit(b"newer", NEWER)
    one.objects.purge(lambda entry: False, grace=0)
    assert len(one.names()) == 3
    assert one.objects.purge(lambda entry: False, grace=0).leftovers == 1
    assert one.names() == [NEWER, f"{A.rpartition('/')[2]}.rave"]


def test_a_product_on_its_way_is_not_taken_for_an_orphan(one, tmp_path):
    """Its entry comes after it, and may take its time: no purge removes what it sees for the first time."""
    (tmp_path / "product").write_bytes(b"content")
    target = f"team/{A.rpartition('/')[0]}/{NAME}"
    one.objects._bucket.upload(target, tmp_path / "product", {})
    for _ in range(2):
        one.objects.purge(lambda entry: False, grace=0)
    assert target in _all(one)


@pytest.fixture
def running(s3_url, tmp_path, monkeypatch):
    """Opens a runtime whose products are in the bucket alone, with a home of its own."""
    opened = []

    def begin(home, **settings):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / home))
        runtime = Runtime(Settings(cache=["memory://"], products=[s3_url], **settings))
        opened.append(runtime)
        return runtime

    yield begin
    for runtime in opened:
        runtime.close()


@op_file(mime_type="text/csv", name="products:table")
def table(path, rows):
    """Writes that many rows, and notes that it ran."""
    with open(path, "w") as file:
        file.writelines(f"{row}\n" for row in range(rows))
    with open(os.environ["RAN"], "a") as ran:
        ran.write("x")


def test_one_host_makes_a_file_and_all_read_it(running, tmp_path, monkeypatch):
    """``products = "s3://…"`` is all that is said; the copies lie in the cache directory of each user."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    paths = []
    for home in ("one", "two"):
        with using(running(home)):
            path = table(rows=3)
            assert Path(path).read_text() == "0\n1\n2\n"
            assert table(rows=3) == path
            paths.append(Path(path))
    assert (tmp_path / "ran").read_text() == "x"
    for home, path in zip(("one", "two"), paths, strict=True):
        assert path.is_relative_to(tmp_path / home / "rave" / "copies")


@op_file(kind="directory", name="products:tree", version=1)
def tree(out):
    """A directory with a program."""
    with Path(os.environ["RAN"]).open("a") as ran:
        ran.write("x")
    Path(out, "below").mkdir()
    Path(out, "below", "run").write_text("#!/bin/sh\necho ran\n")
    Path(out, "below", "run").chmod(0o755)


@op_file(mime_type="text/x-sh", name="products:program", version=1)
def program(out):
    """A file that can be executed."""
    Path(out).write_text("#!/bin/sh\necho ran\n")
    Path(out).chmod(0o755)


def test_a_directory_of_one_host_is_unpacked_on_another(running, s3_url, tmp_path, monkeypatch):
    """It is one object, an archive. A host that has unpacked it needs it no more, and no file of it is lost."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    for name in ("one", "two", "two"):
        with using(running(name)):
            path = Path(tree())
            assert subprocess.run([path / "below" / "run"], capture_output=True).stdout == b"ran\n"
            assert path.is_relative_to(tmp_path / name / "rave" / "copies")
    assert (tmp_path / "ran").read_text() == "x"
    next((tmp_path / "two").rglob("*.tar")).unlink()
    with using(running("two")):
        assert Path(tree()) == path
    assert list((tmp_path / "two").rglob("*.tar")) == []


def test_a_directory_left_where_it_lies_is_an_archive(running, tmp_path, monkeypatch):
    """Its URL gives a tar file, with that media type."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    with using(running("one")):
        outcome = tree.resolve()
        found = tree.resolved().cache.elsewhere_for(60.0).find(outcome.key)
    assert (found.value.size, found.value.suffix) == (outcome.entry.size, ".tar")
    with urlopen(found.value.url()) as answer:
        assert answer.headers["Content-Type"] == "application/x-tar"
        with tarfile.open(fileobj=io.BytesIO(answer.read())) as archive:
            assert archive.getnames() == ["below", "below/run"]


def test_a_program_is_one_on_every_host(running):
    """An object has no permissions, so the entry records that its file may be executed."""
    for name in ("one", "two"):
        with using(running(name)):
            assert subprocess.run([program()], capture_output=True).stdout == b"ran\n"


def test_a_damaged_copy_is_made_anew(running, tmp_path, monkeypatch, recwarn):
    """One that changed under our hands is never handed out."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    with using(running("one")):
        path = Path(table(rows=3))
        path.write_text("0\n1\n3\n")
        assert Path(table(rows=3)).read_text() == "0\n1\n2\n"
    assert (tmp_path / "ran").read_text() == "xx"
    assert any(issubclass(each.category, RaveWarning) for each in recwarn)


def test_a_product_can_be_left_where_it_lies(running, tmp_path, monkeypatch):
    """Its value is a `Remote` then, by whose URL anybody gets it."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    runtime = running("one")
    with using(runtime):
        outcome = table.resolve(rows=2)
    remote = runtime.products.elsewhere_for(60.0)
    found = remote.find(outcome.key)
    assert isinstance(found.value, Remote)
    assert (found.value.size, found.value.suffix) == (4, ".csv")
    with urlopen(found.value.url()) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"0\n1\n", "text/csv")


def test_files_alone_have_no_url(tmp_path):
    """Then a product is found as ever."""
    runtime = Runtime(Settings(cache=["memory://"], products=[f"file://{tmp_path}/products"]))
    assert runtime.products.elsewhere_for(60.0) is runtime.products
    runtime.close()


def test_a_store_of_values_alone_keeps_no_products(tmp_path):
    """As before, and by name."""
    with pytest.raises(ConfigurationError, match="can't keep files"):
        Runtime(Settings(cache=["memory://"], products=["memory://"]))


def test_trouble_elsewhere_costs_no_answer(free_port, aws, tmp_path, monkeypatch, caplog):
    """The file is made, kept here, and found here again; that it was not kept elsewhere is told."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    caplog.set_level(logging.WARNING, "rave")
    url = f"s3://bucket/team?endpoint=http://127.0.0.1:{free_port}&timeout=0.5s"
    runtime = Runtime(Settings(cache=["memory://"], products=[url]))
    with using(runtime):
        with pytest.warns(RaveWarning, match="can't be reached"):
            path = Path(table(rows=3))
        assert Path(table(rows=3)) == path
    assert path.read_text() == "0\n1\n2\n"
    runtime.close()
    assert (tmp_path / "ran").read_text() == "x"
