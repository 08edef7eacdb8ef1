"""Contracts for backends that keep products, as pytest classes to mix in."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from rave_core.errors import ProductError
from rave_core.model import Bytes, Entry
from rave_core.testing.samples import Some, frame_of, key_of


class FilesContract:
    """Of a `rave_core.backend.SupportsFiles`."""

    def test_a_draft_is_a_new_path(self, store: Some) -> None:
        """It does not exist, its directory does and is its own, and it ends in the suffix."""
        one, two = store.draft(".png"), store.draft(".png")
        assert one.parent != two.parent
        assert one.name.endswith(".png")
        assert one.parent.is_dir()
        assert not one.exists()

    def test_a_committed_draft_is_the_product(self, store: Some) -> None:
        """The file is moved to where ``locate`` says, and the frame is there."""
        product = _commit(store, "a", "a-1.txt", b"content")
        assert product == store.locate(key_of("a"), "a-1.txt")
        assert product.read_bytes() == b"content"
        assert bytes(store.get(key_of("a"))) == b"".join(frame_of(key_of("a"), b"content", product="a-1.txt"))
        assert list(store.keys()) == [key_of("a")]

    def test_a_commit_takes_the_draft_away(self, store: Some) -> None:
        """Neither the draft nor its directory is left."""
        draft = store.draft(".txt")
        draft.write_bytes(b"content")
        store.commit(key_of("a"), draft, "a.txt", frame_of(key_of("a"), product="a.txt"))
        assert not draft.parent.exists()

    def test_a_discarded_draft_is_gone(self, store: Some) -> None:
        """With all that was written beside it; again is no error."""
        draft = store.draft(".txt")
        draft.write_bytes(b"half")
        (draft.parent / "scratch").write_bytes(b"more")
        store.discard(draft)
        assert not draft.parent.exists()
        store.discard(draft)

    def test_a_product_outlives_its_successor(self, store: Some) -> None:
        """A reader with the path of the older product can still read it."""
        older = _commit(store, "a", "a-1.txt", b"older")
        newer = _commit(store, "a", "a-2.txt", b"newer")
        assert (older.read_bytes(), newer.read_bytes()) == (b"older", b"newer")

    def test_a_product_outlives_its_entry(self, store: Some) -> None:
        """Deleting the key leaves the file to the next purge."""
        product = _commit(store, "a", "a.txt", b"content")
        assert store.delete(key_of("a")) is True
        assert product.read_bytes() == b"content"

    @pytest.mark.parametrize("kind", ["absent", "symlink", "directory", "elsewhere"])
    def test_what_is_no_plain_draft_is_refused(self, store: Some, tmp_path: Any, kind: str) -> None:
        """Only a file that lies where ``draft`` said becomes a product, so nothing outside is moved or published."""
        outside = tmp_path / "outside"
        outside.write_bytes(b"private")
        draft = outside if kind == "elsewhere" else store.draft(".txt")
        if kind == "symlink":
            draft.symlink_to(outside)
        if kind == "directory":
            draft.mkdir()
        with pytest.raises(ProductError):
            store.commit(key_of("a"), draft, "a.txt", frame_of(key_of("a"), product="a.txt"))
        assert store.get(key_of("a")) is None
        assert outside.read_bytes() == b"private"

    @pytest.mark.parametrize("name", ["", ".", "..", "../a", "/a", "a/b", ".rave", "x.rave", "a\0b"], ids=ascii)
    def test_a_name_that_is_a_path_is_refused(self, store: Some, name: str) -> None:
        """A product lies beside its frame, nowhere else."""
        with pytest.raises(ProductError):
            store.locate(key_of("a"), name)


class ObjectsContract:
    """Of a `rave_core.backend.SupportsObjects`."""

    @pytest.mark.parametrize("content", [b"", b"content", bytes(range(256)) * 80_000], ids=["empty", "small", "large"])
    def test_an_uploaded_product_comes_back(self, store: Some, tmp_path: Path, content: bytes) -> None:
        """Byte for byte, also one of 20 MB; its frame is there, and its file here is left alone."""
        product, frame = _upload(store, tmp_path, "a-0a1b2c3d.bin", content)
        store.download(key_of("a"), "a-0a1b2c3d.bin", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content
        assert product.read_bytes() == content
        assert bytes(store.get(key_of("a"))) == b"".join(frame)
        assert list(store.keys()) == [key_of("a")]

    def test_a_product_that_is_not_there_is_not_found(self, store: Some, tmp_path: Path) -> None:
        """And nothing is written."""
        with pytest.raises(FileNotFoundError):
            store.download(key_of("a"), "a-0a1b2c3d.bin", tmp_path / "back")
        assert not (tmp_path / "back").exists()

    def test_an_object_outlives_its_successor_and_its_entry(self, store: Some, tmp_path: Path) -> None:
        """A reader that knows it can still get it, until a purge after its grace period."""
        _upload(store, tmp_path, "a-0a1b2c3d.bin", b"older")
        _upload(store, tmp_path, "a-99999999.bin", b"newer")
        store.delete(key_of("a"))
        store.purge(_never, grace=3600)
        for name, content in (("a-0a1b2c3d.bin", b"older"), ("a-99999999.bin", b"newer")):
            store.download(key_of("a"), name, tmp_path / name)
            assert (tmp_path / name).read_bytes() == content

    @pytest.mark.parametrize("name", ["", ".", "..", "../a", "/a", "a/b", ".rave", "x.rave", "a\0b"], ids=ascii)
    def test_an_object_is_not_named_by_a_path(self, store: Some, tmp_path: Path, name: str) -> None:
        """A product lies beside its frame, nowhere else."""
        (tmp_path / "product").write_bytes(b"content")
        with pytest.raises(ProductError):
            store.upload(key_of("a"), tmp_path / "product", name, frame_of(key_of("a"), product=name))
        with pytest.raises(ProductError):
            store.download(key_of("a"), name, tmp_path / "back")
        assert store.get(key_of("a")) is None


class UnpackingContract:
    """Of a `rave_core.backend.SupportsUnpacking`."""

    def test_a_kept_copy_lies_where_it_is_looked_for(self, store: Some) -> None:
        """With its contents, even read-only ones; its draft is gone."""
        draft = _directory(store, "first")
        copy = store.keep_unpacked(key_of("a"), draft, _archive(store))
        assert copy == store.unpacked(key_of("a"), "a-1.tar")
        assert (copy / "below" / "file").read_text() == "first"
        assert not draft.exists()

    def test_a_copy_takes_the_place_of_another(self, store: Some) -> None:
        """Also of a read-only one; nothing of that is left once the draft is discarded."""
        name = _archive(store)
        copy = store.keep_unpacked(key_of("a"), _directory(store, "first"), name)
        copy.chmod(0o555)
        draft = _directory(store, "second")
        assert store.keep_unpacked(key_of("a"), draft, name) == copy
        store.discard(draft)
        assert (copy / "below" / "file").read_text() == "second"
        assert not draft.parent.exists()

    def test_only_a_draft_becomes_a_copy(self, store: Some, tmp_path: Path) -> None:
        """A directory elsewhere stays where it is."""
        (tmp_path / "mine").mkdir()
        with pytest.raises(ProductError):
            store.keep_unpacked(key_of("a"), tmp_path / "mine", _archive(store))
        assert (tmp_path / "mine").is_dir()

    @pytest.mark.parametrize("name", ["", ".", "..", ".tar", "../a.tar", "a/b.tar", "a.txt", "a\0.tar"], ids=ascii)
    def test_only_an_archive_of_this_cache_has_a_copy(self, store: Some, name: str) -> None:
        """A name comes from an entry, which others may have written."""
        with pytest.raises(ProductError):
            store.unpacked(key_of("a"), name)


def _archive(store: Some) -> str:
    """The name of a kept product that ends as archives do."""
    draft = store.draft(".tar")
    draft.write_bytes(b"archive")
    store.commit(key_of("a"), draft, "a-1.tar", frame_of(key_of("a"), b"archive", product="a-1.tar"))
    return "a-1.tar"


def _directory(store: Some, text: str) -> Any:
    """A draft that is a directory, with a read-only one in it."""
    draft = store.draft("")
    (draft / "below").mkdir(parents=True)
    (draft / "below" / "file").write_text(text)
    (draft / "below").chmod(0o555)
    return draft


class UrlContract:
    """Of a `rave_core.backend.SupportsUrl`, whose URLs are of HTTP."""

    def test_whoever_has_the_url_gets_the_product(self, store: Some, tmp_path: Path) -> None:
        """With the media type of its entry, and without any other credentials."""
        _upload(store, tmp_path, "a-0a1b2c3d.csv", b"1,2\n", mime_type="text/csv")
        with urlopen(store.url(key_of("a"), "a-0a1b2c3d.csv", seconds=60)) as answer:  # noqa: S310  # of our own store
            assert answer.read() == b"1,2\n"
            assert answer.headers["Content-Type"] == "text/csv"


def _commit(store: Some, name: str, file_name: str, content: bytes) -> Any:
    draft = store.draft(".txt")
    draft.write_bytes(content)
    return store.commit(key_of(name), draft, file_name, frame_of(key_of(name), content, product=file_name))


def _upload(store: Some, tmp_path: Path, name: str, content: bytes, **fields: Any) -> tuple[Path, list[Bytes]]:
    product = tmp_path / "uploaded"
    product.write_bytes(content)
    frame = frame_of(key_of("a"), content, product=name, **fields)
    store.upload(key_of("a"), product, name, frame)
    return product, frame


def _never(_: Entry) -> bool:
    return False
