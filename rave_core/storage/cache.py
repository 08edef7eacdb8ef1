"""A cache: values under keys in one backend, sealed when written and checked on every read."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from rave_core.backend import (
    EVICTED,
    HEAD_SIZE,
    Backend,
    Located,
    MemoryRef,
    SupportsConditionalPut,
    SupportsPeek,
    SupportsValues,
    Truncated,
)
from rave_core.codecs import Codecs
from rave_core.codecs.immutability import is_immutable
from rave_core.errors import DamagedError, EntryError, LaterFormatError, SealError
from rave_core.model import Bytes, Entry, Key, OperationSpec
from rave_core.storage.frame import EntryDraft, open_head, pack_value, unpack
from rave_core.storage.signature import Signer
from rave_core.telemetry.diagnostics import Diagnostics


class Found(Struct, frozen=True):
    """What a cache holds under a key: the caller's own value, its entry, and its place in a memory tier, if any."""

    value: Any
    entry: Entry
    ref: MemoryRef | None = None


class Encoded(Struct, frozen=True):
    """A value ready to be put. The segments may alias it, so it must be put or copied before anybody changes it.

    Attributes:
        is_immutable: whether memory may return the value itself; called only if there is a memory tier.
    """

    value: Any
    codec: str
    segments: Sequence[Bytes]
    is_immutable: bool = False


class Destination(ABC):
    """Where the result of one run goes.

    Attributes:
        prepares: whether there is anything to `prepare` and `collect`; if not, they are skipped.
    """

    prepares = True

    @abstractmethod
    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """The arguments that precede the caller's in the call of the body."""

    @abstractmethod
    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: Any) -> Any:
        """The result of a body that was given ``prepared`` and returned ``returned``."""

    def elsewhere(self, prepared: tuple[str, ...], error: Exception) -> tuple[str, ...] | None:
        """The arguments for another try if the prepared ones caused ``error``; else ``None``."""
        return None

    def abandon(self, prepared: tuple[str, ...]) -> None:  # noqa: B027  # most places have nothing to remove
        """Removes what was prepared for a body that failed."""


class Cache(Destination):
    """Results of operations under keys. Safe for many threads.

    `find`, `put` and `forget` pass on what the backend raises; an entry that can't be used is reported here
    and counts as absent.

    Attributes:
        blocking: whether a call may wait for a disk or a network.
        peek, drop: ``peek`` returns the frame that memory holds under the text of a key; ``drop`` makes memory forget
            the frames whose keys start with a text. Neither waits; see `rave_core.backend.SupportsPeek`.
    """

    def __init__(self, backend: Backend, url: str, signer: Signer, diagnostics: Diagnostics) -> None:
        self.backend = backend
        self.url = url
        self.signer = signer
        self.blocking = backend.blocking
        memory = backend.capability(SupportsPeek)
        self.peek: Callable[[str], Bytes | None] = memory.peek if memory is not None else _nothing
        self.drop: Callable[[str], None] = memory.drop if memory is not None else _nothing
        self._diagnostics = diagnostics

    @property
    def seal(self) -> Signer:
        """The former name of ``signer``, deprecated until 2027-06."""
        warnings.warn("Cache.seal is now Cache.signer", DeprecationWarning, stacklevel=2)
        return self.signer

    def look(self, key: Key) -> Found | None:
        """What is kept under ``key``, fresh or not; trouble in the store is reported, and gives ``None``."""
        try:
            return self.find(key)
        except Exception as error:  # noqa: BLE001  # a store may raise anything, and the answer can be computed
            self._diagnostics.backend_failed(self.url, "read an entry", error)
            return None

    def find(self, key: Key) -> Found | None:
        """What is kept under ``key``, fresh or not."""
        frame = self.backend.get(key.text)
        return None if frame is None else self._opened(key, Located(frame))

    def _opened(self, key: Key, located: Located) -> Found | None:
        """The value in a frame; one that can't be used is reported and counts as absent."""
        try:
            return self._open(key, located)
        except LaterFormatError as error:
            self._diagnostics.later(self.url, key.text, error)
        except SealError as error:
            self._diagnostics.damaged(self.url, key.text, error)
        except DamagedError as error:
            self._diagnostics.damaged(self.url, key.text, error)
            self.backend.set_aside(key.text)
        except EntryError as error:
            self._diagnostics.damaged(self.url, key.text, error)
        return None

    def has_later(self, key: Key, started: float) -> bool:
        """Whether a result is kept whose computation began at ``started`` or later, in Unix seconds; in any layer.

        An entry without a valid seal does not count. Neither does one that can't be read.
        """
        found = (self._begun(layer, key.text) for layer in self.layers)
        return any(begun is not None and begun >= started for begun in found)

    @property
    def layers(self) -> Sequence[Backend]:
        """The backends of which this one consists, nearest first."""
        layers: Sequence[Backend] = getattr(self.backend, "layers", (self.backend,))
        return layers

    def _begun(self, layer: Backend, key: str) -> float | None:
        size = HEAD_SIZE
        while (head := layer.head(key, size)) is not None:
            try:
                entry, _ = open_head(head, key, self.signer)
            except Truncated as error:
                if error.needed <= size:
                    return None
                size = error.needed
            except EntryError:
                return None
            else:
                return entry.created_at - entry.seconds
        return None

    def forget(self, key: Key) -> bool:
        """Removes what is kept under ``key``; returns whether there was anything."""
        return self.backend.delete(key.text)

    @abstractmethod
    def _open(self, key: Key, located: Located) -> Found:
        """The value in a located frame; any `EntryError` where it can't be used."""

    @abstractmethod
    def encode(self, value: Any) -> Encoded:
        """``value``, ready to be put; raises `UnstorableError` if it can't be kept."""

    @abstractmethod
    def put(self, key: Key, draft: EntryDraft, encoded: Encoded) -> Found:
        """Keeps an encoded value; ``draft`` makes its entry from the fields that the encoding sets."""

    def put_unless_later(self, key: Key, draft: EntryDraft, encoded: Encoded, started: float) -> Found | None:
        """Like `put`, but gives ``None`` if a result is kept whose computation began at ``started`` or later.

        Only a store with `rave_core.backend.SupportsConditionalPut` looks; elsewhere `has_later` has to be asked first.
        """
        return self.put(key, draft, encoded)

    @abstractmethod
    def fetcher(self, encoded: Encoded) -> Callable[[], Any]:
        """Gives each caller a value of its own, decoded from one that could not be put."""


