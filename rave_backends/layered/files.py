"""The products of several layers: files of the last layer that keeps files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rave_backends.layered.capabilities import guarded
from rave_backends.layered.health import Health
from rave_backends.layered.product_mirror import ProductMirror
from rave_core.backend import Backend, SupportsFiles, SupportsObjects
from rave_core.model import Bytes

Change: TypeAlias = Callable[[Sequence[Backend], str, Callable[[Backend], object]], list[OSError]]
"""Does something to several layers under one name, as one change of the whole; returns what went wrong."""


class LayeredFiles:
    """Files of one layer, whose frames go into the layers above it as well: a `rave_core.backend.SupportsFiles`.

    If a layer below has objects, those are the products, and the files are their copies.
    """

    def __init__(
        self, files: SupportsFiles, depth: int, layers: Sequence[Backend], health: Health, change: Change
    ) -> None:
        """Products in ``files``, those of the layer at ``depth`` from the top of ``layers``.

        Args:
            files: where the files lie.
            depth: 0 for the first layer.
            layers: all of them, nearest first.
            health: where trouble is remembered.
            change: puts frames into the layers above.
        """
        self._files = files
        self._place = _place(files, layers[depth:], health)
        self._above = layers[:depth][::-1]
        self._lowest = layers[-1]
        self._health = health
        self._change = change

    @classmethod
    def of(cls, layers: Sequence[Backend], health: Health, change: Change) -> LayeredFiles | None:
        """The files of the last layer that keeps files; ``None`` if none does."""
        for depth in reversed(range(len(layers))):
            files = layers[depth].capability(SupportsFiles)
            if files is not None:
                return cls(files, depth, layers, health, change)
        return None

    def draft(self, suffix: str) -> Path:
        """A new path in the layer of files."""
        return self._place.draft(suffix)

    def commit(self, key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
        """Keeps the draft as a product, then its frame in the layers above.

        Raises:
            OSError: the authoritative layer could not keep it; if it became a file, the layers above have it.
        """
        failure: OSError | None = None
        try:
            product = self._place.commit(key, draft, name, frame)
        except OSError as error:
            failure = self._health.failed(self._lowest, "commit", error)
            if not self._files.locate(key, name).exists():
                raise
        else:
            self._health.succeeded(self._lowest)
        self._change(self._above, "put", lambda layer: layer.put(key, frame))
        if failure is not None:
            raise failure
        return product

    def locate(self, key: str, name: str) -> Path:
        """Where a product lies, whether it exists or not."""
        return self._place.locate(key, name)

    def fetch(self, key: str, name: str) -> Path:
        """The product as a file here."""
        return self._place.fetch(key, name)

    def discard(self, draft: Path) -> None:
        """Removes a draft."""
        self._place.discard(draft)


def _place(files: SupportsFiles, layers: Sequence[Backend], health: Health) -> SupportsFiles:
    """Where products lie: in ``files`` of the first of ``layers``, or in the objects of the last one with objects."""
    near, *_ = layers
    far = next((layer for layer in reversed(layers) if layer.capability(SupportsObjects) is not None), near)
    objects = guarded(far, SupportsObjects, health.guards)
    if objects is None or far is near:
        return files
    guard = health.guards.get(id(far))
    frames: Callable[[str], Bytes | None] = far.get if guard is None else partial(guard, far.get)
    return ProductMirror(near, files, frames, objects)
