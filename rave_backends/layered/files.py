"""The products of several layers: files of the last one that keeps files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from rave_core.backend import SupportsFiles
from rave_core.model import Bytes

Commit: TypeAlias = Callable[[str, Path, str, Sequence[Bytes]], Path]


class LayeredFiles:
    """Files of one layer, whose frames go into the layers above it as well: a `rave_core.backend.SupportsFiles`."""

    def __init__(self, place: SupportsFiles, commit: Commit) -> None:
        """Files in ``place``; ``commit`` commits there, then tells the layers above."""
        self._place = place
        self._commit = commit

    def draft(self, suffix: str) -> Path:
        """A new path in the layer of files."""
        return self._place.draft(suffix)

    def commit(self, key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
        """Keeps the draft as a product, then its frame in every layer."""
        return self._commit(key, draft, name, frame)

    def locate(self, key: str, name: str) -> Path:
        """Where a product lies, whether it exists or not."""
        return self._place.locate(key, name)

    def fetch(self, key: str, name: str) -> Path:
        """The product as a file here."""
        return self._place.fetch(key, name)

    def discard(self, draft: Path) -> None:
        """Removes a draft."""
        self._place.discard(draft)
