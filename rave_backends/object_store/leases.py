"""Leases as small objects, which an object store creates and replaces conditionally."""

from __future__ import annotations

import logging
import os
import threading
from hashlib import blake2b

from rave_backends.object_store.bucket import Bucket, Tagged
from rave_core.clock import Clock

_log = logging.getLogger("rave")
_IDLE = 3600.0


class ObjectLeases:
    """Which keys are claimed, and by which process: one object for each.

    A claim creates an object if there is none (``If-None-Match: *``); a swap replaces the one that was seen
    (``If-Match`` with its ETag). Stores differ in their support for this, and some only pretend, so RAVE probes the
    store before the first claim:

    - If it creates objects over existing ones, leases would lie. RAVE logs one warning. From then on, every claim and
      swap succeeds and writes nothing, so each host computes for itself.
    - If it creates correctly but can't replace conditionally, a swap reads, compares and writes. Two processes that
      take over a dead one's lease at the same instant may then both have it.

    To remove a lease, RAVE replaces it with an empty object and then deletes that. If the process is killed in between,
    others take over the empty record like any lease that is not renewed.
    """

    def __init__(self, bucket: Bucket, control: str, clock: Clock) -> None:
        self._bucket = bucket
        self._control = control
        self._clock = clock
        self._tries: Tries | None = None
        self._lock = threading.RLock()

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none. Exactly one of many claimants gets ``True``."""
        if not self.tried().creates:
            return True
        name = self._name(key)
        # The client repeats a request whose answer got lost, and then finds its own object.
        return self._bucket.create(name, record) or self.lease(key) == record

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, ``b""`` during its removal, ``None`` if nobody holds one."""
        found = self._bucket.get(self._name(key))
        return None if found is None else bytes(found)

    def swap(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record with ``record`` (``None`` removes it) if it is still ``seen``; whether it did."""
        tried = self.tried()
        if not tried.creates:
            return True
        name = self._name(key)
        found = self._bucket.get_tagged(name)
        if found is None or found.content != seen:
            return False
        if not self._replace(name, record or b"", found, tried):
            return False
        if record is None:
            self._bucket.delete([name])
        return True

    def _replace(self, name: str, data: bytes, seen: Tagged, tried: Tries) -> bool:
        if not tried.replaces:
            self._bucket.put(name, [data])
            return True
        if self._bucket.replace(name, data, _tag(seen.tag, tried.quoted), seen.version):
            return True
        found = self._bucket.get_tagged(name) if data else None
        return found is not None and found.content == data  # repeated, as in `claim`

    def exchange(self, name: str, data: bytes, seen: Tagged | None) -> bool:
        """Puts an object if the one called ``name`` is still ``seen`` (``None`` for none); returns whether it did.

        If the store lacks the condition for that, it always puts it.
        """
        tried = self.tried()
        if seen is not None:
            return self._replace(name, data, seen, tried)
        if not tried.creates:
            self._bucket.put(name, [data])
            return True
        if self._bucket.create(name, data):
            return True
        found = self._bucket.get_tagged(name)
        return found is not None and found.content == data  # repeated, as in `claim`

    def tried(self) -> Tries:
        """Which conditions the store supports, probed once.

        Raises:
            BackendError: the store is in trouble; the next call tries again.
        """
        with self._lock:
            if self._tries is None:
                self._tries = self._try()
                if not self._tries.creates:
                    _log.warning("%s", self.trouble())
            return self._tries

    def trouble(self) -> str:
        """In words, what follows if the store creates objects over existing ones."""
        return (
            f"{self._bucket} ignores 'If-None-Match: *': results are kept and shared, but hosts that need the same "
            "one at the same time each compute it"
        )

    def _try(self) -> Tries:
        name = f"{self._control}probe/{os.urandom(12).hex()}"
        try:
            self._bucket.create(name, b"one")
            if self._bucket.create(name, b"two"):
                return Tries(creates=False, replaces=False, quoted=True)
            found = self._bucket.get_tagged(name)
            tag, version = (found.tag, found.version) if found else ("", None)
            wrong = "0" * 32
            for quoted in (True, False):  # the standard wants quotes, and some stores do not
                if self._bucket.replace(name, b"three", _tag(tag, quoted), version):
                    lies = self._bucket.replace(name, b"four", _tag(wrong, quoted), version)
                    return Tries(creates=True, replaces=not lies, quoted=quoted)
            return Tries(creates=True, replaces=False, quoted=True)
        finally:
            self._bucket.delete([name])

    def is_idle(self, changed_at: float) -> bool:
        """Whether a change at that time, by the store's clock, surely comes from a process that is gone."""
        return self._clock.now() - changed_at > _IDLE

    def _name(self, key: str) -> str:
        return f"{self._control}leases/{blake2b(key.encode(), digest_size=20).hexdigest()}"


class Tries:
    """The conditions that a store supports.

    Attributes:
        creates: whether it refuses to create what exists.
        replaces: whether it refuses to replace what has changed.
        quoted: whether it wants quotes around an ETag.
    """

    __slots__ = ("creates", "quoted", "replaces")

    def __init__(self, *, creates: bool, replaces: bool, quoted: bool) -> None:
        self.creates = creates
        self.replaces = replaces
        self.quoted = quoted


def _tag(tag: str, quoted: bool) -> str:
    bare = tag.strip('"')
    return f'"{bare}"' if quoted else bare
