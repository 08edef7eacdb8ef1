"""Several backends as one: small and near in front of large and far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rave_backends.layered.breaker import Breaker
from rave_backends.layered.product_mirror import ProductLayers
from rave_core.backend import (
    Backend,
    Purged,
    SupportsAging,
    SupportsFiles,
    SupportsHoldings,
    SupportsLease,
    SupportsObjects,
    SupportsPeek,
    SupportsPins,
    SupportsPurge,
    SupportsStats,
    SupportsUrl,
    SupportsValues,
)
from rave_core.clock import Clock, SystemClock
from rave_core.errors import ConfigurationError
from rave_core.model import Bytes, Entry


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong last in one of the layers."""

    layer: Backend
    action: str
    error: OSError

    def __str__(self) -> str:
        return f"{self.layer!r}: {self.action} failed: {self.error}"


class LayeredBackend(Backend):
    """Looks in each layer in turn, and copies what it finds into those above. The last layer is the one that counts.

    It has the capabilities that its layers have: values and peeks come from the first layer that can; leases, files,
    usage and the sealing key from the last. Where products lie elsewhere, files in a layer above are their copies.
    Trouble in one layer is remembered in ``last_failure`` and told by ``check``, until the last layer can ``put``
    again; it is raised when no layer could do it, and when the last layer could not ``put``.

    A remote layer in trouble is left alone for a while (see `rave_backends.layered.breaker`): meanwhile the others
    answer, also with what is over the age that counts in them.
    """

    def __init__(self, layers: Sequence[Backend], *, clock: Clock | None = None) -> None:
        """Layers ``layers``, given near first.

        Raises:
            ConfigurationError: there are none.
        """
        if not layers:
            raise ConfigurationError("a layered cache needs one backend at least; none was given")
        self.layers = tuple(layers)
        self.last_failure: Failure | None = None
        clock = clock or SystemClock()
        self._guards = {id(layer): Breaker(layer, clock).call for layer in layers if layer.remote}
        self._changes = 0
        self._lock = threading.Lock()
        self._delegate()

    def __repr__(self) -> str:
        return f"LayeredBackend({list(self.layers)!r})"

    def get(self, key: str) -> Bytes | None:
        """The frame kept under ``key`` in the first layer that has it, or ``None``.

        Raises:
            OSError: every layer failed.
        """
        seen = self._changes
        errors = []
        for depth, layer in enumerate(self.layers):
            try:
                frame: Bytes | None = self._guard(layer)(layer.get, key)
            except OSError as error:
                errors.append(self._remember(layer, "get", error))
                continue
            if frame is not None:
                if depth:
                    self._promote(key, frame, self.layers[:depth], seen)
                return frame
        self._raise_if_all(errors)
        return self._aged(key) if errors else None

    def head(self, key: str, size: int) -> Bytes | None:
        """The first ``size`` bytes of the frame under ``key``; nothing is copied upwards."""
        errors = []
        for layer in self.layers:
            try:
                head: Bytes | None = self._guard(layer)(layer.head, key, size)
            except OSError as error:
                errors.append(self._remember(layer, "head", error))
                continue
            if head is not None:
                return head
        self._raise_if_all(errors)
        return None

    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame`` in every layer, the last one first.

        Raises:
            OSError: the last layer could not; the others hold it nevertheless, as far as they could.
        """
        lowest = self.layers[-1]
        failure = None
        try:
            self._guard(lowest)(lowest.put, key, frame)
        except OSError as error:
            failure = self._remember(lowest, "put", error)
        else:
            self._recovered(lowest)
        self._change(self.layers[-2::-1], "put", lambda layer: layer.put(key, frame))
        if failure is not None:
            raise failure

    def delete(self, key: str) -> bool:
        """Forgets ``key`` in every layer; whether there was anything.

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
        """What is wrong with any layer, or went wrong last; ``None`` when nothing is or did."""
        found = [(layer, layer.check()) for layer in self.layers]
        troubles = [f"{layer!r}: {trouble}" for layer, trouble in found if trouble]
        if not troubles and self.last_failure is not None:
            troubles.append(f"earlier, {self.last_failure}")
        return "; ".join(troubles) or None

    def notice(self) -> str | None:
        """What any layer lacks; ``None`` when none does."""
        return "; ".join(filter(None, (layer.notice() for layer in self.layers))) or None

    def _guard(self, layer: Backend) -> Callable[..., Any]:
        """What calls a method of ``layer``, unless that is left alone."""
        return self._guards.get(id(layer), _call)

    def _aged(self, key: str) -> Bytes | None:
        """What a layer holds of which it should ask those below, which can't be asked."""
        for layer in _those(self.layers, SupportsAging):
            if layer.max_age is None:
                continue
            try:
                frame: Bytes | None = layer.aged(key)
            except OSError as error:
                self._remember(layer, "get", error)
                continue
            if frame is not None:
                return frame
        return None

    def _promote(self, key: str, frame: Bytes, layers: Sequence[Backend], seen: int) -> None:
        with self._lock:
            # What was read may be older than what somebody has put since: then the copy would hide the new one.
            if self._changes == seen:
                self._each(layers, "put", lambda layer: layer.put(key, [frame]))

    def _change(self, layers: Sequence[Backend], action: str, change: Callable[[Backend], None]) -> list[OSError]:
        with self._lock:
            self._changes += 1
            return self._each(layers, action, change)

    def _each(self, layers: Sequence[Backend], action: str, do: Callable[[Backend], object]) -> list[OSError]:
        errors = []
        for layer in layers:
            try:
                self._guard(layer)(do, layer)
            except OSError as error:
                errors.append(self._remember(layer, action, error))
        return errors

    def _raise_if_all(self, errors: list[OSError]) -> None:
        if len(errors) == len(self.layers):
            raise errors[-1]

    def _remember(self, layer: Backend, action: str, error: OSError) -> OSError:
        self.last_failure = Failure(layer, action, error)
        return error

    def _recovered(self, layer: Backend) -> None:
        if self.last_failure is not None and self.last_failure.layer is layer:
            self.last_failure = None

    def _delegate(self) -> None:
        """Takes over the capabilities of the layers, as attributes, so that ``isinstance`` with a protocol is right."""
        values = _those(self.layers, SupportsValues)
        if values:
            self._take(values[0], "held", "hold")
        peekable = _those(self.layers, SupportsPeek)
        if peekable:
            self._take(peekable[0], "peek", "drop")
        leases = _those(self.layers, SupportsLease)
        if leases:
            self._take(leases[-1], "claim", "lease", "swap_lease")
        self._delegate_files()
        stats = _those(self.layers, SupportsStats)
        if stats:
            self._take(stats[-1], "usage", "max_bytes")
        if isinstance(self.layers[-1], SupportsHoldings):
            self._take(self.layers[-1], "holdings", "outlines")
        if pinning := _those(self.layers, SupportsPins):
            self._take(pinning[-1], "pins", "pin", "unpin")
        if _those(self.layers, SupportsPurge):
            for name, method in (("purge", self._purge), ("last_purge", self._last_purge)):
                setattr(self, name, method)

    def _delegate_files(self) -> None:
        """Files come from the last layer that has them, and are copies where a layer below has objects."""
        files, objects = _those(self.layers, SupportsFiles), _those(self.layers, SupportsObjects)
        if objects:
            self._take(objects[-1], "upload", "download")
        if objects and isinstance(objects[-1], SupportsUrl):
            self._take(objects[-1], "url")
        if not files:
            return
        place: Any = files[-1]
        below = [layer for layer in objects if self.layers.index(layer) > self.layers.index(place)]
        if below:
            place = ProductLayers(files[-1], _Guarded(below[-1], self._guard(below[-1])))
        self._take(place, "draft", "locate", "fetch", "discard")
        setattr(self, "commit", self._committing(place, files[-1]))  # noqa: B010  # likewise

    def _take(self, layer: object, *names: str) -> None:
        guard = self._guards.get(id(layer))
        for name in names:
            method = getattr(layer, name)
            setattr(self, name, partial(guard, method) if guard is not None and callable(method) else method)

    def _committing(self, place: Any, files: Any) -> Callable[[str, Path, str, Sequence[Bytes]], Path]:
        above = self.layers[: self.layers.index(files)][::-1]

        def commit(key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
            """Commits to the layers that keep products, then puts the frame into those above them."""
            try:
                product: Path = place.commit(key, draft, name, frame)
            except OSError as error:
                self._remember(self.layers[-1], "commit", error)
                if not files.locate(key, name).exists():
                    raise
                failure: OSError | None = error
            else:
                self._recovered(self.layers[-1])
                failure = None
            self._change(above, "put", lambda layer: layer.put(key, frame))
            if failure is not None:
                raise failure
            return product

        return commit

    def _purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:
        """Purges every layer that can be.

        Raises:
            OSError: no layer could be purged.
        """
        removed: list[Purged] = []

        def purge(layer: Any) -> None:
            removed.append(layer.purge(is_dead, grace=grace, seconds=seconds))

        errors = self._each(_those(self.layers, SupportsPurge), "purge", purge)
        if errors and not removed:
            raise errors[-1]
        return sum(removed, Purged())

    def _last_purge(self) -> float | None:
        """When the layer was purged that waits for the longest time, of those that know; ``None`` where none does."""
        times = [layer.last_purge() for layer in _those(self.layers, SupportsPurge)]
        return min([time for time in times if time is not None], default=None)


class _Guarded:
    """A layer, each call of which goes through its breaker."""

    def __init__(self, layer: Backend, guard: Callable[..., Any]) -> None:
        self._layer = layer
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        return partial(self._guard, getattr(self._layer, name))


def _call(do: Callable[..., Any], *args: Any) -> Any:
    return do(*args)


def _those(layers: Sequence[Any], capability: type[Any]) -> list[Any]:
    return [layer for layer in layers if isinstance(layer, capability)]
