"""Layers in which a method fails."""

from __future__ import annotations

from rave_backends.memory.backend import MemoryBackend


class Broken(MemoryBackend):
    """A layer in which one method fails while ``broken`` names it."""

    broken = ""

    def get(self, key):
        """Fails or gets."""
        self._fail("get")
        return super().get(key)

    def put(self, key, frame):
        """Fails or puts."""
        self._fail("put")
        super().put(key, frame)

    def delete(self, key):
        """Fails or deletes."""
        self._fail("delete")
        return super().delete(key)

    def _fail(self, action):
        if self.broken == action:
            raise OSError(f"no {action} today")


class Remote(Broken):
    """A layer at the other end of a network."""

    remote = True
