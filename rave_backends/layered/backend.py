"""Several backends as one: small and near in front of large and far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from rave_backends.layered.capabilities import delegated, those
from rave_backends.layered.files import LayeredFiles
from rave_backends.layered.health import Failure, Health
from rave_core.backend import (
    Backend,
    Located,
    MemoryRef,
    Purged,
    SupportsAging,
    SupportsFiles,
    SupportsPurge,
    SupportsValues,
)
from rave_core.clock import Clock, SystemClock
from rave_core.errors import ConfigurationError
from rave_core.model import Bytes, Entry

T = TypeVar("T")
_NOTHING = Located()


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a frame was found: in which layer from the top, and after how many changes."""

    depth: int
    seen: int


class LayeredBackend(Backend):
    """Looks in each layer in turn, and copies what it finds into the layers above. The last layer is authoritative.

    It can do what its layers can do. Values and peeks come from the first layer that has them; leases, files, usage and
    the sealing key come from the last. If products lie elsewhere, files in a layer above are their copies.
    ``last_failure`` remembers trouble in one layer, and ``check`` reports it, until the last layer can ``put`` again. A
    call raises if no layer could do it, or if the last layer could not ``put``.

    A remote layer in trouble gets a pause (see `rave_backends.layered.breaker`). During it the other layers answer,
    even with entries over their maximum age.
    """

    def __init__(self, layers: Sequence[Backend], *, clock: Clock | None = None) -> None:
        """Combines ``layers``, nearest first.

        Raises:
            ConfigurationError: there are no layers.
        """
        if not layers:
            raise ConfigurationError("a layered cache needs one backend at least; none was given")
        self.layers = tuple(layers)
        self._health = Health(self.layers, clock or SystemClock())
        self._guards = self._health.guards
        self._changes = 0
        self._lock = threading.RLock()
        self._memory = next((layer for layer in self.layers if layer.capability(SupportsValues) is not None), None)
        self._values = self._memory.capability(SupportsValues) if self._memory is not None else None
        self._capabilities = self._delegated()

    def __repr__(self) -> str:
        return f"LayeredBackend({list(self.layers)!r})"

    @property
    def last_failure(self) -> Failure | None:
        """What last went wrong in a layer; ``None`` if nothing did, or if the last layer has recovered."""
        return self._health.last_failure

    def capability(self, kind: type[T]) -> T | None:
        """What the layers can do together; see the class."""
        found: Any = self._capabilities.get(kind)
        return found  # type: ignore[no-any-return]  # a table of types to what has their methods is not typed

    def get(self, key: str) -> Bytes | None:
        """The frame kept under ``key`` in the first layer that has it, or ``None``.

        Raises:
            OSError: every layer failed.
        """
        located = self._locate(key, None)
        if located.origin is not None:
            self._promote(key, located)
        return located.frame

    def get_value(self, key: str) -> Located:
        """What is kept under ``key`` in the first layer that has it, with its value if memory holds it.

        Raises:
            OSError: every layer failed.
        """
        return self._locate(key, self._values)

    def _locate(self, key: str, values: SupportsValues | None) -> Located:
        """Looks into each layer once, in turn; with ``values``, memory gives its value too."""
        seen, errors = self._changes, []
        for depth, layer in enumerate(self.layers):
            guard = self._guards.get(id(layer))
            try:
                if values is not None and layer is self._memory:
                    located = values.get_value(key)
                    if located.frame is not None:
                        return located
                    continue
                frame: Bytes | None = layer.get(key) if guard is None else guard(layer.get, key)
            except OSError as error:
                errors.append(self._health.failed(layer, "get", error))
                continue
            if frame is not None:
                return Located(frame, origin=_Origin(depth, seen) if depth else None)
        if errors and len(errors) == len(self.layers):
            raise errors[-1]
        return Located(self._aged(key)) if errors else _NOTHING

    def hold_value(self, key: str, located: Located, value: object, entry: Entry) -> MemoryRef | None:
        """Keeps the decoded value of a located frame in memory, and the frame in the layers above its own."""
        values = self._values
        if values is None or not isinstance(located.origin, _Origin):
            return None if values is None else values.hold_value(key, located, value, entry)
        refs: list[MemoryRef | None] = []
        frame = [located.frame or b""]

        def put(layer: Backend) -> None:
            if values is not None and layer is self._memory:
                refs.append(values.put_value(key, frame, value, entry))
            else:
                layer.put(key, frame)

        self._copy_up(located.origin, put)
        return refs[0] if refs else None

    def hold_frame(self, key: str, located: Located) -> None:
        """Keeps a located frame in the layers above its own."""
        self._promote(key, located)

    def head(self, key: str, size: int) -> Bytes | None:
        """The first ``size`` bytes of the frame under ``key``; nothing is copied upwards."""
        errors = []
        for layer in self.layers:
            guard = self._guards.get(id(layer))
            try:
                head: Bytes | None = layer.head(key, size) if guard is None else guard(layer.head, key, size)
            except OSError as error:
                errors.append(self._health.failed(layer, "head", error))
                continue
            if head is not None:
                return head
        if errors and len(errors) == len(self.layers):
            raise errors[-1]
        return None

    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame`` in every layer, the last one first.

        Raises:
            OSError: the last layer could not keep it; the others keep it as far as they can.
        """
        self._put(key, frame, None)

    def put_value(self, key: str, frame: Sequence[Bytes], value: object, entry: Entry) -> MemoryRef | None:
        """Like `put`, and keeps the value beside the frame in memory.

        Raises:
            OSError: as in `put`.
        """
        return self._put(key, frame, (value, entry))

    def _put(self, key: str, frame: Sequence[Bytes], held: tuple[object, Entry] | None) -> MemoryRef | None:
        failure: OSError | None = None
        ref: MemoryRef | None = None
        changing: AbstractContextManager[object] = nullcontext()  # the last layer may be slow, and nobody waits for it
        for layer in self.layers[::-1]:
            guard = self._guards.get(id(layer))
            with changing:
                try:
                    if held is not None and self._values is not None and layer is self._memory:
                        ref = self._values.put_value(key, frame, *held)
                    else:
                        layer.put(key, frame) if guard is None else guard(layer.put, key, frame)
                except OSError as error:
                    trouble = self._health.failed(layer, "put", error)
                    failure = trouble if layer is self.layers[-1] else failure
                else:
                    if self._health.last_failure is not None and layer is self.layers[-1]:
                        self._health.succeeded(layer)
            changing = self._lock
            self._changes += 1
        if failure is not None:
            raise failure
        return ref

    def delete(self, key: str) -> bool:
        """Forgets ``key`` in every layer; whether it existed.

        Raises:
            OSError: a layer may still have it.
        """
        found = []
        errors = self._change(self.layers[::-1], "delete", lambda layer: found.append(layer.delete(key)))
        if errors:
            raise errors[-1]
        return any(found)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys of all layers that start with ``prefix``, each once, in no order."""
        seen: set[str] = set()
        for layer in self.layers:
            for key in layer.keys(prefix):
                if key not in seen:
                    seen.add(key)
                    yield key

    def close(self) -> None:
        """Closes every layer."""
        for layer in self.layers:
            layer.close()

    def set_aside(self, key: str) -> None:
        """Takes a damaged frame out of every layer: it may have been copied before the damage was seen."""
        self._change(self.layers[::-1], "set aside", lambda layer: layer.set_aside(key))

    def secret(self) -> bytes | None:
        """The sealing key of the last layer, where every frame ends up."""
        return self.layers[-1].secret()

    def check(self) -> str | None:
        """What is wrong with a layer, or last went wrong; ``None`` if all is well."""
        return self._health.check()

    def notice(self) -> str | None:
        """What a layer lacks; ``None`` if none lacks anything."""
        return self._health.notice()

    def _aged(self, key: str) -> Bytes | None:
        """What a layer holds although it should ask the layers below, which do not answer."""
        for layer in self.layers:
            aging = layer.capability(SupportsAging)
            if aging is None or aging.max_age is None:
                continue
            try:
                frame: Bytes | None = aging.aged(key)
            except OSError as error:
                self._health.failed(layer, "get", error)
                continue
            if frame is not None:
                return frame
        return None

    def _promote(self, key: str, located: Located) -> None:
        if isinstance(located.origin, _Origin):
            frame = [located.frame or b""]
            self._copy_up(located.origin, lambda layer: layer.put(key, frame))

    def _copy_up(self, origin: _Origin, put: Callable[[Backend], None]) -> None:
        with self._lock:
            # Somebody may have put a newer frame since this read: then the copy would hide it.
            if self._changes == origin.seen:
                self._each(self.layers[: origin.depth], "put", put)

    def _change(self, layers: Sequence[Backend], action: str, change: Callable[[Backend], object]) -> list[OSError]:
        with self._lock:
            self._changes += 1
            return self._each(layers, action, change)

    def _each(self, layers: Sequence[Backend], action: str, do: Callable[[Backend], object]) -> list[OSError]:
        errors = []
        for layer in layers:
            guard = self._guards.get(id(layer))
            try:
                do(layer) if guard is None else guard(do, layer)
            except OSError as error:
                errors.append(self._health.failed(layer, action, error))
        return errors

    def _delegated(self) -> dict[type, object]:
        """What `capability` gives. This object itself offers values and purging, if a layer has them."""
        found = delegated(self.layers, self._guards)
        found |= {kind: self for kind in (SupportsValues, SupportsPurge) if those(self.layers, kind)}
        if (files := LayeredFiles.of(self.layers, self._health, self._change)) is not None:
            found[SupportsFiles] = files
        return found

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:
        """Purges every layer that can purge.

        Raises:
            OSError: no layer could be purged.
        """
        removed: list[Purged] = []

        def purge(layer: Backend) -> None:
            if (purging := layer.capability(SupportsPurge)) is not None:
                removed.append(purging.purge(is_dead, grace=grace, seconds=seconds))

        errors = self._each(self.layers, "purge", purge)
        if errors and not removed:
            raise errors[-1]
        return sum(removed, Purged())

    def last_purge(self) -> float | None:
        """When the layer that has waited longest was purged, of those that know; ``None`` if none does."""
        times = [layer.last_purge() for layer in those(self.layers, SupportsPurge)]
        return min([time for time in times if time is not None], default=None)
