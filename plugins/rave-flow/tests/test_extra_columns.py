"""Columns of the flow files' own: they are kept, and any tool that lists or groups flows shows them on request."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from rave_flow.errors import ParameterError
from rave_flow.operations.silk import TOOLS
from rave_flow.operations.silk import __export__ as served
from rave_flow.silk import rwcat, rwcut, rwfilter, rwgroup, rwsort, rwuniq

from rave_core import Runtime
from rave_core.errors import ArgumentError

Serve = Callable[[Path], Runtime]
FIELDS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state local_orig "
    "missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents Our-Tag order"
)


def values(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A connection as Zeek logs it, with two columns that a script of the site adds."""
    fine = {
        "ts": 1715680800.5 + number, "uid": f"C{number}", "id.orig_h": "10.0.0.1", "id.orig_p": 4000 + number,
        "id.resp_h": "192.0.2.80", "id.resp_p": 443, "proto": "tcp", "service": "ssl", "duration": 0.5,
        "orig_bytes": 10, "resp_bytes": 20, "conn_state": "SF", "local_orig": True, "missed_bytes": 1460,
        "history": "ShADf", "orig_pkts": 3, "orig_ip_bytes": 100, "resp_pkts": 2, "resp_ip_bytes": 50,
        "tunnel_parents": ["CaB", "CdE"], "Our-Tag": "lab", "order": 7,
    }  # fmt: skip
    return fine | changes


def tsv(*rows: dict[str, Any], fields: str = FIELDS) -> str:
    """Connections as Zeek's TSV."""
    lines = ["#separator \\x09", "#path\tconn", "#fields\t" + "\t".join(fields.split())]
    shown = {True: "T", False: "F", None: "-"}
    for row in rows:
        lines.append("\t".join(
            ",".join(value) if isinstance(value, list) else shown.get(value, str(value)) if isinstance(value, bool)
            else "-" if value is None else str(value) for value in (row[name] for name in fields.split())
        ))  # fmt: skip
    return "\n".join([*lines, ""])


def objects(*rows: dict[str, Any]) -> str:
    """The same as JSON."""
    return "".join(json.dumps({name: value for name, value in row.items() if value is not None}) + "\n" for row in rows)


ASKED = "sip,history,uid,service,local_orig,missed_bytes,orig_bytes,our_tag,order"
ANSWER = {
    "sip": "10.0.0.1", "history": "ShADf", "uid": "C1", "service": "ssl", "local_orig": True, "missed_bytes": 1460,
    "orig_bytes": 10, "our_tag": "lab", "order": "7",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conn.log", tsv(values())),
        ("conn.json", objects(values())),
        ("conn.json", objects(values(), values(2, local_orig="perhaps", ts=1715680900))),
    ],
    ids=["TSV", "JSON", "JSON with a value of another kind"],
)
def test_what_a_source_has_beside_the_flow_is_shown_on_request(
    serving: Serve, directory: Path, name: str, text: str
) -> None:
    """Zeek's own columns and a site's, in the words of their names, whether a log is TSV or JSON."""
    (directory / name).write_text(text)
    serving(directory)
    assert rwcut(rwfilter(), fields=ASKED).to_pylist()[0] == ANSWER


def test_lists_are_shown_as_their_source_has_them(serving: Serve, directory: Path) -> None:
    """A list of JSON is JSON; of TSV it is what stands there."""
    (directory / "conn.a.json").write_text(objects(values()))
    (directory / "conn.b.log").write_text(tsv(values(2)))
    serving(directory)
    found = rwcut(rwfilter(), fields="tunnel-parents").to_pylist()
    assert found == [{"tunnel_parents": '["CaB","CdE"]'}, {"tunnel_parents": "CaB,CdE"}]


def test_flows_of_files_without_a_column_have_it_unset(serving: Serve, directory: Path) -> None:
    """Three files, of which one has the column; they are read together, since all are small."""
    (directory / "conn.a.log").write_text(tsv(values(), fields=FIELDS.replace(" Our-Tag", "")))
    (directory / "conn.b.log").write_text(tsv(values(2)))
    (directory / "conn.c.log").write_text(tsv(values(3), fields=FIELDS.replace(" Our-Tag order", "")))
    serving(directory)
    found = rwcut(rwfilter(), fields="uid,our_tag,order").to_pylist()
    assert [tuple(row.values()) for row in found] == [("C1", None, "7"), ("C2", "lab", "7"), ("C3", None, None)]


