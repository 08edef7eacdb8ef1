"""Keys and frames for the tests of backends, and threads that start together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any, TypeAlias, TypeVar

from rave_core.backend.frame_header import FORMAT
from rave_core.model import FOREVER, Bytes, Entry, Key
from rave_core.storage.digests import BLAKE3, Algorithm
from rave_core.storage.frame import digest, pack
from rave_core.storage.signature import Signer

T = TypeVar("T")
Some: TypeAlias = Any  # a Backend with the capability; Python can't write an intersection of types


class NoSeal(Signer):
    """Vouches for everything: backends do not look at seals."""

    def sign(self, data: bytes) -> bytes:  # whatever it is
        """32 bytes."""
        return bytes(32)

    def verify(self, data: bytes, mark: bytes, number: int = FORMAT) -> Algorithm:
        """Accepts anything."""
        return self.algorithm


def key_of(name: str) -> str:
    """The text of a key like any other, its own for each ``name``."""
    return Key("contract:operation", "0123456789abcdef", blake2b(name.encode(), digest_size=16).hexdigest()).text


def frame_of(key: str, payload: bytes = b"payload", **fields: Any) -> list[Bytes]:
    """A frame of ``key``; ``fields`` are those of its `Entry`."""
    known: dict[str, Any] = {"created_at": 0.0, "expires_at": FOREVER, "codec": "bytes", "sizes": (len(payload),)}
    entry = Entry(key=key, digest=digest([payload], BLAKE3), **{**known, **fields})
    return pack(entry, [] if entry.product else [payload], NoSeal())


def together(count: int, act: Callable[[int], T]) -> list[T]:
    """The answers of ``act(0)``, ``act(1)``, …, each in a thread of its own, all started at the same moment."""
    start = threading.Barrier(count)

    def enter(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(enter, range(count)))
