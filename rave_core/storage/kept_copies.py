"""Kept copies: results that stay as they are, whatever becomes of the entries that they were copied from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from rave_core.backend import SupportsFiles, SupportsPins
from rave_core.clock import Clock
from rave_core.errors import DamagedError, EntryError, OptionError
from rave_core.model import Entry, Key
from rave_core.storage.cache import Cache, Encoded
from rave_core.storage.directory_cache import DirectoryCache
from rave_core.storage.frame import unpack
from rave_core.storage.listing import find_head
from rave_core.storage.product_cache import ProductCache

PIN: Final = "-/kept"
"""What the keys of everything here start with; stores are told not to evict it."""
COPIES: Final = f"{PIN}/"
_NOTES: Final = f"{PIN}-notes"
_VERSION: Final = "1"


class KeptCopy(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of a kept copy.

    Attributes:
        id: its short name: of the key and the digest of the result, so the same result has one copy.
        key: text of the key of the copy.
        source: text of the key of the result that was copied.
        digest: of the result.
        size: in bytes.
        created_at: when the result was made, in Unix seconds.
        kept_at, until: when it was copied, and until when it stays; infinite for ever.
        by: the user who keeps it; empty for nobody in particular.
        comment: why.
        question: the query that it answers; ``None`` if that is not known.
        arguments: of the call, each in a short form.
    """

    id: str
    key: str
    source: str
    digest: str
    size: int
    created_at: float
    kept_at: float
    until: float | None
    by: str = ""
    comment: str = ""
    question: str | None = None
    arguments: dict[str, str] = {}

    @property
    def operation(self) -> str:
        """The full name of the operation that made it."""
        return Key.parse(self.source).operation


class KeptCopies:
    """The kept copies of a runtime's caches. Safe for many threads and processes; every method may wait for a store.

    A copy lies in the cache of its result, under a key of its own, and is pinned there: it is not evicted, and removed
    only when its time is over or somebody asks for that. Its bytes never change.
    """

    def __init__(self, data: Cache, products: Cache, clock: Clock) -> None:
        """Keeps copies in the caches for values and for files."""
        self._data = data
        self._products = products
        self._clock = clock

    def keep(
        self,
        cache: Cache,
        key: Key,
        *,
        until: float | None,
        digest: str | None = None,
        by: str = "",
        comment: str = "",
        question: str | None = None,
    ) -> KeptCopy | None:
        """Copies the result under ``key``; ``None`` if there is none. A copy that is there already stays for longer.

        Args:
            cache: where the result is, as its operation has it.
            key: its key.
            until: Unix seconds; ``None`` for ever.
            digest: only a result of this digest is copied; ``None`` for any.
            by, comment, question: what to record.

        Raises:
            OptionError: the store can't exempt entries from eviction.
            EntryError: the result can't be read.
            OSError: the store is in trouble.
        """
        cache = cache.archives if isinstance(cache, DirectoryCache) else cache
        for store in (cache, self._data):
            _pin(store)
        source = _read(cache, key)
        if source is None or digest not in (None, source.digest):
            return None
        found = self.find(id_of(key.text, source.digest))
        if found is None:
            found = _recorded(source, kept_at=self._clock.now(), until=until, by=by)
        elif _is_longer(found.until, until):
            if self.is_there(found):
                return found
            until = found.until
        self._copy(cache, source, Key.parse(found.key), until)
        kept = msgspec.structs.replace(
            found, until=until, comment=comment or found.comment, question=question or found.question
        )
        self._record(kept)
        return kept

    def find(self, name: str) -> KeptCopy | None:
        """The copy of that ID; ``None`` if there is none, or its time is over.

        Raises:
            OSError: the store is in trouble.
        """
        note = _note_key(name)
        if self._data.blocking:
            self._data.drop(note.text)  # another process may have kept it for longer, or removed it
        found = self._data.find(note)
        if found is None or not found.entry.is_fresh(self._clock.now()):
            return None
        return _decoded(found.value)

    def all(self) -> Iterator[KeptCopy]:
        """The copies, in no order.

        Raises:
            OSError: the store is in trouble.
        """
        for text in list(self._data.backend.keys(f"{_NOTES}/")):
            found = self.find(Key.parse(text).arguments)
            if found is not None:
                yield found

    def is_there(self, kept: KeptCopy) -> bool:
        """Whether the bytes of a copy are there, and not only its record: somebody may have removed them.

        Raises:
            OSError: the store is in trouble.
        """
        return find_head((self._data, self._products), kept.key) is not None

    def remove(self, kept: KeptCopy) -> None:
        """Removes a copy.

        Raises:
            OSError: the store is in trouble.
        """
        for cache in (self._data, self._products):
            cache.forget(Key.parse(kept.key))
        self._data.forget(_note_key(kept.id))

    def _copy(self, cache: Cache, source: Entry, key: Key, until: float | None) -> None:
        end = float("inf") if until is None else until
        draft = partial(
            msgspec.structs.replace,
            source,
            key=key.text,
            expires_at=end,
            stale_while_revalidate=0.0,
            stale_if_error=0.0,
        )
        if isinstance(cache, ProductCache):
            _put_file(cache, source, key, draft)
            return
        frame = cache.backend.get(source.key)
        if frame is None:
            raise EntryError(f"{source.key} was removed meanwhile")
        entry, segments = unpack(frame, source.key, cache.signer)
        if entry.digest != source.digest:
            raise EntryError(f"{source.key} was made anew meanwhile")
        cache.put(key, draft, Encoded(None, entry.codec, segments))

    def _record(self, kept: KeptCopy) -> None:
        key = _note_key(kept.id)
        draft = partial(
            Entry,
            key=key.text,
            created_at=kept.kept_at,
            expires_at=float("inf") if kept.until is None else kept.until,
            mime_type="application/json",
            arguments={"key": kept.source},
        )
        self._data.put(key, draft, self._data.encode(msgspec.json.encode(kept)))


