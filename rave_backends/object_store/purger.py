"""Removes what expired, can't be read, is left over from crashes, or exceeds the budget of an object store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum, auto
from hashlib import blake2b

from rave_backends.budget import Budget
from rave_backends.object_store.bucket import Bucket, Listed
from rave_backends.object_store.leases import ObjectLeases
from rave_backends.object_store.pins import ObjectPins
from rave_backends.ranking import Ranking
from rave_core.backend import HEAD_SIZE, Purged, Truncated, peek
from rave_core.clock import Clock
from rave_core.errors import DamagedError, EntryError, LaterFormatError, ProductError
from rave_core.model import Entry

SUFFIX = ".rave"
SETTLED = 60.0
"""Seconds after which the process that uploaded a product has put its entry, or never will."""

FORSAKEN = 600.0
"""Seconds after which a silent purger counts as gone. A live one gives a sign with each thousand objects."""

_READERS = 8
_PRODUCT = re.compile(r"(?P<frame>.+/[^/]+/[A-Za-z0-9_-]+)-[0-9a-f]{8}\.[A-Za-z0-9.]+")


def product_name(frame: str, name: str) -> str:
    """The name of the object for the product ``name``, beside the object ``frame``.

    Raises:
        ProductError: it can't be the name of a product.
    """
    if not name or not name.isprintable() or name[0] == "." or "/" in name or name.endswith(SUFFIX):
        raise ProductError(
            f"{frame.removesuffix(SUFFIX)}: {name!r} can't be the name of a product: expected a file name, "
            f"without '/', not starting with a dot, not ending in {SUFFIX}"
        )
    return f"{frame.rpartition('/')[0]}/{name}"


def _number(name: str) -> int:
    """64 bits that stand for the name of an object."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


class _Verdict(Enum):
    ALIVE = auto()
    DEAD = auto()
    DAMAGED = auto()
    LEFT = auto()


