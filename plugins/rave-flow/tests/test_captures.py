"""Captures of all kinds of links, and what is in none of their flows."""

from __future__ import annotations

import ipaddress
import os
import shutil
import struct
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import NothingFoundError, UnreadableError
from rave_flow.formats.nfdump import span_of_capture
from rave_flow.formats.source_directory import SourceFile
from rave_flow.operations import top
from rave_flow.silk import rwcut, rwfilter, rwuniq

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
START = 1715680800


@pytest.fixture(autouse=True)
def _programs() -> None:
    if shutil.which("nfdump") is None or shutil.which("nfpcapd") is None:
        assert not os.environ.get("CI"), "CI installs nfdump by .ci/servers, so that no test is left out"
        pytest.skip("needs nfdump: apt-get install nfdump")


def udp(port: int, size: int = 1) -> bytes:
    """A datagram from a port."""
    return struct.pack(">HHHH", port, 53, 8 + size, 0) + b"x" * size


def ip(payload: bytes, protocol: int = 17, fragment: int = 0) -> bytes:
    """A packet of IPv4."""
    ends = bytes([10, 0, 0, 1, 192, 0, 2, 80])
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 7, fragment, 64, protocol, 0) + ends + payload


def ip6(payload: bytes, following: int = 17) -> bytes:
    """A packet of IPv6."""
    ends = b"".join(ipaddress.ip_address(f"2001:db8::{number}").packed for number in (1, 2))
    return struct.pack(">IHBB", 6 << 28, len(payload), following, 64) + ends + payload


