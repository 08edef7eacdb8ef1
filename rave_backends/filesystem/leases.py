"""Leases: a byte of a lock file for each claimed key, and a file of its own once the holder renews its record."""

from __future__ import annotations

import errno
import math
import os
import threading
from functools import lru_cache
from hashlib import blake2b

from rave_backends.filesystem.byte_locks import ByteLocks
from rave_backends.filesystem.ownership import NO_LINKS, Root
from rave_backends.filesystem.paths import Tree
from rave_backends.filesystem.temp_files import TempFiles, is_abandoned
from rave_core.clock import Clock
from rave_core.system.ownership import name_of

_IDLE = 3600.0
_PATIENCE = 1.0  # seconds; the lock over all leases is held for microseconds
_LONGEST = 1 << 16  # bytes: we read no more of a record


class Leases:
    """Which keys are claimed, and by which process.

    Most computations end before their first heartbeat, so a claim starts as a mere lock on a byte (`byte_locks`). It
    costs no disk and ends with its holder; to others its record reads as ``b""``. The first renewal publishes the
    record in a file and links it into place, which the file system lets only one of many do. Every later change
    compares and replaces under one lock file, held for microseconds.

    Without such locks, a claim is that file from the start. Without links as well, two processes may hold one key: a
    claimant may halt between creating its file and filling it for so long that others take over.
    """

    def __init__(self, tree: Tree, root: Root, temporaries: TempFiles, clock: Clock) -> None:
        self._directory = f"{tree.control}/leases"
        self._files = tree.files
        self._root = root
        self._temporaries = temporaries
        self._bytes = ByteLocks(f"{tree.control}/leases.bytes", root.open_lock, clock)
        self._clock = clock
        self._impatient_until = -math.inf
        self._own: dict[str, bytes] = {}
        self._unpublished: set[str] = set()
        self._guard = threading.RLock()

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none. Exactly one of many claimants gets ``True``."""
        path, taken = self._path(key), self._take(key)
        if taken is None:
            return self._publish(key, record)
        if not taken:
            return False
        if self._files.exists(path):
            self._bytes.free(key)
            return False
        self._own[key] = record
        self._unpublished.add(key)
        return True

    def _take(self, key: str) -> bool | None:
        try:
            return self._bytes.take(key)
        except FileNotFoundError:
            self._root.prepare()
            return self._bytes.take(key)

    def _publish(self, key: str, record: bytes) -> bool:
        """Creates the file of a lease, if there is none; whether it did."""
        path = self._path(key)
        if self._files.exists(path):
            return False
        data = self._content(record)
        temporary = self._write(data)
        try:
            self._files.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return self._create(path, data)
        finally:
            self._files.remove(temporary)
        return True

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, ``b""`` while it is not published, ``None`` if nobody holds one."""
        record = self._published(key)
        if record is not None:
            return record
        if key in self._unpublished and self._bytes.holds(key):
            return self._own.get(key)
        return b"" if self._bytes.is_taken(key) else None

    def owner(self, key: str) -> str | None:
        """The other user who published the lease of ``key``, or a lock that covers more than a key; else ``None``."""
        try:
            user = self._files.status(self._path(key)).st_uid
        except OSError:
            return "somebody who locks all keys" if self._bytes.is_covered(key) else None
        return None if user == os.geteuid() else f"user {name_of(user)}"

    def _published(self, key: str) -> bytes | None:
        try:
            head, _, record = self._files.read(self._path(key), _LONGEST).partition(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return record if head.split(b" ")[0] == b"%d" % len(record) else b""

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record with ``record`` (``None`` removes it) if it is still ``seen``; whether it did.

        Raises:
            TimeoutError: the lock was not free within a second; nothing changed. Somebody holds it for long, so for an
                hour from then on no call waits for it.
        """
        with self._guard:
            return self._swap(key, seen, record)

    def _swap(self, key: str, seen: bytes, record: bytes | None) -> bool:
        path = self._path(key)
        if key in self._unpublished and not self._files.exists(path) and self._bytes.holds(key):
            if self._own.get(key) != seen:
                return False
            if record is not None:
                return self._settle(key, record, self._publish(key, record))
            self._unpublished.discard(key)
            self._own.pop(key, None)
            self._bytes.free(key)
            return True
        if not seen and not self._files.exists(path):
            # The holder fell silent before its first heartbeat: there is a lock, but no file to replace.
            return record is not None and self._publish(key, record)
        swapped = self._replace(key, seen, record)
        if key in self._own and (swapped or self._published(key) != self._own[key]):
            self._settle(key, record if swapped else None, swapped)
        return swapped

    def _settle(self, key: str, record: bytes | None, done: bool) -> bool:
        """Records what became of one of our leases: renewed, released, or lost to another process."""
        self._unpublished.discard(key)
        if done and record is not None:
            self._own[key] = record
        else:
            self._own.pop(key, None)
            self._bytes.free(key)
        return done

    def _replace(self, key: str, seen: bytes, record: bytes | None) -> bool:
        path, is_impatient = self._path(key), self._clock.monotonic() < self._impatient_until
        try:
            with self._root.lock("leases", seconds=0.0 if is_impatient else _PATIENCE) as held:
                self._impatient_until = (
                    self._impatient_until if held or is_impatient else self._clock.monotonic() + _IDLE
                )
                if not held:
                    raise TimeoutError(errno.ETIMEDOUT, "the lock over all leases could not be acquired", path)
                if self._published(key) != seen:
                    return False
                if record is None:
                    self._files.unlink(path)
                else:
                    self._files.replace(self._write(self._content(record)), path)
                return True
        except FileNotFoundError:
            return False  # the whole directory is gone, and so is the lease

    def sweep(self, now: float) -> int:
        """Removes leases of this host's dead processes, and leases not renewed for an hour; returns how many."""
        removed = 0
        with self._root.lock("leases") as held:
            for name in self._files.listdir(self._directory) if held else ():
                path = f"{self._directory}/{name}"
                try:
                    if now - self._files.status(path).st_mtime > _IDLE or is_abandoned(self._owner(path)):
                        removed += self._files.remove(path)
                except FileNotFoundError:
                    continue
        return removed

    def close(self) -> None:
        """Releases what this process holds by a lock alone."""
        self._unpublished.clear()
        self._own.clear()
        self._bytes.close()

    def _path(self, key: str) -> str:
        return f"{self._directory}/{_name(key)}"

    def _content(self, record: bytes) -> bytes:
        """Size, writer and record: the size shows a record that is whole, the writer one whose process is gone."""
        return b"%d %b\n%b" % (len(record), os.path.basename(self._temporaries.path()).encode(), record)

    def _write(self, data: bytes) -> str:
        mode, exact = self._root.file_mode, self._root.exact
        try:
            return self._temporaries.write([data], mode=mode, exact=exact)
        except FileNotFoundError:
            self._root.prepare()
            return self._temporaries.write([data], mode=mode, exact=exact)

    def _owner(self, path: str) -> str:
        """The name of the temporary that the lease's writer would have made: it tells whether that still runs."""
        line = self._files.read(path, 200).partition(b"\n")[0]
        return line.strip().rpartition(b" ")[2].decode("ascii", "replace")

    def _create(self, path: str, data: bytes) -> bool:
        try:
            file = self._files.create(path, self._root.file_mode, exact=self._root.exact)
        except FileExistsError:
            return False
        try:
            os.write(file, data)
            # Another process gave up this claim while it was unwritten, and put its own file here.
            return os.path.samestat(os.fstat(file), self._files.status(path))
        except FileNotFoundError:
            return False
        finally:
            os.close(file)


@lru_cache(maxsize=256)
def _name(key: str) -> str:
    """The name of the lease of ``key``. Remembered for a while, since whoever claims a key also releases it."""
    return blake2b(key.encode(), digest_size=20).hexdigest()
