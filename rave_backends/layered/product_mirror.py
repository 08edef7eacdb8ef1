"""Products that lie elsewhere: made and read as files here, kept as objects there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rave_core.model import Bytes


class ProductLayers:
    """A store of files in front of a store of objects, together a `rave_core.backend.SupportsFiles`.

    What counts is the object. The file is a copy: where it is missing it is fetched, and where the store of objects is
    in trouble it is all that there is.
    """

    def __init__(self, near: Any, far: Any) -> None:
        """Files in ``near``, a backend with files, over objects in ``far``; both are called as they are given."""
        self._near = near
        self._far = far

    def draft(self, suffix: str) -> Path:
        """A new path here; see `rave_core.backend.SupportsFiles`."""
        path: Path = self._near.draft(suffix)
        return path

    def discard(self, draft: Path) -> None:
        """Removes a draft."""
        self._near.discard(draft)

    def locate(self, key: str, name: str) -> Path:
        """Where the copy of the product lies here, whether it exists or not."""
        path: Path = self._near.locate(key, name)
        return path

    def fetch(self, key: str, name: str) -> Path:
        """The product as a file here, copied from the store of objects if need be.

        Raises:
            FileNotFoundError: it is in neither store.
            OSError: a store is in trouble.
        """
        path = self.locate(key, name)
        if path.exists():
            return path
        draft = self.draft(path.suffix)
        try:
            self._far.download(key, name, draft)
            frame = self._near.get(key)
            if frame is None:
                frame = self._far.get(key)
            if frame is None:
                raise FileNotFoundError(f"the entry of {key} went while its product was fetched")
            copy: Path = self._near.commit(key, draft, name, [frame])
            return copy
        finally:
            self.discard(draft)

    def commit(self, key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
        """Keeps the draft as a file here, then as an object.

        Raises:
            OSError: it could not be kept as an object; as a file it is kept nevertheless.
        """
        path: Path = self._near.commit(key, draft, name, frame)
        self._far.upload(key, path, name, frame)
        return path
