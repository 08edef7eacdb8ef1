"""CSV, Parquet and the tables of other programs; compression, times and addresses in all their spellings."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from log_texts import CSV, as_json, left_out, packed
from rave_flow.errors import RefusedError, UnreadableError
from rave_flow.operations.tables import top
from rave_flow.silk import rwcut, rwfilter, rwuniq

from rave_core import Runtime

Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
Serve = Callable[[Path], Runtime]
Zeek = Callable[..., Path]
Line = Callable[..., str]


def test_csv_is_read_by_its_aliases(serving: Serve, directory: Path) -> None:
    """Names in any case, protocols as numbers, times with a zone or as Unix seconds."""
    rows = [
        "2024-05-14T12:00:00+02:00,10.0.0.1,1,10.0.0.2,80,6,1000,10",
        '1715680800.5,"10.0.0.1",1,10.0.0.2,80,UDP,500,5',
        "2024-05-14 09:59:59.999999,10.0.0.1,1,10.0.0.2,80,6,7,1",
    ]
    (directory / "flows.csv").write_text(CSV + "\n".join(rows) + "\n")
    (directory / "more.csv.gz").write_bytes(gzip.compress((CSV + rows[0] + "\n").encode()))
    serving(directory)
    answer = top(over="proto", start="2024-05-14T10:00", end="2024-05-14T11:00").to_pylist()
    assert [(one["proto"], one["bytes"], one["flows"]) for one in answer] == [("tcp", 2000, 2), ("udp", 500, 1)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1715680800,10.0.0.1,1,10.0.0.2,80,6,10\n", r"flows\.csv.*line 2 has 7 values instead of 8"),
        ("1715680800,10.0.0.1,1,10.0.0.2,80,6,1000,10", "line 2 has no end, so it may be cut"),
        ('1715680800,"10.0.0.1,1,10.0.0.2,80,6,1000,10\n', r"flows\.csv.*line 2 has a quote that is not closed"),
    ],
)
def test_a_table_of_bad_lines_alone_is_an_error(serving: Serve, directory: Path, rows: str, message: str) -> None:
    """The error names the file and the line."""
    (directory / "flows.csv").write_text(CSV + rows)
    serving(directory)
    with pytest.raises(UnreadableError, match=message):
        top()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((CSV + "1,2\n").replace("\n", "\r"), "its lines end in carriage returns alone"),
        ("x" * 200_000 + ",ts\n", "the titles of columns in the first line can't be read"),
    ],
)
def test_titles_that_can_not_be_read_are_an_error(serving: Serve, directory: Path, content: str, message: str) -> None:
    """Line ends of old systems, and a title that never ends."""
    (directory / "flows.csv").write_text(content, newline="")
    serving(directory)
    with pytest.raises(UnreadableError, match=rf"flows\.csv: {message}"):
        top()


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_parquet_is_read_by_its_types(serving: Serve, directory: Path, zone: str | None) -> None:
    """A time with a zone is the same instant, whatever the zone; extra columns do not matter."""
    times = pyarrow.array([1715680800_000_000], pyarrow.timestamp("us", tz=zone))
    columns = {"ts": times, "src": ["10.0.0.1"], "dst": ["10.0.0.2"], "src_port": [1], "dst_port": [53]}
    more = {"proto": [17], "bytes": [80], "packets": [1], "colour": ["red"]}
    pyarrow.parquet.write_table(pyarrow.table(columns | more), directory / "flows.parquet")
    serving(directory)
    answer = top(over="proto", start="2024-05-14T10:00", end="2024-05-14T10:00:01")
    assert answer.to_pylist() == [{"proto": "udp", "bytes": 80, "packets": 1, "flows": 1, "share": 1.0}]


def test_numbers_that_are_none_in_parquet_are_unset(serving: Serve, directory: Path) -> None:
    """As data frames write them where a column has gaps; a fraction of a byte is still an error."""
    columns = {
        "ts": [1715680800.5] * 3, "src": ["10.0.0.1"] * 3, "dst": ["10.0.0.2"] * 3, "proto": ["tcp"] * 3,
        "src_port": [float("nan"), 1.0, 2.0], "dst_port": [80.0] * 3, "packets": [1.0] * 3,
        "bytes": [float("nan"), 100.0, 0.5],
    }  # fmt: skip
    pyarrow.parquet.write_table(pyarrow.table(columns), directory / "flows.parquet")
    serving(directory)
    table = rwcut(rwfilter(), fields="sport,bytes")
    assert table.to_pylist() == [{"sport": 1, "bytes": 100}, {"sport": None, "bytes": 0}]
    assert left_out(table)["lines"] == {"number": 1}


def test_damaged_parquet_is_an_error(serving: Serve, directory: Path) -> None:
    """The error names the file."""
    (directory / "flows.parquet").write_bytes(b"PAR1 and no more")
    serving(directory)
    with pytest.raises(UnreadableError, match=r"flows\.parquet"):
        top()


FORMS = {
    "rwcut": "sIP,dIP,sPort,dPort,pro,packets,bytes,flags,sTime,duration,eTime,sensor\n"
             "10.0.0.1,10.0.0.2,1000,443,6,11,1200,FS PA   ,2024/05/14T10:00:00.500,1.500,2024/05/14T10:00:02.000,S0\n",
    "rwcut with bars": "       sIP|       dIP|sPort|dPort|pro|packets|bytes|   flags|               sTime| duration|\n"
             "       10.0.0.1|  10.0.0.2| 1000|  443|  6|     11| 1200|FS PA   |2024/05/14T10:00:00.500|    1.500|\n",
    "ra": "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes\n"
          "2024/05/14 10:00:00.500000,1.5,tcp,10.0.0.1,1000,  ->,10.0.0.2,443,FSPA_FSPA,0,0,11,1200,500\n",
    "nfdump": "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt\n"
              "2024-05-14 10:00:00.500,2024-05-14 10:00:02,1.5,10.0.0.1,10.0.0.2,1000,443,TCP,.AP.SF,0,0,5,500,6,700\n"
              "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n1,1200,11,9600,11,109\n",
    "Arkime": "IP Protocol,Start Time,Stop Time,Src IP,Src Port,Dst IP,Dst Port,Packets,Bytes,Databytes\r\n"
              "6,1715680800500,1715680802000,10.0.0.1,1000,10.0.0.2,443,11,1200,900\r\n",
    "AWS": "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
           "log-status\n"
           "2 123 eni-1 10.0.0.1 10.0.0.2 1000 443 6 11 1200 1715680800 1715680802 ACCEPT OK\n",
}  # fmt: skip


@pytest.mark.parametrize("program", FORMS)
def test_tables_of_other_programs_are_read_by_their_titles(serving: Serve, directory: Path, program: str) -> None:
    """As they write them by themselves."""
    (directory / "f.csv").write_text("\ufeff" + FORMS[program], newline="")
    serving(directory)
    (row,) = rwcut(rwfilter(), fields="sip,dip,sport,dport,protocol,packets,bytes,stime,duration").to_pylist()
    assert tuple(row.values())[:7] == ("10.0.0.1", "10.0.0.2", 1000, 443, "tcp", 11, 1200)
    assert (row["stime"].second, row["stime"].hour, left_out(top())) == (0, 10, {})
    assert row["duration"] == (2.0 if program == "AWS" else 1.5)


ICMP = {
    "nfdump": "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows\n"
              + "".join(f"2024-05-14 10:00:0{place}.5,1,{proto},10.0.0.1,0,10.0.0.2,{port},1,84,1\n"
                        for place, (proto, port) in enumerate([("ICMP", "8.0"), ("ICMP", "3.13"), ("ICMP", "8.300")])),
    "AWS": "srcaddr dstaddr srcport dstport protocol packets bytes start end\n"
           "10.0.0.1 10.0.0.2 0 0 1 1 84 1715680800 1715680802\n",
    "data frame": "ts,src,src_port,dst,dst_port,proto,packets,bytes\n1715680800,10.0.0.1,3.0,10.0.0.2,1.0,icmp,1,84\n",
}  # fmt: skip


def test_types_of_icmp_are_read_as_each_program_writes_them(reused: Reused) -> None:
    """In place of ports; those that a program does not write are unknown, rather than those of an echo's reply."""
    found = {}
    for program, content in ICMP.items():
        with reused() as (directory, example):
            (directory / f"f{example}.csv").write_text(content)
            table = rwcut(rwfilter(), fields="icmp_type,icmp_code,dport")
        found[program] = [tuple(row.values()) for row in table.to_pylist()], left_out(table).get("lines", {})
    assert found == {
        "nfdump": ([(8, 0, None), (3, 13, None)], {"port": 1}),
        "AWS": ([(None, None, None)], {}),
        "data frame": ([(3, 1, None)], {}),
    }


