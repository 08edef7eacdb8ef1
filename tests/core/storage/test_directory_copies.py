"""The read-only copies of directory products: checked, replaced, counted and removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, op_file, using
from rave_core.testing.clock import FakeClock
from tests.core.storage.directories import MADE, age, contents, site

Ran = Callable[[], list[str]]
DAY = 86400.0


@pytest.fixture(autouse=True)
def used(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """A runtime whose clock the test turns, and whose products lie in a directory alone."""
    with using(make_runtime(clock=clock, products_grace=1000)) as entered:
        yield entered


SPOILS: dict[str, Callable[[Path], object]] = {
    "content": lambda copy: (copy / "serve").write_text("#!/bin/sh\necho caught"),
    "content of one size, secretly": lambda copy: _write_secretly(copy / "serve"),
    "another file": lambda copy: (copy / "more").touch(),
    "a file less": lambda copy: (copy / "serve").unlink(),
    "a directory less": lambda copy: (copy / "empty").rmdir(),
    "name": lambda copy: (copy / "serve").rename(copy / "served"),
    "mode": lambda copy: (copy / "pages" / "0" / "index.html").chmod(0o755),
    "link to a file": lambda copy: _replace_by_link(copy / "serve"),
    "link to a directory": lambda copy: ((copy / "empty").rmdir(), (copy / "empty").symlink_to("/etc")),
    "pipe": lambda copy: ((copy / "serve").unlink(), os.mkfifo(copy / "serve")),
    "all": lambda copy: shutil.rmtree(copy),
    "a file in its place": lambda copy: (shutil.rmtree(copy), copy.write_text("x")),
    "a link in its place": lambda copy: (copy.rename(copy.parent / "moved"), copy.symlink_to("moved")),
}


def _write_secretly(path: Path) -> None:
    status = path.stat()
    path.write_text(path.read_text().replace("served", "swerve"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace_by_link(path: Path) -> None:
    path.rename(path.parent.parent / "moved")
    path.symlink_to("../moved")


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "in a new process"])
@pytest.mark.parametrize("how", SPOILS)
def test_a_copy_that_somebody_touched_is_never_given(
    used: Runtime, make_runtime: Callable[..., Runtime], ran: Ran, how: str, seen: bool
) -> None:
    """It is unpacked again, from the archive, so the body need not run."""
    copy = Path(site())
    for each in (copy, *copy.rglob("*")):
        each.chmod(0o755 if each.is_dir() or each.name == "serve" else 0o644)
    SPOILS[how](copy)
    with using(used if seen else make_runtime()):
        assert contents(site()) == MADE
        assert os.access(f"{site()}/serve", os.X_OK)
        assert not Path(site()).is_symlink()
    assert len(ran()) == 1


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "in a new process"])
@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_bytes(path.read_bytes()[:-1024]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"served", b"swerve")),
        lambda path: (path.rename(path.parents[5] / "moved"), path.symlink_to(path.parents[5] / "moved")),
    ],
    ids=["gone", "cut", "changed", "link"],
)
def test_a_spoiled_archive_is_made_anew(
    used: Runtime, make_runtime: Callable[..., Runtime], ran: Ran, spoil: Callable[[Path], object], seen: bool
) -> None:
    """As a product that is a file; nothing of it is unpacked."""
    shutil.rmtree(site())
    spoil(next(Path(used.products.url.removeprefix("file://")).rglob("*.tar")))
    with using(used if seen else make_runtime()):
        assert contents(site()) == MADE
    assert len(ran()) == 2


def test_a_file_linked_from_elsewhere_is_copied(tmp_path: Path) -> None:
    """The body may link large data: the original keeps its permissions and stays apart."""
    data = tmp_path / "large"
    data.write_text("large")
    data.chmod(0o640)

    @op_file(kind="directory", name="t/links", version=1)
    def links(out):
        os.link(data, f"{out}/data")

    assert contents(links()) == {"data": "large"}
    data.write_text("later")
    assert contents(links()) == {"data": "large"}
    assert data.stat().st_mode & 0o777 == 0o640


def test_a_copy_of_a_shared_store_lies_elsewhere(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    """Where others may write, they could change it between the check and its use."""
    with using(make_runtime(products=[f"file://{tmp_path}/shared?mode=2777"])):
        for _ in range(2):
            path = Path(site())
            assert contents(str(path)) == MADE
            assert not path.is_relative_to(tmp_path / "shared")
            assert path.parent.stat().st_mode & 0o077 == 0
    assert len(list((tmp_path / "shared").rglob("*.tar"))) == 1


def test_an_unpacked_directory_that_finds_no_room_is_given_from_elsewhere(
    used: Runtime, monkeypatch: pytest.MonkeyPatch, ran: Ran, tmp_path: Path
) -> None:
    """A store in trouble costs no answer, and no run: the copy is a temporary one, told once."""
    shutil.rmtree(site())
    files = type(used.products._files)

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "draft", full)
    with pytest.warns(match="unpack a directory"):
        path = site()
    assert contents(path) == MADE
    assert not Path(path).is_relative_to(tmp_path / "products")
    assert site() == path
    assert len(ran()) == 1


def test_a_purge_removes_archive_and_copy(used: Runtime, tmp_path: Path) -> None:
    """Together, after the time of grace; nothing read-only is left behind."""
    copy = Path(site())
    site.invalidate()
    used.purge()
    assert copy.is_dir()
    age(next((tmp_path / "products").rglob("*.tar")), 2000)
    used.purge()
    assert not copy.exists()
    assert list((tmp_path / "products").rglob("*.tar")) == []


def test_a_copy_that_nobody_uses_goes(used: Runtime, ran: Ran) -> None:
    """After a week; a use within the week counts. The archive stays, and the next call unpacks it."""
    copy = Path(site())
    for _ in range(3):
        age(copy, 4 * DAY)
        used.purge()
        assert copy.is_dir()
        assert site() == str(copy)
    age(copy, 8 * DAY)
    used.purge()
    assert not copy.exists()
    assert contents(site()) == MADE
    assert len(ran()) == 1


def test_a_copy_counts_for_the_budget(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    """A directory takes its size twice: as an archive and unpacked."""

    @op_file(kind="directory", name="t/sized", version=1)
    def sized(out, number):
        Path(out, "x").write_bytes(bytes(100_000))

    url = f"file://{tmp_path}/limited?max_bytes=700000"
    with using(make_runtime(products=[url], products_grace=0)) as runtime:
        for number in range(6):
            sized(number)
        runtime.purge()
        left = [sized.resolve(number, rave_dry_run=True).status for number in range(6)]
        assert left.count("hit") == 3
        size = sum(path.stat().st_size for path in (tmp_path / "limited").rglob("*") if path.is_file())
        assert size <= 700_000


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from rave_core import Runtime, Settings, op_file, using

@op_file(kind="directory", name="t/below", version=1)
def below(out):
    Path(out, "a", "b").mkdir(parents=True)
    Path(out, "a", "b", "c").write_text("d")

with using(Runtime(Settings(cache=["memory://"], products=[f"file://{sys.argv[2]}"]))):
    below()  # imports what this user can't
os.setgid(65534); os.setuid(65534)
with using(Runtime(Settings(cache=["memory://"], products=[f"file://{sys.argv[1]}"], products_grace=0))) as runtime:
    path = Path(below())
    assert Path(below(), "a", "b", "c").read_text() == "d"
    try:
        Path(path, "a", "new").touch()
        raise SystemExit("written to")
    except PermissionError:
        pass
    below.resolve(rave_refresh=True)
    path = Path(below())
    (path / "a" / "b").chmod(0o755); (path / "a" / "b" / "c").unlink(); (path / "a" / "b").chmod(0o555)
    assert Path(below(), "a", "b", "c").read_text() == "d"
    below.invalidate()
    runtime.purge()
    print(sorted(str(p) for p in Path(sys.argv[1], ".rave").rglob("*") if p.parent.name in ("tmp", "unpacked")))
"""


