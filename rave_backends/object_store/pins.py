"""Pins: beginnings of keys that an object store never evicts."""

from __future__ import annotations

from hashlib import blake2b

from rave_backends.object_store.bucket import Bucket


class ObjectPins:
    """One small object for each pin, below ``.rave/pins``, so that pinning needs no lock."""

    def __init__(self, bucket: Bucket, control: str) -> None:
        self._bucket = bucket
        self._place = f"{control}pins/"

    def all(self) -> list[str]:
        """The pins, in order.

        Raises:
            BackendError: the store is in trouble.
        """
        names = [found.name for chunk in self._bucket.list(self._place) for found in chunk]
        return sorted(filter(None, (bytes(self._bucket.get(name) or b"").decode(errors="replace") for name in names)))

    def add(self, prefix: str) -> None:
        """Adds one.

        Raises:
            BackendError: the store is in trouble.
        """
        self._bucket.put(self._name(prefix), [prefix.encode()])

    def remove(self, prefix: str) -> bool:
        """Removes one; whether it existed just before.

        Raises:
            BackendError: the store is in trouble.
        """
        was_there = self._bucket.look(self._name(prefix)) is not None
        self._bucket.delete([self._name(prefix)])
        return was_there

    def _name(self, prefix: str) -> str:
        return f"{self._place}{blake2b(prefix.encode(), digest_size=16).hexdigest()}"
