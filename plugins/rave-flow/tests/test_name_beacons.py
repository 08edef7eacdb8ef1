"""Beacons by name, in Zeek's logs of DNS and TLS."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from log_texts import left_out
from rave_flow.errors import NoFilesError, UnreadableError
from rave_flow.operations import dns_beacons, sni_beacons

from rave_core import Runtime

Serve = Callable[[Path], Runtime]
START = 1715680800
DNS = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto query qtype_name"
SSL = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p version server_name"
CONN = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto duration conn_state orig_pkts orig_ip_bytes resp_pkts "
    "resp_ip_bytes"
)


def log(path: str, fields: str, rows: Iterable[tuple[object, ...]]) -> str:
    """A log of Zeek's of that path."""
    lines = ["#separator \\x09", f"#path\t{path}", "#fields\t" + "\t".join(fields.split())]
    return "\n".join([*lines, *("\t".join(map(str, row)) for row in rows), ""])


def queries(name: str, seconds: Iterable[float], src: str = "10.0.0.1") -> list[tuple[object, ...]]:
    """Queries for a name, each for A and AAAA at almost the same time."""
    return [
        (f"{START + second + part:.6f}", f"C{src}{second}", src, 4000, "10.0.0.53", 53, "udp", name, kind)
        for second in seconds
        for part, kind in ((0, "A"), (0.0002, "AAAA"))
    ]


REGULAR = range(0, 1800, 60)
RANDOM = [0, 3, 50, 51.5, 200, 204, 390, 391.5, 700, 1100, 1101.5, 1200, 1500, 1502, 1790]


def test_a_name_that_is_asked_for_regularly_is_a_beacon(serving: Serve, directory: Path) -> None:
    """The pair of A and AAAA is one request; spelling of the name does not count; an irregular one is no beacon."""
    half = queries("Beacon.example.", REGULAR[:15])
    (directory / "dns.log").write_text(log("dns", DNS, half + queries("cdn.example", RANDOM)))
    (directory / "dns.12.log.gz").write_bytes(
        gzip.compress(
            log("dns", DNS, [*queries("beacon.example", REGULAR[15:]), *queries("x", [9], "10.0.0.2")]).encode()
        )
    )
    serving(directory)
    (row,) = dns_beacons(least=10).to_pylist()
    assert (row["src"], row["name"], row["requests"], row["interval"]) == ("10.0.0.1", "beacon.example", 30, 60.0)
    assert (row["score"], row["sent"], row["destinations"], row["prevalence"]) == (1.0, None, 1, 0.5)
    assert row["why"] == (
        "30 requests, half of them within 0 s of every 60 s; 1 of 2 sources ask for beacon.example"
    )  # fmt: skip
    assert dns_beacons(least=10, end="2024-05-14T10:20:00")["requests"].to_pylist() == [20]


def test_bytes_of_a_tls_beacon_come_from_its_connections(serving: Serve, directory: Path) -> None:
    """By their uid; a beacon that moves between addresses is one."""
    hosts = [f"192.0.2.{number % 3}" for number in range(len(REGULAR))]
    ends = [(f"C{at}", "10.0.0.1", 4000 + at, host, 443) for at, host in zip(REGULAR, hosts, strict=True)]
    rows = [(f"{START + at + 0.1:.6f}", *end, "TLSv13", "c2.example") for at, end in zip(REGULAR, ends, strict=True)]
    connections = [
        (f"{START + at:.6f}", *end, "tcp", 1, "SF", 5, 500, 5, 900) for at, end in zip(REGULAR, ends, strict=True)
    ]
    (directory / "ssl.log").write_text(
        log("ssl", SSL, [*rows, (START, "Cx", "10.0.0.2", 1, "192.0.2.9", 443, "-", "-")])
    )
    (directory / "conn.log").write_text(log("conn", CONN, connections))
    serving(directory)
    (row,) = sni_beacons().to_pylist()
    assert (row["name"], row["score"], row["sent"], row["destinations"]) == ("c2.example", 1.0, 500.0, 3)
    assert "sending 500 B" in row["why"]


def test_json_says_the_same_as_tsv(serving: Serve, directory: Path) -> None:
    """Of lines without a name, or of another log, nothing is taken; a broken line is counted."""
    names = DNS.split()
    rows = [dict(zip(names, row, strict=True)) for row in queries("beacon.example", REGULAR)]
    lines = [json.dumps({"_path": "dns", **row, "ts": float(str(row["ts"]))}) for row in rows]
    more = ['{"_path": "dns", "ts": 1715680801.5, "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.53"}', '{"ts": 17']
    (directory / "dns.json").write_text("\n".join([*lines, *more, ""]))
    serving(directory)
    table = dns_beacons()
    assert table["requests"].to_pylist() == [30]
    assert left_out(table)["lines"] == {"line": 1}


def test_what_can_not_be_read_is_named(serving: Serve, directory: Path) -> None:
    """Lines and files that are left out stand in the metadata; without any log there is an error."""
    bad = [("soon", *queries("a", [0])[0][1:]), (START, "C", "host", *queries("a", [0])[0][3:])]
    (directory / "dns.log").write_text(log("dns", DNS, [*queries("beacon.example", REGULAR), *bad]) + "1\t2\n")
    (directory / "dns.other.log").write_text(log("http", DNS, []))
    (directory / "dns.empty.log").write_bytes(b"")
    serving(directory)
    told = left_out(dns_beacons())
    assert told["lines"] == {"line": 1, "time": 1, "address": 1}
    assert told["files"]["dns.empty.log"] == "is empty"
    assert "is not a dns log" in told["files"]["logs/dns.other.log"]
    with pytest.raises(NoFilesError, match=r"holds no ssl\.log"):
        sni_beacons()
    (directory / "dns.log").unlink()
    with pytest.raises(UnreadableError, match="is not a dns log"):
        dns_beacons()


def test_a_log_that_grew_gives_a_new_answer(serving: Serve, directory: Path) -> None:
    """The logs are part of the key."""
    found = directory / "dns.log"
    found.write_text(log("dns", DNS, queries("beacon.example", REGULAR)))
    serving(directory)
    assert dns_beacons()["requests"].to_pylist() == [30]
    with found.open("a") as end:
        end.write("\n".join("\t".join(map(str, row)) for row in queries("beacon.example", [1800, 1860])) + "\n")
    assert dns_beacons()["requests"].to_pylist() == [32]