class ValueCache(Cache):
    """The results of data operations."""

    prepares = False

    def __init__(
        self, backend: Backend, url: str, signer: Signer, diagnostics: Diagnostics, *, codecs: Codecs, data_only: bool
    ) -> None:
        super().__init__(backend, url, signer, diagnostics)
        self._codecs = codecs
        self._data_only = data_only
        self._values = backend.capability(SupportsValues)

    def find(self, key: Key) -> Found | None:
        """What is kept under ``key``, fresh or not; the decoded value if memory holds it."""
        if self._values is None:
            frame = self.backend.get(key.text)
            return None if frame is None else self._opened(key, Located(frame))
        located = self._values.get_value(key.text)
        ref = located.ref
        if ref is not None and (value := ref.value) is not EVICTED:
            return Found(value, ref.entry, ref)
        return None if located.frame is None else self._opened(key, located)

    def _open(self, key: Key, located: Located) -> Found:
        assert located.frame is not None  # only what was found is opened
        entry, segments = unpack(located.frame, key.text, self.signer)
        if entry.product is not None:
            raise DamagedError(f"{key}: expected a value, the entry is of a file")
        value = self._codecs.decode(entry.codec, segments, data_only=self._data_only)
        return Found(value, entry, None if self._values is None else self._hold(key, located, value, entry))

    def _hold(self, key: Key, located: Located, value: Any, entry: Entry) -> MemoryRef | None:
        """Makes memory keep what a lower layer returned, with its value if that is immutable."""
        if self._values is None:
            return None
        if is_immutable(value):
            return self._values.hold_value(key.text, located, value, entry)
        self._values.hold_frame(key.text, located)
        return None

    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """Nothing: a data operation gets only the caller's arguments."""
        return ()

    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: Any) -> Any:
        """What the body returned."""
        return returned

    def encode(self, value: Any) -> Encoded:
        """``value``, encoded by the first codec that keeps it exactly; raises `UnstorableError` if none does."""
        codec, segments = self._codecs.choose(value, data_only=self._data_only)
        # A table may share memory with an array that its maker still changes: it is held once decoded.
        return Encoded(value, codec, segments, self._values is not None and is_immutable(value, tables=False))

    def put(self, key: Key, draft: EntryDraft, encoded: Encoded) -> Found:
        """Keeps an encoded value, in one write to each layer."""
        entry, frame = pack_value(draft, encoded.codec, encoded.segments, self.signer)
        if self._values is None or not encoded.is_immutable:
            self.backend.put(key.text, frame)
            return Found(encoded.value, entry)
        return Found(encoded.value, entry, self._values.put_value(key.text, frame, encoded.value, entry))

    def put_unless_later(self, key: Key, draft: EntryDraft, encoded: Encoded, started: float) -> Found | None:
        """Decides in the last layer, if that can; the layers above follow."""
        last = self.layers[-1].capability(SupportsConditionalPut)
        if last is None:
            return self.put(key, draft, encoded)
        entry, frame = pack_value(draft, encoded.codec, encoded.segments, self.signer)
        if not last.put_unless(key.text, frame, lambda there: self._is_later(there, key.text, started)):
            return None
        for layer in self.layers[:-1]:
            layer.put(key.text, frame)
        return Found(encoded.value, entry)

    def _is_later(self, frame: Bytes, key: str, started: float) -> bool:
        try:
            entry, _ = open_head(frame, key, self.signer)
        except EntryError:
            return False
        return entry.created_at - entry.seconds >= started

    def fetcher(self, encoded: Encoded) -> Callable[[], Any]:
        """Decodes a copy for each caller, or returns the value itself if it is immutable."""
        if is_immutable(encoded.value):
            return lambda: encoded.value
        copies = [bytes(segment) for segment in encoded.segments]
        return lambda: self._codecs.decode(
            encoded.codec, [memoryview(copy) for copy in copies], data_only=self._data_only
        )


def _nothing(_key: str) -> None:
    """What a store without a memory tier returns for a peek."""