@pytest.mark.usefixtures("as_root")
def test_a_user_without_privileges_can_not_write_and_can_clean_up() -> None:
    """Read-only directories are no obstacle to replacing a copy, or to a purge."""
    with tempfile.TemporaryDirectory() as place:  # whoever starts pytest closes the directory of its own to others
        os.chmod(place, 0o711)
        home = Path(place, "home")
        home.mkdir()
        os.chown(home, 65534, 65534)
        run = [sys.executable, "-c", UNPRIVILEGED, str(home / "store"), str(Path(place, "other"))]
        environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        done = subprocess.run(run, capture_output=True, text=True, env=environment, cwd=place)
        assert (done.stderr, done.stdout) == ("", "[]\n")


def test_ten_thousand_small_files(ran: Ran) -> None:
    """Each is checked on every call, so a hit takes the time of as many look-ups and no more."""

    @op_file(kind="directory", name="t/many", version=1)
    def many(out):
        print("many")
        for number in range(10_000):
            with open(f"{out}/{number}", "w") as file:
                file.write(str(number))

    path = many()
    assert len(os.listdir(path)) == 10_000
    assert many() == path
    os.chmod(path, 0o755)
    os.unlink(f"{path}/77")
    assert Path(many(), "77").read_text() == "77"
    assert ran() == ["many"]
