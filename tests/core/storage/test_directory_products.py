"""File operations that make directories: ``@op_file(kind="directory")``."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, op, op_file, using
from rave_core.errors import DecorationError, ProductError
from rave_core.testing.clock import FakeClock
from tests.core.storage.directories import MADE, contents, site

Ran = Callable[[], list[str]]


@op_file(kind="directory", version=1)
def misbehaving(out, how):
    """Does what the body of such an operation must not do."""
    Path(out, "half").write_text("half")
    if how == "fails":
        raise KeyError(how)
    if how == "gone":
        shutil.rmtree(out)
    if how == "file":
        shutil.rmtree(out)
        Path(out).write_text("x")
    if how == "link":
        Path(out, "link").symlink_to("half")
    if how == "pipe":
        os.mkfifo(Path(out, "pipe"))
    if how == "name":
        Path(out, "a\nb").touch()


@pytest.fixture(autouse=True)
def used(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """A runtime whose clock the test turns, and whose products lie in a directory alone."""
    with using(make_runtime(clock=clock, products_grace=1000)) as entered:
        yield entered


def test_the_call_gives_a_directory_with_all_that_was_written(ran: Ran) -> None:
    """Empty directories and programs included; a second call gives the same one."""
    path = site()
    assert type(path) is str
    assert contents(path) == MADE
    assert Path(path, "empty").is_dir()
    assert subprocess.run([f"{path}/serve"], capture_output=True, text=True).stdout == "served\n"
    assert site() == path
    assert len(ran()) == 1


def test_the_directory_is_read_only() -> None:
    """Nobody changes what others will get by accident."""
    for path in (Path(site()), *Path(site()).rglob("*")):
        assert not path.stat().st_mode & 0o222


def test_a_body_finds_an_empty_directory() -> None:
    """It need not make it first, and never sees that of another run."""

    @op_file(kind="directory", name="t/looks", version=1)
    def looks(out, number):
        assert os.listdir(out) == []
        Path(out, "x").touch()

    assert len({looks(number) for number in range(3)}) == 3


def test_an_empty_directory_is_a_product() -> None:
    """Nothing found may be the answer."""

    @op_file(kind="directory", name="t/nothing", version=1)
    def nothing(out):
        pass

    assert [nothing.resolve().status for _ in range(2)] == ["miss", "hit"]
    assert os.listdir(nothing()) == []


@pytest.mark.parametrize("how", ["fails", "gone", "file", "link", "pipe", "name"])
def test_a_run_that_made_no_product_leaves_nothing(used: Runtime, tmp_path: Path, how: str) -> None:
    """All or nothing: the body's own exception passes, else it is a `ProductError` that names the trouble."""
    with pytest.raises(KeyError if how == "fails" else ProductError) as caught:
        misbehaving(how)
    if how != "fails":
        assert "misbehaving" in str(caught.value)
    assert misbehaving(how, rave_dry_run=True) is None
    assert list((tmp_path / "products").rglob("half")) == []
    assert os.listdir(tmp_path / "products" / ".rave" / "tmp") == []


def test_the_entry_tells_of_the_archive(used: Runtime) -> None:
    """Its codec, media type, size and digest; ``verify`` finds it sound."""
    outcome = site.resolve()
    entry = outcome.entry
    assert entry is not None
    assert (entry.codec, entry.mime_type) == ("directory", "application/x-tar")
    archive = next(Path(used.products.url.removeprefix("file://")).rglob("*.tar"))
    assert archive.name == entry.product
    assert archive.stat().st_size == entry.size


def test_equal_directories_have_one_digest() -> None:
    """Made twice, at other times."""
    first = site.resolve().entry
    second = site.resolve(rave_refresh=True).entry
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    assert first.product != second.product


