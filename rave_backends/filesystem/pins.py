"""Pins: beginnings of keys that a directory never evicts."""

from __future__ import annotations

from hashlib import blake2b

from rave_backends.filesystem.ownership import Root
from rave_backends.filesystem.paths import Tree
from rave_backends.filesystem.temp_files import TempFiles


class Pins:
    """One small file for each pin, below ``.rave/pins``, so that pinning needs no lock."""

    def __init__(self, tree: Tree, root: Root, temporaries: TempFiles) -> None:
        self._directory = f"{tree.control}/pins"
        self._files = tree.files
        self._root = root
        self._temporaries = temporaries

    def all(self) -> list[str]:
        """The pins, in order."""
        found = []
        for name in self._files.listdir(self._directory):
            try:
                found.append(self._files.read(f"{self._directory}/{name}").decode())
            except (FileNotFoundError, UnicodeDecodeError):
                continue  # gone since, or damaged
        return sorted(filter(None, found))

    def add(self, prefix: str) -> None:
        """Adds one.

        Raises:
            OSError: it can't be written.
        """
        self._root.prepare()
        self._root.make(self._directory)
        mode, exact = self._root.file_mode, self._root.exact
        self._files.replace(self._temporaries.write([prefix.encode()], mode=mode, exact=exact), self._path(prefix))

    def remove(self, prefix: str) -> bool:
        """Removes one; whether it existed.

        Raises:
            OSError: it can't be removed.
        """
        try:
            self._files.unlink(self._path(prefix))
        except FileNotFoundError:
            return False
        return True

    def _path(self, prefix: str) -> str:
        return f"{self._directory}/{blake2b(prefix.encode(), digest_size=16).hexdigest()}"
