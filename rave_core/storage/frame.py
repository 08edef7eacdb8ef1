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

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from rave_core.backend.frame_header import BODY, FORMAT, MAGIC, START, header_end, parse
from rave_core.errors import DamagedError
from rave_core.model import Bytes, Entry
from rave_core.storage.digests import Algorithm
from rave_core.storage.signature import Signer

EntryDraft: TypeAlias = Callable[..., Entry]
"""Makes an entry from ``codec``, ``sizes``, ``digest`` and ``product``, given by keyword."""

_ALIGN = 64
_ZEROS = bytes(_ALIGN)
_SMALL = 1 << 16  # bytes of a payload
_encode = msgspec.msgpack.Encoder().encode


def digest(segments: Sequence[Bytes], algorithm: Algorithm) -> str:
    """The digest of a payload: of its segments as they stand in the frame, with the zeros between them."""
    return algorithm.of(_aligned(segments))


def pack(entry: Entry, segments: Sequence[Bytes], sealer: Signer) -> list[Bytes]:
    """The frame in pieces, ready to be written one after the other; a small one in one piece.

    ``entry.digest`` must be that of ``segments``, or of the product, by ``sealer.algorithm``.
    """
    return _framed(entry, _aligned(segments), sealer)


def pack_value(draft: EntryDraft, codec: str, segments: Sequence[Bytes], sealer: Signer) -> tuple[Entry, list[Bytes]]:
    """The entry that ``draft`` makes of a value's segments, and the frame of both, as `pack` gives it."""
    payload = _aligned(segments)
    sizes = tuple([memoryview(segment).nbytes for segment in segments])
    entry = draft(codec=codec, sizes=sizes, digest=sealer.algorithm.of(payload))
    return entry, _framed(entry, payload, sealer)


def _framed(entry: Entry, payload: list[Bytes], sealer: Signer) -> list[Bytes]:
    header = _encode(entry)
    start = START.pack(MAGIC, FORMAT, len(header))
    gap = _ZEROS[: -(BODY + len(header)) % _ALIGN if payload else 0]
    pieces = [start + sealer.sign(start + header) + header + gap, *payload]
    # Each layer of a store looks at each piece, so a small copy is cheaper.
    return pieces if sum(entry.sizes) > _SMALL else [b"".join(pieces)]


def _aligned(segments: Sequence[Bytes]) -> list[Bytes]:
    """The segments, with zeros in front of each that does not start at a multiple of 64."""
    pieces: list[Bytes] = []
    offset = 0
    for segment in segments:
        if offset % _ALIGN:
            pieces.append(_ZEROS[: -offset % _ALIGN])
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
    view = memoryview(frame)
    entry, body, algorithm = _open(view, key, sealer)
    if entry.product is not None:
        if len(view) != body:
            raise DamagedError(f"{key}: bytes follow the header of a product")
        return entry, []
    start = end = body + (-body % _ALIGN if entry.sizes else 0)
    segments = []
    for size in entry.sizes:
        end += -end % _ALIGN
        segments.append(view[end : end + size])
        end += size
    if len(view) != end or view[body:start] != _ZEROS[: start - body]:
        raise DamagedError(
            f"{key}: expected {start - body} zeros and {end - start} bytes after the header, found {len(view) - body} "
            "bytes"
        )
    if algorithm.of_one(view[start:]) != entry.digest:
        raise DamagedError(f"{key}: the payload does not have the digest that its header holds")
    return entry, segments


def open_head(head: Bytes, key: str, sealer: Signer) -> tuple[Entry, int]:
    """The entry in the beginning of a frame, once its seal is checked, and where the payload starts.

    Raises:
        DamagedError: as for ``unpack``; ``Truncated`` where ``head`` is too short.
        SealError: the seal does not vouch for the header.
        LaterFormatError: a later version wrote it.
    """
    entry, end, _ = _open(memoryview(head), key, sealer)
    return entry, end


def _open(head: memoryview, key: str, sealer: Signer) -> tuple[Entry, int, Algorithm]:
    """The entry, where its header ends, and the algorithm of its digest, which the seal tells."""
    end = header_end(head)
    start = head[:BODY].tobytes()
    signed = start[: START.size] + head[BODY:end]
    algorithm = sealer.verify(signed, start[START.size :], start[len(MAGIC)])
    entry = parse(head, end)
    if entry.key != key:
        raise DamagedError(f"{key}: the entry belongs to another key, {entry.key}")
    if not algorithm.made(entry.digest):
        raise DamagedError(f"{key}: the digest in the header is not of the algorithm that the seal stands for")
    return entry, end, algorithm