def test_a_directory_can_be_put_by_hand(tmp_path: Path) -> None:
    """It is copied, whole."""
    mine = tmp_path / "mine"
    (mine / "below").mkdir(parents=True)
    (mine / "below" / "x").write_text("by hand")
    assert contents(site.put(mine, 7).value) == {"below/x": "by hand"}
    assert contents(site(7)) == {"below/x": "by hand"}
    (mine / "link").symlink_to("below")
    with pytest.raises(ProductError, match="symbolic link"):
        site.put(mine, 8)


def test_rave_tofile_names_the_directory(tmp_path: Path, ran: Ran) -> None:
    """A new or an empty one, which the caller may change; nothing is kept."""
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        assert site(rave_tofile=tmp_path / name) == tmp_path / name
        assert contents(str(tmp_path / name)) == MADE
        (tmp_path / name / "serve").write_text("mine")
    assert site(rave_dry_run=True) is None
    ran()


@pytest.mark.parametrize("what", ["full", "file", "link", "nowhere"])
def test_rave_tofile_replaces_nothing(tmp_path: Path, ran: Ran, what: str) -> None:
    """A directory can't be replaced all at once, so the call is refused before the body runs."""
    target = tmp_path / "target" / ("x" if what == "nowhere" else "")
    if what == "full":
        target.mkdir()
        (target / "precious").touch()
    elif what == "file":
        target.write_text("precious")
    elif what == "link":
        (tmp_path / "elsewhere" / "target").mkdir(parents=True)
        (tmp_path / "elsewhere" / "target" / "precious").touch()
        target.symlink_to(tmp_path / "elsewhere" / "target")
    with pytest.raises(ProductError, match="target"):
        site(rave_tofile=target)
    assert ran() == []


def test_a_coroutine_may_write_it() -> None:
    """In an event loop, which never waits for the disk."""

    @op_file(kind="directory", name="t/later", version=1)
    async def later(out):
        await asyncio.sleep(0)
        Path(out, "x").write_text("y")

    assert contents(asyncio.run(later())) == {"x": "y"}
    assert asyncio.run(later.resolve()).status == "hit"


def test_a_method_may_write_it() -> None:
    """The path comes after ``self``."""

    class Maker:
        @op_file(kind="directory", name="t/method", version=1)
        def write(self, out, text):
            Path(out, "x").write_text(text)

    assert contents(Maker().write("y")) == {"x": "y"}


def test_a_file_under_the_key_of_a_directory_is_no_answer(make_runtime: Callable[..., Runtime]) -> None:
    """``@version`` may stay while an operation changes what it makes."""

    @op_file(name="t/changing", version=1, mime_type="application/x-tar")
    def file(out):
        Path(out).write_text("x")

    @op_file(name="t/changing", version=1, kind="directory")
    def directory(out):
        Path(out, "x").write_text("y")

    file()
    with using(make_runtime()):
        assert contents(directory()) == {"x": "y"}
    assert Path(file()).is_file()


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"kind": "folder"}, "expected 'file' or 'directory'"),
        ({"kind": "data"}, "expected 'file' or 'directory'"),
        ({"kind": "directory", "mime_type": "text/plain"}, "leave its MIME type out"),
    ],
)
def test_a_wrong_kind_is_refused(keywords: dict[str, str], words: str) -> None:
    """When it is decorated."""
    with pytest.raises(DecorationError, match=words):
        op_file(**keywords)(lambda out: None)  # type: ignore[call-overload]  # that is the point


def test_a_value_has_no_kind() -> None:
    """It is a keyword of ``op_file`` alone."""
    with pytest.raises(DecorationError, match="kind"):
        op(kind="directory")  # type: ignore[call-overload]  # that is the point


def test_an_unkept_directory_is_given_all_the_same() -> None:
    """``nocache`` runs the body each time, and every caller gets its own."""

    @op_file(kind="directory", name="t/unkept", expires="nocache")
    def unkept(out):
        Path(out, "x").write_text("y")

    first, second = unkept(), unkept()
    assert first != second
    assert contents(first) == contents(second) == {"x": "y"}
