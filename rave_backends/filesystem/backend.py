"""A cache in a directory: one file for each frame, named for its key, with products beside them."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

from rave_backends.budget import Budget, Limit, Policy, StoreUsage
from rave_backends.filesystem.drafts import Drafts
from rave_backends.filesystem.eviction import stamp, uses
from rave_backends.filesystem.frame_files import read_small, read_whole
from rave_backends.filesystem.leases import Leases
from rave_backends.filesystem.ownership import Root, parse_mode
from rave_backends.filesystem.paths import Tree, directory_of
from rave_backends.filesystem.purger import Purger
from rave_backends.filesystem.temp_files import TempFiles
from rave_backends.filesystem.unpacked_copies import UnpackedCopies
from rave_core.backend import Backend, Holding, Outline, Purged, StoreURL, SupportsUnpacking, parse_age, parse_flag
from rave_core.clock import Clock, SystemClock
from rave_core.model import Bytes, Entry

T = TypeVar("T")
_ABSENT, _RECENTLY, _TRIES = (FileNotFoundError, NotADirectoryError), 60.0, 20


class FilesystemBackend(Backend):
    """Keeps frames and products below one directory, which many processes, users and hosts may share.

    Opening never fails: if the directory can't be made or written to, ``get`` finds nothing new, ``put`` raises
    ``OSError`` and ``check`` says why. Only the root and a lock file stay open between calls; a fork opens its own.

    A directory that we make is ours alone (mode 0700) unless ``mode`` says otherwise, and gets a sealing key: see
    `ownership.Root`. `paths` says where things lie; `rooted_files` reaches them without following links.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        durable: bool = False,
        max_bytes: int | None = None,
        policy: Policy = "lru",
        budget: Budget | None = None,
        mode: int | None = None,
        max_age: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Opens the cache in ``root``.

        Args:
            root: the directory; created if it is missing.
            durable: whether ``put`` returns only when the frame is on the disk.
            max_bytes: the budget for frames and products together; ``None`` for no limit. Each writing process may
                exceed it by a sixteenth, and so may products in their time of grace.
            policy: what goes first when the budget is exceeded: ``lru``, the longest unused; ``lfu``, the least
                often used; ``cost``, the cheapest to compute for each byte. Reads count once a minute.
            budget: replaces both ``max_bytes`` and ``policy`` with a budget of several limits.
            mode: permissions of directories, regardless of the umask; files get the same without execution. ``None``
                means 0700 in a directory of ours, and otherwise what the umask leaves.
            max_age: seconds after which an entry counts as absent, so that RAVE asks the layers below again. Reads then
                do not count as use, because entries in use are put again. ``None`` means never.
            clock: the source of time; it must agree with the file system's.
        """
        self.budget, self._clock = budget or Budget(Limit(max_bytes), policy=policy), clock or SystemClock()
        self._durable, self.max_age, self._is_limited = durable, max_age, bool(self.budget)
        self._keeps_use = self._is_limited and self.budget.policy != "cost" and max_age is None
        self._account = StoreUsage()
        self._tree = Tree(os.path.abspath(root))
        self._files = self._tree.files
        self._temporaries = TempFiles(self._files, f"{self._tree.control}/tmp")  # noqa: S108  # below the root
        self._root = Root(self._tree, self._temporaries, self._clock, mode)
        self._leases = Leases(self._tree, self._root, self._temporaries, self._clock)
        self._drafts = Drafts(self._tree, self._root, self._temporaries)
        self._copies = UnpackedCopies(self._tree, self._drafts, self._clock, self._spend)
        self._sweeper = Purger(self._tree, self._root, self._temporaries, self._leases, self._clock)
        self._root.attach()

    @classmethod
    def from_url(cls, url: StoreURL) -> FilesystemBackend:
        """The cache at ``file:///directory?durable=…&mode=…&max_age=…``, with a `Budget`; also ``file://~/…``, ``file://./…``.

        Raises:
            ConfigurationError: the URL names no directory, or an option is wrong.
        """
        root, durable = directory_of(url), url.take("durable", parse_flag, False)
        budget, max_age = Budget.from_url(url), url.take("max_age", parse_age, None)
        mode = url.take("mode", parse_mode, None)
        url.done()
        return cls(root, durable=durable, budget=budget, mode=mode, max_age=max_age)

    def __repr__(self) -> str:
        return f"FilesystemBackend({self._tree.root!r})"

    def capability(self, kind: type[T]) -> T | None:
        """What the directory can do beyond frames; see `Backend.capability`."""
        return cast("T | None", self._copies) if kind is SupportsUnpacking else super().capability(kind)

    def get(self, key: str) -> Bytes | None:
        """The frame kept under ``key``, whole, or ``None``. It is the caller's own; see `mapped_files`."""
        return self._read(key, self.max_age)

    def _read(self, key: str, max_age: float | None) -> Bytes | None:
        try:
            file, is_ours_alone = self._files.open_any(self._tree.frame(key))
        except _ABSENT:
            return None
        try:
            if is_ours_alone and max_age is None and not self._keeps_use and (small := read_small(file)) is not None:
                return small
            info = os.fstat(file)
            if not stat.S_ISREG(info.st_mode) or self._is_past(max_age, info):
                return None
            frame = read_whole(file, info)
            # A file that also has another name may be anything that somebody linked here.
            if self._keeps_use and info.st_nlink == 1 and self._clock.now() - info.st_mtime > _RECENTLY:
                with suppress(OSError):
                    stamp(file, self._clock.now(), uses(info) + 1)
            return frame
        finally:
            os.close(file)

    def _is_past(self, max_age: float | None, info: os.stat_result) -> bool:
        return max_age is not None and abs(self._clock.now() - info.st_mtime) > max_age

    def head(self, key: str, size: int) -> bytes | None:
        """The first ``size`` bytes of the frame under ``key`` (fewer if it is shorter), or ``None``."""
        try:
            file, info = self._files.open_known(self._tree.frame(key))
        except _ABSENT:
            return None
        try:
            return None if self._is_past(self.max_age, info) else os.pread(file, size, 0)
        finally:
            os.close(file)

    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame``, given in pieces, in place of the old one. A reader sees the whole old or new frame."""
        size = sum([memoryview(piece).nbytes for piece in frame])
        path, mode, exact = self._tree.frame(key), self._root.file_mode, self._root.exact
        try:
            temporary = self._temporaries.write(frame, mode=mode, exact=exact, durable=self._durable)
        except FileNotFoundError:
            temporary = self._write_again(frame)
        try:
            if self.budget.policy == "lfu":
                self._stamp(temporary)
            self._place(temporary, path)
        except BaseException:
            self._files.remove(temporary)
            raise
        if self._is_limited:
            self._spend(key, size)

    def delete(self, key: str) -> bool:
        """Forgets ``key``; whether it existed. A later purge removes its product."""
        product = self._sweeper.product_of(key)
        try:
            self._files.unlink(self._tree.frame(key))
        except _ABSENT:
            return False
        if product:
            self._sweeper.retire(product)
        return True

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with ``prefix``, in no order. Those that come or go meanwhile may or may not appear."""
        return self._tree.keys(prefix)

    def close(self) -> None:
        """Releases the leases that this process holds."""
        self._leases.close()

    def set_aside(self, key: str) -> None:
        """Moves a damaged frame to ``.rave/damaged``, where it stays for a week."""
        product = self._sweeper.product_of(key)
        if self._sweeper.set_aside(self._tree.frame(key)) and product:
            self._sweeper.retire(product)

    def secret(self) -> bytes | None:
        """The sealing key, if only we can enter the directory and read the key; otherwise ``None``."""
        return self._root.secret

    def check(self) -> str | None:
        """Why the directory can't be written to, in words; ``None`` when it can."""
        return self._root.trouble()

    def notice(self) -> str | None:
        """Why the directory, once private, now counts as shared; ``None`` if it does not."""
        return self._root.doubt()

    def draft(self, suffix: str) -> Path:
        """A path, not yet existing, ending in ``suffix``, where nobody else can change it: see `drafts.Drafts.new`."""
        return self._drafts.new(suffix)

    def commit(self, key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
        """Moves ``draft`` to the place of ``key`` under ``name``, then puts ``frame``, which makes it count.

        If that fails, the draft stays where it was. A later purge removes an older product of ``key`` under another
        name, so give each product its own name.

        Raises:
            ProductError: the draft is not a plain file in the place that ``draft`` gave.
        """
        target = self._tree.product(key, name)
        older = self._sweeper.product_of(key)
        size = self._move(os.fspath(draft), key, target, frame)
        if older and older != target:
            self._sweeper.retire(older)
        self.discard(draft)
        self._spend(key, size, entries=0)
        return Path(target)

    def locate(self, key: str, name: str) -> Path:
        """Where the product ``name`` of ``key`` lies, whether it exists or not."""
        return Path(self._tree.product(key, name))

    fetch = locate  # nothing to fetch: the product is already a file here

    def aged(self, key: str) -> Bytes | None:
        """The frame under ``key``, even if it is older than ``max_age``; or ``None``."""
        return self._read(key, math.inf)

    def discard(self, draft: Path) -> None:
        """Removes a draft and its directory. A missing draft is no error."""
        self._drafts.discard(os.fspath(draft))

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none. Exactly one of many claimants gets ``True``."""
        return self._leases.claim(key, record)

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, or ``None`` when nobody holds one."""
        return self._leases.lease(key)

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record with ``record`` (``None`` removes it) if it is still ``seen``; whether it did."""
        return self._leases.swap_lease(key, seen, record)

    def lease_owner(self, key: str) -> str | None:
        """The other user who made the lease of ``key``, or that a lock holds it that is not a claim."""
        return self._leases.owner(key)

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:
        """Removes what is dead, left over or beyond the budget. Does nothing while another purge runs.

        With ``seconds``, it stops after about that long; the next purge with a limit continues from there.
        """
        now = self._clock.now()
        left = self._drafts.sweep(now) + self._copies.sweep(now)
        return Purged(leftovers=left) + self._sweeper.purge(is_dead, grace, self.budget, seconds)

    def last_purge(self) -> float | None:
        """Unix time of the last purge by any process, by its clock; ``None`` if there was none."""
        return self._sweeper.last_purge()

    @property
    def max_bytes(self) -> int | None:
        """The byte budget of everything; ``None`` for no limit."""
        return self.budget.whole.max_bytes

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes of frames and products."""
        return self._sweeper.usage()

    def holdings(self) -> Iterator[Holding]:
        """What each operation and version keeps, in several parts."""
        return self._sweeper.inventory.holdings()

    def outlines(self, prefix: str = "") -> Iterator[Outline]:
        """Each entry whose key starts with ``prefix``, in no order, including entries that can't be read."""
        return self._sweeper.inventory.outlines(prefix)

    def pins(self) -> list[str]:
        """The pinned beginnings of keys, in order. Nothing below them is evicted."""
        return self._sweeper.pins.all()

    def pin(self, prefix: str) -> None:
        """From now on, no process evicts keys that start with ``prefix``. They still expire."""
        self._sweeper.pins.add(prefix)

    def unpin(self, prefix: str) -> bool:
        """Removes a pin; whether it existed."""
        return self._sweeper.pins.remove(prefix)

    def _write_again(self, frame: Sequence[Bytes]) -> str:
        """Writes a frame to a new file, after restoring the directory for new files."""
        self._root.prepare()
        mode, exact = self._root.file_mode, self._root.exact
        return self._temporaries.write(frame, mode=mode, exact=exact, durable=self._durable)

    def _place(self, source: str, target: str) -> None:
        made = False
        for _ in range(_TRIES):  # a purge may remove an empty directory between making and using it
            try:
                self._files.replace(source, target)
                break
            except FileNotFoundError:
                self._root.make(os.path.dirname(target))
                made = True
        else:
            self._files.replace(source, target)
        if self._durable:
            self._sync_directories(os.path.dirname(target), upwards=made)

    def _sync_directories(self, directory: str, *, upwards: bool) -> None:
        with suppress(FileNotFoundError):  # a purge removed it together with its dead entry
            self._files.sync(directory)
            while upwards and len(directory) > len(self._tree.root):
                directory = os.path.dirname(directory)
                self._files.sync(directory)

    def _move(self, draft: str, key: str, target: str, frame: Sequence[Bytes]) -> int:
        """Moves a draft to ``target`` and puts ``frame``, or leaves it where it was; returns the product's bytes."""
        file = self._drafts.open(draft)
        try:
            size = self._drafts.finish(file, durable=self._durable)
            source = self._drafts.take(draft, file)
            try:
                with self._sweeper.hands_off():
                    self._place(source, target)
                    try:
                        self.put(key, frame)
                    except BaseException:
                        with suppress(OSError):
                            self._files.replace(target, source)
                        raise
            except BaseException:
                if source != draft:
                    self._files.remove(source)
                raise
            return size
        finally:
            os.close(file)

    def _stamp(self, temporary: str) -> None:
        file = self._files.open(temporary)
        try:
            stamp(file, self._clock.now(), 1)
        finally:
            os.close(file)

    def _spend(self, key: str, size: int, *, entries: int = 1) -> None:
        if self._is_limited and self._account.note(self.budget, key, size, entries=entries):
            self._sweeper.make_room(self.budget, key)
