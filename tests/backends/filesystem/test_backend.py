"""The filesystem backend: the contract, its layout, permissions and URL."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError, ProductError
from rave_core.testing import (
    AgingContract,
    BackendContract,
    FilesContract,
    HoldingsContract,
    LeaseContract,
    PinsContract,
    PurgeContract,
    StatsContract,
    UnpackingContract,
    backend_machine,
    frame_of,
    key_of,
)

KEY = "ns/op/0123456789abcdef/" + "ab" * 16
PLACE = "ns/op/0123456789abcdef/a"


def mode_of(path):
    """The permissions of a file or directory."""
    return stat.S_IMODE(path.stat().st_mode)


def commit(store, name="p.txt", key=KEY):
    """Commits a product that holds its own name."""
    draft = store.draft(".txt")
    draft.write_text(name)
    return store.commit(key, draft, name, frame_of(key, name.encode(), product=name))


class TestFilesystemBackend(
    BackendContract,
    AgingContract,
    FilesContract,
    HoldingsContract,
    LeaseContract,
    PinsContract,
    PurgeContract,
    StatsContract,
    UnpackingContract,
):
    lacks = frozenset({"objects", "url", "values"})
    persistent = True

    def open_backend(self, place):
        """As it is by default."""
        return FilesystemBackend(place)


class TestDurableSharedFilesystemBackend(TestFilesystemBackend):
    def open_backend(self, place):
        """With every option."""
        return FilesystemBackend(place, durable=True, max_bytes=1 << 30, policy="cost", mode=0o2770)


TestFilesystemAsADict = backend_machine(FilesystemBackend, persistent=True).TestCase


def test_frames_lie_where_people_find_them(store, root):
    """By operation, version and the beginning of the arguments' digest."""
    store.put(KEY, [b"frame"])
    assert (root / PLACE / ("ab" * 16 + ".rave")).read_bytes() == b"frame"


def test_products_lie_beside_their_frames(store, root):
    """Under the name that was given."""
    assert commit(store, "p.txt") == root / PLACE / "p.txt"


