"""Scenarios of products: files, objects and unpacked copies."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rave_core.backend import peek
from rave_core.testing.capable import Capable
from rave_core.testing.samples import frame_of
from rave_core.testing.scenario import LATER, NEW, OLD, Scenario, never


class ProductScenario(Scenario):
    """A product takes the place of another."""

    def prepare(self, backend: Capable, key: str) -> None:
        """The other one."""
        self._keep(backend, key, "0a1b2c3d", OLD)

    def act(self, backend: Capable, key: str) -> None:
        """What is interrupted."""
        self._keep(backend, key, "99999999", NEW)

    def check(self, backend: Capable, key: str) -> None:
        """The entry names a product, which is there, whole, even after a purge; and it can be replaced."""
        for _ in range(2):
            frame = backend.get(key)
            assert frame is not None, "the entry that was there before is gone"
            product = peek(frame).product
            assert product, "the entry names no product"
            expected = OLD if "0a1b2c3d" in product else NEW
            assert self._content(backend, key, product) == expected, f"{product} is not what its entry says"
            if hasattr(backend, "purge"):
                backend.purge(never, grace=0)
        self._keep(backend, key, "deadbeef", LATER)
        assert self._content(backend, key, self._name(key, "deadbeef")) == LATER, "what was kept afterwards differs"

    def _name(self, key: str, mark: str) -> str:
        return f"{key.rpartition('/')[2]}-{mark}.txt"

    def _keep(self, backend: Capable, key: str, mark: str, content: bytes) -> None:
        name = self._name(key, mark)
        draft = backend.draft(".txt")
        draft.write_bytes(content)
        backend.commit(key, draft, name, frame_of(key, content, product=name))

    def _content(self, backend: Capable, key: str, name: str) -> bytes:
        return bytes(backend.fetch(key, name).read_bytes())


class ObjectScenario(ProductScenario):
    """A product that is an object takes the place of another."""

    def _keep(self, backend: Capable, key: str, mark: str, content: bytes) -> None:
        name = self._name(key, mark)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "product.txt")
            path.write_bytes(content)
            backend.upload(key, path, name, frame_of(key, content, product=name))

    def _content(self, backend: Capable, key: str, name: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "product.txt")
            backend.download(key, name, path)
            return path.read_bytes()


class CopyScenario(Scenario):
    """The unpacked copy of a product takes the place of another."""

    def prepare(self, backend: Capable, key: str) -> None:
        """The other one."""
        draft = backend.draft(".tar")
        draft.write_bytes(OLD)
        name = self._name(key)
        backend.commit(key, draft, name, frame_of(key, OLD, product=name))
        self._keep(backend, key, OLD)

    def act(self, backend: Capable, key: str) -> None:
        """What is interrupted."""
        self._keep(backend, key, NEW)

    def check(self, backend: Capable, key: str) -> None:
        """One of them is there, whole, or neither, even after a purge; and another can be kept."""
        for _ in range(2):
            copy = backend.unpacked(key, self._name(key))
            assert not copy.exists() or self._content(copy) in (OLD, NEW), "a part of a copy is there"
            backend.purge(never, grace=0)
        assert self._content(self._keep(backend, key, LATER)) == LATER, "what was kept afterwards differs"

    def _name(self, key: str) -> str:
        return f"{key.rpartition('/')[2]}-0a1b2c3d.tar"

    def _keep(self, backend: Capable, key: str, content: bytes) -> Path:
        draft = backend.draft("")
        (draft / "below").mkdir(parents=True)
        (draft / "below" / "file").write_bytes(content)
        (draft / "below").chmod(0o555)
        copy: Path = backend.keep_unpacked(key, draft, self._name(key))
        copy.chmod(0o555)
        backend.discard(draft)
        return copy

    def _content(self, copy: Path) -> bytes:
        return (copy / "below" / "file").read_bytes()
