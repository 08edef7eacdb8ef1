"""Reading files: what is understood, what is refused, and what is left out and counted."""

from __future__ import annotations

import bz2
import gzip
import json
import logging
import lzma
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from rave_flow.errors import (
    AmbiguousFilesError,
    ChangedError,
    ColumnsError,
    FlowError,
    NoDirectoryError,
    NoFilesError,
    NothingFoundError,
    StrictError,
    UnreadableError,
)
from rave_flow.formats.chunks import pieces_of
from rave_flow.formats.source_directory import Repository, SourceFile
from rave_flow.formats.to_parquet import to_parquet
from rave_flow.operations.tables import daily, top
from rave_flow.silk import rwcut, rwfilter, rwtotal

from rave_core import Runtime
from rave_core.errors import ArgumentError

Serve = Callable[[Path], Runtime]
Zeek = Callable[..., Path]
Line = Callable[..., str]
CSV = "Start_Time,saddr,sport,daddr,dport,protocol,total_bytes,total_packets\n"

FIELDS_OF_LINES = (
    "ts id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state "
    "orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes"
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty directory for logs."""
    path = tmp_path / "logs"
    path.mkdir()
    return path


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
    [(0, "soon"), (2, "70000"), (1, "-"), (12, "-5"), (12, "many"), (11, "1e400"), (1, "host.example")],
)
def test_values_out_of_range_are_left_out_and_counted(
    serving: Serve, zeek: Zeek, line: Line, column: int, value: str
) -> None:
    """A number that is none, or no address: the line is missing and counted, it does not become a zero."""
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
        (b'{"ts": 1', "no line of it is whole"),
        (b"#path\tdns\n#fields\tts\n", "#path is 'dns'"),
        (b"#fields\tts\ta\n1\t2\n#fields\tts\tb\n", "line 3: other #fields"),
        (b"\x00\x01\x02", "no #fields line"),
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
        ('1715680800,"10.0.0.1,1,10.0.0.2,80,6,1000,10\n', r"flows\.csv.*line 2 has 2 values instead of 8"),
    ],
)
def test_a_table_of_bad_lines_alone_is_an_error(serving: Serve, directory: Path, rows: str, message: str) -> None:
    """The error names the file and the line."""
    (directory / "flows.csv").write_text(CSV + rows)
    serving(directory)
    with pytest.raises(UnreadableError, match=message):
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


def test_damaged_parquet_is_an_error(serving: Serve, directory: Path) -> None:
    """The error names the file."""
    (directory / "flows.parquet").write_bytes(b"PAR1 and no more")
    serving(directory)
    with pytest.raises(UnreadableError, match=r"flows\.parquet"):
        top()


def test_one_log_in_two_forms_counts_once(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Its flows would count twice; how many did not is told."""
    zeek([line()])
    serving(zeek([line()], name="conn.log.gz"))
    table = top()
    assert table["flows"].to_pylist() == [1]
    assert left_out(table) == {"duplicates": 1}


def left_out(table: pyarrow.Table) -> Any:
    """What the metadata of an answer say of what is missing from it."""
    return json.loads(table.schema.metadata.get(b"rave.flow.left_out", b"{}"))


@pytest.mark.parametrize("name", ["copy.csv", "conn.day.log", "conn.10.log.gz"])
def test_an_hour_that_lies_there_twice_counts_once(
    serving: Serve, zeek: Zeek, line: Line, directory: Path, name: str
) -> None:
    """Two logs may have flows of one hour, but not the same: as a copy has, or a day beside its hours."""
    hour = [line(ts=1715680800.5 + number) for number in range(5)]
    serving(zeek(hour, name="conn.a.log"))
    zeek([line(ts=1715680801.25), line(ts=1715684400.5)], name="conn.b.log")
    assert top()["flows"].to_pylist() == [7]
    if name.endswith(".csv"):
        flows = "".join(
            f"{1715680800.5 + number},10.0.0.1,40000,192.0.2.80,443,tcp,ssl,0.5,100,50,3,2,SF\n" for number in range(5)
        )
        head = "ts,src,src_port,dst,dst_port,proto,service,duration,src_bytes,dst_bytes,src_packets,dst_packets,state\n"
        (directory / name).write_text(head + flows)
    else:
        zeek([*hour, line(ts=1715688000.5)], name=name)
    expected = 7 if name.endswith(".csv") else 8
    table = top()
    assert (table["flows"].to_pylist(), left_out(table)) == ([expected], {"duplicates": 5})


def test_records_may_stand_in_any_order(serving: Serve, generated: Path, directory: Path) -> None:
    """As in a log that several processes write: every answer is the same, also that of the rows."""
    text = "".join(gzip.decompress(log.read_bytes()).decode() for log in sorted(generated.rglob("conn*.log.gz")))
    head = [line for line in text.splitlines(keepends=True)[:8] if line.startswith("#fields")]
    lines = [line for line in text.splitlines(keepends=True) if line[0] != "#"]
    answers = []
    for order, name in ((1, "one"), (-1, "other")):
        place = directory / name
        place.mkdir()
        (place / "conn.log").write_text("".join([*head, *lines[::order]]))
        serving(place)
        answers.append([top(n=100).to_pylist(), daily("2024-05-14").to_pylist(), rwfilter().get_data().to_pylist()])
    assert answers[0] == answers[1]


def test_other_logs_and_hidden_files_do_not_count(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Only connection logs do; their summary is none."""
    logs = zeek([line()])
    for name in ("dns.log", "conn-summary.log", ".conn.log", "notes.txt"):
        (logs / name).write_text("nothing of use\n")
    serving(logs)
    assert top()["flows"].to_pylist() == [1]


def test_what_looks_like_flows_and_is_not_read_is_named(serving: Serve, zeek: Zeek, line: Line) -> None:
    """Each costs itself alone, and every answer names it with the reason until it is gone."""
    logs = zeek([line()])
    (logs / "conn.01.log").write_bytes(b"")
    (logs / "conn.02.log").symlink_to(logs / "gone.log")
    (logs / "conn.03.log.zip").write_bytes(b"PK")
    (logs / "conn.04.log.xz").write_bytes(b"\xfd7zXZ")
    (logs / "conn.05.log").write_bytes(b"#path\tdns\n#fields\tts\n")
    (logs / "conn.log.bak").write_bytes(b"")
    os.mkfifo(logs / "conn.06.log")
    (logs / "current").symlink_to(logs / "nowhere")
    serving(logs)
    for ask in (top, top, lambda: rwcut(rwfilter()), lambda: rwtotal(rwfilter(), key="protocol")):
        files = left_out(ask())["files"]
        assert {name: reason.partition(",")[0] for name, reason in files.items()} == {
            "conn.01.log": "is empty",
            "conn.02.log": f"is a link to {logs}/gone.log",
            "conn.03.log.zip": "only .gz",
            "conn.04.log.xz": "damaged xz: Compressed file ended before the end-of-stream marker was reached",
            "conn.05.log": "is no connection log",
            "conn.06.log": "is a named pipe",
            "conn.log.bak": "its name is not one of those that are read",
            "current": f"is a link to {logs}/nowhere",
        }
    for path in [path for path in logs.iterdir() if path.name != "conn.log"]:
        path.unlink()
    assert left_out(top()) == {}


def test_strict_refuses_what_would_be_left_out(serving: Serve, zeek: Zeek, line: Line) -> None:
    """A file, a line, a record that is there twice: each is an error that names it."""
    logs = zeek([line()])
    runtime = serving(logs)
    settings: Any = runtime.settings.plugins["flow"]
    settings["strict"] = True
    assert top()["flows"].to_pylist() == [1]
    (logs / "conn.01.log").write_bytes(b"")
    with pytest.raises(StrictError, match=r"conn\.01\.log: is empty; strict is set"):
        top()
    (logs / "conn.01.log").write_bytes(gzip.compress(b"foreign"))
    with pytest.raises(StrictError, match=r"1 file not read: conn\.01\.log"):
        top()
    shutil.copy(logs / "conn.log", logs / "conn.01.log")
    with pytest.raises(AmbiguousFilesError, match="1 records lie there twice"):
        top()
    zeek([line(), "cut"], name="conn.01.log")
    with pytest.raises(StrictError, match="1 line left out"):
        top()
    settings["strict"] = False
    assert top()["flows"].to_pylist() == [1]


@pytest.mark.parametrize("name", ["conn.log.1", "conn.log-20240601", "conn.log.2.gz", "conn.log-20240601.bz2",
                                  "conn.json.1.xz", "conn.2024-06-01.log.lz4", "conn_long.log"])  # fmt: skip
def test_rotated_and_compressed_logs_are_read(
    serving: Serve, directory: Path, zeek: Zeek, line: Line, name: str
) -> None:
    """Whatever rotation calls them."""
    content = zeek([line()], name="x").joinpath("x").read_bytes()
    (directory / "x").unlink()
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
        ".lz4": lambda data: bytes(pyarrow.compress(data, codec="lz4", asbytes=True)),
    }  # fmt: skip
    (directory / name).write_bytes(packers.get(Path(name).suffix, bytes)(content))
    serving(directory)
    assert (top()["flows"].to_pylist(), left_out(top())) == ([1], {})


def test_linked_directories_are_read_once(serving: Serve, zeek: Zeek, line: Line, tmp_path: Path) -> None:
    """As Zeek links its current one; a link to what lies there as well, or that goes round, adds nothing."""
    logs = zeek([line()])
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "conn.log").write_text((logs / "conn.log").read_text().replace("10.0.0.1", "10.0.0.2"))
    (logs / "current").symlink_to(spool)
    (logs / "again").symlink_to(logs)
    (logs / "conn.other.log").symlink_to(logs / "conn.log")
    serving(logs)
    assert sorted(top()["src"].to_pylist()) == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("name", ["b*.csv", "b[a].csv", "b?.csv", "b'{x}.csv", "conn.*.log", "b*.parquet"])
def test_the_name_of_a_file_is_no_pattern(serving: Serve, directory: Path, zeek: Zeek, line: Line, name: str) -> None:
    """It is data: the file alone is read, whatever others its name would match."""
    row = "1715680800,10.0.0.{},1,10.0.0.2,80,6,10,1\n"
    (directory / "ba.csv").write_text(CSV + row.format(1))
    if name.endswith(".csv"):
        (directory / name).write_text(CSV + row.format(2))
    elif name.endswith(".log"):
        zeek([line(src="10.0.0.2")], name=name)
    else:
        columns = {"ts": [1715680800.0], "src": ["10.0.0.2"], "dst": ["::1"], "src_port": [1], "dst_port": [2]}
        more = {"proto": [6], "bytes": [1], "packets": [1]}
        pyarrow.parquet.write_table(pyarrow.table(columns | more), directory / name)
        (directory / "ba.parquet").write_bytes((directory / name).read_bytes())
        (directory / "ba.parquet").unlink()
    serving(directory)
    assert {row["src"]: row["flows"] for row in top().to_pylist()} == {"10.0.0.1": 1, "10.0.0.2": 1}


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


def test_an_empty_directory_is_an_error(serving: Serve, directory: Path) -> None:
    """The error names the directory and the files that would be read; it is the caller's to catch as ValueError."""
    serving(directory)
    with pytest.raises(NoFilesError, match=r"logs holds no flow files: conn\*\.log") as caught:
        top()
    assert isinstance(caught.value, ValueError)


def test_a_window_without_flows_is_an_error(serving: Serve, zeek: Zeek, line: Line) -> None:
    """The error says from when to when there are any."""
    serving(zeek([line()]))
    with pytest.raises(NothingFoundError, match=r"no flows before 2020-01-01 00:00:00 UTC .* from 2024-05-14 10:00"):
        top(end="2020-01-01")


def test_logs_with_headers_alone_are_told(serving: Serve, zeek: Zeek) -> None:
    """There are files, but no flow in any."""
    serving(zeek([]))
    with pytest.raises(NothingFoundError, match=r"no flows at any time .*; they are empty"):
        top()


def test_an_unconfigured_directory_is_told_with_both_ways(
    tmp_path: Path, serving: Serve, monkeypatch: pytest.MonkeyPatch, zeek: Zeek, line: Line
) -> None:
    """The error names the variable and the setting, and goes away once the variable is set."""
    logs = zeek([line()])
    serving(Path())
    runtime = serving(tmp_path / "absent")
    with pytest.raises(NoDirectoryError, match="absent is no directory"):
        top()
    runtime.settings.plugins["flow"].clear()  # type: ignore[attr-defined]  # of this backend alone
    with pytest.raises(NoDirectoryError, match=r"RAVE_FLOW_DIRECTORY, or directory = .* \[plugins\.flow\]"):
        top()
    monkeypatch.setenv("RAVE_FLOW_DIRECTORY", str(logs))
    assert top()["flows"].to_pylist() == [1]


def test_a_source_can_be_chosen_by_name(serving: Serve, zeek: Zeek, line: Line, directory: Path) -> None:
    """Further directories have names; an unknown one is told with those that are known."""
    runtime = serving(directory)
    settings: Any = runtime.settings.plugins["flow"]
    settings["directories"] = {"branch": str(zeek([line()]))}
    assert top(source="branch")["flows"].to_pylist() == [1]
    with pytest.raises(NoDirectoryError, match=r"'brunch' .* known: default, branch"):
        top(source="brunch")
    with pytest.raises(ArgumentError, match="name of a flow source"):
        top(source=None)


def test_what_was_appended_since_the_scan_waits_for_the_next(zeek: Zeek, line: Line, tmp_path: Path) -> None:
    """A log that is being written is read as far as it went when the directory was scanned."""
    logs = zeek([line(src="10.0.0.1")])
    (file,) = Repository.scan(logs).files
    for number in (2, 3):
        with (logs / "conn.log").open("a") as log:
            log.write(line(src=f"10.0.0.{number}") + "\n")
        if number == 2:
            (piece,) = pieces_of(file)
    to_parquet(piece, tmp_path / "flows.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "flows.parquet")["src"].to_pylist() == ["10.0.0.1"]


FIELDS = "#fields\tts\tsrc\tsrc_port\tdst\tdst_port\tproto\tbytes\tpackets\n"


@pytest.mark.parametrize("name", ["conn.log", "conn.log.gz", "flows.csv"])
def test_a_file_that_was_rewritten_since_the_scan_is_an_error(directory: Path, name: str, tmp_path: Path) -> None:
    """Its new content must not be kept under its old size and time: not when it is cut, and not when it is read."""
    content = {"conn.log": FIELDS.encode(), "conn.log.gz": gzip.compress(FIELDS.encode()), "flows.csv": CSV.encode()}
    path = directory / name
    path.write_bytes(content[name])
    found = SourceFile.at(path)
    with pytest.raises(ChangedError, match="ask again"):
        pieces_of(SourceFile(found.path, found.size, found.mtime_ns - 1))
    (piece,) = pieces_of(found)
    path.write_bytes(content[name].replace(b"bytes", b"sizes") + b"more")
    with pytest.raises(ChangedError, match="ask again"):
        to_parquet(piece, tmp_path / "flows.parquet")


def test_a_file_that_is_gone_since_the_scan_is_told(zeek: Zeek, line: Line, tmp_path: Path) -> None:
    """As when logs are rotated between the scan and the reading."""
    logs = zeek([line()])
    (file,) = Repository.scan(logs).files
    (piece,) = pieces_of(file)
    (logs / "conn.log").unlink()
    for late in (lambda: to_parquet(piece, tmp_path / "flows.parquet"), lambda: pieces_of(file)):
        with pytest.raises(ChangedError, match="is gone since"):
            late()


def test_a_log_that_is_rotated_during_the_scan_is_not_lost(
    zeek: Zeek, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is listed, but renamed before it is looked at, is found under its new name."""
    logs = zeek([line()])
    look = SourceFile.at

    def rotate_first(path: str | Path) -> SourceFile:
        if Path(path).name == "conn.log":
            Path(path).rename(logs / "conn.10.log")
        return look(path)

    monkeypatch.setattr(SourceFile, "at", rotate_first)
    assert [Path(file.path).name for file in Repository.scan(logs).files] == ["conn.10.log"]


def test_every_error_is_a_value_error() -> None:
    """So that a caller needs to know none of their names."""
    assert issubclass(FlowError, ValueError)
    assert all(issubclass(kind, FlowError) for kind in FlowError.__subclasses__())


def as_json(text: str, *, iso: bool = False) -> str:
    """A Zeek log in TSV as Zeek would have written it in JSON: without what is unset."""
    fields: list[str] = []
    objects = []
    numbers = {"id.orig_p", "id.resp_p", "duration", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"}
    for line in text.splitlines():
        if line.startswith("#fields"):
            fields = line.split("\t")[1:]
        elif not line.startswith("#"):
            found = {name: value for name, value in zip(fields, line.split("\t"), strict=True) if value != "-"}
            row: dict[str, Any] = {name: float(value) if name in numbers else value for name, value in found.items()}
            row |= {name: int(float(found[name])) for name in numbers - {"duration"} if name in found}
            row["ts"] = float(found["ts"])
            if iso:
                micros = datetime.fromtimestamp(row["ts"], UTC)
                row["ts"] = micros.isoformat(timespec="microseconds").replace("+00:00", "Z")
            objects.append(json.dumps(row))
    return "\n".join([*objects, ""])


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


def packed(content: bytes, name: str) -> bytes:
    """Compressed as the name says."""
    if name.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    return bytes(pyarrow.compress(content, codec="zstd", asbytes=True)) if name.endswith(".zst") else content


def test_json_lines_that_are_cut_are_counted(serving: Serve, directory: Path, line: Line, zeek: Zeek) -> None:
    """In the metadata of the answer, with the first of them."""
    whole = as_json(zeek([line(), line(src="10.0.0.2")], name="x.log").joinpath("x.log").read_text())
    bad = '{"ts": 1715680800.5, "id.orig_h": "10.0.0.3"\n{"ts": "soon", "id.orig_h": "10.0.0.4"}\n'
    (directory / "conn.log").write_text(whole + bad + '{"ts": 1715680800.5, "id.or')
    serving(directory)
    table = top()
    assert sorted(table["src"].to_pylist()) == ["10.0.0.1", "10.0.0.2"]
    assert table.schema.metadata[b"rave.flow.skipped"] == b"3"
    assert table.schema.metadata[b"rave.flow.first_bad"].endswith(b"line 3 is no whole JSON object")


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


@pytest.mark.parametrize("value", ["-0.061", "nan", "inf", "soon"])
def test_a_duration_that_can_not_be_is_unknown(serving: Serve, zeek: Zeek, line: Line, value: str) -> None:
    """The flow counts with its bytes: an end before its start is no reason to lose them."""
    values = line().split("\t")
    values[7] = value
    serving(zeek(["\t".join(values), line()]))
    assert sorted(rwfilter().get_data()["duration"].to_pylist(), key=str) == [0.5, None]


def test_an_address_is_one_in_all_its_spellings(serving: Serve, directory: Path) -> None:
    """Short or with all zeros, in capitals, with a zone, mapped into IPv6, padded as SiLK pads it."""
    sixes = ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001", " 2001:db8::1%eth0"]
    fours = ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "192.000.002.001"]
    rows = [f"1715680800,{source},1,10.0.0.2,80,6,10,1\n" for source in sixes + fours]
    (directory / "flows.csv").write_text(CSV + "".join(rows))
    serving(directory)
    assert {row["src"]: row["flows"] for row in top().to_pylist()} == {"2001:db8::1": 4, "192.0.2.1": 4}


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


def test_names_that_are_no_text_and_links_that_go_round_stop_nothing(
    serving: Serve, directory: Path, zeek: Zeek, line: Line
) -> None:
    """Names are bytes: what lies under them is read, and told where it can't be."""
    content = zeek([line(), "cut"], name="x").joinpath("x").read_bytes()
    (directory / "x").unlink()
    odd = os.fsdecode(b"conn.\xff\n.log")
    (directory / odd).write_bytes(content)
    (directory / os.fsdecode(b"f\xfe.csv")).write_bytes(b"")
    (directory / "conn.a.log").symlink_to(directory / "conn.b.log")
    (directory / "conn.b.log").symlink_to(directory / "conn.a.log")
    serving(directory)
    for _ in range(2):
        table = top()
        assert table["flows"].to_pylist() == [1]
        assert b"conn.\\udcff\n.log: line 5" in table.schema.metadata[b"rave.flow.first_bad"]
        assert len(left_out(table)["files"]) == 3
