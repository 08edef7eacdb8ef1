"""Removes dead and abandoned things from a filesystem cache, and what exceeds the budget."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from rave_backends.budget import Budget
from rave_backends.filesystem.eviction import Eviction
from rave_backends.filesystem.frame_files import read_entry
from rave_backends.filesystem.header_index import Inventory, Records
from rave_backends.filesystem.leases import Leases
from rave_backends.filesystem.ownership import Root
from rave_backends.filesystem.paths import SUFFIX, Leaf, Tree
from rave_backends.filesystem.pins import Pins
from rave_backends.filesystem.temp_files import DAY, TempFiles
from rave_core.backend import Purged
from rave_core.clock import Clock
from rave_core.errors import DamagedError, EntryError, LaterFormatError
from rave_core.model import Entry

_WEEK = 7 * DAY
_STRIDE = 1.0  # seconds between records of a purge's progress


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    info: os.stat_result
    entry: Entry | None = None  # None: not looked at, or not readable by us
    product: str | None = None  # its path
    size: int = 0  # bytes of frame and product


class Purger:
    """Tidies one cache. Many processes may try at once: one purges, and the others carry on.

    When an entry goes, its product gets the present as its modification time, and goes ``grace`` seconds later. An
    entry that is replaced just between the judgment and the removal may be lost, which costs one computation.
    """

    def __init__(self, tree: Tree, root: Root, temporaries: TempFiles, leases: Leases, clock: Clock) -> None:
        self._tree = tree
        self._root = root
        self._temporaries = temporaries
        self._leases = leases
        self._clock = clock
        self._files = tree.files
        self.inventory = Inventory(tree, root, temporaries)
        self.pins = Pins(tree, root, temporaries)
        self._eviction = Eviction(tree, self.inventory)

    def purge(
        self, is_dead: Callable[[Entry], bool], grace: float, budget: Budget, seconds: float | None = None
    ) -> Purged:
        """Removes dead entries, leftovers, and what exceeds ``budget``. Does nothing while another purger works.

        With ``seconds``, it stops after about that long, but finishes at least one directory. The next purge with a
        limit continues from there, even if this one is killed.
        """
        with self._alone() as alone:
            if not alone:
                return Purged()
            now = self._clock.now()
            leftovers = self._temporaries.sweep(now) + self._leases.sweep(now) + self._sweep_damaged(now)
            removed = Purged(leftovers=leftovers) + self._round(is_dead, grace, seconds)
            if removed.is_complete:
                removed += self._shrink(budget, grace)
                self._stamp()
            return removed

    def _round(self, is_dead: Callable[[Entry], bool], grace: float, seconds: float | None) -> Purged:
        cursor = f"{self._tree.control}/purging"
        started = noted = self._clock.monotonic()
        removed = Purged()
        for leaf in self._tree.leaves(prune=True, after="" if seconds is None else self._text(cursor)):
            removed += self._tidy(leaf, is_dead, grace)
            now = self._clock.monotonic()
            is_over = seconds is not None and now - started >= seconds
            if is_over or now - noted >= _STRIDE:
                noted = now
                self._note(cursor, leaf.path)
            if is_over:
                return replace(removed, is_complete=False)
        self._files.remove(cursor)
        return removed

    def last_purge(self) -> float | None:
        """Unix time of the last purge; ``None`` if there was none."""
        try:
            return self._files.status(f"{self._tree.control}/purged").st_mtime
        except FileNotFoundError:
            return None

    def make_room(self, budget: Budget, newest: str) -> Purged:
        """Evicts what exceeds ``budget``, the key ``newest`` last; products go with the next purge."""
        with self._alone() as alone:
            return self._shrink(budget, grace=math.inf, newest=newest) if alone else Purged()

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes of frames and products that they name."""
        entries = size = 0
        for held in self.inventory.holdings():
            entries, size = entries + held.entries, size + held.used
        return entries, size

    @contextmanager
    def hands_off(self) -> Iterator[None]:
        """While the ``with`` block runs, no product without a frame counts as an orphan."""
        with ExitStack() as stack:
            for _ in range(2):
                try:
                    stack.enter_context(self._root.lock("commit", seconds=1.0, shared=True))
                    break
                except FileNotFoundError:
                    self._root.prepare()
                except OSError:
                    break  # without locks, no orphan is ever removed
            yield

    def set_aside(self, path: str) -> bool:
        """Moves a damaged frame to a place where people can inspect it for a week; whether it was there."""
        try:
            self._files.utime(path)
            self._files.replace(path, f"{self._tree.control}/damaged/{os.path.basename(path)}")
        except OSError:
            return self._unlink(path)
        return True

    def product_of(self, key: str) -> str | None:
        """The path of the product that the frame of ``key`` names; ``None`` if there is none or it can't be read."""
        path = self._tree.frame(key)
        try:
            found = self._tree.product_of(path, *read_entry(self._files, path))
        except (OSError, EntryError):
            return None
        return found[0] if found else None

    def retire(self, product: str) -> None:
        """Marks a product whose entry is gone: its time of grace starts now."""
        now = self._clock.now()
        try:
            self._files.utime(product, (now, now))
        except PermissionError:
            with suppress(OSError):
                self._files.utime(product)  # if it is not ours, we can only set the present
        except OSError:
            return

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        if not self._files.exists(self._tree.control):
            yield False
            return
        with self._root.lock("purge") as held:
            yield held

    def _sweep_damaged(self, now: float) -> int:
        directory = f"{self._tree.control}/damaged"
        paths = [f"{directory}/{name}" for name in self._files.listdir(directory)]
        return sum(self._age(path, now) > _WEEK and self._unlink(path) for path in paths)

    def _tidy(self, leaf: Leaf, is_dead: Callable[[Entry], bool], grace: float) -> Purged:
        others = leaf.others if leaf.others and self._settle() else []
        # A product that had no frame when it was listed has one now, or never will.
        frames = (
            [name for name in self._files.listdir(leaf.path) if name.endswith(SUFFIX)] if others else list(leaf.frames)
        )
        records, products, removed = Records(), set[str | None](), Purged()
        can_tell = True
        for name in frames:
            try:
                found = self._look(f"{leaf.path}/{name}")
            except DamagedError:
                removed += Purged(leftovers=self.set_aside(f"{leaf.path}/{name}"))
                continue
            if found is None:
                continue
            if found.entry is None:
                can_tell = False
            elif is_dead(found.entry):
                removed += self._remove(found, grace)
            else:
                products.add(found.product)
                records.add(name, found.info, found.size, found.entry)
        self.inventory.save(leaf.path, records)
        return removed + self._sweep_orphans(leaf.path, others, products, grace) if can_tell else removed

    def _sweep_orphans(self, directory: str, others: list[str], named: set[str | None], grace: float) -> Purged:
        now = self._clock.now()
        removed = Purged()
        for path in (f"{directory}/{name}" for name in others):
            size = self._size(path)
            if path not in named and self._age(path, now) >= grace and self._unlink_product(path):
                removed += Purged(bytes=size, leftovers=1)
        return removed

    def _settle(self) -> bool:
        """Waits until every commit that was under way has ended; ``False`` if that is not possible now."""
        try:
            with self._root.lock("commit", seconds=0.05) as held:
                return held
        except OSError:
            return False

    def _look(self, path: str) -> _Found | None:
        try:
            entry, info = read_entry(self._files, path)
        except FileNotFoundError:
            return None
        except (LaterFormatError, OSError):
            try:
                info = self._files.status(path)
            except OSError:
                return None
            return _Found(path, info, size=info.st_size)
        product = self._tree.product_of(path, entry, info)
        if product is None:
            return _Found(path, info, entry, None, info.st_size)
        return _Found(path, info, entry, product[0], info.st_size + self._tree.bytes_of(*product))

    def _remove(self, found: _Found, grace: float) -> Purged:
        try:
            now = self._files.status(found.path)
        except OSError:
            return Purged()
        same = (now.st_ino, now.st_mtime_ns) == (found.info.st_ino, found.info.st_mtime_ns)
        if not same or not self._unlink(found.path):
            return Purged()
        size = now.st_size
        if found.product and grace <= 0:
            size = found.size
            self._unlink_product(found.product)
        elif found.product:
            self.retire(found.product)
        return Purged(entries=1, bytes=size)

    def _shrink(self, budget: Budget, grace: float, newest: str = "") -> Purged:
        removed = Purged()
        if budget:
            for path in self._eviction.victims(budget, self.pins.all(), newest):
                try:
                    found = self._look(path)
                except DamagedError:
                    continue  # for the next purge
                removed += self._remove(found, grace) if found else Purged()
        return removed

    def _note(self, path: str, text: str) -> None:
        with suppress(OSError):
            mode, exact = self._root.file_mode, self._root.exact
            self._files.replace(self._temporaries.write([os.fsencode(text)], mode=mode, exact=exact), path)

    def _stamp(self) -> None:
        stamp = self._temporaries.write([], mode=self._root.file_mode, exact=self._root.exact)
        now = self._clock.now()
        self._files.utime(stamp, (now, now))
        self._files.replace(stamp, f"{self._tree.control}/purged")

    def _text(self, path: str) -> str:
        try:
            return os.fsdecode(self._files.read(path))
        except OSError:
            return ""

    def _age(self, path: str, now: float) -> float:
        try:
            return now - self._files.status(path).st_mtime
        except OSError:
            return -math.inf

    def _size(self, path: str) -> int:
        try:
            return self._tree.bytes_of(path, self._files.status(path))
        except OSError:
            return 0

    def _unlink_product(self, path: str) -> bool:
        copy = self._tree.copy(path)
        if copy is not None:
            self._files.remove(copy)  # first: without its product, nobody would find it
        return self._unlink(path)

    def _unlink(self, path: str) -> bool:
        try:
            self._files.unlink(path)
        except OSError:
            return False
        return True