def test_a_flow_log_of_aws_says_where_it_has_no_data(serving: Serve, directory: Path) -> None:
    """Such a line is no flow, and is counted apart."""
    flow = "2 123 eni-1 10.0.0.1 10.0.0.2 1000 443 6 11 1200 1715680800 1715680802 ACCEPT OK\n"
    none = "2 123 eni-1 - - - - - - - 1715680800 1715680802 - NODATA\n"
    (directory / "1_vpcflowlogs_eu_fl-1_20240514T1000Z_a.log.gz").write_bytes(gzip.compress((flow + none).encode()))
    serving(directory)
    assert (top()["flows"].to_pylist(), left_out(top())["lines"]) == ([1], {"no data": 1})


def test_flows_of_suricata_are_read(serving: Serve, directory: Path) -> None:
    """Of its mixed log the events that are flows, with both directions; others are no lines that are lost."""
    flow = {
        "timestamp": "2024-05-14T10:01:00.000000+0000", "event_type": "flow", "src_ip": "10.0.0.1", "src_port": 1000,
        "dest_ip": "10.0.0.2", "dest_port": 443, "proto": "TCP", "app_proto": "tls",
        "flow": {"pkts_toserver": 5, "pkts_toclient": 6, "bytes_toserver": 500, "bytes_toclient": 700,
                 "start": "2024-05-14T10:00:00.500000+0000", "end": "2024-05-14T10:00:02.000000+0000"},
    }  # fmt: skip
    other = {"timestamp": "2024-05-14T10:00:00.000000+0000", "event_type": "dns", "src_ip": "10.0.0.1"}
    (directory / "eve.json").write_text("\n".join(map(json.dumps, (other, flow, other))))
    serving(directory)
    (row,) = rwcut(rwfilter(), fields="sip,dport,protocol,packets,bytes,duration,service").to_pylist()
    assert tuple(row.values()) == ("10.0.0.1", 443, "tcp", 11, 1200, 1.5, "tls")
    assert left_out(top()) == {}


