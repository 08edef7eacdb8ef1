"""Lists, finds and checks the entries of a cache without decoding their values."""

from __future__ import annotations

import heapq
import itertools
import os
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import islice

from rave_core.backend import HEAD_SIZE, Outline, SupportsFiles, SupportsHoldings, Truncated, peek
from rave_core.errors import DamagedError, EntryError, LaterFormatError, SealError, UnknownNameError, nearest
from rave_core.model import Entry, quote_operation
from rave_core.storage.cache import Cache
from rave_core.storage.checked_files import CheckedFiles
from rave_core.storage.frame import open_head, unpack


class Health(StrEnum):
    """Whether an entry can be used."""

    SOUND = "sound"
    DAMAGED = "damaged"
    FOREIGN = "foreign"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry, and the cache that holds it."""

    cache: Cache
    entry: Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of checking one entry.

    Attributes:
        health: ``sound``; ``damaged``: bytes changed or are missing; ``foreign``: the seal does not fit, so it was
            changed or made with another signing key; ``later``: a later version of RAVE wrote it.
        problem: in words, empty for a sound entry.
    """

    cache: Cache
    key: str
    health: Health
    problem: str = ""


def prefix_of(operation: str) -> str:
    """What the text of every key of ``operation`` starts with."""
    return f"{quote_operation(operation)}/"


def keys_of(cache: Cache, operation: str) -> Iterator[str]:
    """The keys of one operation in all its versions, in no order.

    Raises:
        OSError: the store is in trouble.
    """
    prefix = prefix_of(operation)
    for key in cache.backend.keys(prefix):
        if key.count("/", len(prefix)) == 1:  # else it belongs to an operation with a longer name
            yield key


def read_head(cache: Cache, key: str) -> Entry | None:
    """The entry under ``key`` by its header alone, which is not checked; ``None`` if there is none.

    Raises:
        EntryError: it can't be read.
        OSError: the store is in trouble.
    """
    size = HEAD_SIZE
    while True:
        head = cache.backend.head(key, size)
        if head is None:
            return None
        try:
            return peek(head)
        except Truncated as error:
            if error.needed <= size:
                raise
            size = error.needed


def find_head(caches: Iterable[Cache], key: str) -> Entry | None:
    """As `read_head`, from the first of some caches with an entry that can be read; ``None`` if there is none.

    Raises:
        OSError: a store is in trouble.
    """
    for cache in caches:
        try:
            entry = read_head(cache, key)
        except EntryError:
            continue
        if entry is not None:
            return entry
    return None


def is_verified(cache: Cache, key: str) -> bool:
    """Whether a holder of this cache's key wrote the header under ``key``; never in a cache without a key.

    Raises:
        OSError: the store is in trouble.
    """
    size = HEAD_SIZE
    while cache.signer.trusted and (head := cache.backend.head(key, size)) is not None:
        try:
            open_head(head, key, cache.signer)
        except Truncated as error:
            if error.needed <= size:
                return False
            size = error.needed
        except EntryError:
            return False
        else:
            return True
    return False


def entries(cache: Cache, prefix: str = "") -> Iterator[Entry]:
    """The entries whose keys start with ``prefix``, in no order; those that can't be read are left out.

    Raises:
        OSError: the store is in trouble.
    """
    yield from _read(cache, cache.backend.keys(prefix))


def foremost(
    cache: Cache, prefix: str, most: int, order: Callable[[Entry | Outline], float]
) -> tuple[list[Entry], int]:
    """The ``most`` entries of the lowest ``order`` whose keys start with ``prefix``, sorted, and how many there are.

    If the store knows enough about its entries without their headers, only the headers of the first ones are read.

    Raises:
        OSError: the store is in trouble.
    """
    number = itertools.count()
    if (store := cache.backend.capability(SupportsHoldings)) is not None:
        counted = (outline for outline in store.outlines(prefix) if next(number) >= 0)
        keys = [outline.key for outline in heapq.nsmallest(most, counted, key=order)]
        return sorted(_read(cache, keys), key=order), next(number)
    found = (entry for entry in entries(cache, prefix) if next(number) >= 0)
    return heapq.nsmallest(most, found, key=order), next(number)


