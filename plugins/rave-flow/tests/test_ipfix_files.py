"""Files of IPFIX, against the values that were put into them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import UnreadableError
from rave_flow.formats.ipfix_files import COLUMNS, Ipfix
from rave_flow.operations import count
from rave_flow.silk import rwcut, rwfilter

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
START = 1715680800
REVERSE, YAF = 29305, 6871
FIELDS = [
    (8, 4, 0), (12, 4, 0), (7, 2, 0), (11, 2, 0), (4, 1, 0), (85, 8, 0), (86, 8, 0), (85, 8, REVERSE), (86, 8, REVERSE),
    (18, 65535, YAF), (152, 8, 0), (153, 8, 0), (14, 1, YAF), (15, 1, YAF),
]  # fmt: skip
"""A biflow of YAF, with a value that has a length of its own."""
EVENTS = [(27, 16, 0), (28, 16, 0), (7, 2, 0), (11, 2, 0), (4, 1, 0), (1, 4, 0), (2, 4, 0), (150, 4, 0), (233, 1, 0)]
ECHO = [(8, 4, 0), (12, 4, 0), (4, 1, 0), (32, 2, 0), (1, 4, 0), (2, 4, 0), (158, 4, 0), (159, 4, 0)]
OTHER = [(41, 8, 0)]


def template(number: int, fields: list[tuple[int, int, int]]) -> bytes:
    """The set that says what records of that number are."""
    said = b"".join(
        struct.pack(">HHI", element | 0x8000, size, owner) if owner else struct.pack(">HH", element, size)
        for element, size, owner in fields
    )
    return struct.pack(">HHHH", 2, 8 + len(said), number, len(fields)) + said


def data(number: int, *records: bytes) -> bytes:
    """A set of records."""
    content = b"".join(records)
    return struct.pack(">HH", number, 4 + len(content)) + content


def message(*sets: bytes, domain: int = 1) -> bytes:
    """A message that is exported ten seconds after `START`."""
    content = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(content), START + 10, 0, domain) + content


def biflow(port: int, extra: bytes, *, start: float = 0.25, sent: int = 1500) -> bytes:
    """A flow of TCP over two seconds with an answer of 8000 bytes; first SYN, later ACK and FIN."""
    ends = ip_address("192.0.2.10").packed + ip_address("198.51.100.7").packed
    size = bytes([len(extra)]) if len(extra) < 255 else b"\xff" + len(extra).to_bytes(2)
    millis = int((START + start) * 1000)
    return (
        ends + struct.pack(">HHBQQQQ", port, 443, 6, sent, 12, 8000, 9) + size + extra
        + struct.pack(">QQBB", millis, millis + 2000, 2, 17)
    )  # fmt: skip


def event(port: int, kind: int) -> bytes:
    """An event of a firewall, over IPv6."""
    ends = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed
    return ends + struct.pack(">HHBIIIB", port, 53, 17, 70, 1, START + 3, kind)


def flows(fields: str) -> list[list[object]]:
    """All flows in order of time: their start as seconds since `START`."""
    rows = rwcut(rwfilter(), fields=f"stime,{fields}").to_pylist()
    found = [[round(row.pop("stime").timestamp() - START, 6), *row.values()] for row in rows]
    return sorted(found, key=lambda row: float(str(row[0])))


def test_biflows_of_any_length_are_read(serving: Serve, directory: Path) -> None:
    """With both directions, flags, and templates that count for their own domain alone; compressed or not."""
    first = message(
        template(256, FIELDS), data(256, biflow(1, b""), biflow(2, b"x" * 300, start=1), biflow(3, b"abc", start=2))
    )
    (directory / "a.yaf").write_bytes(first + message(template(256, OTHER), domain=2))
    (directory / "b.ipfix.gz").write_bytes(
        gzip.compress(message(template(300, FIELDS), data(300, biflow(4, b"", start=3))))
    )
    serving(directory)
    same = ["192.0.2.10", "tcp", "FSA", 1500, 8000, 21, 2.0]
    assert flows("sport,sip,protocol,flags,src_bytes,dst_bytes,packets,duration") == [
        [start, port, *same] for start, port in ((0.25, 1), (1.0, 2), (2.0, 3), (3.0, 4))
    ]
    assert left_out(count()) == {}


def test_events_and_other_records_are_left_out_and_said(serving: Serve, directory: Path) -> None:
    """Of a firewall the ends of flows count; ICMP has its type and code; times may be relative to the export."""
    ends = ip_address("10.0.0.1").packed + ip_address("10.0.0.2").packed
    echo = ends + struct.pack(">BHIIII", 1, 0x0301, 84, 1, 4_500_000, 4_000_000)
    sets = [
        template(256, EVENTS), data(256, event(1, 1), event(1, 5), event(1, 2)), template(257, ECHO),
        data(257, echo), template(258, OTHER), data(258, bytes(8)),
    ]  # fmt: skip
    (directory / "a.ipfix").write_bytes(message(*sets))
    serving(directory)
    assert flows("sip,protocol,bytes,icmp_type,icmp_code,duration") == [
        [3.0, "2001:db8::1", "udp", 70, None, None, None],
        [5.5, "10.0.0.1", "icmp", 84, 3, 1, 0.5],
    ]
    said = left_out(count())
    assert said["lines"] == {"event": 3}
    assert str(said["first"]).endswith("a.ipfix: line 1 is no end of a flow")


@pytest.mark.parametrize("cut", [1, 60])
def test_of_a_cut_file_what_is_whole_counts(serving: Serve, directory: Path, cut: int) -> None:
    """The rest is said to be missing, wherever the cut is; so are records whose template is missing."""
    whole = message(template(256, FIELDS), data(256, biflow(1, b"")))
    (directory / "a.yaf").write_bytes(whole + message(data(256, biflow(2, b"")))[:-cut])
    (directory / "b.yaf").write_bytes(
        message(data(999, biflow(3, b""))) + whole.replace(b"\x00\x01\x01\xbb", b"\x00\x04\x01\xbb")
    )
    serving(directory)
    assert [row[1] for row in flows("sport")] == [1, 4]
    assert left_out(count())["lines"] == {"line": 2}


def test_what_is_no_ipfix_is_named(serving: Serve, directory: Path) -> None:
    """Rather than read as if it were."""
    (directory / "a.ipfix").write_bytes(b"no IPFIX at all, but long enough")
    serving(directory)
    with pytest.raises(UnreadableError, match="is no IPFIX after 0 records"):
        count()


@settings(max_examples=200, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6), end=st.integers(0, 2000))
def test_damage_is_never_more_than_a_line(changes: list[tuple[int, int]], end: int) -> None:
    """Whatever bytes there are, a file is read, or refused as none of IPFIX."""
    content = bytearray(message(template(256, FIELDS), data(256, biflow(1, b"x"), biflow(2, b"y" * 300))) * 2)
    for place, value in changes:
        content[place % len(content)] = value
    found = Ipfix("file")
    try:
        rows = list(found.flows(BytesIO(bytes(content[: len(content) - end % len(content)]))))
    except UnreadableError:
        return
    assert all(len(values) == len(COLUMNS) for _, values in rows)
    assert len(rows) + found.faults.total() >= found.number