def test_bytes_that_are_no_utf8_cost_no_flow(serving: Serve, zeek: Zeek, line: Line, directory: Path) -> None:
    """In a text they are replaced."""
    logs = zeek([line()])
    content = (logs / "conn.log").read_bytes()
    (logs / "conn.log").write_bytes(content.replace(b"\tssl\t", b"\ts\xffl\t"))
    (logs / "f.csv").write_bytes(
        CSV.replace("\n", ",service\n").encode() + b"1715680800,10.0.0.1,1,10.0.0.2,80,6,10,1,a\xff\n"
    )
    serving(directory)
    assert top()["flows"].to_pylist() == [2]


@pytest.mark.parametrize("time", ["1715680800500", "1715680800500000", '"2024-05-14T10:00:00.500Z"', "1715680800.5"])
def test_times_are_read_in_any_unit(serving: Serve, directory: Path, time: str) -> None:
    """Seconds, milliseconds, microseconds and text: which it is shows by its size."""
    ends = '"id.orig_h" : "10.0.0.1", "id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2'
    (directory / "conn.log").write_text(
        f'{{ "ts" : {time}, {ends}, "proto":"tcp","orig_pkts":1,"resp_pkts":0, "orig_ip_bytes":9}}'
    )
    serving(directory)
    assert rwcut(rwfilter(), fields="stime")["stime"][0].as_py().timestamp() == 1715680800.5


@pytest.mark.parametrize("name", ["conn.log.zst", "flows.csv.zst", "conn.json.zst"])
def test_zstd_is_read_and_its_damage_noticed(
    serving: Serve, directory: Path, line: Line, zeek: Zeek, name: str
) -> None:
    """As of gzip: a stream that was cut is an error, not a short log."""
    rows = [line(ts=1715680800.5 + number) for number in range(2000)]
    text = zeek(rows, name="x.log").joinpath("x.log").read_text()
    if name.startswith("flows"):
        flow = "2024-05-14T10:00:00,10.0.0.1,4000,192.0.2.80,443,tcp,150,5\n"
        text = CSV + flow * 2000
    elif "json" in name:
        text = as_json(text)
    content = packed(text.encode(), name)
    (directory / name).write_bytes(content)
    serving(directory)
    assert top()["flows"].to_pylist() == [2000]
    (directory / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableError, match="damaged zstd"):
        top()


def test_an_address_is_one_in_all_its_spellings(serving: Serve, directory: Path) -> None:
    """Short or with all zeros, in capitals, with a zone, mapped into IPv6, padded as SiLK pads it."""
    sixes = ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001", " 2001:db8::1%eth0"]
    fours = ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "192.000.002.001"]
    rows = [f"1715680800,{source},1,10.0.0.2,80,6,10,1\n" for source in sixes + fours]
    (directory / "flows.csv").write_text(CSV + "".join(rows))
    serving(directory)
    assert {row["src"]: row["flows"] for row in top().to_pylist()} == {"2001:db8::1": 4, "192.0.2.1": 4}


