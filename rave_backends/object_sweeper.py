"""Tidies an object store: what expired, what can't be read, and what crashes left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto

from rave_backends.bucket import Bucket, Listed
from rave_backends.object_leases import ObjectLeases
from rave_core.backend import Purged
from rave_core.errors import DamagedError, LaterFormatError
from rave_core.frame import HEAD_SIZE, Truncated, peek
from rave_core.model import Entry

SUFFIX = ".rave"
_READERS = 8


class _Verdict(Enum):
    ALIVE = auto()
    DEAD = auto()
    DAMAGED = auto()
    LEFT = auto()


class ObjectSweeper:
    """Lists all objects, a thousand at a time, judges them by their first bytes, and deletes in bulk.

    An entry that is replaced between being judged and being deleted may be lost: that costs computing it again.
    """

    def __init__(self, bucket: Bucket, prefix: str, control: str, leases: ObjectLeases) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._control = control
        self._leases = leases

    def purge(self, is_dead: Callable[[Entry], bool]) -> Purged:
        """Removes dead entries, damaged ones, and leases and probes that nobody renewed for an hour."""
        removed = Purged()
        with ThreadPoolExecutor(_READERS, thread_name_prefix="rave-purge") as readers:
            for chunk in self._bucket.list(self._prefix):
                judged = list(zip(chunk, readers.map(lambda found: self._judge(found, is_dead), chunk), strict=True))
                removed += self._remove(judged)
        self._bucket.put(f"{self._control}purged", [b""])
        return removed

    def last_purge(self) -> float | None:
        """Unix time of the last purge by the store's clock; ``None`` where there was none."""
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
        return _Verdict.DEAD if entry is not None and is_dead(entry) else _Verdict.ALIVE

    def _entry(self, found: Listed) -> Entry | None:
        """The entry in an object, nothing of it checked; ``None`` where the object is gone."""
        head = self._bucket.beginning(found.name, HEAD_SIZE)
        try:
            return None if head is None else peek(head)
        except Truncated as short:
            if short.needed > found.size:
                raise
            head = self._bucket.beginning(found.name, short.needed)
            return None if head is None else peek(head)
