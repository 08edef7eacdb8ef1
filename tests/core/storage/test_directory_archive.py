"""The archive of a directory: one form, and only that form is unpacked."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rave_core.errors import DamagedError, ProductError
from rave_core.storage.directory_archive import unpack_archive, write_archive
from rave_core.storage.directory_tree import members


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with everything that one may hold."""
    root = tmp_path / "tree"
    (root / "below" / "empty").mkdir(parents=True)
    (root / "below" / "data.csv").write_bytes(b"1,2\n" * 300)
    (root / "run").write_bytes(b"#!/bin/sh\n")
    (root / "run").chmod(0o750)
    (root / ("ü" * 90)).write_bytes(b"")
    (root / "-rf *").write_bytes(b"x")
    return root


def packed(root: Path) -> bytes:
    """The archive of a directory."""
    sink = io.BytesIO()
    write_archive(str(root), members(str(root)), sink)
    return sink.getvalue()


def unpacked(archive: bytes, root: Path) -> str:
    """The digest of an archive that was unpacked into the new directory ``root``."""
    root.mkdir()
    return unpack_archive(io.BytesIO(archive), str(root))


def test_a_directory_survives_its_archive(tree: Path, tmp_path: Path) -> None:
    """Names, contents, empty directories, and who may execute a file; the digest is that of the archive."""
    digest, size = write_archive(str(tree), members(str(tree)))
    archive = packed(tree)
    assert (unpacked(archive, tmp_path / "copy"), size) == (digest, len(archive))
    for path in tree.rglob("*"):
        copy = tmp_path / "copy" / path.relative_to(tree)
        assert copy.is_dir() == path.is_dir()
        if path.is_file():
            assert copy.read_bytes() == path.read_bytes()
            assert copy.stat().st_mode & 0o111 == (0o111 if path.name == "run" else 0)
        assert not copy.stat().st_mode & 0o222
    assert packed(tmp_path / "copy") == archive


def test_every_tar_reads_it(tree: Path) -> None:
    """It is an ordinary archive, without owners."""
    with tarfile.open(fileobj=io.BytesIO(packed(tree))) as archive:
        names = {f"{path.relative_to(tree)}" for path in tree.rglob("*")}
        assert {member.name for member in archive} == names
        assert {(member.uid, member.uname, member.mtime) for member in archive} == {(0, "", 315532800)}


def test_equal_directories_have_equal_archives(tree: Path, tmp_path: Path) -> None:
    """Whatever their times, owners, and the order in which they were written."""
    other = tmp_path / "other"
    for path in sorted(tree.rglob("*"), reverse=True):
        copy = other / path.relative_to(tree)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o711 if path.name == "run" else 0o640)
            os.utime(copy, (5, 5))
        else:
            copy.mkdir(exist_ok=True)
    assert packed(other) == packed(tree)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "run").chmod(0o640),
        lambda root: (root / "run").rename(root / "ran"),
        lambda root: (root / "below" / "data.csv").write_bytes(b"1,3\n" * 300),
        lambda root: (root / "below" / "empty").rmdir(),
        lambda root: (root / "another").mkdir(),
    ],
    ids=["executable", "name", "content", "without an empty directory", "with another"],
)
def test_the_digest_covers_names_modes_and_contents(tree: Path, change: Callable[[Path], object]) -> None:
    """Any of them makes another archive."""
    before = packed(tree)
    change(tree)
    assert packed(tree) != before


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), min_size=1, max_size=60),
        st.binary(max_size=1500),
        max_size=6,
    )
)
def test_any_files_survive(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """Byte for byte, also under odd names."""
    root, copy = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("copies") / "copy"
    kept = {name: data for name, data in files.items() if name not in (".", "..") and len(name.encode()) < 256}
    for name, data in kept.items():
        (root / name).write_bytes(data)
    unpacked(packed(root), copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == kept


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: (root / "x").symlink_to("/etc/passwd"), "'x' is a symbolic link"),
        (lambda root: (root / "x").symlink_to("run"), "put a copy of what it points to there"),
        (lambda root: os.mkfifo(root / "x"), "'x' is a named pipe"),
        (lambda root: (root / "a\nb").touch(), "without control characters"),
        (lambda root: open(os.fsencode(root) + b"/\xff", "w").close(), "in UTF-8"),
        (lambda root: (root / "below" / "\x1b[2J").touch(), "without control characters"),
    ],
    ids=["link outside", "link inside", "pipe", "newline", "no UTF-8", "escape"],
)
def test_what_an_archive_can_not_hold_is_refused(tree: Path, make: Callable[[Path], object], words: str) -> None:
    """With its name, escaped, and what would be right."""
    make(tree)
    with pytest.raises(ProductError) as caught:
        members(str(tree))
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_that_changes_while_it_is_read_is_noticed(tree: Path) -> None:
    """Otherwise the archive would hold a mixture."""
    found = members(str(tree))
    (tree / "below" / "data.csv").write_bytes(b"shorter")
    with pytest.raises(ProductError, match="changed while it was read"):
        write_archive(str(tree), found)


def forged(*headers: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive of these headers, each with as many bytes as it says, up to some."""
    return b"".join(each.tobuf(form) + b"x" * min(each.size, 1 << 16) for each in headers) + bytes(1024)


def header(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """A header of an archive."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


HOSTILE = {
    "above": forged(header("../escaped")),
    "absolute": forged(header("/tmp/escaped")),
    "through a part": forged(header("a", tarfile.DIRTYPE), header("a/../../escaped")),
    "link": forged(header("a", tarfile.SYMTYPE, linkname="/etc")),
    "hard link": forged(header("a", tarfile.LNKTYPE, linkname="/etc/passwd")),
    "device": forged(header("a", tarfile.CHRTYPE)),
    "pipe": forged(header("a", tarfile.FIFOTYPE)),
    "sparse": forged(header("a", tarfile.GNUTYPE_SPARSE, size=512)),
    "twice": forged(header("a"), header("a")),
    "a file for a directory": forged(header("a"), header("a/b")),
    "without its directory": forged(header("a/b")),
    "newline": forged(header("a\nb")),
    "negative": forged(header("a", size=-512), form=tarfile.GNU_FORMAT),
    "too long": forged(header("a", size=1 << 40), form=tarfile.GNU_FORMAT),
    "global header": forged(header("a", tarfile.XGLTYPE)),
    "endless record": forged(header("a", tarfile.XHDTYPE, size=1 << 40), form=tarfile.GNU_FORMAT),
    "record without end": forged(header("a", tarfile.XHDTYPE, size=512)),
    "no archive": b"x" * 4096,
    "cut": forged(header("a", size=512))[:700],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_forged_archive_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written outside of its directory, and no link or device is made."""
    with pytest.raises(DamagedError):
        unpacked(HOSTILE[name], tmp_path / "copy")
    assert os.listdir(tmp_path) == ["copy"]
    assert not os.path.exists("/tmp/escaped")  # nobody writes there
    modes = [path.lstat().st_mode for path in (tmp_path / "copy").rglob("*")]
    assert all(stat.S_ISREG(mode) or stat.S_ISDIR(mode) for mode in modes)


@settings(max_examples=60)
@given(st.binary(max_size=600), st.integers(0, 1023))
def test_no_bytes_make_it_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int) -> None:
    """Whatever stands in an archive, it is unpacked with another digest, or damaged."""
    archive = bytearray(forged(header("a", size=512), header("é" * 80, size=0)))
    archive[place : place + len(noise)] = noise
    with contextlib.suppress(DamagedError, OSError):
        unpacked(bytes(archive), tmp_path_factory.mktemp("copies") / "copy")
