"""A directory that somebody else may write to: links, pipes, forged entries and exchanged directories."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_backends.filesystem import openat
from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.filesystem.rooted_files import RootedFiles
from rave_core.errors import ProductError
from rave_core.model import Entry
from rave_core.storage.frame import pack
from rave_core.storage.signature import Signer

KEY = "team/op/aaaaaaaaaaaaaaaa/xkey"
LEAF = "team/op/aaaaaaaaaaaaaaaa/x"
OTHER = 50002


@pytest.fixture(params=["openat2", "by names"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to open what lies below a directory."""
    if request.param == "by names":
        monkeypatch.setattr(openat, "_openat2", lambda: None)
    elif openat._openat2() is None:
        pytest.fail("this system has no openat2, so that only the other way can be tested")
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a cache lies that a team shares."""
    return tmp_path / "store"


@pytest.fixture
def store(root: Path, way: str) -> Iterator[FilesystemBackend]:
    """A cache of that team."""
    backend = FilesystemBackend(root, mode=0o2770)
    yield backend
    backend.close()


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A file of ours that is nobody else's business."""
    path = tmp_path / "private.txt"
    path.write_text("private")
    path.chmod(0o600)
    os.utime(path, (1.5e9, 1.5e9))
    return path


def untouched(private: Path) -> bool:
    """Whether a private file is as it was."""
    info = private.stat()
    return private.read_text() == "private" and info.st_mode & 0o777 == 0o600 and info.st_mtime == 1.5e9


def forged(key: str, **fields: Any) -> bytes:
    """An entry that somebody without a key made."""
    known = {"created_at": 1.0, "expires_at": 2.0, "codec": "file", "digest": "0", "sizes": (7,)}
    return b"".join(bytes(piece) for piece in pack(Entry(key=key, **(known | fields)), (), Signer()))


@pytest.mark.parametrize("name", ["purge.lock", "commit.lock", "leases.lock", "leases.bytes", "purged", "purging"])
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_what_stands_for_a_file_of_the_store_is_not_touched(
    store: FilesystemBackend, root: Path, private: Path, name: str, kind: str
) -> None:
    """A lock, a mark or a cursor that leads elsewhere changes nothing there, and nobody waits for it."""
    place = root / ".rave" / name
    place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to(private)
    else:
        place.hardlink_to(private)
    store.put(KEY, [b"x"])
    assert store.claim(KEY, b"record")
    store.swap_lease(KEY, b"record", b"another")
    store.swap_lease(KEY, b"another", None)
    draft = store.draft(".txt")
    draft.write_text("product")
    store.commit(KEY, draft, "xkey-1.txt", [forged(KEY, product="xkey-1.txt")])
    store.purge(lambda _: False, grace=0, seconds=10)
    store.purge(lambda _: False, grace=0)
    store.close()
    assert untouched(private)


@pytest.mark.parametrize("place", [LEAF, "team/op", ".rave/tmp", ".rave/leases", ".rave/damaged", ".rave", "team"])
def test_a_link_for_a_directory_leads_nowhere(
    store: FilesystemBackend, root: Path, private: Path, tmp_path: Path, place: str
) -> None:
    """Nothing is read, written or removed behind a link, wherever in the store it lies."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    (elsewhere / "xkey.rave").write_bytes(forged(KEY))
    inside = elsewhere / "private.txt"
    inside.hardlink_to(private)
    store.put(KEY, [b"x"])
    (root / place).rename(tmp_path / "away")
    (root / place).symlink_to(elsewhere)
    for act in (
        lambda: store.put(KEY, [b"y"]),
        lambda: store.get(KEY),
        lambda: store.set_aside(KEY),
        lambda: store.delete(KEY),
        lambda: store.claim(KEY, b"record"),
        lambda: store.pin("team/"),
        lambda: store.purge(lambda _: True, grace=0),
        lambda: list(store.outlines()),
    ):
        try:
            act()
        except OSError:
            continue
    assert sorted(os.listdir(elsewhere)) == ["private.txt", "xkey.rave"]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert untouched(private)


@pytest.mark.parametrize("kind", ["pipe", "link", "socket", "directory"])
def test_what_is_no_file_is_no_entry(store: FilesystemBackend, root: Path, private: Path, kind: str) -> None:
    """It is a miss to readers, is not listed, and is put over; nobody waits for it."""
    store.put(KEY, [b"x"])
    frame = root / LEAF / "xkey.rave"
    frame.unlink()
    if kind == "pipe":
        os.mkfifo(frame)
    elif kind == "link":
        frame.symlink_to(private)
    elif kind == "socket":
        os.mknod(frame, stat.S_IFSOCK | 0o600)
    else:
        frame.mkdir()
    assert store.get(KEY) is None
    assert store.head(KEY, 100) is None
    assert list(store.keys()) == []
    assert list(store.outlines()) == []
    if kind != "directory":
        store.put(KEY, [b"y"])
        assert store.get(KEY) == b"y"
    assert untouched(private)


def test_a_pipe_for_an_entry_goes_with_a_purge(store: FilesystemBackend, root: Path) -> None:
    """As what else has no business there, once it is old enough."""
    store.put(KEY, [b"x"])
    (root / LEAF / "xkey.rave").unlink()
    os.mkfifo(root / LEAF / "xkey.rave")
    store.purge(lambda _: False, grace=0)
    assert not (root / LEAF).exists()


@pytest.mark.parametrize("named", ["../../../../../private.txt", "/etc/passwd", "xkey.rave", ".inventory", "a/../b"])
def test_a_forged_entry_names_no_file_of_others(
    store: FilesystemBackend, root: Path, private: Path, named: str
) -> None:
    """A purge, a removal, and setting aside act on plain names beside the entry alone."""
    for act in (
        lambda: store.purge(lambda _: True, grace=0),
        lambda: store.purge(lambda _: True, grace=100),
        lambda: store.delete(KEY),
        lambda: store.set_aside(KEY),
    ):
        store.put(KEY, [forged(KEY, product=named)])
        act()
        assert untouched(private)
        assert Path("/etc/passwd").stat().st_size


def test_a_forged_entry_does_not_remove_the_product_of_another_user(
    store: FilesystemBackend, root: Path, as_root: None
) -> None:
    """Only files of an entry's own owner are its product: under the sticky bit, others can't remove them."""
    store.put(KEY, [forged(KEY, product="mine.txt")])
    product = root / LEAF / "mine.txt"
    product.write_text("of another user")
    os.chown(product, OTHER, OTHER)
    store.purge(lambda _: True, grace=1000)
    store.delete(KEY)
    assert product.read_text() == "of another user"


def test_a_root_that_another_user_replaced_by_a_link_is_not_followed(root: Path, tmp_path: Path, as_root: None) -> None:
    """Who may rename the root can't have the store made elsewhere; a link of ours may stand for it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    root.symlink_to(elsewhere)
    store = FilesystemBackend(root)
    store.put(KEY, [b"x"])
    assert store.get(KEY) == b"x"
    os.lchown(root, OTHER, OTHER)
    assert FilesystemBackend(root).check() is not None
    assert store.get(KEY) is None


