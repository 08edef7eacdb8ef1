"""Manifests: what counts in each version of an operation, kept once so that `explain` can name changes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from rave_core.system.ownership import who_may_change

MAX_FILES = 4096
"""The maximum number of manifests; the oldest are removed first."""


class Manifests:
    """Manifests in a directory of the user's cache. They only inform people: losing one costs an explanation.

    If somebody else may change the directory, it is not used.

    Attributes:
        directory: where they are; ``None`` for nowhere.
    """

    def __init__(self) -> None:
        self.directory: Path | None = None
        self._checked: tuple[Path, bool] | None = None

    def read(self, operation: str, version: str) -> Mapping[str, str] | None:
        """A mapping from labels to short digests or values; ``None`` if nothing is kept for that version."""
        path = self._path(operation, version)
        if path is None:
            return None
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            return None
        return found

    def write(self, operation: str, version: str, nodes: Mapping[str, str]) -> None:
        """Keeps what counts in a version, unless it is kept already. In trouble, it does nothing."""
        path = self._path(operation, version)
        if path is None or not nodes or os.access(path, os.R_OK):
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._shrink(path.parent)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
            with os.fdopen(handle, "w") as file:
                json.dump(dict(nodes), file, separators=(",", ":"))
            os.replace(name, path)

    def _path(self, operation: str, version: str) -> Path | None:
        directory = self.directory
        if directory is None or not self._is_ours(directory):
            return None
        return directory / blake2b(f"{version}/{operation}".encode(), digest_size=16).hexdigest()

    def _is_ours(self, directory: Path) -> bool:
        if self._checked is None or self._checked[0] != directory:
            self._checked = directory, who_may_change(directory) is None
        return self._checked[1]

    @staticmethod
    def _shrink(directory: Path) -> None:
        found = list(os.scandir(directory))
        if len(found) >= MAX_FILES:
            for entry in sorted(found, key=lambda each: each.stat().st_mtime)[: MAX_FILES // 8]:
                with suppress(FileNotFoundError):
                    os.unlink(entry.path)


manifests = Manifests()
"""Those of this user."""


def changes(kept: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Labels whose digest or value differs, with both; an empty text stands for a missing one."""
    labels = [*now, *(label for label in kept if label not in now)]
    return [
        (label, kept.get(label, ""), now.get(label, ""))
        for label in labels
        if kept.get(label, "") != now.get(label, "")
    ]