def test_backups_know_it_for_a_cache(store, root):
    """The tag that the Cache Directory Tagging Specification asks for is there."""
    assert (root / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


def test_nothing_temporary_is_left(store, root):
    """After puts, commits and claims the directory for temporaries is empty."""
    store.put(KEY, [b"frame"])
    commit(store)
    store.claim(KEY, b"record")
    store.claim(KEY, b"other")
    store.swap_lease(KEY, b"record", b"next")
    assert os.listdir(root / ".rave" / "tmp") == []


@pytest.mark.parametrize("key", ["", "../x", "a/../b", "/a", "a//b", "a/", ".rave/key", "a/.b", "a\0b"], ids=ascii)
def test_a_key_that_would_leave_its_place_is_refused(store, key):
    """A key comes from outside sometimes; it never becomes a path unchecked."""
    for act in (store.get, store.delete, lambda key: store.put(key, [b"x"])):
        with pytest.raises(BackendError, match="is not a key"):
            act(key)


def test_what_others_put_there_is_no_entry(store, root):
    """Only files that lie where a frame of their name would are listed."""
    store.put(KEY, [b"frame"])
    (root / PLACE / "notes.txt").write_text("mine")
    (root / "ns" / ("ab" * 16 + ".rave")).write_text("in the wrong place")
    assert list(store.keys()) == [KEY]


@pytest.mark.parametrize("kind", ["pipe", "directory", "link"])
def test_what_is_no_file_is_no_entry_in_a_private_root_either(store, root, kind):
    """Whatever we put there ourselves: a small frame is read without asking what it is."""
    store.put("team/op/v/xkey", [b"frame"])
    place = Path(store._tree.frame("team/op/v/xkey"))
    assert store.get("team/op/v/xkey") == b"frame"
    moved = place.rename(place.with_name("moved"))
    {"pipe": os.mkfifo, "directory": os.mkdir, "link": lambda path: path.symlink_to(moved)}[kind](place)
    assert store.get("team/op/v/xkey") is None


def test_a_root_that_we_make_is_ours_alone(root):
    """Directories 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        store = FilesystemBackend(root)
        store.put(KEY, [b"frame"])
        product = commit(store)
    finally:
        os.umask(before)
    assert {mode_of(path) for path in [root, *root.rglob("*")] if path.is_dir()} == {0o700}
    assert {mode_of(path) for path in root.rglob("*") if path.is_file()} == {0o600}
    assert mode_of(product) == 0o600


def test_a_private_root_has_a_key(store, root):
    """32 bytes, in a file that nobody else can read."""
    assert (root / ".rave" / "key").read_bytes() == store.secret()
    assert len(store.secret()) == 32
    assert mode_of(root / ".rave" / "key") == 0o600


@pytest.mark.parametrize("path", ["", ".rave/key"])
def test_a_key_that_others_can_read_is_none(store, root, path):
    """Once the directory or the key file is open to others, nothing that the key sealed is to be trusted."""
    (root / path).chmod(0o750)
    assert FilesystemBackend(root).secret() is None


def test_a_root_that_is_open_to_others_gets_no_key(root):
    """It is shared: a key in it would vouch for nothing."""
    root.mkdir(mode=0o755)
    assert FilesystemBackend(root).secret() is None
    assert not (root / ".rave" / "key").exists()


def test_a_private_root_that_held_other_things_gets_no_key(root):
    """Who put them there is not known."""
    root.mkdir(mode=0o700)
    (root / "things").mkdir()
    assert FilesystemBackend(root).secret() is None


def test_a_private_empty_root_gets_a_key(root):
    """As if we had made it."""
    root.mkdir(mode=0o700)
    assert FilesystemBackend(root).secret() is not None


def test_a_cut_key_is_none(store, root):
    """A key of another size is not one of ours."""
    (root / ".rave" / "key").write_bytes(b"short")
    assert FilesystemBackend(root).secret() is None


def test_a_mode_holds_whatever_the_umask(root):
    """A group can share a cache: its directories and files get the mode that was asked for."""
    before = os.umask(0o077)
    try:
        store = FilesystemBackend(root, mode=0o2770)
        store.put(KEY, [b"frame"])
        product = commit(store)
        store.claim(KEY, b"record")
        store.swap_lease(KEY, b"record", b"other")
    finally:
        os.umask(before)
    assert {mode_of(path) for path in [root, *root.rglob("*")] if path.is_dir()} == {0o2770}
    assert {mode_of(path) for path in root.rglob("*") if path.is_file()} == {0o660}
    assert mode_of(product) == 0o660
    assert store.secret() is None


def test_a_product_that_has_another_name_keeps_its_permissions(store, tmp_path):
    """An operation may link a file of somebody else's; that file stays as it is."""
    other = tmp_path / "other"
    other.write_text("theirs")
    other.chmod(0o644)
    draft = store.draft(".txt")
    draft.hardlink_to(other)
    store.commit(KEY, draft, "p.txt", frame_of(KEY, product="p.txt"))
    assert mode_of(other) == 0o644


def test_a_failed_commit_leaves_the_draft(store, root):
    """So that its caller can still be given what was made, and no product lies about without an entry."""
    (root / "ns/op/0123456789abcdef/a" / ("ab" * 16 + ".rave")).mkdir(parents=True)
    draft = store.draft(".txt")
    draft.write_text("content")
    with pytest.raises(OSError, match="directory"):
        store.commit(KEY, draft, "p.txt", frame_of(KEY, product="p.txt"))
    assert draft.read_text() == "content"
    assert not store.locate(KEY, "p.txt").exists()


def test_a_suffix_that_is_a_path_is_refused(store):
    """A draft stays in its own directory."""
    with pytest.raises(ProductError, match="suffix"):
        store.draft("/../../x")


def test_a_damaged_frame_is_kept_for_a_look(store, root):
    """Out of the way, in ``.rave/damaged``."""
    store.put(KEY, [b"damaged"])
    store.set_aside(KEY)
    assert [path.read_bytes() for path in (root / ".rave" / "damaged").iterdir()] == [b"damaged"]


def test_an_unfinished_claim_reads_as_empty(store, root):
    """A lease file that was cut short is taken for a claim in the making, which can be taken over."""
    store.claim(KEY, b"record")
    store.swap_lease(KEY, b"record", b"record")
    (lease,) = (root / ".rave" / "leases").iterdir()
    for content in (b"", b"6\nrec", b"6"):
        lease.write_bytes(content)
        assert store.lease(KEY) == b""
        assert store.claim(KEY, b"mine") is False
    assert store.swap_lease(KEY, b"", b"taken over") is True
    assert store.lease(KEY) == b"taken over"


def test_a_lease_is_claimed_without_links(store, monkeypatch):
    """On a file system that has none the file itself decides, and still exactly one wins."""

    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert [store.claim(key_of("a"), b"one"), store.claim(key_of("a"), b"two")] == [True, False]
    assert store.lease(key_of("a")) == b"one"


def test_the_url_names_a_directory(tmp_path, monkeypatch):
    """Absolute, of the user's home, or relative."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for number, form in enumerate(
        (f"file://{tmp_path}/", "file://~/", "file://./", "file://localhost" + f"{tmp_path}/")
    ):
        FilesystemBackend.from_url(StoreURL(f"{form}c{number}")).put(KEY, [b"x"])
        assert (tmp_path / f"c{number}" / PLACE).is_dir(), form


def test_the_url_sets_every_option(root):
    """Options are query parameters."""
    url = f"file://{root}?durable=true&max_bytes=10GiB&policy=cost&mode=750"
    assert FilesystemBackend.from_url(StoreURL(url)).max_bytes == 10 << 30
    assert mode_of(root) == 0o750


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file://server/share", "another host"),
        ("file:///", "absolute directory"),
        ("file:///x?policy=mru", "expected lru or lfu or cost"),
        ("file:///x?max_entries=0", "not a number of entries"),
        ("file:///x?max_bytes.flow=much", "not a size"),
        ("file:///x?max_byte.flow=1MiB", "max_byte.flow"),
        ("file:///x?mode=rwx", "octal mode"),
        ("file:///x?mode=077", "octal mode"),
        ("file:///x?max_bytes=0", "not a size"),
        ("file:///x?durabel=true", "durable"),
    ],
)
def test_a_wrong_url_is_refused_and_makes_nothing(url, words):
    """The message says what would be right, and no directory appears."""
    with pytest.raises(ConfigurationError, match=words):
        FilesystemBackend.from_url(StoreURL(url))
    assert not os.path.exists("/x")


@pytest.mark.parametrize("opened", ["root", "key"])
def test_a_private_cache_that_others_can_read_now_says_so(root, opened):
    """It counts as shared, and the way back is told; nothing is said of a cache that is as it was made."""
    assert FilesystemBackend(root).notice() is None
    key = root / ".rave" / "key"
    (root if opened == "root" else key).chmod(0o755)
    store = FilesystemBackend(root)
    assert store.secret() is None
    assert f"chmod 700 {root}; chmod 600 {key}" in store.notice()
    root.chmod(0o700)
    key.chmod(0o600)
    assert FilesystemBackend(root).notice() is None


def test_git_takes_nothing_of_a_cache(tmp_path):
    """A directory of ours ignores all of itself; beside other files the part with the key does."""
    FilesystemBackend(tmp_path / "ours").put(KEY, frame_of(KEY, b"x"))
    assert "\n*\n" in (tmp_path / "ours" / ".gitignore").read_text()
    (tmp_path / "theirs").mkdir(0o700)
    (tmp_path / "theirs" / "work.py").write_text("")
    FilesystemBackend(tmp_path / "theirs").put(KEY, frame_of(KEY, b"x"))
    assert not (tmp_path / "theirs" / ".gitignore").exists()
    assert "\n*\n" in (tmp_path / "theirs" / ".rave" / ".gitignore").read_text()
