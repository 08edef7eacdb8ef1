"""The root of a cache stays open between calls, and is still the one that lies at its path."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_backends.filesystem.rooted_files import RootedFiles
from tests.core.forks import in_child


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The root of a cache, with one file in it."""
    return _made(tmp_path / "store", "first")


def _made(root: Path, text: str) -> Path:
    root.mkdir(0o700)
    (root / "file").write_text(text)
    return root


def _read(files: RootedFiles) -> str:
    return files.read(f"{files.root}/file").decode()


def _opened(root: Path) -> int:
    """How often this process has ``root`` open."""
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sum(os.path.lexists(each) and os.readlink(each) == str(root) for each in links)


def test_the_root_stays_open_once(place: Path) -> None:
    """One descriptor serves all calls, and goes with the files that it serves."""
    files = RootedFiles(str(place))
    assert [_read(files) for _ in range(3)] == ["first"] * 3
    assert _opened(place) == 1
    del files
    assert _opened(place) == 0


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_another_root_in_the_same_place_is_seen_at_once(place: Path, how: str) -> None:
    """Nothing is read from, or written to, a directory that no longer lies at the path."""
    files = RootedFiles(str(place))
    assert _read(files) == "first"
    if how == "moved":
        place.rename(place.with_name("moved"))
    else:
        (place / "file").unlink()
        place.rmdir()
    with pytest.raises(FileNotFoundError):
        _read(files)
    _made(place, "second")
    assert _read(files) == "second"
    files.replace(f"{place}/file", f"{place}/other")
    assert (place / "other").read_text() == "second"
    assert _opened(place) == 1


def test_who_may_enter_is_asked_at_each_look(place: Path) -> None:
    """A root that is opened to others is no longer ours alone, from the next step on."""
    files, seen = RootedFiles(str(place)), []
    for mode in (0o700, 0o755, 0o700, 0o701):
        place.chmod(mode)
        seen.append(files._root()[1])
    assert seen == [True, False, True, False]


def test_a_step_keeps_its_root_open(place: Path) -> None:
    """One thread may see that the root was replaced while another is at work in the earlier one."""
    files = RootedFiles(str(place))
    used, _ = files._root()
    place.rename(place.with_name("moved"))
    _made(place, "second")
    assert files._root()[0].inode != used.inode
    assert os.stat("file", dir_fd=used.file).st_size == len("first")


def test_a_forked_child_opens_its_own(place: Path) -> None:
    """A daemon closes every descriptor that it inherited, and others may get their numbers."""
    files = RootedFiles(str(place))
    before = files._root()[0].file

    def as_daemon() -> bool:
        os.dup2(os.open("/", os.O_RDONLY), before)
        return _read(files) == "first" and os.path.samestat(os.fstat(before), os.stat("/"))

    assert in_child(as_daemon)
    assert _read(files) == "first"


def test_a_stale_root_is_opened_anew(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network file system may give a new directory the number of the one before, whose descriptor then is stale."""
    files, opened = RootedFiles(str(place)), os.open
    stale = files._root()[0].file

    def open_unless_stale(path: Any, *args: Any, dir_fd: int | None = None, **how: Any) -> int:
        if dir_fd == stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return opened(path, *args, dir_fd=dir_fd, **how)

    _with_open(monkeypatch, open_unless_stale)
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        _read(files)
    held = opened("/", os.O_RDONLY)  # else the next descriptor has the number of the stale one
    try:
        assert _read(files) == "first"
    finally:
        os.close(held)


def _with_open(monkeypatch: pytest.MonkeyPatch, replacement: Callable[..., int]) -> None:
    monkeypatch.setattr(os, "open", replacement)
