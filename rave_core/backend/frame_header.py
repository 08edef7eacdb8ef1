"""The header of a frame, which a backend may read to list and tidy what it stores; see `rave_core.storage.frame`."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from rave_core.errors import DamagedError, LaterFormatError
from rave_core.model import Bytes, Entry

MAGIC: Final = b"\x8bRAVE\r\n"
FORMAT: Final = 2
"""The number of the format that is written. The one before differs in the digest and the seal, and is read too."""
HEAD_SIZE: Final = 4096
"""The number of bytes that are sure to hold the header of an ordinary entry."""

START: Final = struct.Struct("<7sBI")
"""The magic, the format and the header's length."""
BODY: Final = START.size + 32
"""Where the header starts: a seal of 32 bytes stands between."""

_decode = msgspec.msgpack.Decoder(Entry).decode


class Truncated(DamagedError):
    """The bytes end before the header does; ``needed`` bytes of the frame hold it whole."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"the frame ends within its header: {needed} bytes are needed")
        self.needed = needed


def peek(head: Bytes) -> Entry:
    """The entry at the beginning of a frame, with nothing checked: for listing and cleaning up, never for answers.

    Raises:
        DamagedError: no entry can be read; ``Truncated`` where ``head`` is too short.
        LaterFormatError: a later version wrote it.
    """
    return parse(head, header_end(head))


def header_end(head: Bytes) -> int:
    """Where the header ends in the beginning of a frame.

    Raises:
        DamagedError: this is no frame; ``Truncated`` where ``head`` is too short.
        LaterFormatError: a later version wrote it.
    """
    if len(head) < BODY:
        raise Truncated(HEAD_SIZE)
    magic, number, length = START.unpack_from(head)
    if magic != MAGIC:
        raise DamagedError("the bytes do not start as a frame does")
    if number > FORMAT:
        raise LaterFormatError(f"format {number} is later than {FORMAT}, the latest that this version of RAVE reads")
    if number < 1:
        raise DamagedError(f"there is no frame format {number}")
    end: int = BODY + length
    if len(head) < end:
        raise Truncated(end)
    return end


def parse(head: Bytes, end: int) -> Entry:
    """The entry in a header that ends at ``end``.

    Raises:
        DamagedError: it can't be read.
    """
    try:
        return _decode(memoryview(head)[BODY:end])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedError(f"the header can't be read: {error}") from error
