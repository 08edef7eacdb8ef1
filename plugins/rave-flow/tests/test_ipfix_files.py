"""Files of IPFIX, against the values that were put into them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import UnreadableError
from rave_flow.formats.ipfix_elements import COLUMNS
from rave_flow.formats.ipfix_files import Ipfix
from rave_flow.operations import count
from rave_flow.silk import rwcut, rwfilter

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
START = 1715680800
REVERSE, YAF, BACK = 29305, 6871, 0x4000
FIELDS = [
    (8, 4, 0), (12, 4, 0), (7, 2, 0), (11, 2, 0), (4, 1, 0), (85, 8, 0), (86, 8, 0), (85, 8, REVERSE), (86, 8, REVERSE),
    (18, 65535, YAF), (152, 8, 0), (153, 8, 0), (14, 1, YAF), (15, 1, YAF),
]  # fmt: skip
"""A biflow of YAF, with a value that has a length of its own."""
EVENTS = [(27, 16, 0), (28, 16, 0), (7, 2, 0), (11, 2, 0), (4, 1, 0), (1, 4, 0), (2, 4, 0), (150, 4, 0), (233, 1, 0)]
ECHO = [(8, 4, 0), (12, 4, 0), (4, 1, 0), (32, 2, 0), (1, 4, 0), (2, 4, 0), (158, 4, 0), (159, 4, 0)]
OTHER = [(41, 8, 0)]


Fields = list[tuple[int, int, int]]


def laid_out(fields: Fields) -> bytes:
    """The fields of a template."""
    return b"".join(
        struct.pack(">HHI", element | 0x8000, size, owner) if owner else struct.pack(">HH", element, size)
        for element, size, owner in fields
    )


def template(number: int, fields: Fields) -> bytes:
    """The set that says what records of that number are; without fields, that there are none any more."""
    said = laid_out(fields)
    return struct.pack(">HHHH", 2, 8 + len(said), number, len(fields)) + said


def options(number: int, fields: Fields, scopes: int = 1) -> bytes:
    """The set that says what records of that number tell of the exporter, by the first fields."""
    said = laid_out(fields)
    return struct.pack(">HHHHH", 3, 10 + len(said), number, len(fields), scopes) + said


def data(number: int, *records: bytes) -> bytes:
    """A set of records."""
    content = b"".join(records)
    return struct.pack(">HH", number, 4 + len(content)) + content


def message(*sets: bytes, domain: int = 1, number: int = 0) -> bytes:
    """A message that is exported ten seconds after `START`, and that of its first record."""
    content = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(content), START + 10, number, domain) + content


def biflow(port: int, extra: bytes, *, start: float = 0.25, sent: int = 1500) -> bytes:
    """A flow of TCP over two seconds with an answer of 8000 bytes; first SYN, later ACK and FIN."""
    ends = ip_address("192.0.2.10").packed + ip_address("198.51.100.7").packed
    size = bytes([len(extra)]) if len(extra) < 255 else b"\xff" + len(extra).to_bytes(2)
    millis = int((START + start) * 1000)
    return (
        ends + struct.pack(">HHBQQQQ", port, 443, 6, sent, 12, 8000, 9) + size + extra
        + struct.pack(">QQBB", millis, millis + 2000, 2, 17)
    )  # fmt: skip


YAF_TCP = [(184, 4, 0), (14, 1, YAF), (15, 1, YAF), (14 | BACK, 1, YAF), (15 | BACK, 1, YAF), (184, 4, REVERSE)]
YAF_DNS = [(27, 16, 0), (14, 1, 0), (18, 65535, YAF)]
YAF_BIFLOW = [
    (152, 8, 0), (153, 8, 0), (85, 8, 0), (85, 8, REVERSE), (86, 8, 0), (86, 8, REVERSE), (8, 4, 0), (12, 4, 0),
    (7, 2, 0), (11, 2, 0), (40, 2, YAF), (40 | BACK, 2, YAF), (4, 1, 0), (136, 1, 0), (33, 2, YAF), (21, 4, YAF),
    (58, 2, 0), (58, 2, REVERSE), (293, 65535, 0),
]  # fmt: skip
"""A flow of two directions as YAF lays it out: flags are in records within the last field."""
YAF_UNIFLOW = [
    (152, 8, 0), (153, 8, 0), (85, 4, 0), (86, 4, 0), (27, 16, 0), (28, 16, 0), (7, 2, 0), (11, 2, 0), (40, 2, YAF),
    (4, 1, 0), (136, 1, 0), (33, 2, YAF), (58, 2, 0), (293, 65535, 0),
]  # fmt: skip
YAF_STATISTICS = [
    (144, 4, 0), (160, 8, 0), (42, 8, 0), (86, 8, 0), (135, 8, 0), (164, 8, 0), (100, 4, YAF), (101, 4, YAF),
    (104, 4, YAF), (105, 4, YAF), (130, 4, 0), (102, 4, YAF), (103, 4, YAF),
]  # fmt: skip


def nested(*lists: tuple[int, bytes]) -> bytes:
    """A field with records of these templates (RFC 6313)."""
    content = b"\x03" + b"".join(struct.pack(">HH", kind, 4 + len(record)) + record for kind, record in lists)
    return b"\xff" + len(content).to_bytes(2) + content


def from_yaf() -> bytes:
    """What YAF writes: its templates, two flows of TCP, one of ICMP and one over IPv6, and its own statistics."""
    templates = [
        template(0xB010, YAF_BIFLOW), template(0xB400, YAF_UNIFLOW), template(0xC003, YAF_TCP),
        template(0xCE00, YAF_DNS), options(0xD000, YAF_STATISTICS, 2),
    ]  # fmt: skip
    ends = ip_address("192.0.2.10").packed + ip_address("198.51.100.7").packed
    millis = START * 1000 + 250

    def two_ways(port: int, server: int, proto: int, label: int, inner: bytes) -> bytes:
        counts = struct.pack(">QQQQQQ", millis + port, millis + port + 2000, 1500, 8000, 12, 9)
        keys = struct.pack(">HHHHBBHIHH", port, server, 1, 1, proto, 3, label, 40, 7, 7)
        return counts + ends + keys + inner

    tcp = (0xC003, struct.pack(">IBBBBI", 1, 0x02, 0x18, 0x12, 0x19, 2))
    dns = (0xCE00, bytes(16) + b"\xff" + b"\x03abc")
    both = data(0xB010, two_ways(1, 443, 6, 443, nested(dns, tcp)), two_ways(2, 22, 6, 0, nested()))
    ping = data(0xB010, two_ways(0, 0x0800, 1, 0, nested()))
    v6 = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed
    times = struct.pack(">QQII", millis + 3000, millis + 3000, 70, 1)
    one_way = data(0xB400, times + v6 + struct.pack(">HHHBBHH", 3, 53, 0, 17, 1, 53, 0) + nested())
    statistics = data(0xD000, bytes(72))
    return message(*templates) + message(both, ping, statistics) + message(statistics, one_way, template(0xCE00, []))


def test_yaf_s_own_files_are_read(serving: Serve, directory: Path) -> None:
    """With flags from its lists, ICMP from its port, and its own columns; its statistics are no flows, and no loss."""
    (directory / "a.yaf").write_bytes(from_yaf())
    serving(directory)
    shared = ["192.0.2.10", "SPA", 1500, 8000, 21, 2.0]
    assert flows("sport,protocol,sip,flags,src_bytes,dst_bytes,packets,duration") == [
        [0.25, None, "icmp", "192.0.2.10", None, 1500, 8000, 21, 2.0],
        [0.251, 1, "tcp", *shared],
        [0.252, 2, "tcp", "192.0.2.10", None, 1500, 8000, 21, 2.0],
        [3.25, 3, "udp", "2001:db8::1", None, 70, None, 1, 0.0],
    ]
    assert flows("icmp_type,icmp_code,application,initialflags,sessionflags,flow_end_reason,vlan_id") == [
        [0.25, 8, 0, "0", None, None, "3", "7"],
        [0.251, None, None, "443", "S", "PA", "3", "7"],
        [0.252, None, None, "0", None, None, "3", "7"],
        [3.25, None, None, "53", None, None, "1", "0"],
    ]
    assert [rwcut(rwfilter(**asked), fields="sport").num_rows for asked in BY_FLAGS] == [1, 0, 1, 0]
    assert left_out(count()) == {}


BY_FLAGS: list[dict[str, str]] = [
    {"flags_initial": "S/SA"}, {"not_flags_initial": "S/SA"}, {"flags_session": "PA/SPA"}, {"flags_session": "S/S"},
]  # fmt: skip
BOTH = [(150, 4, 0), (161, 4, 0), (60, 1, 0), (8, 4, 0), (12, 4, 0), (27, 16, 0), (28, 16, 0), (7, 2, 0), (11, 2, 0)]
COUNTS = [(4, 1, 0), (85, 8, 0), (1, 4, 0), (86, 8, 0), (2, 4, 0)]


@pytest.mark.parametrize("has_version", [True, False], ids=["with the version", "without it"])
def test_of_two_elements_for_one_thing_the_right_one_counts(
    serving: Serve, directory: Path, *, has_version: bool
) -> None:
    """Zero addresses of the other version do not; nor do the totals of a flow beside what is new in a record."""
    fields = [field for field in BOTH + COUNTS if has_version or field != (60, 1, 0)]
    zero4, zero6 = bytes(8), bytes(32)
    v4 = ip_address("0.0.0.0").packed + ip_address("255.255.255.255").packed
    v6 = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed
    counts = struct.pack(">HHBQIQI", 68, 67, 17, 9000, 300, 30, 1)

    def record(second: int, version: int, ends: bytes) -> bytes:
        return struct.pack(">II", START + second, 1500) + (bytes([version]) if has_version else b"") + ends + counts

    records = data(256, record(1, 4, v4 + zero6), record(2, 6, zero4 + v6))
    (directory / "a.ipfix").write_bytes(message(template(256, fields), records))
    serving(directory)
    assert flows("sip,dip,ip_version,bytes,packets,duration") == [
        [1.0, "0.0.0.0", "255.255.255.255", 4, 300, 1, 1.5],
        [2.0, "2001:db8::1", "2001:db8::2", 6, 300, 1, 1.5],
    ]


def test_records_without_amounts_are_no_flows(serving: Serve, directory: Path) -> None:
    """Such as translations of addresses; they are left out and said."""
    fields = [(8, 4, 0), (12, 4, 0), (7, 2, 0), (11, 2, 0), (4, 1, 0), (225, 4, 0), (230, 1, 0), (323, 8, 0)]
    ends = ip_address("10.0.0.1").packed + ip_address("192.0.2.1").packed
    record = ends + struct.pack(">HHB4sBQ", 1, 2, 6, bytes(4), 1, START * 1000)
    (directory / "a.ipfix").write_bytes(
        message(template(256, fields), data(256, record), template(257, FIELDS), data(257, biflow(1, b"")))
    )
    serving(directory)
    assert [row[1] for row in flows("sport")] == [1]
    assert left_out(count())["lines"] == {"event": 1}


@pytest.mark.parametrize(
    ("fields", "values", "is_sampled"),
    [
        ([(302, 8, 0), (34, 4, 0)], struct.pack(">QI", 1, 100), True),
        ([(302, 8, 0), (305, 4, 0), (306, 4, 0)], struct.pack(">QII", 1, 1, 999), True),
        ([(302, 8, 0), (305, 4, 0), (306, 4, 0)], struct.pack(">QII", 1, 1, 0), False),
        ([(302, 8, 0), (34, 4, 0)], struct.pack(">QI", 1, 1), False),
    ],
    ids=["one of 100", "one and 999 between", "none between", "each"],
)
def test_that_packets_were_sampled_is_said(fields: Fields, values: bytes, *, is_sampled: bool) -> None:
    """Of the flows of that exporter: their amounts are those of the sample."""
    first = message(options(300, fields), data(300, values), template(256, FIELDS), data(256, biflow(1, b"")))
    found = Ipfix("file")
    rest = message(template(256, FIELDS), data(256, biflow(2, b"")), domain=2)
    assert len(list(found.flows(BytesIO(first + rest)))) == 2
    assert found.sampled == is_sampled


def test_a_template_without_fields_stops_nothing(serving: Serve, directory: Path) -> None:
    """Whether it is withdrawn or damaged: its records are missing, and the rest counts."""
    gone = [template(256, FIELDS), template(256, []), data(256, biflow(1, b""))]
    empty = [template(257, [(8, 0, 0), (12, 0, 0), (1, 0, 0)]), data(257, bytes(12))]
    rest = [template(258, FIELDS), data(258, biflow(2, b""))]
    (directory / "a.ipfix").write_bytes(message(*gone) + message(*empty) + message(*rest))
    serving(directory)
    assert [row[1] for row in flows("sport")] == [2]
    assert left_out(count())["lines"] == {"line": 2}


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


def test_records_that_never_came_are_said(serving: Serve, directory: Path) -> None:
    """Of each domain, with every answer. Records of options have numbers too, templates have none."""
    rate = [options(300, [(302, 8, 0), (34, 4, 0)]), data(300, struct.pack(">QI", 1, 1))]
    sets = [template(256, FIELDS), data(256, biflow(1, b""), biflow(2, b""))]
    content = [
        message(*sets, *rate, number=2**32 - 2),
        message(*sets, domain=2, number=70),
        message(data(256, biflow(3, b"")), number=11),
        message(data(256, biflow(4, b"")), domain=2, number=72),
    ]
    (directory / "a.ipfix").write_bytes(b"".join(content))
    serving(directory)
    for table in (count(), count()):
        assert table["flows"].to_pylist() == [6]
        assert left_out(table) == {"missing": {"domain 1": 10}}
    said = b"10 records of exporters never came, as the numbers of their messages show: 10 of domain 1"
    assert said in table.schema.metadata[b"rave.notes"]


def test_a_set_larger_than_its_message_is_said() -> None:
    """With all behind it; a set that is smaller than its own head, too."""
    large = message(template(256, FIELDS), data(256, biflow(1, b"")), struct.pack(">HH", 256, 99) + bytes(9))
    small = message(template(256, FIELDS), data(256, biflow(2, b"")), struct.pack(">HH", 256, 3) + bytes(9))
    found = Ipfix("file")
    assert len(list(found.flows(BytesIO(large + small + message(data(256, biflow(3, b""))))))) == 3
    assert (found.faults, found.first) == ({"line": 2}, (2, "is damaged, with the rest of its message"))


def test_what_is_no_ipfix_is_named(serving: Serve, directory: Path) -> None:
    """Rather than read as if it were."""
    (directory / "a.ipfix").write_bytes(b"no IPFIX at all, but long enough")
    serving(directory)
    with pytest.raises(UnreadableError, match="is no IPFIX after 0 records"):
        count()


@settings(max_examples=200, deadline=None)
@example(changes=[(83, 133)], end=0)
@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6), end=st.integers(0, 2000))
def test_damage_is_never_more_than_a_line(changes: list[tuple[int, int]], end: int) -> None:
    """Whatever bytes there are, as those of a number with 133 bytes, a file is read, or refused as none of IPFIX."""
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
