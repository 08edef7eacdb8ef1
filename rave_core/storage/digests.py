"""Digests of payloads and files. The store determines the algorithm; what an entry claims never does.

XXH3-128 finds every accident, as fast as memory is read, but whoever knows the content can make another one with the
same digest. It serves where nobody else can write. BLAKE3 serves everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import BinaryIO, Protocol

from blake3 import blake3
from xxhash import xxh3_128

from rave_core.model import Bytes

_PIECE = 1 << 20


class DigestState(Protocol):
    """What a digest is computed with, piece by piece."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Adds bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes so far."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a store digests what it holds.

    Attributes:
        label: what its digests start with, and nothing else does; empty for those of the first format.
        new: gives a new state, which has seen the bytes that it gets.
    """

    label: str
    new: Callable[..., DigestState]

    def of(self, pieces: Iterable[Bytes]) -> str:
        """The digest of ``pieces``, one after the other: the label and hexadecimal digits."""
        state = self.new()
        for piece in pieces:
            state.update(_octets(piece))
        return self.text(state)

    def of_one(self, content: Bytes) -> str:
        """The digest of ``content``, whose items are single bytes: the label and hexadecimal digits."""
        return self.label + self.new(content).hexdigest()

    def of_file(self, file: BinaryIO) -> str:
        """The digest of a file's content from where it stands, read in pieces of 1 MiB."""
        state = self.new()
        buffer = bytearray(_PIECE)
        view = memoryview(buffer)
        while size := file.readinto(buffer):  # type: ignore[attr-defined]  # every raw or buffered reader has it
            state.update(view[:size])
        return self.text(state)

    def text(self, state: DigestState) -> str:
        """The digest of what ``state`` has seen."""
        return self.label + state.hexdigest()

    def made(self, digest: str) -> bool:
        """Whether ``digest`` says that it is one of these."""
        return digest.startswith(self.label) if self.label else ":" not in digest


BLAKE2B = Algorithm("", partial(blake2b, digest_size=32))
"""Of entries in the first format."""
BLAKE3 = Algorithm("blake3:", blake3)
"""Of entries that others may write too."""
XXH3 = Algorithm("xxh3-128:", xxh3_128)
"""Of entries that nobody else can write."""


def algorithm_of(digest: str) -> Algorithm:
    """The algorithm of the digest in an entry whose seal was checked, since the seal vouches for it."""
    return next(known for known in (XXH3, BLAKE3, BLAKE2B) if known.made(digest))


def described(digest: str) -> str:
    """The digest of an entry with the name of its algorithm in front, as in ``blake3:af13…``."""
    return f"blake2b-256:{digest}" if BLAKE2B.made(digest) else digest


def _octets(piece: Bytes) -> Bytes:
    """``piece`` as a buffer of bytes, which is all that BLAKE3 takes."""
    if not isinstance(piece, memoryview) or piece.format == "B":
        return piece
    return piece.cast("B") if piece.nbytes else b""