def test_a_column_that_no_file_has_is_refused_by_name(serving: Serve, directory: Path) -> None:
    """The message names it, the columns that are there, and the nearest."""
    (directory / "conn.log").write_text(tsv(values()))
    serving(directory)
    with pytest.raises(ParameterError, match=r"'our_tg' is neither .*local_orig.*did you mean 'our_tag'") as told:
        rwcut(rwfilter(), fields="sip,our_tg")
    assert told.value.parameter == "fields"
    with pytest.raises(ParameterError, match=r"'sipp'.*did you mean 'sip'"):
        rwuniq(rwfilter(), fields="sipp")
    with pytest.raises(ParameterError, match=r"no prefix map 'site' is in"):
        rwcut(rwfilter(), fields="src_site")


NAMES_OF_FIELDS = [
    (name, option)
    for name, tool in TOOLS.items()
    for option, kind in tool.types.items()
    if kind == "flow_fields" or option in ("key", "delta_field")
]


@pytest.mark.parametrize(("tool", "option"), NAMES_OF_FIELDS, ids=map("-".join, NAMES_OF_FIELDS))
def test_an_error_names_the_option_that_is_wrong(serving: Serve, directory: Path, tool: str, option: str) -> None:
    """As it was written: ``id_fields`` is not ``fields``."""
    (directory / "conn.log").write_text(tsv(values()))
    serving(directory)
    needed = {"rwuniq": {"fields": "sip"}, "rwstats": {"fields": "sip"}, "rwgroup": {"id_fields": "sip"}}.get(tool, {})
    more = {"delta_value": "1"} if option == "delta_field" else {}
    with pytest.raises(ArgumentError, match=option) as told:
        served[tool](**{**needed, **more, option: "no_such"})
    assert told.value.parameter == option
    assert str(pickle.loads(pickle.dumps(told.value))) == str(told.value)  # it may come from a child process


def test_columns_group_and_sort_like_fields(serving: Serve, directory: Path) -> None:
    """rwuniq, rwsort and rwgroup take them; numbers that Zeek writes are in order of their values."""
    rows = [values(1, missed_bytes=9), values(2, missed_bytes=10), values(3, missed_bytes=9, local_orig=False)]
    (directory / "conn.log").write_text(tsv(*rows))
    serving(directory)
    flows = rwfilter()
    assert rwuniq(flows, fields="local_orig,order").to_pylist() == [
        {"local_orig": False, "order": "7", "records": 1}, {"local_orig": True, "order": "7", "records": 2}
    ]  # fmt: skip
    ordered = rwcut(rwsort(flows, fields="missed_bytes", reverse=True), fields="uid")
    assert ordered["uid"].to_pylist() == ["C2", "C1", "C3"]
    grouped = rwgroup(flows, id_fields="missed_bytes", fields="uid,order")
    assert grouped["group"].to_pylist() == [0, 0, 1]
    both = rwcut(rwcat(flows, rwfilter(flows, sport=4001)), fields="uid,our_tag")
    assert sorted(both["uid"].to_pylist()) == ["C1", "C1", "C2", "C3"]


def test_a_change_in_such_a_column_changes_the_answer(serving: Serve, directory: Path) -> None:
    """The columns are part of what an hour holds, so nothing old is shown."""
    log = directory / "conn.log"
    log.write_text(tsv(values()))
    serving(directory)
    assert rwcut(rwfilter(), fields="our_tag")["our_tag"].to_pylist() == ["lab"]
    log.write_text(tsv(values(**{"Our-Tag": "office"})))
    assert rwcut(rwfilter(), fields="our_tag")["our_tag"].to_pylist() == ["office"]
    log.write_text(tsv(values(**{"Our-Tag": None})))
    assert rwcut(rwfilter(), fields="our_tag")["our_tag"].to_pylist() == [None]
    log.write_text(tsv(values(), fields=FIELDS.replace(" Our-Tag", "")))
    with pytest.raises(ParameterError, match="'our_tag'"):
        rwcut(rwfilter(), fields="our_tag")


