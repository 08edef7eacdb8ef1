"""Copies of products that are archives, unpacked where nobody else can change them.

Each bears the name of its product. A copy in the cache goes with its product. Any copy goes once nobody has used it for
a week; the next use then unpacks another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rave_backends.filesystem.drafts import Drafts
from rave_backends.filesystem.paths import COPIES, Tree, copy_name
from rave_backends.filesystem.rooted_files import RootedFiles
from rave_backends.filesystem.temp_files import DAY
from rave_core.clock import Clock
from rave_core.errors import ProductError

_WEEK, _RECENTLY = 7 * DAY, 60.0


class UnpackedCopies:
    """The copies of one cache: in it if it is ours alone, otherwise beside the user's drafts.

    It is the cache's `rave_core.backend.SupportsUnpacking`.
    """

    def __init__(self, tree: Tree, drafts: Drafts, clock: Clock, spend: Callable[..., None]) -> None:
        self._spend = spend
        self._tree = tree
        self._drafts = drafts
        self._clock = clock

    def unpacked(self, key: str, name: str) -> Path:
        """The path of the copy of the product ``name`` of ``key``, whether it exists or not. Asking counts as a use.

        Raises:
            ProductError: ``name`` is not the name of an archive.
            OSError: there is no place for it.
        """
        copy = copy_name(name)
        if copy is None:
            raise ProductError(f"{name!r} can't be unpacked: expected the name of a product that ends in .tar")
        path, now = f"{self._drafts.own_directory(COPIES)}/{copy}", self._clock.now()
        with suppress(OSError):
            if now - os.stat(path, follow_symlinks=False).st_mtime > _RECENTLY:
                os.utime(path, (now, now), follow_symlinks=False)
        return Path(path)

    def keep_unpacked(self, key: str, draft: Path, name: str) -> Path:
        """Moves the directory ``draft`` to the place of the copy, and what is there into the draft's directory.

        Raises:
            ProductError: ``draft`` or ``name`` is not one of ours.
            OSError: it can't be moved.
        """
        if not self._drafts.owns(os.fspath(draft)):
            raise ProductError(f"{draft} can't become a copy: expected a directory at the path that draft() gave")
        path, now = self.unpacked(key, name), self._clock.now()
        with suppress(FileNotFoundError):
            if not path.is_symlink():
                os.chmod(path, 0o700)  # only a writable directory can be moved
            os.rename(path, draft.with_name("replaced"))
        os.rename(draft, path)
        os.utime(path, (now, now))
        if os.fspath(path) == self._tree.copy(name):
            self._spend(key, self._tree.files.status(self._tree.product(key, name)).st_size, entries=0)
        return path

    def sweep(self, now: float) -> int:
        """Removes the copies that nobody has used for a week; returns how many."""
        outside = self._drafts.outside_directory(COPIES)
        inside = self._swept(self._tree.files, f"{self._tree.control}/{COPIES}", now)
        return inside + self._swept(RootedFiles(outside), outside, now)

    def _swept(self, files: RootedFiles, directory: str, now: float) -> int:
        removed = 0
        with suppress(OSError):
            for path in [f"{directory}/{name}" for name in files.listdir(directory)]:
                with suppress(FileNotFoundError):
                    if now - files.status(path).st_mtime > _WEEK:
                        removed += files.remove(path)
        return removed
