"""What removes things from a filesystem cache: the dead, the abandoned, and what exceeds the byte budget."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rave_backends.leases import Leases
from rave_backends.paths import SUFFIX, Leaf, Tree
from rave_backends.root import Root
from rave_backends.temporaries import DAY, Temporaries, listdir
from rave_core.backend import Purged
from rave_core.clock import Clock
from rave_core.errors import DamagedError, EntryError, LaterFormatError
from rave_core.frame import HEAD_SIZE, Truncated, peek
from rave_core.model import Entry

_ENOUGH = 0.9
_WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    info: os.stat_result
    entry: Entry | None = None  # None: not looked at, or not readable by us
    product: str | None = None  # its path
    size: int = 0  # bytes of frame and product


class Sweeper:
    """Tidies one cache. Many processes may try at once; one does, the others go on without.

    A product whose entry is removed is marked by its time of modification, and goes when that is ``grace`` seconds
    ago. An entry that is replaced in the instant between being judged and being removed may be lost: that costs
    computing it again.
    """

    def __init__(
        self, tree: Tree, root: Root, temporaries: Temporaries, leases: Leases, clock: Clock, by_cost: bool
    ) -> None:
        self._tree = tree
        self._root = root
        self._temporaries = temporaries
        self._leases = leases
        self._clock = clock
        self._by_cost = by_cost

    def purge(self, is_dead: Callable[[Entry], bool], grace: float, max_bytes: int | None) -> Purged:
        """Removes dead entries, leftovers, and what exceeds ``max_bytes``. Nothing while another purger is at work."""
        with self._alone() as alone:
            if not alone:
                return Purged()
            now = self._clock.now()
            leftovers = self._temporaries.sweep(now) + self._leases.sweep(now) + self._sweep_damaged(now)
            removed = Purged(leftovers=leftovers)
            kept: list[_Found] = []
            for leaf in self._tree.leaves(prune=True):
                alive, gone = self._tidy(leaf, is_dead, grace)
                removed += gone
                if max_bytes is not None:
                    kept += alive
            if max_bytes is not None:
                removed += self._shrink(kept, max_bytes, grace)
            self._stamp()
            return removed

    def last_purge(self) -> float | None:
        """Unix time of the last purge; ``None`` where there was none."""
        try:
            return os.stat(f"{self._tree.control}/purged").st_mtime
        except FileNotFoundError:
            return None

    def make_room(self, max_bytes: int) -> Purged:
        """Evicts down to nine tenths of ``max_bytes`` if that is exceeded; products go with the next purge."""
        with self._alone() as alone:
            if not alone:
                return Purged()
            kept = [found for leaf in self._tree.leaves() for found in self._survey(leaf)]
            return self._shrink(kept, max_bytes, grace=math.inf)

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes of frames and products."""
        entries = size = 0
        for leaf in self._tree.leaves():
            entries += len(leaf.frames)
            size += sum(_size(f"{leaf.path}/{name}") for name in (*leaf.frames, *leaf.others))
        return entries, size

    @contextmanager
    def hands_off(self) -> Iterator[None]:
        """No product without a frame is taken for an orphan while the ``with`` block runs."""
        with ExitStack() as stack:
            for _ in range(2):
                try:
                    stack.enter_context(self._root.lock("commit", seconds=1.0, shared=True))
                    break
                except FileNotFoundError:
                    self._root.prepare()
                except OSError:
                    break  # where there are no locks no orphan is ever removed
            yield

    def set_aside(self, path: str) -> bool:
        """Moves a damaged frame to where people can look at it for a week; whether it was there."""
        try:
            os.utime(path)
            os.replace(path, f"{self._tree.control}/damaged/{os.path.basename(path)}")
        except OSError:
            return _unlink(path)
        return True

    def product_of(self, key: str) -> str | None:
        """The path of the product that the frame of ``key`` names; ``None`` where there is none or it can't be read."""
        try:
            entry, _ = read_entry(self._tree.frame(key))
            return self._tree.product(key, entry.product) if entry.product else None
        except (OSError, EntryError):
            return None

    def retire(self, product: str) -> None:
        """Marks a product whose entry is gone: its time of grace starts now."""
        now = self._clock.now()
        try:
            os.utime(product, (now, now))
        except PermissionError:
            _touch(product)  # not ours: then only the present can be set
        except OSError:
            return

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        if not os.path.isdir(self._tree.control):
            yield False
            return
        with self._root.lock("purge") as held:
            yield held

    def _sweep_damaged(self, now: float) -> int:
        paths = [f"{self._tree.control}/damaged/{name}" for name in listdir(f"{self._tree.control}/damaged")]
        return sum(_age(path, now) > _WEEK and _unlink(path) for path in paths)

    def _tidy(self, leaf: Leaf, is_dead: Callable[[Entry], bool], grace: float) -> tuple[list[_Found], Purged]:
        others = leaf.others if leaf.others and self._settle() else []
        # A product that had no frame when it was listed has one now, or never will.
        frames = [name for name in listdir(leaf.path) if name.endswith(SUFFIX)] if others else leaf.frames
        alive: list[_Found] = []
        removed = Purged()
        for name in frames:
            try:
                found = self._look(f"{leaf.path}/{name}")
            except DamagedError:
                removed += Purged(leftovers=self.set_aside(f"{leaf.path}/{name}"))
                continue
            if found is None:
                continue
            if found.entry is not None and is_dead(found.entry):
                removed += self._remove(found, grace)
            else:
                alive.append(found)
        if all(found.entry is not None for found in alive):
            removed += self._sweep_orphans(leaf.path, others, alive, grace)
        return alive, removed

    def _sweep_orphans(self, directory: str, others: list[str], alive: list[_Found], grace: float) -> Purged:
        named = {found.product for found in alive}
        now = self._clock.now()
        removed = Purged()
        for path in (f"{directory}/{name}" for name in others):
            size = _size(path)
            if path not in named and _age(path, now) >= grace and _unlink(path):
                removed += Purged(bytes=size, leftovers=1)
        return removed

    def _settle(self) -> bool:
        """Waits until every commit has ended that was under way; ``False`` where that can't be had now."""
        try:
            with self._root.lock("commit", seconds=0.05) as held:
                return held
        except OSError:
            return False

    def _survey(self, leaf: Leaf) -> Iterator[_Found]:
        for name in leaf.frames:
            path = f"{leaf.path}/{name}"
            try:
                if self._by_cost or leaf.others:
                    found = self._look(path)
                else:
                    info = os.stat(path)
                    found = _Found(path, info, size=info.st_size)
            except (OSError, DamagedError):
                continue  # gone meanwhile, or for the next purge
            if found is not None:
                yield found

    def _look(self, path: str) -> _Found | None:
        try:
            entry, info = read_entry(path)
        except FileNotFoundError:
            return None
        except (LaterFormatError, OSError):
            try:
                info = os.stat(path)
            except OSError:
                return None
            return _Found(path, info, size=info.st_size)
        product = f"{os.path.dirname(path)}/{entry.product}" if entry.product else None
        return _Found(path, info, entry, product, info.st_size + (_size(product) if product else 0))

    def _remove(self, found: _Found, grace: float) -> Purged:
        try:
            now = os.stat(found.path)
        except OSError:
            return Purged()
        same = (now.st_ino, now.st_mtime_ns) == (found.info.st_ino, found.info.st_mtime_ns)
        if not same or not _unlink(found.path):
            return Purged()
        size = now.st_size
        if found.product and grace <= 0:
            size = found.size
            _unlink(found.product)
        elif found.product:
            self.retire(found.product)
        return Purged(entries=1, bytes=size)

    def _shrink(self, kept: list[_Found], max_bytes: int, grace: float) -> Purged:
        total = sum(found.size for found in kept)
        removed = Purged()
        if total <= max_bytes:
            return removed
        for found in sorted(kept, key=_cost if self._by_cost else _last_use):
            if total <= _ENOUGH * max_bytes:
                break
            removed += self._remove(found, grace)
            total -= found.size
        return removed

    def _stamp(self) -> None:
        stamp = self._temporaries.write([], mode=self._root.file_mode, exact=self._root.exact)
        now = self._clock.now()
        os.utime(stamp, (now, now))
        os.replace(stamp, f"{self._tree.control}/purged")


def read_entry(path: str) -> tuple[Entry, os.stat_result]:
    """The entry in the frame file ``path``, nothing of it checked, and the file's status.

    Raises:
        OSError: it can't be read.
        DamagedError: it does not start with a header that can be read.
        LaterFormatError: a later version wrote it.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = os.fstat(file)
        try:
            return peek(os.pread(file, HEAD_SIZE, 0)), info
        except Truncated as short:
            if short.needed > info.st_size:
                raise
            return peek(os.pread(file, short.needed, 0)), info
    finally:
        os.close(file)


def _last_use(found: _Found) -> float:
    return found.info.st_mtime


def _cost(found: _Found) -> float:
    return found.entry.seconds / max(found.size, 1) if found.entry else math.inf


def _age(path: str, now: float) -> float:
    try:
        return now - os.lstat(path).st_mtime
    except OSError:
        return -math.inf


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _touch(path: str) -> None:
    try:
        os.utime(path)
    except OSError:
        return


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