def id_of(key: str, digest: str) -> str:
    """The ID of the copy of a result, by the text of its key and its digest: 24 hexadecimal digits."""
    return blake2b(f"{key} {digest}".encode(), digest_size=12).hexdigest()


def copy_key(key: Key, digest: str) -> Key:
    """The key of the copy of a result."""
    return Key(f"{COPIES}{key.operation}", key.version, f"{key.arguments}-{id_of(key.text, digest)}")


def source_of(key: Key) -> Key:
    """The key of the result of which ``key`` names a copy; any other key as it is."""
    if not key.operation.startswith(COPIES):
        return key
    return Key(key.operation.removeprefix(COPIES), key.version, key.arguments.rpartition("-")[0])


def _recorded(source: Entry, *, kept_at: float, until: float | None, by: str) -> KeptCopy:
    key = Key.parse(source.key)
    return KeptCopy(
        id=id_of(key.text, source.digest),
        key=copy_key(key, source.digest).text,
        source=key.text,
        digest=source.digest,
        size=source.size,
        created_at=source.created_at,
        kept_at=kept_at,
        until=until,
        by=by,
        arguments=dict(source.arguments),
    )


def _is_longer(until: float | None, other: float | None) -> bool:
    """Whether a copy that stays until ``until`` need not be kept again to stay until ``other``."""
    return until is None or (other is not None and other <= until)


def _pin(cache: Cache) -> None:
    store = cache.backend.capability(SupportsPins)
    if store is None:
        raise OptionError(
            f"nothing can be kept in {cache.url}, which forgets what it has no room for; directories and buckets can"
        )
    if PIN not in store.pins():
        store.pin(PIN)


def _read(cache: Cache, key: Key) -> Entry | None:
    """The entry under ``key``, checked with all its bytes."""
    if not isinstance(cache, ProductCache):
        frame = cache.backend.get(key.text)
        return None if frame is None else unpack(frame, key.text, cache.signer)[0]
    found = cache.find(key)
    return None if found is None else found.entry


def _put_file(cache: ProductCache, source: Entry, key: Key, draft: Any) -> None:
    files = cache.backend.capability(SupportsFiles)
    found = cache.find(Key.parse(source.key))
    if files is None or found is None or found.entry.digest != source.digest:
        raise EntryError(f"{source.key} was removed meanwhile")
    path = Path(files.draft(os.path.splitext(source.product or "")[1]))
    try:
        with cache.checked.open(found.value, found.entry) as file, path.open("xb") as sink:
            shutil.copyfileobj(file, sink, 1 << 20)
        if source.executable:
            path.chmod(path.stat().st_mode | 0o100)
        cache.put(key, draft, Encoded(str(path), cache.codec, ()))
    finally:
        files.discard(path)


def _note_key(name: str) -> Key:
    return Key(_NOTES, _VERSION, name or "-")


def _decoded(value: Any) -> KeptCopy:
    try:
        return msgspec.json.decode(bytes(value), type=KeptCopy)
    except (msgspec.DecodeError, TypeError) as error:
        raise DamagedError(f"the record of a kept copy can't be read: {error}") from error
