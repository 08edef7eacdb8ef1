"""Tokens: an injective sequence of texts and bytes, as one digest."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

_MOST = 2000


class Tokens:
    """A digest of parts in their order. Each has its length before it, so no two sequences are alike."""

    __slots__ = ("_parts", "_state")

    def __init__(self) -> None:
        self._state = blake2b(digest_size=20)
        self._parts: list[str | bytes | int] = []

    def put(self, *parts: str | bytes | int) -> None:
        """Adds parts. An int stands for its digits."""
        self._parts += parts
        if len(self._parts) > _MOST:
            self._flush()

    def digest(self) -> bytes:
        """20 bytes of all that was added."""
        self._flush()
        return self._state.digest()

    def _flush(self) -> None:
        framed = [b"%x:%b" % (len(part), part) if type(part) is bytes else _framed(part) for part in self._parts]
        self._state.update(b"".join(framed))
        self._parts.clear()


@lru_cache(1 << 14, typed=True)
def _framed(part: str | bytes | int) -> bytes:
    """A part with its length before it. Most are names, which one walk after the other puts again."""
    data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
    return b"%x:%b" % (len(data), data)


def digest_of(*parts: str | bytes | int) -> str:
    """32 hexadecimal digits of a sequence of parts."""
    state = blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        state.update(b"%x:" % len(data) + data)
    return state.hexdigest()
