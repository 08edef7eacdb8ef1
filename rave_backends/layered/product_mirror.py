"""Products that lie elsewhere: written and read as files here, kept as objects there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rave_core.backend import Backend, SupportsFiles, SupportsObjects, peek
from rave_core.errors import EntryError
from rave_core.model import Bytes


class ProductMirror:
    """A store of files in front of a store of objects, together a `rave_core.backend.SupportsFiles`.

    The object is authoritative, and the file is a copy. A missing file is fetched from the store of objects; while that
    store is in trouble, the file must do.
    """

    def __init__(
        self, near: Backend, files: SupportsFiles, frames: Callable[[str], Bytes | None], objects: SupportsObjects
    ) -> None:
        """Keeps copies as ``files`` of ``near``, in front of ``objects``; ``frames`` answer by key."""
        self._near = near
        self._files = files
        self._frames = frames
        self._objects = objects

    def draft(self, suffix: str) -> Path:
        """A new path here; see `rave_core.backend.SupportsFiles`."""
        return self._files.draft(suffix)

    def discard(self, draft: Path) -> None:
        """Removes a draft."""
        self._files.discard(draft)

    def locate(self, key: str, name: str) -> Path:
        """Where the copy of the product lies here, whether it exists or not."""
        return self._files.locate(key, name)

    def fetch(self, key: str, name: str) -> Path:
        """The product as a file here, copied from the store of objects if necessary.

        Raises:
            FileNotFoundError: it is in neither store.
            OSError: a store is in trouble.
        """
        path = self.locate(key, name)
        if path.exists():
            return path
        draft = self.draft(path.suffix)
        try:
            self._objects.download(key, name, draft)
            frame = self._near.get(key)
            if frame is None:
                frame = self._frames(key)
            if frame is None:
                raise FileNotFoundError(f"the entry of {key} disappeared while its product was fetched")
            if _is_executable(frame):
                draft.chmod(draft.stat().st_mode | 0o111)
            return self._files.commit(key, draft, name, [frame])
        finally:
            self.discard(draft)

    def commit(self, key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
        """Keeps the draft as a file here, then as an object.

        Raises:
            OSError: it could not be kept as an object; it is still kept as a file.
        """
        path = self._files.commit(key, draft, name, frame)
        self._objects.upload(key, path, name, frame)
        return path


def _is_executable(frame: Bytes) -> bool:
    try:
        return peek(frame).executable
    except EntryError:  # whoever reads it says so
        return False