def entries_of(cache: Cache, operation: str, *, most: int) -> Iterator[Entry]:
    """The entries of one operation in all its versions, in no order, at most ``most``.

    Raises:
        OSError: the store is in trouble.
    """
    yield from _read(cache, islice(keys_of(cache, operation), most))


def _read(cache: Cache, keys: Iterable[str]) -> Iterator[Entry]:
    for key in keys:
        try:
            entry = read_head(cache, key)
        except EntryError:
            continue
        if entry is not None and entry.key == key:
            yield entry


def short_id(key: str) -> str:
    """Twelve characters that people can type in place of the text of a key: a digest of all of it."""
    return b32encode(blake2b(key.encode(), digest_size=10).digest())[:12].decode().lower()


def find_entry(caches: Iterable[Cache], name: str) -> Kept:
    """The one entry that ``name`` means: a key, or the beginning of one or of its short ID.

    Raises:
        UnknownNameError: none or several are meant.
        OSError: a store is in trouble.
    """
    places = list(caches)
    for cache in places:
        entry = read_head(cache, name) if name.count("/") >= 2 else None
        if entry is not None:
            return Kept(cache, entry)
    keys = {key: cache for cache in places for key in cache.backend.keys("")}
    found = [key for key in keys if key.startswith(name)]
    found = found or [key for key in keys if short_id(key).startswith(name)]
    if len(found) == 1:
        entry = read_head(keys[found[0]], found[0])
        if entry is not None:
            return Kept(keys[found[0]], entry)
    if len(found) > 1:
        some = ", ".join(sorted(found)[:3]) + (", ..." if len(found) > 3 else "")
        raise UnknownNameError(f"{name!r} means {len(found)} entries ({some}); give one key, or more characters of it")
    hint = nearest(name, keys) if 0 < len(keys) <= 20 else "'rave cache ls' shows what is kept"
    raise UnknownNameError(f"no entry is called {name!r}; {hint}")


def check_entry(cache: Cache, key: str) -> Entry | None:
    """The entry under ``key`` after all its bytes were read and checked; ``None`` if there is none.

    Values are not decoded, so nothing in an entry is ever run.

    Raises:
        EntryError: it can't be used.
        OSError: the store is in trouble.
    """
    frame = cache.backend.get(key)
    if frame is None:
        return None
    entry, _ = unpack(frame, key, cache.signer)
    if entry.product is not None:
        _check_product(cache, entry, entry.product)
    return entry


def verify(
    cache: Cache, prefix: str = "", *, repair: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Iterator[Verdict]:
    """Checks every entry whose key starts with ``prefix``; entries that disappear during the check are skipped.

    Args:
        cache: the cache to check.
        prefix: what the texts of the keys start with.
        repair: whether damaged entries are set aside, so that they are recomputed. Foreign and later ones stay: they
            may be sound to another reader.
        progress: called with the number of entries checked.

    Raises:
        OSError: the store is in trouble.
    """
    for number, key in enumerate(cache.backend.keys(prefix), 1):
        verdict = _judge(cache, key)
        progress(number)
        if verdict is None:
            continue
        if repair and verdict.health is Health.DAMAGED:
            cache.backend.set_aside(key)
        yield verdict


def _judge(cache: Cache, key: str) -> Verdict | None:
    try:
        return None if check_entry(cache, key) is None else Verdict(cache, key, Health.SOUND)
    except LaterFormatError as error:
        return Verdict(cache, key, Health.LATER, str(error))
    except SealError as error:
        return Verdict(cache, key, Health.FOREIGN, str(error))
    except EntryError as error:
        return Verdict(cache, key, Health.DAMAGED, str(error))


def _check_product(cache: Cache, entry: Entry, name: str) -> None:
    files = cache.backend.capability(SupportsFiles)
    if files is None or name != os.path.basename(name):
        raise DamagedError(f"{entry.key}: the entry is of a file, which this cache can't hold")
    try:
        path = files.fetch(entry.key, name)
        CheckedFiles().open(os.fspath(path), entry).close()
    except FileNotFoundError:
        raise DamagedError(f"{entry.key}: the product {name} is gone") from None
