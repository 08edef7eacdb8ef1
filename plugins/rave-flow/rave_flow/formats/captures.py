"""Captures, pcap and pcapng: their IP packets are counted, and written without what lies around them.

``nfpcapd`` knows few kinds of links, and does not say which packets it loses. It gets IP packets alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from rave_flow.errors import UnreadableError

_IP = (0x0800, 0x86DD)
_VLAN = (0x8100, 0x88A8, 0x9100, 0x9200)
_PPPOE, _MPLS = 0x8864, (0x8847, 0x8848)
_PPP = (0x0021, 0x0057)
_EXTENSIONS, _FRAGMENT = (0, 43, 60), 44
_RAW_LINK = 101
_HEAD = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, _RAW_LINK)
_ORDERS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1),
}  # fmt: skip
"""The byte order by the first bytes of a pcap file, and the nanoseconds in a unit of its times."""

_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = b"\x0a\x0d\x0d\x0a", 1, 3, 6
_LARGEST = 1 << 24
"""The most bytes of a packet or a block: more is damage."""


class Packet(NamedTuple):
    """What a capture has of one packet.

    Attributes:
        time: in nanoseconds since 1970.
        size: its bytes on the wire.
        link: the number of the kind of link, which says what comes first in ``data``.
        data: those that were captured.
    """

    time: int
    size: int
    link: int
    data: bytes


@dataclass(slots=True)
class Count:
    """What a capture has.

    Attributes:
        packets: of IP.
        others: packets of anything else, such as ARP.
        timeless: packets of which only their bytes were captured, and not when.
        is_cut: whether it ends within a packet.
        first, last: the least and the greatest time of a packet of IP, in nanoseconds; ``None`` if there is none.
    """

    packets: int = 0
    others: int = 0
    timeless: int = 0
    is_cut: bool = False
    first: int | None = None
    last: int | None = None


def ip_packets(source: BinaryIO, path: str, count: Count) -> Iterator[Packet]:
    """The IP packets of a capture, whose ``data`` begin with IP's head; fills ``count`` on the way.

    Raises:
        UnreadableError: it is no capture, or one of a kind of link that is not read.
    """
    for packet in _packets(source, path, count):
        find = _LINKS.get(packet.link)
        if find is None:
            kinds = "Ethernet, Linux cooked, raw IP, loopback and PPP are"
            raise UnreadableError(f"{path}: its packets are of link type {packet.link}, which is not read; {kinds}")
        start = find(packet.data)
        if start is None or start >= len(packet.data) or packet.data[start] >> 4 not in (4, 6):
            count.others += 1
            continue
        count.packets += 1
        count.first = packet.time if count.first is None else min(count.first, packet.time)
        count.last = packet.time if count.last is None else max(count.last, packet.time)
        yield packet._replace(size=packet.size - start, data=packet.data[start:])


def write_ip(source: BinaryIO, target: BinaryIO, path: str) -> Count:
    """Writes the IP packets of a capture as another, of raw IP.

    Raises:
        UnreadableError: see `ip_packets`.
    """
    count = Count()
    target.write(_HEAD)
    for packet in ip_packets(source, path, count):
        seconds, nanos = divmod(packet.time, 10**9)
        data, size = _without_extensions(packet.data), len(packet.data)
        target.write(struct.pack("<IIII", seconds & 0xFFFFFFFF, nanos, size, max(size, packet.size)) + data)
    return count


def _without_extensions(data: bytes) -> bytes:
    """The same packet without the extensions of IPv6 before its protocol, which ``nfpcapd`` takes for the protocol.

    As many bytes follow at its end, so that all sizes stay as they are. Fragments stay as they are.
    """
    if data[0] >> 4 != 6 or len(data) < 48 or data[6] not in _EXTENSIONS:
        return data
    kind, place = data[6], 40
    while kind in _EXTENSIONS and place + 8 <= len(data):
        kind, place = data[place], place + 8 + 8 * data[place + 1]
    if kind == _FRAGMENT or place > len(data):
        return data
    return data[:6] + bytes([kind]) + data[7:40] + data[place:] + bytes(place - 40)


def _packets(source: BinaryIO, path: str, count: Count) -> Iterator[Packet]:
    start = source.read(4)
    try:
        if start == _SECTION:
            yield from _of_blocks(source, start, path, count)
        elif start in _ORDERS:
            yield from _of_records(source, *_ORDERS[start])
        else:
            raise UnreadableError(f"{path}: is no capture: neither pcap nor pcapng")
    except EOFError:
        count.is_cut = True


def _of_records(source: BinaryIO, order: str, unit: int) -> Iterator[Packet]:
    """The packets of a pcap file."""
    (link,) = struct.unpack(f"{order}16xI", _read(source, 20))
    head = struct.Struct(f"{order}IIII")
    while start := source.read(head.size):
        if len(start) < head.size:
            raise EOFError
        seconds, rest, held, size = head.unpack(start)
        yield Packet(seconds * 10**9 + rest * unit, size, link & 0xFFFF, _read(source, held))


def _of_blocks(source: BinaryIO, start: bytes, path: str, count: Count) -> Iterator[Packet]:
    """The packets of a pcapng file."""
    order, links = "<", list[tuple[int, int]]()
    while start := start or source.read(4):
        length = _read(source, 4) if len(start) == 4 else b""
        if start == _SECTION:
            mark = _read(source, 4)
            order, links = "<" if mark == b"\x4d\x3c\x2b\x1a" else ">", []
            _read(source, _number(order, length) - 12)
        else:
            kind, body = _number(order, start), _read(source, _number(order, length) - 8)
            if kind == _INTERFACE:
                links.append((struct.unpack_from(f"{order}H", body)[0], _resolution(order, body)))
            elif kind == _ENHANCED:
                yield _enhanced(order, body, links, path)
            elif kind == _SIMPLE:
                count.timeless += 1
        start = b""


def _enhanced(order: str, body: bytes, links: list[tuple[int, int]], path: str) -> Packet:
    if len(body) < 20:
        raise EOFError
    place, high, low, held, size = struct.unpack_from(f"{order}IIIII", body)
    if place >= len(links):
        raise UnreadableError(f"{path}: a packet names an interface that the capture does not have")
    link, per_second = links[place]
    return Packet(((high << 32) + low) * 10**9 // per_second, size, link, body[20 : 20 + held])


def _resolution(order: str, body: bytes) -> int:
    """How many units of time of an interface are a second."""
    place = 8
    while place + 4 <= len(body):
        kind, size = struct.unpack_from(f"{order}HH", body, place)
        if kind == 9 and size:
            value = body[place + 4]
            return int(2 ** (value & 0x7F) if value & 0x80 else 10**value)
        if kind == 0:
            break
        place += 4 + size + -size % 4
    return 10**6


def _number(order: str, four: bytes) -> int:
    if len(four) < 4:
        raise EOFError
    found: int = struct.unpack(f"{order}I", four)[0]
    return found


def _read(source: BinaryIO, size: int) -> bytes:
    found = source.read(size) if 0 <= size <= _LARGEST else b""
    if len(found) < max(size, 0) or size < 0:
        raise EOFError
    return found


def _at(place: int) -> Callable[[bytes], int | None]:
    return lambda _: place


def _ethernet(data: bytes) -> int | None:
    return 14 if data[12:14] == b"\x08\x00" else _after(data, 12)


def _after(data: bytes, place: int) -> int | None:
    """Where IP begins behind an Ethernet type at ``place``; ``None`` if it is something else."""
    kind = int.from_bytes(data[place : place + 2], "big")
    while kind in _VLAN:
        place += 4
        kind = int.from_bytes(data[place : place + 2], "big")
    place += 2
    if kind in _MPLS:
        while place + 4 <= len(data) and not data[place + 2] & 1:
            place += 4
        return place + 4
    if kind == _PPPOE:
        return _ppp(data, place + 6)
    return place if kind in _IP else None


def _ppp(data: bytes, place: int = 0) -> int | None:
    place += 2 if data[place : place + 2] == b"\xff\x03" else 0
    return place + 2 if int.from_bytes(data[place : place + 2], "big") in _PPP else None


def _cooked(data: bytes) -> int | None:
    """The second version of Linux cooked, which has the type first."""
    kind = int.from_bytes(data[:2], "big")
    if kind in _VLAN:
        return _after(data, 22)
    return 20 if kind in _IP else None


_LINKS: dict[int, Callable[[bytes], int | None]] = {
    0: _at(4), 108: _at(4),  # loopback, of BSD and OpenBSD
    1: _ethernet, 9: _ppp, 50: _ppp,
    12: _at(0), 14: _at(0), 101: _at(0), 228: _at(0), 229: _at(0),  # raw IP
    104: lambda data: _after(data, 2),  # Cisco's HDLC
    113: lambda data: _after(data, 14),  # Linux cooked
    276: _cooked,
}  # fmt: skip
"""Where IP begins in a packet, by the number of the kind of link."""
