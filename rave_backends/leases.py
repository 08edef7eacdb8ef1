"""Leases as files: one file for each claimed key."""

from __future__ import annotations

import errno
import os
from hashlib import blake2b

from rave_backends.paths import Tree
from rave_backends.root import Root
from rave_backends.temporaries import Temporaries, listdir, remove

_NO_LINKS = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
_IDLE = 3600.0


class Leases:
    """Which keys are claimed, by whom.

    A claim is a link, which the file system lets one of many make, with the record already in it. Every other change
    compares and replaces under one lock file, held for microseconds. Claiming needs no lock. On a file system
    without links a claim that was interrupted reads as ``b""``, and a claimant that halts between making its file and
    filling it, for as long as it takes others to give it up, may hold the key together with its successor.
    """

    def __init__(self, tree: Tree, root: Root, temporaries: Temporaries) -> None:
        self._directory = f"{tree.control}/leases"
        self._root = root
        self._temporaries = temporaries

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none: exactly one of many claimants gets ``True``."""
        path = self._path(key)
        if os.path.lexists(path):
            return False
        data = b"%d\n%b" % (len(record), record)
        temporary = self._write(data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _create(path, data, self._root.file_mode)
        finally:
            remove(temporary)
        return True

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, ``b""`` while it is being written, ``None`` when nobody holds one."""
        try:
            with open(self._path(key), "rb") as file:
                size, _, record = file.read().partition(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return record if size == b"%d" % len(record) else b""

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record by ``record`` (``None`` removes it) if it is still ``seen``; whether it did.

        ``False`` as well when the lock could not be had within a second.
        """
        path = self._path(key)
        try:
            with self._root.lock("leases", seconds=1.0) as held:
                if not held or self.lease(key) != seen:
                    return False
                if record is None:
                    os.unlink(path)
                else:
                    os.replace(self._write(b"%d\n%b" % (len(record), record)), path)
                return True
        except FileNotFoundError:
            return False  # the whole directory is gone, and the lease with it

    def sweep(self, now: float) -> int:
        """Removes leases that nobody renewed for an hour; how many. The records are opaque here, so age must do."""
        removed = 0
        with self._root.lock("leases") as held:
            for name in listdir(self._directory) if held else ():
                path = f"{self._directory}/{name}"
                try:
                    if now - os.stat(path).st_mtime > _IDLE:
                        os.unlink(path)
                        removed += 1
                except FileNotFoundError:
                    continue
        return removed

    def _path(self, key: str) -> str:
        return f"{self._directory}/{blake2b(key.encode(), digest_size=20).hexdigest()}"

    def _write(self, data: bytes) -> str:
        mode, exact = self._root.file_mode, self._root.exact
        try:
            return self._temporaries.write([data], mode=mode, exact=exact)
        except FileNotFoundError:
            self._root.prepare()
            return self._temporaries.write([data], mode=mode, exact=exact)


def _create(path: str, data: bytes, mode: int) -> bool:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return False
    try:
        os.write(file, data)
        # Whoever gave this claim up while it was unwritten has put another file here.
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
    finally:
        os.close(file)
