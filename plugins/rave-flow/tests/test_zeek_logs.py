"""Logs of Zeek: columns, cut and damaged lines, values out of range, JSON, and what is left out and counted."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from log_texts import CSV, as_json, left_out, packed
from rave_flow.errors import ColumnsError, UnreadableError
from rave_flow.formats.chunks import pieces_of
from rave_flow.formats.source_directory import SourceFile
from rave_flow.formats.to_parquet import to_parquet
from rave_flow.operations.tables import daily, top
from rave_flow.silk import rwcount, rwcut, rwfilter

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
Zeek = Callable[..., Path]
Line = Callable[..., str]

FIELDS_OF_LINES = (
    "ts id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state "
    "orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes"
)


def test_columns_may_stand_in_any_order_beside_unknown_ones(serving: Serve, zeek: Zeek, line: Line) -> None:
    """The #fields line of each file says what stands where; another file may have it otherwise."""
    zeek([line(src="10.0.0.1")], name="conn.a.log")
    fields = "_node_name dst_bytes id.resp_p id.resp_h orig_pkts resp_pkts src_bytes proto id.orig_p id.orig_h extra ts"
    values = ["n", 7, 53, "10.0.0.53", 1, 2, 5, "UDP", 999, "10.0.0.9", "x\"#'", "1715680801.25"]
    serving(zeek(["\t".join(map(str, values))], name="conn.b.log.gz", fields=fields))
    assert top(over="proto").to_pylist() == [
        {"proto": "tcp", "bytes": 150, "packets": 5, "flows": 1, "share": 150 / 162},
        {"proto": "udp", "bytes": 12, "packets": 3, "flows": 1, "share": 12 / 162},
    ]


def test_a_missing_column_is_named_with_its_aliases(serving: Serve, zeek: Zeek) -> None:
    """The error names the file, the column, and what it may be called."""
    serving(zeek(["1\t2"], fields="ts src_adr"))
    with pytest.raises(ColumnsError, match=r"conn\.log: no column 'src' \(known as src, id\.orig_h.*is it 'src_adr'"):
        top()


@pytest.mark.parametrize("damage", ["cut", "tail", "flipped", "checksum", "garbage", "plain"])
def test_damaged_gzip_is_an_error(serving: Serve, zeek: Zeek, line: Line, damage: str) -> None:
    """A stream that ends early, changed, or is none: never the numbers of what could be unpacked."""
    logs = zeek([line(1715680800 + number, f"10.0.{number % 250}.1") for number in range(2000)], name="conn.log.gz")
    path = logs / "conn.log.gz"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "tail": content[:-3],
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "checksum": content[:-6] + bytes([content[-6] ^ 1]) + content[-5:],
        "garbage": content + b"garbage",
        "plain": gzip.decompress(bytes(content)),
    }
    path.write_bytes(bytes(damaged[damage]))
    serving(logs)
    with pytest.raises(UnreadableError, match=r"conn\.log\.gz: damaged gzip"):
        top()


