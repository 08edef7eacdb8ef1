"""Tokens: an injective sequence of texts and bytes, as one digest."""

from __future__ import annotations

from hashlib import blake2b


class Tokens:
    """A digest of parts in their order. Each has its length before it, so no two sequences are alike."""

    __slots__ = ("_parts", "_state")

    def __init__(self) -> None:
        self._state = blake2b(digest_size=20)
        self._parts: list[bytes] = []

    def put(self, *parts: str | bytes | int) -> None:
        """Adds parts. An int stands for its digits."""
        for part in parts:
            data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
            self._parts.append(b"%x:" % len(data))
            self._parts.append(data)
        if len(self._parts) > 200:
            self._flush()

    def digest(self) -> bytes:
        """20 bytes of all that was added."""
        self._flush()
        return self._state.digest()

    def _flush(self) -> None:
        self._state.update(b"".join(self._parts))
        self._parts.clear()


def digest_of(*parts: str | bytes | int) -> str:
    """32 hexadecimal digits of a sequence of parts."""
    state = blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        state.update(b"%x:" % len(data) + data)
    return state.hexdigest()