def pcap(packets: Iterable[bytes], link: int = 1, *, order: str = "<", unit: int = 10**6) -> bytes:
    """A capture of packets, one a second and each at half of it."""
    magic = 0xA1B2C3D4 if unit == 10**6 else 0xA1B23C4D
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(
        struct.pack(f"{order}IIII", START + place, unit // 2, len(data), len(data)) + data
        for place, data in enumerate(packets)
    )


def pcapng(packets: Iterable[tuple[int, bytes]], links: Iterable[int]) -> bytes:
    """The same in blocks: each packet with the place of its interface, whose times are in milliseconds."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    found = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link in links:
        found += block(1, struct.pack("<HHI", link, 0, 0) + struct.pack("<HHB3xI", 9, 1, 3, 0))
    for place, (interface, data) in enumerate(packets):
        high, low = divmod((START + place) * 1000 + 500, 2**32)
        found += block(6, struct.pack("<IIIII", interface, high, low, len(data), len(data)) + data)
    return found


def ethernet(data: bytes, *tags: int) -> bytes:
    """A frame, with the kinds of its tags before it."""
    return bytes(12) + b"".join(struct.pack(">HH", tag, 5) for tag in tags) + b"\x08\x00" + data


CAPTURES = {
    "plain": (pcap([ethernet(ip(udp(1)))]), 1), "big": (pcap([ethernet(ip(udp(2)))], order=">", unit=10**9), 2),
    "tagged": (pcap([ethernet(ip(udp(3)), 0x8100)]), 3), "twice": (pcap([ethernet(ip(udp(4)), 0x88A8, 0x8100)]), 4),
    "cooked": (pcap([bytes(14) + b"\x08\x00" + ip(udp(5))], 113), 5),
    "cooked2": (pcap([b"\x08\x00" + bytes(18) + ip(udp(6))], 276), 6), "raw": (pcap([ip(udp(7))], 101), 7),
    "loopback": (pcap([b"\x02\0\0\0" + ip(udp(8))], 0), 8), "ppp": (pcap([b"\xff\x03\0\x21" + ip(udp(9))], 9), 9),
    "mpls": (pcap([bytes(12) + b"\x88\x47" + b"\0\0\x01\x40" + ip(udp(10))]), 10),
    "pppoe": (pcap([bytes(12) + b"\x88\x64" + bytes(6) + b"\0\x21" + ip(udp(11))]), 11),
    "blocks": (pcapng([(1, ip(udp(12)))], [1, 101]), 12),
}  # fmt: skip


def test_captures_of_any_link_are_read(serving: Serve, directory: Path) -> None:
    """With the bytes of their IP packets, and the time at which they were captured."""
    for name, (content, _) in CAPTURES.items():
        (directory / f"{name}.pcap").write_bytes(content)
    serving(directory)
    rows = rwcut(rwfilter(), fields="sport,bytes,packets,stime").to_pylist()
    assert sorted(row["sport"] for row in rows) == sorted(port for _, port in CAPTURES.values())
    assert {(row["bytes"], row["packets"], row["stime"].timestamp()) for row in rows} == {(29, 1, START + 0.5)}
    assert left_out(top()) == {}


def test_extensions_of_ipv6_are_no_protocol(serving: Serve, directory: Path) -> None:
    """A packet counts for the protocol behind them, with all of its bytes."""
    options = bytes([60, 0, 5, 2, 0, 0, 1, 0]), bytes([17, 0, 1, 4, 0, 0, 0, 0])
    (directory / "a.pcap").write_bytes(pcap([ip6(b"".join(options) + udp(4000), following=0)], 101))
    serving(directory)
    (row,) = rwcut(rwfilter(), fields="sip,sport,dport,protocol,bytes").to_pylist()
    assert row == {"sip": "2001:db8::1", "sport": 4000, "dport": 53, "protocol": "udp", "bytes": 65}


def test_packets_in_no_flow_are_counted(serving: Serve, directory: Path) -> None:
    """Fragments and heads that are cut; ARP has no flows and does not count."""
    odd = [ip(udp(1, 1000), fragment=0x2000), ip(b"z" * 500, fragment=126), ip(b"\0\1", protocol=6)]
    frames = [bytes(12) + b"\x08\x06" + bytes(28), *map(ethernet, [*odd, ip(udp(2))])]
    (directory / "a.pcap").write_bytes(pcap(frames))
    serving(directory)
    table = top(over="proto")
    (row,) = table.to_pylist()
    assert left_out(table)["lines"] == {"lost": 4 - row["packets"]}
    assert row["packets"] < 4


def test_a_link_that_is_not_read_is_named(serving: Serve, directory: Path) -> None:
    """With its number."""
    (directory / "wifi.pcap").write_bytes(pcap([bytes(40)], 127))
    serving(directory)
    with pytest.raises(UnreadableError, match="of link type 127, which is not read"):
        top()


def test_captures_outside_of_a_window_are_not_converted(
    serving: Serve, directory: Path, runs: Callable[[str], int]
) -> None:
    """The times of their packets are enough."""
    (directory / "a.pcap").write_bytes(pcap([ethernet(ip(udp(1)))] * 3))
    serving(directory)
    assert span_of_capture(SourceFile.at(directory / "a.pcap")) == (START, START + 2)
    before = runs("flow/steps:ingest")
    with pytest.raises(NothingFoundError, match="they reach from 2024-05-14 10:00"):
        top(start="2035-01-01")
    assert runs("flow/steps:ingest") == before


@settings(max_examples=60, deadline=None)
@given(content=st.sampled_from([each for each, _ in CAPTURES.values()]), cut=st.integers(0, 200), junk=st.binary())
def test_damaged_captures_are_cut_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int, junk: bytes
) -> None:
    """Whatever follows the beginning of one: never another error."""
    path = tmp_path_factory.mktemp("damaged") / "a.pcap"
    path.write_bytes(content[:cut] + junk)
    with suppress(UnreadableError):
        span_of_capture(SourceFile.at(path))


PACKETS = st.lists(
    st.tuples(
        st.integers(1, 3), st.integers(1, 3), st.sampled_from([1000, 2000]), st.sampled_from([53, 443]),
        st.sampled_from([6, 17]), st.integers(0, 300), st.booleans(),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(packets=PACKETS)
def test_a_capture_has_the_packets_and_bytes_that_are_in_it(reused: Reused, packets: list[tuple[int, ...]]) -> None:
    """By addresses, ports and protocol, as read packet by packet: what Ethernet adds to a short one does not count."""
    frames: list[bytes] = []
    sums: dict[tuple[object, ...], list[int]] = {}
    for src, dst, sport, dport, protocol, size, is_v6 in packets:
        tcp = struct.pack(">HHIIBBHHH", sport, dport, len(frames), 1, 5 << 4, 0x10, 1000, 0, 0)
        head = tcp if protocol == 6 else struct.pack(">HHHH", sport, dport, 8 + size, 0)
        length = len(head) + size
        if is_v6:
            ends = [f"2001:db8::{src}", f"2001:db8::1:{dst}"]
            packet = struct.pack(">IHBB", 6 << 28, length, protocol, 64)
        else:
            ends = [f"10.0.0.{src}", f"192.0.2.{dst}"]
            packet = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 7, 0, 64, protocol, 0)
        packet += b"".join(ipaddress.ip_address(end).packed for end in ends) + head + b"x" * size
        frame = bytes(12) + (b"\x86\xdd" if is_v6 else b"\x08\x00") + packet
        frames.append(frame.ljust(60, b"\0"))
        found = sums.setdefault((*ends, sport, dport, protocol), [0, 0])
        found[0], found[1] = found[0] + 1, found[1] + len(packet)
    with reused() as (directory, example):
        (directory / f"{example}.pcap").write_bytes(pcap(frames))
        table = rwuniq(rwfilter(), fields="sip,dip,sport,dport,protocol", values="packets,bytes")
    told = {tuple(row.values())[:5]: list(row.values())[5:] for row in table.to_pylist()}
    names = {6: "tcp", 17: "udp"}
    assert told == {(*place[:4], names[place[4]]): both for place, both in sums.items()}  # type: ignore[index]  # a number
    assert left_out(table) == {}
