"""Bytes in an encoding: small ones as they are, large ones by their digest."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from blake3 import blake3

Write: TypeAlias = Callable[[Any], object]

LARGE = 1 << 15
"""From this size on, in bytes, a digest replaces the bytes: BLAKE3 reads them several times as fast."""

_BLOCK = 1 << 16


def put_octets(data: bytes | bytearray | memoryview, write: Write) -> None:
    """Writes contiguous bytes, whose length the caller has written already. Nothing is copied."""
    size = data.nbytes if isinstance(data, memoryview) else len(data)
    # One thread: pool threads do not survive a fork, and a child would wait for them forever.
    write(data if size < LARGE else blake3(data).digest())


def put_texts(texts: Sequence[str], write: Write) -> None:
    """Writes many texts in one go: how many, the length of each, and all characters in UTF-8."""
    write(b"%x:" % len(texts))
    put_octets(memoryview(array("q", map(len, texts))).cast("B"), write)
    blocks = (texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK))
    put_joined(("".join(block).encode("utf-8", "surrogatepass") for block in blocks), write)


def put_joined(blocks: Iterable[bytes], write: Write) -> None:
    """Writes blocks as one: their bytes count, but not the boundaries between blocks."""
    held: list[bytes] = []
    size, state = 0, None
    for block in blocks:
        size += len(block)
        if size < LARGE:
            held.append(block)
        elif state is None:
            state = blake3(b"".join([*held, block]))
        else:
            state.update(block)
    write(b"%x:" % size)
    write(b"".join(held) if state is None else state.digest())
