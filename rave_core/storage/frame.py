"""The frame: an entry and its payload as bytes.

    magic and format    8 bytes, the last is the format's number
    header's length     4 bytes, little endian
    seal               32 bytes, over all of the above and the header (see `signer`)
    header              the `Entry`, in msgpack, which holds the payload's digest
    payload             the codec's segments; none for a product, which is a file of its own

Every segment starts at a multiple of 64 bytes, with zeros in front of it, so that arrays and tables can be used
where they lie.

The seal vouches for the header, and the header for the payload, so that a header can be trusted without
reading what follows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rave_core.backend.frame_header import BODY, FORMAT, MAGIC, START, header_end, parse
from rave_core.errors import DamagedError
from rave_core.model import Bytes, Entry
from rave_core.storage.digests import Algorithm
from rave_core.storage.signature import Signer

_ALIGN = 64
_encode = msgspec.msgpack.Encoder().encode


def digest(segments: Sequence[Bytes], algorithm: Algorithm) -> str:
    """The digest of a payload: of its segments as they stand in the frame, with the zeros between them."""
    return algorithm.of(_aligned(segments))


def pack(entry: Entry, segments: Sequence[Bytes], sealer: Signer) -> list[Bytes]:
    """The frame in pieces, ready to be written one after the other.

    ``entry.digest`` must be that of ``segments``, or of the product, by ``sealer.algorithm``.
    """
    header = _encode(entry)
    start = START.pack(MAGIC, FORMAT, len(header))
    payload = _aligned(segments, BODY + len(header))
    return [start + sealer.sign(start + header) + header, *payload]


def _aligned(segments: Sequence[Bytes], offset: int = 0) -> list[Bytes]:
    """The segments, with zeros in front of each that does not start at a multiple of 64."""
    pieces: list[Bytes] = []
    for segment in segments:
        if offset % _ALIGN:
            pieces.append(bytes(-offset % _ALIGN))
            offset += -offset % _ALIGN
        pieces.append(segment)
        offset += memoryview(segment).nbytes
    return pieces


def unpack(frame: Bytes, key: str, sealer: Signer) -> tuple[Entry, list[memoryview]]:
    """The entry and its payload's segments, which are views of ``frame``. Everything is checked.

    Raises:
        DamagedError: bytes changed or are missing, or the frame belongs to another key.
        SealError: the seal does not vouch for the header.
        LaterFormatError: a later version wrote it.
    """
    entry, body, algorithm = _open(frame, key, sealer)
    view = memoryview(frame)[body:]
    if entry.product is not None:
        if len(view):
            raise DamagedError(f"{key}: bytes follow the header of a product")
        return entry, []
    start, places = 0, []
    for size in entry.sizes:
        start += -start % _ALIGN
        places.append(slice(start, start + size))
        start += size
    gap = -body % _ALIGN if places else 0
    if len(view) != gap + start or any(view[:gap]):
        raise DamagedError(f"{key}: expected {gap} zeros and {start} bytes after the header, found {len(view)} bytes")
    view = view[gap:]
    if algorithm.of([view]) != entry.digest:
        raise DamagedError(f"{key}: the payload does not have the digest that its header holds")
    return entry, [view[place] for place in places]


def open_head(head: Bytes, key: str, sealer: Signer) -> tuple[Entry, int]:
    """The entry in the beginning of a frame, once its seal is checked, and where the payload starts.

    Raises:
        DamagedError: as for ``unpack``; ``Truncated`` where ``head`` is too short.
        SealError: the seal does not vouch for the header.
        LaterFormatError: a later version wrote it.
    """
    entry, end, _ = _open(head, key, sealer)
    return entry, end


def _open(head: Bytes, key: str, sealer: Signer) -> tuple[Entry, int, Algorithm]:
    """The entry, where its header ends, and the algorithm of its digest, which the seal tells."""
    end = header_end(head)
    mark, number = bytes(head[START.size : BODY]), head[len(MAGIC)]
    algorithm = sealer.verify(bytes(head[: START.size]) + bytes(head[BODY:end]), mark, number)
    entry = parse(head, end)
    if entry.key != key:
        raise DamagedError(f"{key}: the entry belongs to another key, {entry.key}")
    if not algorithm.made(entry.digest):
        raise DamagedError(f"{key}: the digest in the header is not of the algorithm that the seal stands for")
    return entry, end, algorithm