def test_drafts_of_a_shared_store_lie_with_their_user(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    """Nobody else may rename anything along the path that a body opens; the product gets the team's permissions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root.mkdir()
    os.chown(root, 0, OTHER)
    root.chmod(0o2770)
    store = FilesystemBackend(root, mode=0o2770)
    draft = store.draft(".txt")
    assert not draft.is_relative_to(root)
    assert draft.is_relative_to(tmp_path / "cache")
    draft.write_text("product")
    product = store.commit(KEY, draft, "xkey-1.txt", [forged(KEY, product="xkey-1.txt")])
    info = product.stat()
    assert (product.read_text(), stat.S_IMODE(info.st_mode), info.st_gid) == ("product", 0o660, OTHER)
    assert info.st_nlink == 1
    assert list((tmp_path / "cache/rave/drafts").iterdir()) == []


def test_a_draft_on_another_disk_is_copied(
    root: Path, tmpfs: Path, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    """It counts as any other; where it can't be kept it is where it was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmpfs))
    root.mkdir()
    os.chown(root, 0, OTHER)
    root.chmod(0o2770)
    store = FilesystemBackend(root, mode=0o2770)
    draft = store.draft(".txt")
    draft.write_text("product")
    (root / "team").write_text("no directory")
    with pytest.raises(NotADirectoryError):
        store.commit(KEY, draft, "xkey-1.txt", [forged(KEY, product="xkey-1.txt")])
    assert draft.read_text() == "product"
    assert os.listdir(root / ".rave/tmp") == []
    (root / "team").unlink()
    product = store.commit(KEY, draft, "xkey-1.txt", [forged(KEY, product="xkey-1.txt")])
    assert (product.read_text(), stat.S_IMODE(product.stat().st_mode)) == ("product", 0o660)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_only_a_plain_file_becomes_a_product(store: FilesystemBackend, private: Path, kind: str) -> None:
    """What a body left in place of its file is refused, and nothing of it changed."""
    draft = store.draft(".txt")
    if kind == "link":
        draft.symlink_to(private)
    elif kind == "pipe":
        os.mkfifo(draft)
    else:
        draft.mkdir()
    with pytest.raises(ProductError):
        store.commit(KEY, draft, "xkey-1.txt", [forged(KEY, product="xkey-1.txt")])
    assert untouched(private)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o177])
def test_modes_hold_whatever_the_umask(root: Path, umask: int) -> None:
    """Directories, frames, products and locks of a team's store are the team's; of a private one, ours."""
    before = os.umask(umask)
    try:
        for mode, directories, files in ((0o2770, 0o2770, 0o660), (None, 0o700, 0o600)):
            place = root.with_name(f"store{mode}")
            store = FilesystemBackend(place, mode=mode)
            draft = store.draft(".txt")
            draft.touch()
            store.commit(KEY, draft, "xkey-1.txt", [forged(KEY, product="xkey-1.txt")])
            store.claim(KEY, b"record")
            store.swap_lease(KEY, b"record", b"another")
            store.purge(lambda _: False, grace=100)
            store.pin("team/")
            found = [place, *place.rglob("*")]
            assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {directories}
            assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {files}
    finally:
        os.umask(before)


def test_a_path_exchanged_while_it_is_read_gives_one_or_nothing(tmp_path: Path, private: Path, way: str) -> None:
    """However often a directory in the path is exchanged for a link, what lies behind that is never opened."""
    root = tmp_path / "store"
    (root / "a").mkdir(parents=True)
    (root / "a/file").write_text("right")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "file").hardlink_to(private)
    (root / "link").symlink_to(hidden)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for one, other in (("a", "b"), ("link", "a"), ("a", "link"), ("b", "a")):
                os.rename(root / one, root / other)

    thread = threading.Thread(target=swap)
    thread.start()
    files, seen = RootedFiles(str(root)), set[str]()
    try:
        for _ in range(3000):
            try:
                seen.add(files.read(f"{root}/a/file").decode())
            except OSError:
                continue
    finally:
        stop.set()
        thread.join()
    assert seen <= {"right"}