NOTED = "ts,src,src_port,dst,dst_port,proto,bytes,packets,note\n"


def noted(port: int, note: str) -> str:
    """A row of a table with a remark."""
    return f"1715680801,10.0.0.1,{port},192.0.2.80,443,tcp,150,5,{note}\n"


@pytest.mark.parametrize(
    ("notes", "ports"),
    [
        (['"a', "b", "c"], [2, 3]),
        (["a", '"b', "c", 'd"', '"e"'], [1, 3, 4, 5]),
        (['"a', "b", '"c'], [2]),
        (['"a\nb,c"', '5"', '"d ""e"""'], [1, 2, 3]),
        (['"a\n\nb', "c"], [2]),
    ],
    ids=["never closed", "another quote later", "two", "whole values", "cut within a value of several lines"],
)
def test_a_quote_that_is_not_closed_costs_its_line_alone(
    serving: Serve, directory: Path, notes: list[str], ports: list[int]
) -> None:
    """And not all rows after it, in silence. Values may have several lines, and quotes within them."""
    rows = "".join(noted(port, note) for port, note in enumerate(notes, 1))
    (directory / "flows.csv").write_text(NOTED + rows)
    serving(directory)
    table = rwcut(rwfilter(), fields="sport")
    assert table["sport"].to_pylist() == ports
    assert sum(left_out(table).get("lines", {}).values()) >= len(notes) - len(ports)


def test_strange_json_costs_at_most_its_line(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Objects within objects without end, and halves of characters, which are replaced."""
    directory = zeek([line(src="10.0.0.1"), line(src="10.0.0.2")])
    first, second = as_json((directory / "conn.log").read_text()).splitlines()
    (directory / "conn.log").unlink()
    half = second.replace('"ssl"', r'"\ud83d \\ud800 \ud83d\ude00"')
    (directory / "conn.json").write_text("\n".join([first, '{"a":' * 5000 + "1" + "}" * 5000, half, ""]))
    serving(directory)
    table = rwcut(rwfilter(), fields="sip,service")
    assert sorted(map(tuple, (row.values() for row in table.to_pylist()))) == [
        ("10.0.0.1", "ssl"), ("10.0.0.2", "\ufffd \\ud800 \U0001f600"),
    ]  # fmt: skip
    assert sum(left_out(table)["lines"].values()) == 1


def test_protocols_as_data_frames_write_them(serving: Serve, directory: Path) -> None:
    """Numbers of a column with gaps have a fraction; all protocols are those without a number, too."""
    rows = [f"1715680801,10.0.0.1,{first},192.0.2.80,{second},{proto},150,5,x\n" for first, second, proto in (
        (1, 53, "17.0"), (8, 0, "1.0"), (2, 3, "unknown_transport"), (4, 5, "")
    )]  # fmt: skip
    (directory / "flows.csv").write_text(NOTED + "".join(rows))
    serving(directory)
    table = rwcut(rwfilter(protocol="0-255"), fields="protocol,sport,icmp_type")
    found = {row["protocol"]: (row["sport"], row["icmp_type"]) for row in table.to_pylist()}
    assert found == {"icmp": (None, 8), "udp": (1, None), "unknown_transport": (2, None)}
    assert left_out(table)["lines"] == {"protocol": 1}


def test_sums_beyond_64_bits_are_refused(serving: Serve, directory: Path) -> None:
    """By name, with what to do, instead of a failure inside."""
    rows = "".join(noted(port, "x").replace(",150,", f",{2**53},") for port in range(1, 1200))
    (directory / "flows.csv").write_text(NOTED + rows)
    serving(directory)
    for ask in (top, lambda: rwuniq(rwfilter(), fields="sip", values="bytes")):
        with pytest.raises(RefusedError, match="some counters are broken"):
            ask()
    assert rwuniq(rwfilter(bytes="0-1TB"), fields="sip").num_rows == 0


def test_why_a_file_is_not_read_is_said_without_its_path(serving: Serve, zeek: Zeek, line: Line) -> None:
    """The name is beside it; whoever asks need not know where the files lie."""
    directory = zeek([line()])
    zeek([line()], name="conn.b.log", fields="other")
    serving(directory)
    assert left_out(top())["files"]["conn.b.log"].startswith("no column 'ts' (known as ")