def test_cut_lines_are_left_out_and_counted(
    serving: Serve, zeek: Zeek, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """A log that ends in mid-line, and has a field too many elsewhere, says how many lines are missing and where."""
    logs = zeek([line(), line() + "\textra", line(), "nonsense"])
    with (logs / "conn.log").open("a") as log:
        log.write(line()[:40])
    serving(logs)
    with caplog.at_level(logging.WARNING, "rave_flow"):
        answer = top()
    assert answer["flows"].to_pylist() == [2]
    assert answer.schema.metadata[b"rave.flow.skipped"] == b"3"
    assert answer.schema.metadata[b"rave.flow.first_bad"] == b"logs/conn.log: line 5 has 16 fields instead of 15"
    assert (
        "3 lines left out: 3 cut, of another number of fields, or no JSON; first: line 5 has 16 fields" in caplog.text
    )


def test_a_whole_last_line_without_an_end_is_left_out(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Its last number may be cut, so it does not count until its end is there."""
    logs = zeek([line()])
    with (logs / "conn.log").open("a") as log:
        log.write(line())
    serving(logs)
    answer = top()
    assert (answer["flows"][0].as_py(), answer.schema.metadata[b"rave.flow.skipped"]) == (1, b"1")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, "soon"),
        (2, "70000"),
        (1, "-"),
        (12, "-5"),
        (12, "many"),
        (11, "1e400"),
        (1, "host.example"),
        (12, str(2**63 - 1)),
        (12, str(2**53 + 1)),
        (11, "2.5"),
        (1, "１0.0.0.1"),
    ],
)
def test_values_out_of_range_are_left_out_and_counted(
    serving: Serve, zeek: Zeek, line: Line, column: int, value: str
) -> None:
    """A number that is none or not whole, or no address: the line is missing and counted, it does not become a zero.

    A counter of more than 2**53 is broken: a few such lines would make every sum overflow.
    """
    values = line().split("\t")
    values[column] = value
    serving(zeek([line(), "\t".join(values)]))
    answer = top()
    assert (answer["flows"][0].as_py(), answer.schema.metadata[b"rave.flow.skipped"]) == (1, b"1")


def test_what_a_sensor_left_unset_counts_nothing(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Zeek writes a dash where it measured nothing."""
    values = line().split("\t")
    values[6] = values[7] = values[12] = "-"
    serving(zeek(["\t".join(values)]))
    assert top(over="service").to_pylist() == [
        {"service": "(unknown)", "bytes": 50, "packets": 5, "flows": 1, "share": 1.0}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"1\t2\n", "no #fields line"),
        (b'{"ts": 1}\n', "no column 'src'"),
        (b'{"ts": 1', "it has no complete line"),
        (b'[\n{"ts": 1}\n]\n', "is a JSON array; expected an object on each line"),
        (b"#path\tdns\n#fields\tts\n", "#path is 'dns'"),
        (b"\x00\x01\x02", "no #fields line"),
        (b"#path\tconn\r#fields\tts\ta\r1\t2\r", "its lines end in carriage returns alone"),
    ],
)
def test_what_is_no_connection_log_is_an_error(serving: Serve, directory: Path, content: bytes, message: str) -> None:
    """The error names the file and what is wrong with it."""
    (directory / "conn.log").write_bytes(content)
    serving(directory)
    with pytest.raises(UnreadableError, match=rf"conn\.log.*{message}"):
        top()


def test_a_log_of_bad_lines_alone_is_an_error(serving: Serve, zeek: Zeek) -> None:
    """Nothing to count is no reason to answer zero."""
    serving(zeek(["a", "b"]))
    with pytest.raises(UnreadableError, match="none of 2 lines could be read; line 4 has 1 fields"):
        top()


def test_an_hour_without_flows_is_no_error(serving: Serve, zeek: Zeek, line: Line) -> None:
    """A log with a header alone says that nothing happened."""
    zeek([], name="conn.quiet.log")
    serving(zeek([line()]))
    assert top()["flows"].to_pylist() == [1]