def test_a_reduced_copy_without_them_is_still_a_copy(serving: Serve, directory: Path) -> None:
    """Without a uid an hour that lies there twice counts once, whatever further columns one of the two has."""
    titles, line = "ts,src,sport,dst,dport,proto,bytes,packets", "1715680800.5,10.0.0.1,4000,192.0.2.80,443,tcp,9,1"
    (directory / "a.csv").write_text(f"{titles}\n{line}\n")
    (directory / "b.csv").write_text(f"{titles},VLAN\n{line},12\n")
    serving(directory)
    assert rwcut(rwfilter(), fields="bytes").num_rows == 1


def test_tables_keep_their_columns_too(serving: Serve, directory: Path) -> None:
    """CSV and Parquet, with names in capitals, values of any type, and a name that is a field's."""
    titles = "Start_Time,saddr,sport,daddr,dport,protocol,total_bytes,total_packets,Rule Name,flags,tcp_flags"
    (directory / "a.csv").write_text(f"{titles}\n1715680800.5,10.0.0.1,4000,192.0.2.80,443,6,9,1,allow all,S,SA\n")
    columns = {
        "ts": [1715680801.5], "src": ["10.0.0.2"], "src_port": [1], "dst": ["10.0.0.3"], "dst_port": [2],
        "proto": ["udp"], "bytes": [5], "packets": [1], "tags": [["a", "b"]], "score": [0.5],
    }  # fmt: skip
    pyarrow.parquet.write_table(pyarrow.table(columns), directory / "b.parquet")
    serving(directory)
    found = rwcut(rwfilter(), fields="flags,x_tcp_flags,rule_name,tags,score").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("S", "SA", "allow all", None, None), (None, None, None, '["a","b"]', "0.5")
    ]  # fmt: skip


def test_events_of_suricata_keep_what_lies_in_the_flow(serving: Serve, directory: Path) -> None:
    """The object ``flow`` has a state and a reason; the time of the event is no start of the flow."""
    event = {
        "timestamp": "2024-05-14T11:00:00.000000+0000", "flow_id": 77, "event_type": "flow", "src_ip": "10.0.0.1",
        "src_port": 4000, "dest_ip": "192.0.2.80", "dest_port": 443, "proto": "TCP", "vlan": [12],
        "flow": {
            "pkts_toserver": 3, "pkts_toclient": 2, "bytes_toserver": 100, "bytes_toclient": 50, "state": "closed",
            "start": "2024-05-14T10:00:00.500000+0000", "end": "2024-05-14T10:00:01.000000+0000", "reason": "timeout",
        },
    }  # fmt: skip
    other = {"timestamp": "2024-05-14T11:00:00.000000+0000", "event_type": "dns", "dns": {"type": "query"}}
    (directory / "eve.json").write_text(json.dumps(event) + "\n" + json.dumps(other) + "\n")
    serving(directory)
    (row,) = rwcut(rwfilter(), fields="stime,flow_id,flow_state,flow_reason,vlan").to_pylist()
    assert row.pop("stime").hour == 10
    assert row == {"flow_id": "77", "flow_state": "closed", "flow_reason": "timeout", "vlan": "[12]"}


@pytest.mark.parametrize("tool", ["rwfilter", "rwsort", "rwdedupe", "rwgroup", "rwuniq", "rwstats"])
def test_every_operation_with_fields_takes_them(serving: Serve, directory: Path, tool: str) -> None:
    """On the command line and over HTTP ``fields`` means the same as in Python."""
    (directory / "conn.log").write_text(tsv(values()))
    serving(directory)
    more = {"rwgroup": {"id_fields": "local_orig"}}.get(tool, {})
    table = served[tool](fields="uid,missed_bytes,our_tag", **more)
    assert table.to_pylist()[0]["our_tag"] == "lab" if tool != "rwsort" else table.num_rows == 1


def test_a_log_of_many_pieces_keeps_them_in_each(
    serving: Serve, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every piece of a log has all columns, and so has a compressed log of many blocks."""
    monkeypatch.setattr("rave_flow.formats.chunks.LARGEST", 4096)
    rows = [values(number, **{"Our-Tag": None if number % 3 else "lab"}) for number in range(100)]
    (directory / "conn.log").write_text(tsv(*rows[:60]))
    (directory / "conn.rest.log.gz").write_bytes(gzip.compress(tsv(*rows[60:]).encode()))
    serving(directory)
    found = rwuniq(rwfilter(), fields="our_tag").to_pylist()
    assert found == [{"our_tag": "lab", "records": 34}, {"our_tag": None, "records": 66}]