class ObjectSweeper:
    """Lists all objects, a thousand at a time, judges them by their first bytes, and deletes in bulk.

    An entry that is replaced between the judgment and the deletion may be lost, which costs one computation. A product
    that no entry names is retired: an object ``.rave/retired/…`` with its name says since when, by the store's clock. A
    purge after its time of grace removes it.
    """

    def __init__(self, bucket: Bucket, prefix: str, control: str, leases: ObjectLeases, clock: Clock) -> None:
        self.pins = ObjectPins(bucket, control)
        self._clock = clock
        self._bucket = bucket
        self._prefix = prefix
        self._control = control
        self._leases = leases

    def purge(
        self, is_dead: Callable[[Entry], bool], grace: float, budget: Budget, seconds: float | None = None
    ) -> Purged:
        """Removes dead and damaged entries, retired products, and leases and probes not renewed for an hour.

        Then removes what exceeds ``budget``. Does nothing while another purger works, on any host. With ``seconds``, it
        stops after about that long, but looks at a thousand objects at least. The next purge with a limit continues
        there.
        """
        now = self._store_time()
        if not self._enter(now):
            return Purged()
        try:
            removed = self._round(is_dead, max(grace, SETTLED), now, seconds)
            if removed.is_complete:
                removed += self._evict(budget)
                self._bucket.put(f"{self._control}purged", [b""])
            return removed
        finally:
            self._bucket.delete([f"{self._control}purging"])

    def _enter(self, now: float) -> bool:
        """Whether this is the only purger. A store without conditions admits all, which only costs requests."""
        mark = f"{self._control}purging"
        if self._bucket.create(mark, b""):
            return True
        found = self._bucket.look(mark)
        if found is not None and now - found.changed_at < FORSAKEN:
            return False
        self._bucket.put(mark, [b""])  # two may get here at once, and both purge
        return True

    def _store_time(self) -> float:
        """Unix time by the store's clock."""
        stamp = f"{self._control}clock"
        self._bucket.put(stamp, [b""])
        found = self._bucket.look(stamp)
        return found.changed_at if found is not None else 0.0

    def _round(self, is_dead: Callable[[Entry], bool], grace: float, now: float, seconds: float | None) -> Purged:
        cursor, started = f"{self._control}cursor", self._clock.monotonic()
        after = bytes(self._bucket.get(cursor) or b"").decode(errors="replace") if seconds is not None else ""
        removed, retired = self._sweep_retired(grace, now)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="rave-purge") as readers:
            for chunk in self._bucket.list(self._prefix, after=after or None):
                self._bucket.put(f"{self._control}purging", [b""])
                products = [found for found in chunk if self._is_product(found)]
                list(readers.map(lambda found: self._retire_orphan(found, retired), products))
                judged = list(zip(chunk, readers.map(lambda found: self._judge(found, is_dead), chunk), strict=True))
                removed += self._remove(judged)
                if seconds is not None and self._clock.monotonic() - started >= seconds:
                    self._bucket.put(cursor, [chunk[-1].name.encode()])
                    return replace(removed, is_complete=False)
        self._bucket.delete([cursor])
        return removed

    def _evict(self, budget: Budget) -> Purged:
        """Removes what exceeds the budget. A second listing of the objects shows what that is."""
        if not budget:
            return Purged()
        ranking = Ranking(budget, self.pins.all())
        with ThreadPoolExecutor(_READERS, thread_name_prefix="rave-purge") as readers:
            for chunk in self._frames():
                scores = readers.map(self._cost, chunk) if budget.policy == "cost" else [f.changed_at for f in chunk]
                for found, score in zip(chunk, scores, strict=True):
                    key = found.name[len(self._prefix) : -len(SUFFIX)]
                    part = ranking.part_of(key)
                    ranking.add(0, _number(found.name), key=key, part=part, score=score, size=found.size)
        victims = ranking.victims().get(0, set())
        removed = Purged()
        for chunk in self._frames() if victims else ():
            doomed = [found for found in chunk if _number(found.name) in victims]
            removed += self._remove([(found, self._condemn(found)) for found in doomed])
        return removed

    def _frames(self) -> Iterator[list[Listed]]:
        """The objects that are frames. Each size includes the product's, which the list shows just before."""
        products: dict[str, int] = {}
        for chunk in self._bucket.list(self._prefix):
            frames = []
            for found in chunk:
                frame = self._of_product(found.name)
                if found.name.startswith(self._control):
                    continue
                if frame is not None:
                    products[frame] = products.get(frame, 0) + found.size
                elif found.name.endswith(SUFFIX):
                    frames.append(replace(found, size=found.size + products.pop(found.name, 0)))
            yield frames

    def _cost(self, found: Listed) -> float:
        """Seconds of computing per byte."""
        entry = self._entry_or_none(found)
        return entry.seconds / max(found.size, 1) if entry is not None else 0.0

    def _condemn(self, found: Listed) -> _Verdict:
        entry = self._entry_or_none(found)
        if entry is not None and entry.product:
            self._retire(f"{found.name.rpartition('/')[0]}/{entry.product}")
        return _Verdict.DEAD

    def _entry_or_none(self, found: Listed) -> Entry | None:
        try:
            return self._entry(found)
        except EntryError:
            return None

    def _sweep_retired(self, grace: float, now: float) -> tuple[Purged, frozenset[str]]:
        """Removes the products that were retired ``grace`` seconds ago; returns the marks of those that stay."""
        removed, left = Purged(), set()
        for chunk in self._bucket.list(f"{self._control}retired/"):
            for mark in chunk:
                if now - mark.changed_at < grace:
                    left.add(mark.name)
                else:
                    removed += self._remove_retired(mark)
        return removed, frozenset(left)

    def _remove_retired(self, mark: Listed) -> Purged:
        product = bytes(self._bucket.get(mark.name) or b"").decode(errors="replace")
        found = self._bucket.look(product) if self._of_product(product) else None
        if found is None or self._is_named(product):
            self._bucket.delete([mark.name])
            return Purged()
        self._bucket.delete([product, mark.name])
        return Purged(bytes=found.size, leftovers=1)

    def _retire_orphan(self, found: Listed, retired: frozenset[str]) -> None:
        if self._mark(found.name) not in retired and not self._is_named(found.name):
            self._retire(found.name)

    def _retire(self, product: str) -> None:
        """Starts a product's time of grace, unless it has already started."""
        self._bucket.create(self._mark(product), product.encode())

    def _mark(self, product: str) -> str:
        return f"{self._control}retired/{blake2b(product.encode(), digest_size=20).hexdigest()}"

    def _is_product(self, found: Listed) -> bool:
        return not found.name.startswith(self._control) and self._of_product(found.name) is not None

    def _of_product(self, name: str) -> str | None:
        """The frame that may name this object as its product; ``None`` if it is no product."""
        inner = name.removeprefix(self._prefix)
        match = None if inner.endswith(SUFFIX) else _PRODUCT.fullmatch(inner)
        return f"{self._prefix}{match['frame']}{SUFFIX}" if match else None

    def _is_named(self, product: str) -> bool:
        """Whether an entry names this product, or may: an unreadable entry keeps it."""
        frame = self._of_product(product)
        found = self._bucket.look(frame) if frame is not None else None
        if found is None:
            return False
        try:
            entry = self._entry(found)
        except EntryError:
            return True
        return entry is not None and entry.product == product.rpartition("/")[2]

    def last_purge(self) -> float | None:
        """Unix time of the last purge by the store's clock; ``None`` if there was none."""
        stamp = self._bucket.look(f"{self._control}purged")
        return None if stamp is None else stamp.changed_at

    def _remove(self, judged: Iterable[tuple[Listed, _Verdict]]) -> Purged:
        names, removed = [], Purged()
        for found, verdict in judged:
            if verdict is _Verdict.ALIVE:
                continue
            names.append(found.name)
            is_entry = verdict is _Verdict.DEAD
            removed += Purged(entries=int(is_entry), bytes=found.size, leftovers=int(not is_entry))
        self._bucket.delete(names)
        return removed

    def _judge(self, found: Listed, is_dead: Callable[[Entry], bool]) -> _Verdict:
        if found.name.startswith(self._control):
            passing = found.name.startswith((f"{self._control}leases/", f"{self._control}probe/"))
            return _Verdict.LEFT if passing and self._leases.is_idle(found.changed_at) else _Verdict.ALIVE
        if not found.name.endswith(SUFFIX):
            return _Verdict.ALIVE  # not ours
        try:
            entry = self._entry(found)
        except LaterFormatError:
            return _Verdict.ALIVE
        except DamagedError:
            return _Verdict.DAMAGED
        if entry is None or not is_dead(entry):
            return _Verdict.ALIVE
        product = f"{found.name.rpartition('/')[0]}/{entry.product}"
        if self._of_product(product) == found.name:
            self._retire(product)
        return _Verdict.DEAD

    def _entry(self, found: Listed) -> Entry | None:
        """The entry in an object, unchecked; ``None`` if the object is gone."""
        head = self._bucket.beginning(found.name, HEAD_SIZE)
        try:
            return None if head is None else peek(head)
        except Truncated as short:
            if short.needed > found.size:
                raise
            head = self._bucket.beginning(found.name, short.needed)
            return None if head is None else peek(head)