def test_a_connection_counts_once_by_its_uid(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Its last record does: the one that has gone on for longest, and of equals the last."""
    fields = FIELDS_OF_LINES + " uid"
    zeek(
        [line(sent=number) + f"\tC{number}" for number in (1, 2, 3)] + [line(sent=7) + "\tC3"],
        name="conn.log",
        fields=fields,
    )
    longer = line(sent=50).split("\t")
    longer[7] = "9.5"
    logs = zeek(["\t".join(longer) + "\tC1", line(sent=2) + "\tC2"], name="conn_long.log", fields=fields)
    serving(logs)
    table = rwcut(rwfilter(), fields="bytes")
    assert sorted(table["bytes"].to_pylist()) == [50 + 2, 50 + 7, 50 + 50]
    assert left_out(table) == {"duplicates": 3}
    assert daily("2024-05-14")["flows"][0].as_py() == 3


@pytest.mark.parametrize("separator", ["\\x09", "|", "\\x2c"])
def test_a_head_says_how_the_rest_is_written(serving: Serve, directory: Path, line: Line, separator: str) -> None:
    """What separates fields and what stands for nothing; behind a mark of the order of bytes, with ends of Windows."""
    sign = "\t" if separator == "\\x09" else "," if separator == "\\x2c" else "|"
    values = line().split("\t")
    values[6] = values[7] = "NULL"
    rows = [sign.join(values), sign.join(values).replace("ssl", "-")]
    head = [
        f"#separator {separator}",
        f"#unset_field{sign}NULL",
        f"#path{sign}conn",
        "#fields" + sign + sign.join(FIELDS_OF_LINES.split()),
    ]
    (directory / "conn.log").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*head, *rows, ""]).encode())
    serving(directory)
    assert (top()["flows"].to_pylist(), left_out(top())) == ([2], {})
    assert rwcut(rwfilter(), fields="duration,service").to_pylist() == [{"duration": None, "service": None}] * 2


@pytest.mark.parametrize("iso", [False, True])
@pytest.mark.parametrize("name", ["conn.log", "conn.json", "conn.log.gz", "conn.json.zst"])
def test_a_log_in_json_gives_the_numbers_of_tsv(
    serving: Serve, sharing: Serve, generated: Path, directory: Path, name: str, iso: bool
) -> None:
    """Flow for flow, also where Zeek writes times as ISO 8601, and whatever the log is compressed with."""
    logs = sorted(generated.rglob("conn*.log.gz"))[8:10]
    text = "".join(as_json(gzip.decompress(log.read_bytes()).decode(), iso=iso) for log in logs)
    tsv = directory / "tsv"
    tsv.mkdir()
    for log in logs:
        (tsv / log.name).write_bytes(log.read_bytes())
    serving(tsv)
    expected = [top(n=1000, over=over).to_pylist() for over in ("src", "dst_port", "service")]
    other = directory / "json"
    other.mkdir()
    (other / name).write_bytes(packed(text.encode(), name))
    serving(other)
    assert [top(n=1000, over=over).to_pylist() for over in ("src", "dst_port", "service")] == expected


def test_json_lines_that_are_cut_are_counted(serving: Serve, directory: Path, line: Line, zeek: Zeek) -> None:
    """In the metadata of the answer, with the first of them."""
    whole = as_json(zeek([line(), line(src="10.0.0.2")], name="x.log").joinpath("x.log").read_text())
    bad = '{"ts": 1715680800.5, "id.orig_h": "10.0.0.3"\n{"ts": "soon", "id.orig_h": "10.0.0.4"}\n'
    (directory / "conn.log").write_text(whole + bad + '{"ts": 1715680800.5, "id.or')
    serving(directory)
    table = top()
    assert sorted(table["src"].to_pylist()) == ["10.0.0.1", "10.0.0.2"]
    assert table.schema.metadata[b"rave.flow.skipped"] == b"3"
    assert table.schema.metadata[b"rave.flow.first_bad"].endswith(b"line 3 is not a whole JSON object")


@pytest.mark.parametrize("value", ["-0.061", "nan", "inf", "soon", "1e18"])
def test_a_duration_that_can_not_be_is_unknown(serving: Serve, zeek: Zeek, line: Line, value: str) -> None:
    """The flow counts with its bytes: an end before its start is no reason to lose them."""
    values = line().split("\t")
    values[7] = value
    serving(zeek(["\t".join(values), line()]))
    assert sorted(rwfilter().get_data()["duration"].to_pylist(), key=str) == [0.5, None]
    assert sum(rwcount(rwfilter())["records"].to_pylist()) == 2


def test_icmp_has_types_and_codes_and_no_ports(serving: Serve, directory: Path) -> None:
    """As Zeek writes them, where the answer's type stands for the code, and packed into one port as in NetFlow."""
    ends = [("10.0.0.1", 8, 0), ("2001:db8::1", 128, 129), ("10.0.0.1", 3, 3), ("10.0.0.1", 0, 771)]
    rows = [f"1715680800,{source},{first},{source},{second},icmp,10,1\n" for source, first, second in ends]
    (directory / "flows.csv").write_text(CSV + "".join(rows))
    serving(directory)
    (piece,) = pieces_of(SourceFile.at(directory / "flows.csv"))
    to_parquet(piece, directory / "read")
    found = pyarrow.parquet.read_table(directory / "read")
    names = ("src_port", "dst_port", "proto", "protocol", "ip_version", "icmp_type", "icmp_code")
    assert [tuple(row[name] for name in names) for row in found.to_pylist()] == [
        (None, None, "icmp", 1, 4, 8, 0),
        (None, None, "icmp6", 58, 6, 128, 0),
        (None, None, "icmp", 1, 4, 3, 3),
        (None, None, "icmp", 1, 4, 3, 3),
    ]


def test_the_number_of_a_protocol_comes_from_ip_proto(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Newer versions of Zeek have no name for many, but the number of each."""
    fields = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto orig_bytes resp_bytes orig_pkts resp_pkts ip_proto"
    lines = [f"1715680800.5 C{number} 10.0.0.1 0 10.0.0.2 0 unknown_transport 1 1 1 1 {number}" for number in (89, 250)]
    serving(zeek(["\t".join(one.split()) for one in lines], fields=fields))
    assert sorted(top(over="proto")["proto"].to_pylist()) == ["250", "ospf"]
